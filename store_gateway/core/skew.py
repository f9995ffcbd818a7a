"""Tells how old a satellite's batch is, though its clock and ours know nothing of each other.

Each batch says when it was sent by the satellite's boot clock. The least difference ever seen between our clock at its
arrival and that is the offset of the clocks and the shortest way; what exceeds it is age. Clocks drift, so the least
difference may rise by as much as two of them can.

Pure: no I/O, no clock.
"""

from typing import Final

STALE_MS: Final = 2_000
# Each kernel slews its clock by at most 500 parts in a million (adjtimex(2)); good crystals are ten times better.
_DRIFT: Final = 0.001


class Skew:
    """One satellite's clock against ours, since one start of the satellite."""

    __slots__ = ("_at_ms", "_least_ms")

    def __init__(self) -> None:
        self._least_ms: float | None = None
        self._at_ms = 0.0

    def age_ms(self, sent_ms: int, now_ms: float) -> float:
        """How much longer than the quickest one a batch was under way that was sent at `sent_ms` and came now."""
        difference = now_ms - sent_ms
        if self._least_ms is None:
            self._least_ms = difference
        else:
            self._least_ms = min(difference, self._least_ms + max(0.0, now_ms - self._at_ms) * _DRIFT)
        self._at_ms = now_ms
        return difference - self._least_ms

    def ours_ms(self, theirs_ms: int) -> int:
        """An instant of the satellite's clock by ours, never below 0; after the first batch only."""
        return max(0, theirs_ms + round(self._least_ms or 0.0))
