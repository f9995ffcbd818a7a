"""Counts wrong tries by name, and locks a name for growing times.

Pure: no I/O, no clock.
"""

from collections import OrderedDict
from math import ceil

FREE = 5  # so many wrong tries cost nothing but themselves
FIRST_LOCK_S = 30
LONGEST_LOCK_S = 3_600
_MOST_NAMES = 4096


class Tries:
    """See the module. Bounded: of too many names the one tried longest ago is forgotten."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # name -> wrong tries, locked until

    def wrong(self, name: str, now_mono_s: float) -> None:
        """One more; the fifth locks for 30 s, each after it for twice as long as the one before, at most an hour."""
        count = self._counts.get(name, (0, 0.0))[0] + 1
        lock_s = min(LONGEST_LOCK_S, FIRST_LOCK_S * 2 ** min(count - FREE, 16)) if count >= FREE else 0
        self._counts[name] = (count, now_mono_s + lock_s)
        self._counts.move_to_end(name)
        if len(self._counts) > _MOST_NAMES:
            self._counts.popitem(last=False)

    def right(self, name: str) -> None:
        """Forgets the wrong ones."""
        self._counts.pop(name, None)

    def left_s(self, name: str, now_mono_s: float) -> int:
        """For how many seconds the name is locked still; 0: it is not."""
        return max(0, ceil(self._counts.get(name, (0, 0.0))[1] - now_mono_s))
