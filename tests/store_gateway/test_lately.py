"""Who is looked at can leave though the visit ended meanwhile; and every window of a session hears of its own card."""

import pytest

from consent.visit import Denied
from tests.world import Tablet, World
from wire import query, sync
from wire.member import Mode
from wire.query import DarkReason, Withheld
from wire.token import Kind

WITHHELD = Withheld()


def only(world: World, tablet: Tablet) -> bytes:
    """The handle of the one visit."""
    (visit,) = world.floor(tablet).visits
    return visit.handle


def withdrawals(world: World) -> list[sync.Withdrawal]:
    """All that were recorded."""
    return [body for _, _, body in world.replica.events if isinstance(body, sync.Withdrawal)]


@pytest.mark.parametrize("end", ["done", "silent", "blind", "quiet", "dark"])
@pytest.mark.parametrize("scope", [None, "size.shoe"])
def test_who_asks_to_leave_is_let_go_though_the_visit_has_just_ended(end: str, scope: str | None) -> None:
    """Help is done, the phone is not heard, the zone is blind, the member chose quiet: one answer, and it is kept."""
    world = World()
    person = world.joins(Mode.HELP if end == "done" else Mode.OPEN)
    if end == "done":
        world.hears(person, Kind.HELP)
    else:
        world.walks(person, 6)
    tablet, other = world.tablet(), world.tablet("max")
    handle = only(world, tablet)
    assert isinstance(world.card(tablet, handle), query.Card)
    match end:
        case "done":
            world.ask(query.Attend(tablet.session, handle, query.Action.DONE))
        case "blind":
            world.walks(person, 6, "pharmacy-1", -40)
        case "quiet":
            world.changes(person, mode=Mode.QUIET)
        case _:
            world.passes(200)
    assert world.card(tablet, handle) == WITHHELD
    if end == "dark":
        world.replica.dark(DarkReason.NO_WORD)
        world.passes(1)
    assert world.ask(query.Withdraw(other.session, handle, scope)) == WITHHELD  # saw no card of theirs
    assert withdrawals(world) == []
    assert world.ask(query.Withdraw(tablet.session, handle, scope)) == query.Accepted()
    assert [(one.scope, one.associate) for one in withdrawals(world)] == [(scope, "ada")]
    assert world.denied(person) != Denied()
    if end == "silent":
        world.walks(person, 8)
        assert bool(world.floor(tablet).visits) is (scope is not None)


def test_after_ten_minutes_a_handle_is_nobodys() -> None:
    """Then it is answered as one that never was, and nothing is recorded."""
    world = World()
    world.walks(world.joins(Mode.OPEN), 6)
    tablet = world.tablet()
    handle = only(world, tablet)
    world.card(tablet, handle)
    for _ in range(3):
        world.now_s += 199
        world.floor(tablet)
        world.passes(1)
    assert not world.floor(tablet).visits
    world.passes(1)
    assert world.ask(query.Withdraw(tablet.session, handle, None)) == WITHHELD
    assert world.ask(query.Withdraw(tablet.session, bytes(16), None)) == WITHHELD
    assert withdrawals(world) == []


def test_each_window_of_a_session_is_told_when_its_own_card_shrinks() -> None:
    """Two streams of one session, a card in each; a third card in one of them makes neither deaf."""
    world = World()
    people = [world.joins(Mode.OPEN) for _ in range(3)]
    for person in people:
        world.walks(person, 6)
    tablet = world.tablet(watches=True)
    second = Tablet(tablet.session)
    world.follow(second)
    handles = [one.handle for one in world.floor(tablet).visits]
    shows = {0: handles[0], 1: handles[1]}

    def told() -> set[bytes]:
        """Of which cards the windows were told; each asks again for the one that it shows."""
        found: set[bytes] = set()
        for at, window in enumerate((tablet, second)):
            for one in [one for one in window.pushed if isinstance(one, query.CardChanged)]:
                if one.handle == shows[at]:
                    found.add(one.handle)
                    world.card(tablet, one.handle)
            window.pushed.clear()
        return found

    for handle in shows.values():
        world.card(tablet, handle)
    world.withdraws_at_hq(people[0], "size.shoe")
    assert handles[0] in told()
    world.withdraws_at_hq(people[1], "size.shoe")
    assert handles[1] in told()
    shows[1] = handles[2]  # the second window goes on; the first one's card was asked for before both
    world.card(tablet, handles[1])
    world.card(tablet, handles[2])
    for _ in range(3):
        world.passes(1.1)
        told()
    world.withdraws_at_hq(people[0], "brand.liked")
    assert told() == {handles[0]}
    world.withdraws_at_hq(people[2], "brand.liked")
    assert told() == {handles[2]}
    world.gateway.unwatch(second)
    for _ in range(3):
        world.passes(1.1)
        told()
    world.changes(people[0], mode=Mode.QUIET)
    assert told() == {handles[0]}


def test_one_window_is_told_of_the_card_that_it_shows_and_of_no_other() -> None:
    """The card before it is as if it had never been open."""
    world = World()
    people = [world.joins(Mode.OPEN) for _ in range(2)]
    for person in people:
        world.walks(person, 6)
    tablet = world.tablet(watches=True)
    for one in world.floor(tablet).visits:
        world.card(tablet, one.handle)
    world.withdraws_at_hq(people[0], "size.shoe")
    assert not [one for one in tablet.pushed if isinstance(one, query.CardChanged)]
