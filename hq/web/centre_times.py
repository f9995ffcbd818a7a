"""Instants as people say them, in the reader's language and in the time zone of the store.

I/O: reads which language flask's current request wants; babel's and the system's tables.
"""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import dates

from runtime.web_languages import current

_DAY = {"de": "d. MMMM y"}  # how a language writes a day; another writes it as English does
_WEEKDAY = {"de": "EEEE, 'dem' d. MMMM"}


def _at(at_ms: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, _zone(zone))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def day(at_ms: int, zone: str = "UTC") -> str:
    """`3 May 2026`."""
    return dates.format_date(_at(at_ms, zone), _DAY.get(current(), "d MMMM y"), locale=current())


def weekday(at_ms: int, zone: str) -> str:
    """`Saturday, 21 November`."""
    return dates.format_date(_at(at_ms, zone), _WEEKDAY.get(current(), "EEEE, d MMMM"), locale=current())


def clock(at_ms: int, zone: str) -> str:
    """`14:02`, as the store's clocks show it."""
    return _at(at_ms, zone).strftime("%H:%M")


def moment(at_ms: int, zone: str) -> str:
    """`21 November 2026, 14:02`."""
    return f"{day(at_ms, zone)}, {clock(at_ms, zone)}"
