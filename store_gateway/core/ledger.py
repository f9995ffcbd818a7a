"""Decides which record counts, and what a store held as of an earlier seq (docs/protocol.md, sections 4 to 6).

Pure: no I/O, no clock.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from wire.tree import Node

DELTAS_S = 600.0  # docs/protocol.md, section 4
MOST_DELTAS = 65_536  # of one instance; at 100 changes a second 10 minutes are 60,000
Place = tuple[bytes, bytes]  # path and key column


def takes(seq: int, held_seq: int, floor: int) -> bool:
    """Whether a live record is applied: newer than what is held for its key and above the floor of its range.

    `held_seq`: of the key, tombstones count; 0 where nothing is held.
    """
    return seq > held_seq and seq > floor


@dataclass(frozen=True, slots=True)
class Judged:
    """What a range does: the places to write, and those to erase."""

    write: tuple[Place, ...]
    erase: tuple[Place, ...]


def judge_range(
    as_of: int,
    floor: int,
    offered: Mapping[Place, int],
    held: Mapping[Place, int],
    since: int = 0,
    gone: Collection[Place] = (),
) -> Judged | None:
    """What applying a range does, or None where it is too old to say anything.

    `offered`: seq by place of the range's records; `held`: the same of what is held, tombstones too: all rows of its
    span, or where `since` is not 0, those that are offered. A record in the answer is tested against the held seq only,
    never the floor; what the answer lacks is erased where its held seq is at most `as_of`, and what is held with a
    greater seq stays. An answer since a seq says nothing of what it lacks. `gone`: the places of tombstones; one with
    the very seq of a live record is of an erasure made here, which HQ has not made.
    """
    if as_of < floor:
        return None
    return Judged(
        write=tuple(
            place
            for place, seq in offered.items()
            if seq > held.get(place, 0) or (place in gone and seq == held[place])
        ),
        erase=tuple(place for place, seq in held.items() if place not in offered and seq <= as_of) if not since else (),
    )


class Deltas:
    """What one instance's root gained by each live record of the last 10 minutes, so that an earlier root can be told.

    What a range changed is not in here: a lease as of an earlier seq then differs, and the next one tells. Ascending
    by seq, each with the sum of all up to it, so that telling costs the same at any rate of changes.
    """

    __slots__ = ("_base", "_gains", "_seqs", "_sums")

    def __init__(self) -> None:
        self._base = Node()  # the sum of all that was dropped
        self._seqs: list[int] = []
        self._gains: list[tuple[float, Node]] = []
        self._sums: list[Node] = []  # shorter than the others until it is asked for

    def add(self, seq: int, gain: Node, now_mono_s: float) -> None:
        """The root became `gain` more by applying `seq`; `gain` may have a count of -1, 0 or 1."""
        at = bisect_right(self._seqs, seq)
        self._seqs.insert(at, seq)
        self._gains.insert(at, (now_mono_s, gain))
        del self._sums[at:]
        if len(self._seqs) > MOST_DELTAS:
            self._drop(len(self._seqs) - MOST_DELTAS)

    def forget(self, now_mono_s: float) -> None:
        """Drops what is older than 10 minutes."""
        old = 0
        while old < len(self._gains) and self._gains[old][0] < now_mono_s - DELTAS_S:
            old += 1
        self._drop(old)

    def forget_through(self, seq: int) -> None:
        """Drops what no lease will ask to take back, once roots agreed as of `seq`."""
        self._drop(bisect_right(self._seqs, seq))

    def root_as_of(self, root: Node, seq: int) -> Node:
        """`root` less everything applied with a greater seq."""
        before = bisect_right(self._seqs, seq)
        if before == len(self._seqs):
            return root
        self._sum_up()
        return root.less(self._sums[-1]).join(self._sums[before - 1] if before else self._base)

    def _sum_up(self) -> None:
        last = self._sums[-1] if self._sums else self._base
        for _, gain in self._gains[len(self._sums) :]:
            last = last.join(gain)
            self._sums.append(last)

    def _drop(self, count: int) -> None:
        if count:
            self._sum_up()
            self._base = self._sums[count - 1]
            del self._seqs[:count], self._gains[:count], self._sums[:count]

    def __len__(self) -> int:
        return len(self._seqs)
