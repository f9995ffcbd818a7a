"""Open and closed by the clock on the shop's wall."""

from datetime import UTC, datetime

import pytest

from store_gateway.core.hours import is_open
from wire.policy import Hours

WEEK = tuple(Hours(day, 9 * 60, 20 * 60) for day in range(1, 7))


def at(text: str) -> int:
    """Unix milliseconds of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ("2026-11-21T07:59:59", False),
        ("2026-11-21T08:00:00", True),  # 9:00 in Berlin, winter
        ("2026-07-18T07:00:00", True),  # 9:00 in Berlin, summer
        ("2026-07-18T06:59:00", False),
        ("2026-11-21T18:59:59", True),
        ("2026-11-21T19:00:00", False),
        ("2026-11-22T12:00:00", False),  # Sunday
    ],
)
def test_hours_are_local_with_daylight_saving(when: str, opened: bool) -> None:
    """Minutes after local midnight, whatever the offset is that day; the end is exclusive."""
    assert is_open(WEEK, "Europe/Berlin", at(when)) is opened


def test_the_weekday_is_the_local_one() -> None:
    """Monday evening UTC is Tuesday in Tokyo."""
    tuesday = (Hours(2, 0, 1440),)
    assert is_open(tuesday, "Asia/Tokyo", at("2026-11-23T16:00:00"))
    assert not is_open(tuesday, "UTC", at("2026-11-23T16:00:00"))


@pytest.mark.parametrize("zone", ["Nowhere/None", "", "../etc/passwd", "/etc/passwd", "x" * 64])
def test_an_unknown_time_zone_is_closed(zone: str) -> None:
    """No hours can be told, so nobody arrives."""
    assert not is_open((Hours(6, 0, 1440),), zone, at("2026-11-21T12:00:00"))


def test_no_hours_are_closed_and_a_time_beyond_the_calendar_too() -> None:
    """Doubt is no."""
    assert not is_open((), "UTC", at("2026-11-21T12:00:00"))
    assert not is_open(WEEK, "UTC", 2**53)
