"""What a stream sends next."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from tablet_api.changes import Change, EventName, Slot, between, no_gateway
from tests.fakes.gateway import LIVE, NOW_MS, handle
from tests.tablet_api.floor_of import visit
from wire.query import CardChanged, DarkReason, Lease, Light, Outage, Roster, Visit

DARK = Lease(Light.DARK, DarkReason.NO_WORD, 0, 0, NOW_MS)

visits = st.builds(visit, st.integers(0, 12), helps=st.booleans(), minutes=st.integers(0, 3))
outages = st.lists(st.builds(Outage, st.sampled_from(["Shoes", "Pharmacy", ""]), st.booleans()), max_size=3).map(tuple)
rosters = st.builds(
    lambda version, lease, shown, out: Roster(
        version,
        NOW_MS,
        lease,
        tuple({one.handle: one for one in shown}.values()) if lease.light is Light.LIVE else (),
        False,
        out,
    ),
    st.integers(1, 2**64 - 1),
    st.sampled_from([LIVE, LIVE, LIVE, DARK]),
    st.lists(visits, max_size=8),
    outages,
)


def applied(shown: list[Visit], change: Change) -> list[Visit]:
    """What a page shows after a change, as the page's own code does it."""
    held = {one.handle: one for one in shown}
    for gone in change.gone:
        del held[gone]
    held |= {one.handle: one for one in change.visits}
    order = change.order if change.order is not None else tuple(held)
    return [held[one] for one in order]


@given(st.lists(rosters, min_size=1, max_size=12), st.sets(st.integers(0, 11)))
def test_any_slowness_ends_in_the_newest_roster(told: list[Roster], slow_at: set[int]) -> None:
    """However many rosters pass while a tablet is slow, what it then shows is the newest one, whole."""
    slot = Slot()
    page: list[Visit] | None = None
    out: tuple[Outage, ...] | None = None
    for number, roster in enumerate(told):
        slot.put(roster)
        if number in slow_at and number != len(told) - 1:
            continue
        for name, body in slot.take():
            if name is EventName.DARK:
                page = out = None
            elif name is EventName.ROSTER and isinstance(body, Roster):
                page, out = list(body.visits), body.radios
            elif isinstance(body, Change):
                assert page is not None, "a change is sent only where a roster was shown"
                page, out = applied(page, body), body.radios
        assert not slot.waits
        assert page == (list(roster.visits) if roster.lease.light is Light.LIVE else None)
        assert out == (roster.radios if roster.lease.light is Light.LIVE else None)


@given(rosters, rosters)
def test_a_change_says_only_what_differs(old: Roster, new: Roster) -> None:
    """A visit that is as before is not sent again; an order that is as before neither."""
    change = between(old, new)
    assert not set(change.visits) & set(old.visits)
    assert (change.order is None) == ([one.handle for one in old.visits] == [one.handle for one in new.visits])


def test_the_first_roster_and_darkness_go_at_once() -> None:
    """Nobody waits for a first roster, for a withdrawal, or for darkness."""
    slot = Slot()
    slot.put(Roster(1, NOW_MS, LIVE, (visit(1),), False))
    assert slot.urgent
    slot.take()
    slot.put(Roster(2, NOW_MS, LIVE, (visit(2),), False))
    assert not slot.urgent
    slot.put(Roster(3, NOW_MS, LIVE, (), True))
    slot.put(Roster(4, NOW_MS, LIVE, (), False))
    assert slot.urgent, "a later calm roster does not delay the withdrawal before it"
    slot.take()
    slot.put(Roster(5, NOW_MS, DARK, (), False))
    assert slot.urgent


def test_in_the_dark_no_card_is_spoken_of() -> None:
    """A changed card is not told to a tablet that shows nothing."""
    slot = Slot()
    slot.put(Roster(1, NOW_MS, LIVE, (visit(1),), False))
    slot.put(CardChanged(handle(1), 2))
    assert [name for name, _ in slot.take()] == [EventName.ROSTER, EventName.CARD]
    slot.put(CardChanged(handle(1), 3))
    slot.put(dataclasses.replace(no_gateway(), version=9))
    assert [name for name, _ in slot.take()] == [EventName.DARK]
    assert not slot.waits


def test_the_cards_that_wait_are_bounded() -> None:
    """A stream that is never read holds no backlog of cards."""
    slot = Slot()
    for number in range(1000):
        slot.put(CardChanged(handle(number), 1))
    assert len(slot.cards) == 256
    assert handle(999) in slot.cards
