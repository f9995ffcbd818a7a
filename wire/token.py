"""Presence secrets, day keys and the tokens, signs and leave codes made from them.

docs/protocol.md, section 2, format version 1. A token is one AES block: whoever holds the day key reads
kind and slot out of it with one decryption; to everybody else it is 16 random bytes.

    python -m wire.token SECRET_HEX UNIX_TIME presence|help     prints the token in hex

Nothing that `edge` imports may import this module: the edge holds no keys and must not
reach `cryptography`.

Pure: no I/O, no clock.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NoReturn

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wire.errors import Reason, WireError

TOKEN_BYTES = 16  # one AES block
SECRET_BYTES = 32  # presence secret S
DAY_KEY_BYTES = 16  # AES-128 key D
SLOT_S = 600  # ten minutes
SLOTS_PER_DAY = 144
DAY_S = SLOT_S * SLOTS_PER_DAY
SLOT_MAX = 2**32 - 1  # u32be on the wire

_VERSION = 0x01
_DAY_LABEL = b"consentry/day/1"
_SIGN_LABEL = b"consentry/sign/1"
_LEAVE_LABEL = b"consentry/leave/1"


class Kind(IntEnum):
    """What a phone says with a token."""

    PRESENCE = 0
    HELP = 1


class Colour(StrEnum):
    """The eight colours of a sign, in the order of their number on the wire."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    CYAN = "cyan"
    BLUE = "blue"
    VIOLET = "violet"
    WHITE = "white"


_COLOURS = tuple(Colour)
_HEAD = {kind: bytes((_VERSION, kind)) + bytes(10) for kind in Kind}
_KINDS = {head: kind for kind, head in _HEAD.items()}
# ECB of single blocks that never repeat under one key is the cipher itself, no mode.
_ECB = modes.ECB()


@dataclass(frozen=True, slots=True)
class Sign:
    """What a phone shows while help waits, so that an associate finds it without a name."""

    colour: Colour
    digits: int  # 0 to 99

    def __str__(self) -> str:
        return f"{self.colour.value} {self.digits:02d}"


def slot_of(unix_s: int) -> int:
    """The slot that holds `unix_s`, seconds since 1970 UTC.

    Raises: WireError where the time lies outside the 32-bit slots.
    """
    slot = unix_s // SLOT_S
    if not 0 <= slot <= SLOT_MAX:
        raise WireError(Reason.TOKEN, "a time from 1970 to the end of the 32-bit slots")
    return slot


def day_of(unix_s: int) -> int:
    """The UTC day that holds `unix_s`, days since 1970.

    Raises: WireError where the time lies outside the 32-bit slots.
    """
    return day_of_slot(slot_of(unix_s))


def day_of_slot(slot: int) -> int:
    """The UTC day to which a slot belongs, days since 1970; its tokens are made of that day's key."""
    return slot // SLOTS_PER_DAY


def day_key(secret: bytes, day: int) -> bytes:
    """The 16-byte key of one phone for one UTC day, from its 32-byte secret.

    Raises: WireError where the secret has another length or the day is no unsigned 32-bit number.
    """
    if len(secret) != SECRET_BYTES:
        raise WireError(Reason.TOKEN, f"a presence secret of {SECRET_BYTES} bytes")
    if not 0 <= day < 2**32:
        raise WireError(Reason.TOKEN, "a day that is an unsigned 32-bit number")
    label = _DAY_LABEL + day.to_bytes(4, "big")
    return HKDF(algorithm=hashes.SHA256(), length=DAY_KEY_BYTES, salt=None, info=label).derive(secret)


def token(day_key: bytes, kind: Kind, slot: int) -> bytes:
    """The 16 bytes that a phone advertises in `slot`.

    Raises: WireError for a day key of another length or a slot outside 32 bits.
    """
    return tokens(day_key, kind, (slot,))


def tokens(day_key: bytes, kind: Kind, slots: Sequence[int]) -> bytes:
    """The tokens of many slots of one day key, concatenated: 16 bytes each, one cipher call.

    Raises: WireError for a day key of another length or a slot outside 32 bits.
    """
    return encrypted((day_key,), contents(kind, slots))[0]


def contents(kind: Kind, slots: Sequence[int]) -> bytes:
    """What the tokens of these slots say before they are encrypted, concatenated: 16 bytes each.

    Raises: WireError for a slot outside 32 bits.
    """
    head = _HEAD[kind]
    try:
        return b"".join([head + slot.to_bytes(4, "big") for slot in slots])
    except OverflowError:
        raise WireError(Reason.TOKEN, "a slot that is an unsigned 32-bit number") from None


def encrypted(day_keys: Iterable[bytes], contents: bytes) -> list[bytes]:
    """For each day key its tokens with these `contents`, concatenated: one cipher call a key.

    Raises: WireError for a day key of another length.
    """
    found = []
    for key in day_keys:  # a million of them at a time
        if len(key) != DAY_KEY_BYTES:
            raise WireError(Reason.TOKEN, f"a day key of {DAY_KEY_BYTES} bytes")
        found.append(Cipher(algorithms.AES128(key), _ECB).encryptor().update(contents))
    return found


def read_token(day_key: bytes, token: bytes) -> tuple[Kind, int] | None:
    """Kind and slot of a token of this day key; None where it is not of this key.

    Costs one decryption whatever the answer. The slot comes from the token: the caller compares
    it with the slots that it accepts, and its day with the day of the key.

    Raises: WireError for a day key of another length.
    """
    if len(token) != TOKEN_BYTES:
        return None
    if len(day_key) != DAY_KEY_BYTES:
        raise WireError(Reason.TOKEN, f"a day key of {DAY_KEY_BYTES} bytes")
    plain = Cipher(algorithms.AES128(day_key), _ECB).decryptor().update(token)
    kind = _KINDS.get(plain[:12])
    return None if kind is None else (kind, int.from_bytes(plain[12:], "big"))


def sign(day_key: bytes, slot: int) -> Sign:
    """The sign that the phone of this day key shows in `slot`.

    Raises: WireError for a day key of another length or a slot outside 32 bits.
    """
    number = int.from_bytes(_mac(day_key, _SIGN_LABEL, slot)[:4], "big")
    return Sign(_COLOURS[number % 8], number // 8 % 100)


def leave_code(day_key: bytes, slot: int) -> str:
    """The eight digits that let a member leave in the store without network; never advertised.

    Raises: WireError for a day key of another length or a slot outside 32 bits.
    """
    number = int.from_bytes(_mac(day_key, _LEAVE_LABEL, slot)[:8], "big")
    return f"{number % 10**8:08d}"


def _mac(key: bytes, label: bytes, slot: int) -> bytes:
    if len(key) != DAY_KEY_BYTES:
        raise WireError(Reason.TOKEN, f"a day key of {DAY_KEY_BYTES} bytes")
    if not 0 <= slot <= SLOT_MAX:
        raise WireError(Reason.TOKEN, "a slot that is an unsigned 32-bit number")
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(label + slot.to_bytes(4, "big"))
    return mac.finalize()


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: print one token in hex. Returns 0, or exits 2 with one line on bad input."""
    parser = _OneLineParser(
        prog="python -m wire.token",
        description="Print the token that a phone advertises, as 32 hex digits.",
    )
    parser.add_argument("secret", metavar="SECRET_HEX", help="the presence secret, 64 hex digits")
    parser.add_argument("unix_time", metavar="UNIX_TIME", help="seconds since 1970, UTC")
    parser.add_argument("kind", choices=[kind.name.lower() for kind in Kind])
    chosen = parser.parse_args(arguments)
    try:
        secret = bytes.fromhex(chosen.secret)
    except ValueError:
        parser.error("SECRET_HEX: expected 64 hex digits")
    try:
        unix_s = int(chosen.unix_time)
    except ValueError:
        parser.error("UNIX_TIME: expected whole seconds since 1970, UTC")
    try:
        slot = slot_of(unix_s)
        key = day_key(secret, day_of_slot(slot))
    except WireError as error:
        parser.error(f"expected {error.hint}")
    print(token(key, Kind[chosen.kind.upper()], slot).hex())
    return 0


if __name__ == "__main__":
    sys.exit(main())
