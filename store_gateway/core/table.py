"""Lays out a table of tokens in one block of memory, and finds a token in it at the same cost for any number.

A table holds the tokens of four slots: `first_slot` to `first_slot + 3`. In the byte order of the machine:

    8 × u64   magic, n tokens, b, r rows, first slot, 0, 0, 0
    n × u64   fingerprints ascending: the first 8 bytes of a token, big endian
    r × 32    rows: pseudonym 16 ‖ day key 16, one per phone and day
    2^b+1 u32 where the fingerprints with these b first bits begin
    n × u32   the row of each fingerprint

Fingerprints are cipher text and so evenly spread: b bits of them lead to a run of one or two, whatever n is. A
fingerprint alone proves nothing; the row's day key reads the whole token (docs/protocol.md, section 2).

Pure: no I/O, no clock.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from wire.token import SLOT_S, Kind, day_of_slot, read_token, tokens

SLOTS = 4  # those accepted (now-1, now, now+1) and the next one
PRESENCE_BIT = 1 << Kind.PRESENCE
HELP_BIT = 1 << Kind.HELP
SLOT_MS = SLOT_S * 1000

_MAGIC = 0x434E_5459_5441_4201
_HEAD_BYTES = 64
_ROW_BYTES = 32
_ID_BYTES = 16
_MOST_BITS = 20


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One phone on one UTC day. `kinds`: which kinds of token are to be recognised, bits of `PRESENCE_BIT`…"""

    pseudonym: bytes
    kinds: int
    day: int
    day_key: bytes


def lay_out(rows: Iterable[Row], first_slot: int) -> list[bytes | bytearray]:
    """The parts of the block, in order, for the tokens of the four slots from `first_slot`.

    A row whose day has none of these slots, or with no kind, yields nothing.
    """
    slots_of: dict[int, list[int]] = {}
    for slot in range(first_slot, first_slot + SLOTS):
        slots_of.setdefault(day_of_slot(slot), []).append(slot)
    held = bytearray()
    found: list[int] = []  # fingerprint and row in one number, which sorts at half the memory of a pair
    row_number = 0
    for row in rows:
        slots = slots_of.get(row.day)
        if not slots or not row.kinds:
            continue
        for kind in Kind:
            if row.kinds >> kind & 1:
                made = tokens(row.day_key, kind, slots)
                found += [int.from_bytes(made[at : at + 8], "big") << 32 | row_number for at in range(0, len(made), 16)]
        held += row.pseudonym + row.day_key
        row_number += 1
    found.sort()
    fingerprints = array("Q", [one >> 32 for one in found])
    indexes = array("I", [one & 0xFFFF_FFFF for one in found])
    del found
    bits = min(_MOST_BITS, max(0, len(indexes).bit_length() - 1))
    starts = array("I", bytes(4 * ((1 << bits) + 1)))
    for fingerprint in fingerprints:
        starts[(fingerprint >> 64 - bits) + 1] += 1
    for at in range(1, len(starts)):
        starts[at] += starts[at - 1]
    head = array("Q", [_MAGIC, len(indexes), bits, row_number, first_slot, 0, 0, 0])
    return [head.tobytes(), fingerprints.tobytes(), held, starts.tobytes(), indexes.tobytes()]


class Table:
    """A view of a block. Raises ValueError for a block that is not whole."""

    __slots__ = ("_fingerprints", "_indexes", "_rows", "_shift", "_starts", "first_slot", "size_bytes")

    def __init__(self, block: memoryview) -> None:
        head = block[:_HEAD_BYTES].cast("Q") if len(block) >= _HEAD_BYTES else None
        if head is None or head[0] != _MAGIC or head[2] > _MOST_BITS:
            raise ValueError("not a table of tokens")
        count, bits, rows = head[1], head[2], head[3]
        sizes = (8 * count, _ROW_BYTES * rows, 4 * ((1 << bits) + 1), 4 * count)
        if len(block) < _HEAD_BYTES + sum(sizes):
            raise ValueError("a table of tokens that is cut short")
        parts, at = [], _HEAD_BYTES
        for size in sizes:
            parts.append(block[at : at + size])
            at += size
        self._fingerprints = parts[0].cast("Q")
        self._rows = parts[1]
        self._starts = parts[2].cast("I")
        self._indexes = parts[3].cast("I")
        self._shift = 64 - bits
        self.first_slot = int(head[4])
        self.size_bytes = at

    def __len__(self) -> int:
        return len(self._fingerprints)

    def find(self, token: bytes) -> tuple[bytes, bytes, Kind, int] | None:
        """(pseudonym, day key, kind, slot) of a token of 16 bytes; None where it is nobody's."""
        fingerprint = int.from_bytes(token[:8], "big")
        bucket = fingerprint >> self._shift
        at, end = self._starts[bucket], self._starts[bucket + 1]
        fingerprints = self._fingerprints
        while at < end:
            if fingerprints[at] == fingerprint:
                place = self._indexes[at] * _ROW_BYTES
                row = bytes(self._rows[place : place + _ROW_BYTES])
                read = read_token(row[_ID_BYTES:], token)
                if read is not None:
                    return row[:_ID_BYTES], row[_ID_BYTES:], *read
            at += 1
        return None

    def release(self) -> None:
        """Lets go of the block, so that its memory can be unmapped."""
        for view in (self._fingerprints, self._rows, self._starts, self._indexes):
            view.release()
