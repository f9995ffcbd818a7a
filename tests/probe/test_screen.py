"""What the probe's tablet shows, by what its stream said."""

import json

import pytest

from probe.screen import Screen
from wire.events import Seen


def _roster(*handles: str, version: str = "1") -> tuple[str, str]:
    return "roster", json.dumps({"version": version, "visits": [{"handle": one} for one in handles]})


def _change(*handles: str, gone: tuple[str, ...] = (), version: str = "2") -> tuple[str, str]:
    return "change", json.dumps(
        {"version": version, "visits": [{"handle": one} for one in handles], "gone": list(gone)}
    )  # fmt: skip


def test_it_shows_what_came_and_not_what_went() -> None:
    """Dark before the first word; gone while live and empty; shown from a visit until it goes."""
    screen = Screen()
    assert screen.seen is Seen.DARK
    screen.take(*_roster())
    assert screen.seen is Seen.GONE
    screen.take(*_change("a"))
    assert screen.seen is Seen.SHOWN
    screen.take("beat", "{}")
    screen.take("card", '{"handle": "a", "version": "3"}')
    assert screen.seen is Seen.SHOWN
    screen.take(*_change(gone=("a",)))
    assert screen.seen is Seen.GONE
    screen.take(*_roster("b"))
    assert screen.seen is Seen.SHOWN
    screen.take("dark", '{"version": "9"}')
    assert screen.seen is Seen.DARK
    assert screen.version == "9"


def test_a_stream_that_goes_on_without_the_news_shows_it_still() -> None:
    """Beats alone take nothing off the glass: so a stuck floor is seen as such."""
    screen = Screen()
    screen.take(*_roster("a"))
    for _ in range(100):
        screen.take("beat", "{}")
    assert screen.seen is Seen.SHOWN


@pytest.mark.parametrize("text", ["", "[]", "{", '{"visits": 3}', '{"visits": [], "gone": "a"}'])
def test_what_is_no_floor_is_refused(text: str) -> None:
    """Nothing is concluded from it."""
    with pytest.raises(ValueError):
        Screen().take("change", text)
