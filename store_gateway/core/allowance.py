"""Lets each name have a few tries at once and then one in so many seconds, whatever becomes of them.

Unlike `store_gateway.tries` it knows no right and wrong: where the answer must not tell, neither may the wait.

Pure: no I/O, no clock.
"""

from collections import OrderedDict
from math import ceil

_MOST_NAMES = 4096


class Allowance:
    """See the module. Bounded: of too many names the one that tried longest ago is forgotten."""

    __slots__ = ("_burst", "_each_s", "_spent")

    def __init__(self, burst: int, each_s: float) -> None:
        self._burst = burst
        self._each_s = each_s
        self._spent: OrderedDict[str, float] = OrderedDict()  # name -> when all that was taken is given back

    def left_s(self, name: str, now_mono_s: float) -> int:
        """For how many seconds this name has to wait for its next try; 0: it may try now."""
        full_mono_s = self._spent.get(name, now_mono_s)
        return max(0, ceil(full_mono_s - now_mono_s - (self._burst - 1) * self._each_s))

    def take(self, name: str, now_mono_s: float) -> None:
        """One try of this name."""
        self._spent[name] = max(self._spent.get(name, now_mono_s), now_mono_s) + self._each_s
        self._spent.move_to_end(name)
        if len(self._spent) > _MOST_NAMES:
            self._spent.popitem(last=False)
