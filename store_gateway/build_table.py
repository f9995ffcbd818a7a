"""Makes the tables of tokens of some slots in a process of its own, so that no answer to a tablet waits for it.

    python -m store_gateway.build_table ROWS KINDS_FD DAY:FD,… SLOT:FD,…

All FDs are anonymous memory (memfd), which has no name and so ends with the last process that holds it: the columns of
`store_gateway.core.phones`, which are only read, and a block for each slot's table. The rows may change meanwhile; who
gave the order lays over the table what did. A standard input that ends says that nobody waits any more.

I/O: standard input and the given file descriptors; the only importer of numpy.
"""

import mmap
import os
import select
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from store_gateway.core.phones import HELP_BIT, PRESENCE_BIT
from store_gateway.core.table import FINGERPRINT_BYTES, HEAD_BYTES, START_BYTES, bits_for, head, size_for
from wire.token import DAY_KEY_BYTES, TOKEN_BYTES, Kind, contents, day_of_slot, encrypted

Allot = Callable[[int, int], Any]  # (slot, size) -> a buffer that can be written

_AT_ONCE = 16_384  # phones between two looks at whether anybody waits: 0.1 s


class _Making:
    """The table of one slot, in its block from the first token on: nothing large is held beside it but one sort."""

    def __init__(self, slot: int, count: int, allot: Allot) -> None:
        self.slot, self.count, self.filled = slot, count, 0
        self.block = allot(slot, size_for(count))
        places = (1 << bits_for(count)) + 1
        starts_at = HEAD_BYTES + FINGERPRINT_BYTES * count
        self.fingerprints = np.frombuffer(self.block, np.uint64, count, HEAD_BYTES)
        self.starts = np.frombuffer(self.block, np.uint32, places, starts_at)
        self.rows = np.frombuffer(self.block, np.uint32, count, starts_at + START_BYTES * places)

    def add(self, fingerprints: npt.NDArray[Any], rows: npt.NDArray[Any]) -> None:
        """More tokens."""
        end = self.filled + len(rows)
        self.fingerprints[self.filled : end] = fingerprints
        self.rows[self.filled : end] = rows
        self.filled = end

    def finish(self, rows: int) -> None:
        """Puts it in order."""
        order = np.argsort(self.fingerprints)
        self.fingerprints[:] = self.fingerprints[order]
        self.rows[:] = self.rows[order]
        bits = bits_for(self.count)
        if bits:
            firsts = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
            self.starts[:-1] = np.searchsorted(self.fingerprints, firsts)
        self.starts[-1] = self.count
        del self.fingerprints, self.starts, self.rows  # the block can be closed only without views of it
        with memoryview(self.block) as whole, whole[HEAD_BYTES:] as content:
            whole[:HEAD_BYTES] = head(self.count, rows, self.slot, content)


def build(
    rows: int,
    kinds: mmap.mmap,
    days: Mapping[int, mmap.mmap],
    slots: Sequence[int],
    allot: Allot,
    wanted: Callable[[], bool] = lambda: True,
) -> bool:
    """Makes the tables of these slots; False where nobody wants them any more."""
    known = np.frombuffer(kinds[:rows], np.uint8)  # as it is now: it may change
    by_day: dict[int, list[int]] = {}
    for slot in slots:
        by_day.setdefault(day_of_slot(slot), []).append(slot)
    for day, its_slots in by_day.items():
        column = days.get(day)
        keyed = known * _has_key(column, rows) if column is not None else known[:0]
        count = int(np.count_nonzero(keyed & HELP_BIT) + np.count_nonzero(keyed & PRESENCE_BIT))
        making = [_Making(slot, count, allot) for slot in its_slots]
        for first in range(0, len(keyed), _AT_ONCE):
            if not wanted():
                return False
            assert column is not None  # else nothing is keyed
            _add(making, column, keyed[first : first + _AT_ONCE], first)
        for one in making:
            one.finish(rows)
    return True


def _has_key(column: mmap.mmap, rows: int) -> npt.NDArray[np.uint8]:
    halves = np.frombuffer(column, np.uint64, 2 * rows).reshape(rows, 2)
    found: npt.NDArray[np.uint8] = ((halves[:, 0] | halves[:, 1]) != 0).astype(np.uint8)
    return found


def _add(making: list[_Making], column: mmap.mmap, kinds: npt.NDArray[np.uint8], first: int) -> None:
    """The tokens of some rows: one cipher call a phone makes those of all kinds and slots."""
    slots = [one.slot for one in making]
    keys = column[DAY_KEY_BYTES * first : DAY_KEY_BYTES * (first + len(kinds))]
    for mask in np.unique(kinds[kinds != 0]):
        places = np.flatnonzero(kinds == mask)
        said = [kind for kind in Kind if int(mask) >> kind & 1]
        said_in_all = b"".join(contents(kind, slots) for kind in said)
        chosen = [keys[DAY_KEY_BYTES * at : DAY_KEY_BYTES * (at + 1)] for at in places.tolist()]
        tokens = np.frombuffer(b"".join(encrypted(chosen, said_in_all)), ">u8").reshape(
            len(places), len(said), len(slots), TOKEN_BYTES // FINGERPRINT_BYTES
        )
        rows = (places + first).astype(np.uint32)
        for kind_at in range(len(said)):
            for slot_at, one in enumerate(making):
                one.add(tokens[:, kind_at, slot_at, 0], rows)


def main() -> int:
    """Reads the columns, writes the blocks; exit 0, or 1 where the gateway is gone."""
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(10)  # answers go first
    rows, kinds_fd = int(sys.argv[1]), int(sys.argv[2])
    days, blocks = dict(_pairs(sys.argv[3])), dict(_pairs(sys.argv[4]))

    def column(fd: int) -> mmap.mmap:
        return mmap.mmap(fd, 0, prot=mmap.PROT_READ)

    def allot(slot: int, size: int) -> mmap.mmap:
        os.ftruncate(blocks[slot], size)
        return mmap.mmap(blocks[slot], size)

    made = build(rows, column(kinds_fd), {day: column(fd) for day, fd in days.items()}, list(blocks), allot, _is_wanted)
    return 0 if made else 1


def _pairs(argument: str) -> Iterator[tuple[int, int]]:
    for one in filter(None, argument.split(",")):
        number, _, fd = one.partition(":")
        yield int(number), int(fd)


def _is_wanted() -> bool:
    return not select.select([sys.stdin], [], [], 0)[0]


if __name__ == "__main__":
    sys.exit(main())
