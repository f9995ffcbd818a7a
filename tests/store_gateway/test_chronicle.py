"""What the gateway tells HQ by itself: visits of who agreed, withdrawals that took effect, the store's health."""

from dataclasses import replace

import pytest

from store_gateway.errors import CacheReason
from tests.world import STORE, Person, World, a_policy
from wire import query, sync
from wire.member import Mode, State, Statement
from wire.policy import Policy, Purpose
from wire.sync import EventKind

INSIGHT = Purpose("insight", "insight", "consent", 365, bytes(32), "record")


def counting_policy() -> Policy:
    """A policy with the purpose that counts visits."""
    found = a_policy()
    return replace(found, main=replace(found.main, purposes=(*found.main.purposes, INSIGHT)))


def agrees(world: World, person: Person, *kept_out: str, state: State = State.GIVEN) -> None:
    """The member grants `insight`, or takes it back."""
    now_s = world.now_ms // 1000
    said = Statement(
        state, "insight", (), STORE, (), kept_out, now_s - 60, now_s + 86_400, now_s - 60, bytes(32), bytes(16), 1
    )  # fmt: skip
    world.changes(person, statements=(*person.member.statements, said))


def events(world: World, kind: EventKind) -> list[object]:
    """The bodies of the events of a kind."""
    return [body for one, _, body in world.replica.events if one is kind]


def visits_and_leaves(world: World, person: Person) -> None:
    """Half a minute among the shoes, some seconds at the door, and gone."""
    world.walks(person, 30)
    world.passes(300)


@pytest.fixture
def world() -> World:
    """A store that may count visits."""
    return World(counting_policy())


def test_a_visit_is_told_only_of_a_member_who_agreed(world: World) -> None:
    """When it came and went, and how long in which zone; of the other, not that there was one."""
    counted, other = world.joins(Mode.OPEN), world.joins(Mode.OPEN)
    agrees(world, counted)
    began_ms = world.now_ms
    visits_and_leaves(world, counted)
    visits_and_leaves(world, other)
    ((kind, pseudonym, body),) = [one for one in world.replica.events if one[0] is EventKind.VISIT]
    assert (kind, pseudonym) == (EventKind.VISIT, counted.pseudonym)
    assert isinstance(body, sync.VisitEnd)
    assert began_ms < body.arrived_ms < body.left_ms <= world.now_ms
    assert [one.zone for one in body.zones] == ["shoes"]
    assert body.zones[0].dwell_s == (body.left_ms - body.arrived_ms) // 1000


def test_a_zone_that_the_member_keeps_out_is_not_told(world: World) -> None:
    """The visit counts, and the zone does not."""
    person = world.joins(Mode.OPEN)
    agrees(world, person, "shoes")
    visits_and_leaves(world, person)
    (body,) = events(world, EventKind.VISIT)
    assert isinstance(body, sync.VisitEnd)
    assert body.zones == ()


def test_who_takes_it_back_during_the_visit_is_not_counted(world: World) -> None:
    """What holds at the end of the visit decides; so it does for who withdraws from the store or turns quiet."""
    for change in ("withdrawn", "quiet", "gone"):
        person = world.joins(Mode.OPEN)
        agrees(world, person)
        world.walks(person, 30)
        if change == "withdrawn":
            agrees(world, person, state=State.WITHDRAWN)
        elif change == "quiet":
            world.changes(person, mode=Mode.QUIET)
        else:
            world.hq_says(world.replica.put_member(person.pseudonym, None))
        world.passes(300)
    assert events(world, EventKind.VISIT) == []


def test_a_policy_without_the_purpose_counts_nobody() -> None:
    """A grant of what policy does not name counts for nothing."""
    world = World()
    person = world.joins(Mode.OPEN)
    agrees(world, person)
    visits_and_leaves(world, person)
    assert events(world, EventKind.VISIT) == []


def withdraw(world: World, person: Person, seq: int, age_ms: int = 200) -> None:
    """HQ took the member out, so long ago."""
    changes = world.replica.put_member(person.pseudonym, None)
    assert not isinstance(changes, bytes)
    world.hq_says(replace(changes, withdrawn=((seq, world.now_ms - age_ms),)))


def seen(world: World, person: Person, *associates: str) -> list[object]:
    """Tablets that follow the floor and show the member."""
    world.walks(person, 8)
    tablets = [world.tablet(associate, watches=True) for associate in associates]
    for tablet in tablets:
        shows(world, tablet)
    return tablets


def shows(world: World, tablet: object) -> None:
    """The tablet says that it shows the newest roster."""
    version = world.floor(tablet).version  # type: ignore[arg-type]
    assert world.ask(query.Acknowledge(tablet.session, version)) == query.Accepted()  # type: ignore[attr-defined]


def test_the_delay_runs_to_the_last_tablet_that_had_to_change(world: World) -> None:
    """From HQ's commit to the acknowledgement of the slower of two."""
    person = world.joins(Mode.OPEN)
    first, second = seen(world, person, "ada", "max")
    withdraw(world, person, 77)
    world.passes(0.3)
    shows(world, first)
    world.passes(0.7)
    assert events(world, EventKind.APPLIED) == []
    shows(world, second)
    world.passes(0.2)
    (body,) = events(world, EventKind.APPLIED)
    assert isinstance(body, sync.Applied)
    assert (body.seq, body.acknowledged, body.open) == (77, 2, 2)
    assert 1_100 <= body.delay_ms <= 1_400


def test_a_tablet_that_does_not_answer_is_counted_as_one(world: World) -> None:
    """After ten seconds it is told that one of two did not confirm."""
    person = world.joins(Mode.OPEN)
    first, _ = seen(world, person, "ada", "max")
    withdraw(world, person, 78)
    world.passes(1)
    shows(world, first)
    world.passes(8)
    assert events(world, EventKind.APPLIED) == []
    world.passes(2)
    (body,) = events(world, EventKind.APPLIED)
    assert isinstance(body, sync.Applied)
    assert (body.acknowledged, body.open) == (1, 2)
    assert body.delay_ms < 2_000


def test_where_nothing_has_to_change_the_delay_runs_to_the_apply(world: World) -> None:
    """No tablet is open, or the member stood on none."""
    person = world.joins(Mode.OPEN)
    withdraw(world, person, 79, age_ms=150)
    world.passes(0.2)
    (body,) = events(world, EventKind.APPLIED)
    assert isinstance(body, sync.Applied)
    assert (body.acknowledged, body.open) == (0, 0)
    assert 150 <= body.delay_ms <= 400


def test_health_is_told_hourly(world: World) -> None:
    """Once an hour while the store is live, with what it knows of itself and nobody in it."""
    world.passes(3_500)
    assert events(world, EventKind.HEALTH) == []
    world.passes(200)
    (body,) = events(world, EventKind.HEALTH)
    assert isinstance(body, sync.StoreHealth)
    assert body.software == "test"
    assert 3_500 <= body.up_s <= 3_800
    assert body.disk_free_bytes > 0


def test_what_cannot_be_recorded_waits(world: World) -> None:
    """The disk fails while a visit ends: it is told when there is room again."""
    person = world.joins(Mode.OPEN)
    agrees(world, person)
    world.walks(person, 30)
    world.replica.fail = CacheReason.DISK_FULL
    world.passes(300)
    assert events(world, EventKind.VISIT) == []
    world.replica.fail = None
    world.passes(5)
    assert len(events(world, EventKind.VISIT)) == 1
