"""Every log line is one line of `event=… key=value`."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.logs import Level, Log, line, setup, tag


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a process called `edge` writes."""
    root, ours = logging.getLogger(), logging.getLogger("consentry")
    before, levels = root.handlers[:], (root.level, ours.level)
    stream = io.StringIO()
    setup("edge", Level.INFO, stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def test_a_line_begins_with_its_event_and_ends_with_the_remedy(lines: io.StringIO) -> None:
    """Event, process and level lead; the remedy ends the line."""
    Log("scanner").error("no_radio", remedy="plug one in", adapter="hci0", tries=3, seconds=1.5)
    assert lines.getvalue() == (
        'event=no_radio process=edge level=error adapter=hci0 tries=3 seconds=1.5 remedy="plug one in"\n'
    )


def test_a_warning_without_remedy_is_silent_about_it(lines: io.StringIO) -> None:
    """`remedy` is there only where one is known."""
    Log().warning("slow", ms=12)
    assert lines.getvalue() == "event=slow process=edge level=warning ms=12\n"


def test_below_the_level_nothing_is_written(lines: io.StringIO) -> None:
    """Debug lines are off at level info."""
    Log().debug("detail")
    assert lines.getvalue() == ""


@given(st.text())
def test_no_value_begins_a_second_line_or_key(value: str) -> None:
    """Whatever a value holds, the line stays one line and the next key stays the next key."""
    written = line("heard", {"name": value, "after": True})
    assert written.isascii()
    assert written.isprintable()
    found = written.removeprefix("event=heard name=").removesuffix(" after=true")
    assert written == f"event=heard name={found} after=true"
    if found.startswith('"'):
        assert json.loads(found) == value
    else:
        assert found == value
        assert not set(found) & set(' "=')


@pytest.mark.parametrize(
    "value", ["a b", 'say "x" event=forged', "a\nevent=forged", "", "a=b", "\x1b[2J", "\x7f", "\u2028"]
)
def test_what_is_not_plain_stands_in_quotes(value: str) -> None:
    """Spaces, quotes, equals signs and control characters are quoted and escaped."""
    written = line("heard", {"name": value})
    assert written.startswith('event=heard name="')
    assert written.endswith('"')
    assert len(written.splitlines()) == 1


def test_a_library_is_heard_without_its_words(lines: io.StringIO) -> None:
    """A library's line names its place; its text, which could hold an address, is left out."""
    try:
        raise ValueError("AA:BB:CC:DD:EE:FF")
    except ValueError:
        logging.getLogger("bleak.backends").exception("lost %s", "AA:BB:CC:DD:EE:FF")
    logging.getLogger("bleak.backends").info("chatter")
    written = lines.getvalue()
    assert written.startswith("event=library process=edge level=error at=bleak.backends:")
    assert written.endswith("exception=ValueError\n")
    assert "AA:BB" not in written


def test_a_tag_stands_for_a_member_within_one_start() -> None:
    """Equal members have equal tags, different ones different, and the tag is not the member."""
    assert tag(b"m" * 16) == tag(b"m" * 16)
    assert tag(b"m" * 16) != tag(b"n" * 16)
    assert len(tag(b"m" * 16)) == 8
