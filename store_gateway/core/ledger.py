"""Decides which record counts, and what a store held as of an earlier seq (docs/protocol.md, sections 4 to 6).

Pure: no I/O, no clock.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from wire.tree import Node

DELTAS_S = 600.0  # docs/protocol.md, section 4


def takes(seq: int, held_seq: int, floor: int) -> bool:
    """Whether a live record is applied: newer than what is held for its key and above the floor of its range.

    `held_seq`: of the key, tombstones count; 0 where nothing is held.
    """
    return seq > held_seq and seq > floor


@dataclass(frozen=True, slots=True)
class Judged:
    """What a range does: the key columns to write, and those to erase."""

    write: tuple[bytes, ...]
    erase: tuple[bytes, ...]


def judge_range(as_of: int, floor: int, offered: Mapping[bytes, int], held: Mapping[bytes, int]) -> Judged | None:
    """What applying a range does, or None where it is too old to say anything.

    `offered`: seq by key column of the range's records; `held`: the same of all rows below its prefix, tombstones too.
    A record in the answer is tested against the held seq only, never the floor; what the answer lacks is erased where
    its held seq is at most `as_of`, and what is held with a greater seq stays.
    """
    if as_of < floor:
        return None
    return Judged(
        write=tuple(column for column, seq in offered.items() if seq > held.get(column, 0)),
        erase=tuple(column for column, seq in held.items() if column not in offered and seq <= as_of),
    )


class Deltas:
    """What one instance's root gained by each live record of the last 10 minutes, so that an earlier root can be told.

    What a range changed is not in here: a lease as of an earlier seq then differs, and the next one tells.
    """

    __slots__ = ("_gains",)

    def __init__(self) -> None:
        self._gains: deque[tuple[float, int, Node]] = deque()

    def add(self, seq: int, gain: Node, now_mono_s: float) -> None:
        """The root became `gain` more by applying `seq`; `gain` may have a count of -1, 0 or 1."""
        self._gains.append((now_mono_s, seq, gain))

    def forget(self, now_mono_s: float) -> None:
        """Drops what is older than 10 minutes."""
        while self._gains and self._gains[0][0] < now_mono_s - DELTAS_S:
            self._gains.popleft()

    def forget_through(self, seq: int) -> None:
        """Drops what no lease will ask to take back, once roots agreed as of `seq`."""
        self._gains = deque(one for one in self._gains if one[1] > seq)

    def root_as_of(self, root: Node, seq: int) -> Node:
        """`root` less everything applied with a greater seq."""
        for _, gained_seq, gain in self._gains:
            if gained_seq > seq:
                root = root.less(gain)
        return root

    def __len__(self) -> int:
        return len(self._gains)
