"""What phones put on the air: AD structures to candidate tokens, and back.

docs/protocol.md, section 2. A candidate is 16 bytes that *may* be a token (formats F1, F2, F3); only a
holder of day keys can tell. AD structures are read as a list and never keyed by type or
company: two structures of one type occur on real phones.

    python -m wire.air HEX [--company 0xFFFF]     prints the candidates in hex, one a line

Pure: no I/O, no clock.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn
from uuid import UUID

from wire.errors import Reason, WireError

TOKEN_BYTES = 16
LEGACY_BYTES = 31  # one legacy advertisement; a scan response holds as many again
SERVICE_UUID = UUID("c0115e47-7259-4d5c-9a6b-1f0d3e8b2a01")  # docs/protocol.md, section 2: F4
CHARACTERISTIC_UUID = UUID("c0115e47-7259-4d5c-9a6b-1f0d3e8b2a02")  # its one characteristic (decision 0031)

APPLE = 0x004C  # Bluetooth SIG company identifiers
TEST_COMPANY = 0xFFFF

_INCOMPLETE_UUIDS_128 = 0x06  # AD types: Core Specification Supplement, part A
_COMPLETE_UUIDS_128 = 0x07
_MANUFACTURER = 0xFF

_APPLE_LE = APPLE.to_bytes(2, "little")
_BEACON = b"\x02\x15"  # Apple TLV: type iBeacon, 21 bytes
_BEACON_BYTES = 23  # those two, token, four ignored bytes, tx power
_F2_VERSION = 0x01
_F2_BYTES = 18  # version, tx power, token
_LENGTHS = (_BEACON_BYTES, _F2_BYTES)
_OVERFLOW = 0x01  # Apple TLV without a length byte
_MASK_BYTES = 16
APPLE_LEAST_BYTES = 1 + _MASK_BYTES  # of an Apple value that holds an overflow area or an iBeacon
_ANSWER_VERSION = b"\x01"

# A 16- or 32-bit UUID spelled out ends so (Core Specification 3.B.2.5.1): never a token.
_BASE_UUID_END = "-0000-1000-8000-00805f9b34fb"


def structures(raw: bytes) -> tuple[tuple[int, bytes], ...]:
    """The AD structures of an advertisement and its scan response, joined: (type, value) in order.

    Stops at a length of 0 and drops a structure that runs over the end; refuses nothing.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    end = len(raw)
    while at < end:
        length = raw[at]
        after = at + 1 + length
        if length == 0 or after > end:
            break
        found.append((raw[at + 1], raw[at + 2 : after]))
        at = after
    return tuple(found)


def candidates(raw: bytes, company_id: int) -> tuple[bytes, ...]:
    """The candidate tokens (16 bytes each) of raw AD structures: in order, each once.

    `company_id` is the configured one of F2.
    """
    found: list[bytes] = []
    for kind, value in structures(raw):
        if kind == _MANUFACTURER:
            if len(value) < 2:
                continue
            one = _of_manufacturer(int.from_bytes(value[:2], "little"), value[2:], company_id)
            if one is not None:
                found.append(one)
        elif kind in (_COMPLETE_UUIDS_128, _INCOMPLETE_UUIDS_128) and len(value) % 16 == 0:
            found += [value[at : at + 16][::-1] for at in range(0, len(value), 16)]
    return tuple(dict.fromkeys(found))


def candidates_of_properties(
    manufacturer: Mapping[int, bytes], service_uuids: Iterable[str], company_id: int
) -> tuple[bytes, ...]:
    """The candidate tokens of what BlueZ made of an advertisement: each once.

    `manufacturer` is company id → value, `service_uuids` are the textual UUIDs, 16-bit ones spelled
    out. Runs once per advertisement of anybody, so the common case (nothing of ours) is settled by lengths.
    """
    found: list[bytes] = []
    for company, value in manufacturer.items():
        if len(value) in _LENGTHS:
            one = _of_manufacturer(company, value, company_id)
            if one is not None:
                found.append(one)
    for text in service_uuids:
        if text.endswith(_BASE_UUID_END):
            continue
        try:
            uuid = bytes.fromhex(text.replace("-", ""))
        except ValueError:
            continue
        if len(uuid) == TOKEN_BYTES:
            found.append(uuid)
    if not found:
        return ()
    return tuple(dict.fromkeys(found)) if len(found) > 1 else (found[0],)


def _of_manufacturer(company: int, value: bytes, company_id: int) -> bytes | None:
    if company == APPLE and is_beacon(value):
        return value[2:18]
    if company == company_id and len(value) == _F2_BYTES and value[0] == _F2_VERSION:
        return value[2:]
    return None


def f1(token: bytes, rest: bytes) -> bytes:
    """The F1 structure (27 bytes): an iBeacon. `rest` is 5 bytes: four random ones, tx power.

    Raises: WireError for another length.
    """
    _require(token, TOKEN_BYTES)
    _require(rest, 5)
    return b"\x1a\xff" + _APPLE_LE + _BEACON + token + rest


def f2(token: bytes, company_id: int, tx: int) -> bytes:
    """The F2 structure (22 bytes): manufacturer data of the configured company; `tx` in dBm.

    Raises: WireError for a token of another length, a company or a power out of range.
    """
    _require(token, TOKEN_BYTES)
    if not 0 <= company_id <= 0xFFFF or not -127 <= tx <= 127:
        raise WireError(Reason.AIR, "a 16-bit company id and a tx power of -127 to 127 dBm")
    power = tx.to_bytes(1, "little", signed=True)
    return b"\x15\xff" + company_id.to_bytes(2, "little") + bytes((_F2_VERSION,)) + power + token


def f3(token: bytes) -> bytes:
    """The F3 structure (18 bytes): a complete list of one 128-bit service UUID.

    Raises: WireError for a token of another length.
    """
    _require(token, TOKEN_BYTES)
    return b"\x11\x07" + token[::-1]


def overflow_bit(service_uuid: UUID) -> int:
    """The position, 0 to 127, of a service in Apple's overflow area (format F4)."""
    crc = 0x15
    for byte in service_uuid.bytes:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x09 if crc & 0x80 else crc << 1) & 0xFF
    return crc & 0x7F


def has_overflow(raw: bytes, bit: int) -> bool:
    """Whether raw AD structures hold an overflow area with this bit set, whatever else is set."""
    return any(
        value[:2] == _APPLE_LE and apple_has_overflow(value[2:], bit)
        for kind, value in structures(raw)
        if kind == _MANUFACTURER
    )


def apple_has_overflow(value: bytes, bit: int) -> bool:
    """The same for the value of one Apple structure after its company id, as BlueZ gives it."""
    if _OVERFLOW not in value:
        return False  # most of them: Apple's phones speak several times a second each
    at = 0
    while at < len(value):
        if value[at] == _OVERFLOW:
            mask = value[at + 1 : at + 1 + _MASK_BYTES]
            return len(mask) == _MASK_BYTES and bool(mask[bit // 8] & 0x80 >> bit % 8)
        if at + 1 >= len(value):
            return False
        at += 2 + value[at + 1]
    return False


def is_beacon(value: bytes) -> bool:
    """Whether the value of one Apple structure, after its company id, is an iBeacon (format F1 is one)."""
    return len(value) == _BEACON_BYTES and value[:2] == _BEACON


def token_of_answer(value: bytes) -> bytes | None:
    """The token (16 bytes) in what F4's characteristic returned; None where it is of no such form."""
    if len(value) != 1 + TOKEN_BYTES or value[:1] != _ANSWER_VERSION:
        return None
    return value[1:]


def answer(token: bytes) -> bytes:
    """What F4's characteristic returns (17 bytes).

    Raises: WireError for a token of another length.
    """
    _require(token, TOKEN_BYTES)
    return _ANSWER_VERSION + token


def _require(part: bytes, length: int) -> None:
    if len(part) != length:
        raise WireError(Reason.AIR, f"{length} bytes")


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: print candidates. Returns 0 (also for none), exits 2 on bad input."""
    parser = _OneLineParser(
        prog="python -m wire.air",
        description="Print the candidate tokens of an advertisement in hex, one a line.",
    )
    parser.add_argument("raw", metavar="HEX", help="AD structures: advertisement and scan response, joined")
    parser.add_argument("--company", metavar="ID", default="0xFFFF", help="company id of format F2 (0xFFFF)")
    chosen = parser.parse_args(arguments)
    try:
        raw = bytes.fromhex(chosen.raw)
    except ValueError:
        parser.error("HEX: expected pairs of hex digits")
    try:
        company_id = int(chosen.company, 0)
    except ValueError:
        company_id = -1
    if not 0 <= company_id <= 0xFFFF:
        parser.error("--company: expected 0x0000 to 0xFFFF")
    for candidate in candidates(raw, company_id):
        print(candidate.hex())
    return 0


if __name__ == "__main__":
    sys.exit(main())
