"""What somebody waits for goes first, and nothing waits without a bound."""

import threading

import pytest

from store_gateway.inbox import MOST_BACKLOG, MOST_FAST, MOST_SIGHTINGS, Inbox


def test_the_fast_lane_overtakes_any_backlog() -> None:
    """A withdrawal does not wait behind a publication of thousands, nor behind a flood of sightings."""
    inbox: Inbox[str] = Inbox()
    for _ in range(MOST_BACKLOG):
        assert inbox.put_backlog("backlog")
    for _ in range(MOST_SIGHTINGS):
        assert inbox.put_sightings("sightings")
    assert inbox.put_fast("fast")
    assert inbox.take(0) == "fast"


def test_nothing_starves() -> None:
    """Questions without end let the others through; so does a flood on the fast lane; the others take turns."""
    inbox: Inbox[str] = Inbox()
    for _ in range(MOST_FAST):
        inbox.put_fast("fast")
    for _ in range(100):
        inbox.put("question")
        inbox.put_backlog("backlog")
        inbox.put_sightings("sightings")
    taken = [inbox.take(0) for _ in range(60)]
    assert taken.count("question") >= 20
    assert taken.count("fast") >= 20
    assert {"backlog", "sightings"} <= set(taken)
    rest = [inbox.take(0) for _ in range(240 + MOST_FAST)]
    assert (taken + rest).count("sightings") == 100
    assert inbox.take(0) is None


def test_sightings_beyond_the_bound_are_dropped() -> None:
    """And told, to be counted."""
    inbox: Inbox[int] = Inbox()
    assert [inbox.put_sightings(1) for _ in range(MOST_SIGHTINGS + 2)].count(False) == 2


@pytest.mark.parametrize("lane", ["put_fast", "put_backlog"])
def test_a_full_lane_holds_its_connection_back_until_there_is_room(lane: str) -> None:
    """The thread that brings it waits; after too long the payload is dropped, and comes again another way."""
    inbox: Inbox[int] = Inbox()
    put, most = getattr(inbox, lane), {"put_fast": MOST_FAST, "put_backlog": MOST_BACKLOG}[lane]
    for number in range(most):
        assert put(number)
    assert not put(-1, 0.01)
    kept: list[bool] = []
    bringer = threading.Thread(target=lambda: kept.append(put(most, 30.0)))
    bringer.start()
    assert inbox.take(0) == 0
    bringer.join(10)
    assert kept == [True]
    assert [inbox.take(0) for _ in range(most)] == list(range(1, most + 1))


def test_taking_waits_for_who_puts() -> None:
    """No polling: the taker is woken."""
    inbox: Inbox[str] = Inbox()
    assert inbox.take(0.01) is None
    threading.Timer(0.05, inbox.put, ("late",)).start()
    assert inbox.take(30) == "late"
