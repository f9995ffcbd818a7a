"""Tells whether a shop or a zone is open, by the clock on its wall.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from wire.policy import Hours


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown here, or no name of a zone at all
        return None


def is_open(spans: Iterable[Hours], time_zone: str, now_ms: int) -> bool:
    """Whether `now_ms` (Unix milliseconds UTC, trusted time) lies in one of the spans of the IANA time zone.

    False on every doubt: a time zone that is not known, no span at all.
    """
    zone = _zone(time_zone)
    if zone is None:
        return False
    try:
        local = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return False
    minute = local.hour * 60 + local.minute
    return any(span.weekday == local.isoweekday() and span.from_min <= minute < span.until_min for span in spans)


class OpenNow:
    """Whether spans are open in this minute, looked up once a minute: spans begin and end at whole minutes.

    Spans are known by their identity: it is for one policy, which whoever asks holds.
    """

    __slots__ = ("_known", "_minute")

    def __init__(self) -> None:
        self._minute = -1
        self._known: dict[int, bool] = {}

    def turns(self, now_ms: int) -> bool:
        """Whether this is another minute than at the last call."""
        if now_ms // 60_000 == self._minute:
            return False
        self._minute = now_ms // 60_000
        self._known.clear()
        return True

    def at(self, spans: tuple[Hours, ...], time_zone: str, now_ms: int) -> bool:
        """`is_open`."""
        self.turns(now_ms)
        found = self._known.get(id(spans))
        if found is None:
            found = self._known[id(spans)] = is_open(spans, time_zone, now_ms)
        return found
