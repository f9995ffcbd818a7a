"""Adds up the store's own work by days (UTC): how long it ran, how long it was dark, how fast withdrawals took effect.

Lives in memory, since the gateway's start. What passes while no trusted time is known belongs to the day that is known
next.

Pure: no I/O, no clock.
"""

from math import ceil
from typing import Final

from wire.query import Light
from wire.store_figures import DAY_S, LEAST, MOST_DAYS, STEP_MS, FigureDay, StoreFigures

_DAY_MS: Final = DAY_S * 1000
_MOST_DELAYS: Final = 8192  # of a day; the rest is left out


class _Day:
    __slots__ = ("dark_s", "delays", "measured_s")

    def __init__(self) -> None:
        self.measured_s = 0.0
        self.dark_s = 0.0
        self.delays: list[int] = []


class DayFigures:
    """See the module."""

    def __init__(self) -> None:
        self._days: dict[int, _Day] = {}
        self._seen_mono_s: float | None = None
        self._without = _Day()  # before the first trusted time

    def passed(self, light: Light, now_ms: int | None, now_mono_s: float) -> None:
        """Time went by since the last call, under this light; at every tick."""
        since_s = now_mono_s - self._seen_mono_s if self._seen_mono_s is not None else 0.0
        self._seen_mono_s = now_mono_s
        day = self._without if now_ms is None else self._day(now_ms)
        if now_ms is not None and self._without.measured_s:
            day.measured_s += self._without.measured_s
            day.dark_s += self._without.dark_s
            self._without = _Day()
        day.measured_s += since_s
        if light is not Light.LIVE:
            day.dark_s += since_s

    def delayed(self, delay_ms: int, now_ms: int) -> None:
        """A withdrawal took effect on every tablet so long after HQ's word."""
        delays = self._day(now_ms).delays
        if len(delays) < _MOST_DELAYS:
            delays.append(delay_ms)

    def told(self, now_ms: int) -> StoreFigures:
        """All days that are over."""
        today = now_ms // _DAY_MS
        over = sorted((number for number in self._days if number < today), reverse=True)
        return StoreFigures(tuple(_told(number, self._days[number]) for number in over[:MOST_DAYS]))

    def _day(self, now_ms: int) -> _Day:
        number = now_ms // _DAY_MS
        if number not in self._days:
            self._days[number] = _Day()
            for old in sorted(self._days)[: -MOST_DAYS - 1]:
                del self._days[old]
        return self._days[number]


def _told(number: int, day: _Day) -> FigureDay:
    delays = sorted(day.delays)
    enough = len(delays) >= LEAST
    return FigureDay(
        from_ms=number * _DAY_MS,
        measured_s=min(DAY_S, int(day.measured_s)),
        dark_s=min(DAY_S, int(day.dark_s)),
        withdrawals=len(delays) // 10 * 10 if enough else 0,
        median_ms=_at(delays, 0.5) if enough else None,
        p95_ms=_at(delays, 0.95) if enough else None,
        worst_ms=_at(delays, 1.0) if enough else None,
    )


def _at(delays: list[int], share: float) -> int:
    """The least delay that so large a share does not exceed."""
    return ceil(delays[max(0, ceil(len(delays) * share) - 1)] / STEP_MS) * STEP_MS
