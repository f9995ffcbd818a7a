"""Finds a token's row in one slot's table: a block of memory, which a child process made and nobody changes.

In the byte order of the machine:

    8 × u64    magic, n tokens, b, rows, slot, CRC-32 of the rest, 0, 0
    n × u64    fingerprints ascending: the first 8 bytes of a token, big endian
    2^b+1 u32  where the fingerprints with these b first bits begin
    n × u32    the row of each fingerprint, all below `rows`

Fingerprints are cipher text and so evenly spread: b bits of them lead to a run of three or so, whatever n is. A
fingerprint alone proves nothing; the row's day key reads the whole token (docs/protocol.md, section 2).

Pure: no I/O, no clock.
"""

from array import array
from bisect import bisect_left
from zlib import crc32

from wire.token import SLOT_S

SLOT_MS = SLOT_S * 1000
MAGIC = 0x434E_5459_5441_4202
HEAD_BYTES = 64
FINGERPRINT_BYTES = 8
START_BYTES = 4
ROW_BYTES = 4
_MOST_BITS = 22


def bits_for(count: int) -> int:
    """How many first bits lead to a run of two to four, of so many fingerprints."""
    return min(_MOST_BITS, max(0, count.bit_length() - 2))


def size_for(count: int) -> int:
    """How large a block of so many tokens is, in bytes."""
    return HEAD_BYTES + (FINGERPRINT_BYTES + ROW_BYTES) * count + START_BYTES * ((1 << bits_for(count)) + 1)


def head(count: int, rows: int, slot: int, content: memoryview) -> bytes:
    """The first 64 bytes of a block with this content."""
    words = array("Q", [MAGIC, count, bits_for(count), rows, slot, 0, 0, 0])
    words[5] = crc32(content, crc32(words))
    return words.tobytes()


class Table:
    """A view of a block. Raises ValueError for a block that is not whole; to find that out takes 10 ms for 25 MB."""

    __slots__ = ("_block", "_fingerprints", "_rows", "_shift", "_starts", "size_bytes", "slot")

    def __init__(self, block: memoryview) -> None:
        words = block[:HEAD_BYTES].cast("Q") if len(block) >= HEAD_BYTES else None
        if words is None or words[0] != MAGIC:
            raise ValueError("not a table of tokens")
        _, count, bits, rows, slot, *_ = words
        words.release()
        if count > len(block) or bits != bits_for(count) or len(block) != size_for(count):
            raise ValueError("a table of tokens that is cut short")
        with block[:HEAD_BYTES] as stated, block[HEAD_BYTES:] as content:
            if stated != head(count, rows, slot, content):
                raise ValueError("a table of tokens that was corrupted")
        starts_at = HEAD_BYTES + FINGERPRINT_BYTES * count
        rows_at = starts_at + START_BYTES * ((1 << bits) + 1)
        self._block = block
        self._fingerprints = block[HEAD_BYTES:starts_at].cast("Q")
        self._starts = block[starts_at:rows_at].cast("I")
        self._rows = block[rows_at:].cast("I")
        self._shift = 64 - bits
        self.slot = slot
        self.size_bytes = len(block)

    def __len__(self) -> int:
        return len(self._fingerprints)

    def rows(self, fingerprint: int) -> tuple[int, ...]:
        """The rows whose tokens begin with these 8 bytes, big endian: none, one, or by rare chance two."""
        fingerprints, starts, bucket = self._fingerprints, self._starts, fingerprint >> self._shift
        end = starts[bucket + 1]
        at = bisect_left(fingerprints, fingerprint, starts[bucket], end)
        if at == end or fingerprints[at] != fingerprint:
            return ()
        found = [self._rows[at]]
        while (at := at + 1) < end and fingerprints[at] == fingerprint:
            found.append(self._rows[at])
        return tuple(found)

    def release(self) -> object:
        """Lets go of the block, which is returned: its memory can be given back now."""
        block = self._block.obj
        for view in (self._fingerprints, self._rows, self._starts, self._block):
            view.release()
        return block
