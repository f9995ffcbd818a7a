"""The tables of others' habits come in parts and are made aside; until they are whole those before serve on."""

from collections.abc import Callable

import pytest

from demo import goods
from store_gateway.tables import AGAIN_S, TOLD_AT, UNREAD_S, Tables
from tests.fakes.replica import FakeShelf
from wire import affinity

PARTS = {path.name: path.read_bytes() for path in goods.TABLES.iterdir()}
LAST = max(PARTS)


def worked(tables: Tables, now_s: float) -> None:
    """All that there is to do now."""
    while tables.work(now_s):
        pass


def test_what_is_made_aside_serves_once_it_is_there() -> None:
    """The state thread goes on meanwhile, and asks for nothing twice."""
    shelf, waiting = FakeShelf(), list[Callable[[], None]]()
    tables = Tables(shelf, waiting.append)
    worked(tables, 0.0)
    assert not waiting and tables.model is None
    shelf.parts = dict(PARTS)
    worked(tables, 1.0)
    worked(tables, 2.0)
    assert len(waiting) == 1 and tables.model is None
    waiting.pop()()
    worked(tables, 3.0)
    assert tables.model is not None and tables.model.items == goods.MOST_ITEMS
    worked(tables, 400.0)
    assert not waiting
    shelf.parts = {}
    worked(tables, 500.0)
    waiting.pop()()
    worked(tables, 501.0)
    assert tables.model is None


@pytest.mark.parametrize("part", [None, b"of another version"])
def test_parts_that_are_not_whole_leave_what_was_there(part: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    """Asked for again, ever more seldom, until the rest is there; told once, after a minute."""
    shelf = FakeShelf()
    tables = Tables(shelf, lambda work: work())
    shelf.parts = dict(PARTS)
    worked(tables, 0.0)
    before = tables.model
    assert before is not None
    shelf.parts = {name: body for name, body in PARTS.items() if name != LAST} | ({LAST: part} if part else {})
    now_s = 1.0
    for refusal in range(TOLD_AT + 2):
        worked(tables, now_s)
        assert tables.model is before
        assert caplog.text.count("tables_refused") == (refusal + 1 >= TOLD_AT)
        now_s += AGAIN_S * 2**refusal + 1
    shelf.parts = dict(PARTS)
    worked(tables, now_s)
    assert tables.model is not None and tables.model is not before
    assert tables.model.version == before.version


@pytest.mark.parametrize("gone", [False, True], ids=["refused", "taken back"])
def test_what_is_refused_for_a_day_leaves_no_tables(gone: bool) -> None:
    """However often it is refused; and what HQ takes back meanwhile is gone at the next look."""
    shelf = FakeShelf()
    tables = Tables(shelf, lambda work: work())
    shelf.parts = dict(PARTS)
    worked(tables, 0.0)
    shelf.parts = {affinity.HEAD: b"refused"}
    worked(tables, 1.0)
    if gone:
        shelf.parts = {}
        worked(tables, 1.0 + AGAIN_S)
    else:
        tables._refusals = 1_100  # five days of them
        worked(tables, UNREAD_S)
        assert tables.model is not None
        worked(tables, UNREAD_S + 400.0)
    assert tables.model is None


def test_the_first_part_has_the_name_that_is_asked_for() -> None:
    """What HQ publishes by file names is what the store asks for."""
    assert affinity.HEAD in PARTS and affinity.part_name(1) in PARTS
