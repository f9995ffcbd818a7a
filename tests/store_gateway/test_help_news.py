"""What rings in a whole store: the roster of a role, in the instant in which its tablets are told, and nothing else."""

from dataclasses import replace

import pytest

from store_gateway.core.bells import News
from tests.world import World
from wire import query, sync
from wire.member import Mode
from wire.query import Action, DarkReason
from wire.token import Kind


def a_world(role: str = "advisor") -> World:
    """A store whose bells ring for a role; the resets of its start are put aside."""
    world = World(rings_for=role)
    world.bells.clear()
    return world


def news(world: World) -> list[tuple[News, str | None, int]]:
    """What rang since the last time, without times."""
    found = [(one.news, one.zone, one.waiting) for one in world.bells]
    world.bells.clear()
    return found


def test_a_store_that_starts_resets_the_lamps_of_the_zones_that_are_not_blind() -> None:
    """A blind zone is not named to anybody."""
    world = World(rings_for="advisor")
    assert {one.zone for one in world.bells} == {None, "shoes", "hats"}
    assert {(one.news, one.waiting) for one in world.bells} == {(News.NONE, 0)}


def test_a_call_rings_with_its_first_sighting_and_is_answered_when_somebody_attends() -> None:
    """The same instant in which the tablet is told, with zone and nothing of the person."""
    world = a_world()
    tablet = world.tablet(watches=True)
    person = world.joins(Mode.HELP)
    assert news(world) == []
    world.hears(person, Kind.HELP)
    (bell,) = world.bells
    assert (bell.news, bell.zone, bell.zone_label, bell.waiting) == (News.WAITING, "shoes", "Shoes", 1)
    assert bell.at_ms == world.now_ms
    world.bells.clear()
    (visit,) = world.floor(tablet).visits
    world.ask(query.Attend(tablet.session, visit.handle, Action.ATTENDING))
    assert news(world) == [(News.ANSWERED, "shoes", 0)]
    world.ask(query.Attend(tablet.session, visit.handle, Action.DONE))
    world.passes(2)
    assert news(world) == []


def test_it_rings_without_any_tablet_too() -> None:
    """A headset calls who has no tablet in the hand; nothing is recorded as shown to anybody."""
    world = a_world()
    world.hears(world.joins(Mode.HELP), Kind.HELP)
    assert news(world) == [(News.WAITING, "shoes", 1)]
    assert not [one for _, _, one in world.replica.events if isinstance(one, sync.Disclosure)]


def test_nobody_who_walks_about_rings() -> None:
    """Arrivals, walks and departures of members who did not call."""
    world = a_world()
    person = world.joins(Mode.OPEN)
    world.walks(person, 20)
    world.passes(400)
    assert news(world) == []


def test_a_call_that_waits_too_long_escalates() -> None:
    """By the policy's time."""
    world = a_world()
    person = world.joins(Mode.HELP)
    for _ in range(130):
        world.hears(person, Kind.HELP)
        world.passes(1)
    assert news(world) == [(News.WAITING, "shoes", 1), (News.ESCALATED, "shoes", 1)]


def test_a_withdrawal_ends_the_ringing_at_once() -> None:
    """At HQ; the bell that says so tells no more than that the roster lacks a call."""
    world = a_world()
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP)
    news(world)
    world.changes(person, mode=Mode.QUIET)
    assert news(world) == [(News.OVER, "shoes", 0)]


def test_darkness_ends_the_ringing_and_light_begins_it_anew() -> None:
    """As the floor, which is empty in the dark."""
    world = a_world()
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP)
    news(world)
    world.replica.dark(DarkReason.NO_WORD)
    world.passes(0.2)
    assert news(world) == [(News.OVER, "shoes", 0)]
    other = world.joins(Mode.HELP)
    world.hears(other, Kind.HELP)
    assert news(world) == []
    world.replica.dark(DarkReason.NONE)
    world.hears(person, Kind.HELP)
    world.hears(other, Kind.HELP)
    world.passes(0.2)
    assert (News.WAITING, "shoes", 2) in news(world)


def hidden_ways() -> dict[str, object]:
    """How a call may be hidden from advisors: by role, by zone, by age, by an ended grant."""

    def of_presence(world: World, **changes: object) -> dict[str, object]:
        person = world.joins(Mode.HELP)
        statements = tuple(
            replace(one, **changes) if one.purpose == "presence" else one  # type: ignore[arg-type]
            for one in person.member.statements
        )
        world.changes(person, statements=statements)
        return {"person": person}

    return {
        "another role": lambda world: of_presence(world, roles=("manager",)),
        "the zone": lambda world: of_presence(world, zones_excluded=("shoes",)),
        "its time is over": lambda world: of_presence(world, until_s=world.now_ms // 1000 - 1),
        "another store": lambda world: of_presence(world, store="paris-2"),
        "too young": lambda world: {"person": world.joins(Mode.HELP, age_at_least=13)},
        "quiet": lambda world: {"person": world.joins(Mode.QUIET)},
    }


@pytest.mark.parametrize("way", sorted(hidden_ways()))
def test_a_call_that_the_role_may_not_see_rings_nothing_and_changes_no_bell(way: str) -> None:
    """A store with the hidden call rings exactly as one without it, to the last byte and instant."""
    seen = []
    for hidden in (False, True):
        world = a_world()
        made = hidden_ways()[way](world) if hidden else None  # type: ignore[operator]
        caller = world.joins(Mode.HELP)
        for second in range(140):
            if made is not None:
                world.hears(made["person"], Kind.HELP)
            if second > 3:
                world.hears(caller, Kind.HELP)
            world.passes(1)
        seen.append(world.bells)
    assert seen[0] == seen[1]
    assert [one.news for one in seen[0]] == [News.WAITING, News.ESCALATED]


def test_a_call_from_a_blind_zone_rings_nothing() -> None:
    """Where it is loudest in the pharmacy."""
    world = a_world()
    person = world.joins(Mode.HELP)
    for _ in range(20):
        world.hears(person, Kind.HELP, "pharmacy-1", -50)
        world.passes(0.5)
    assert news(world) == []


def test_another_role_hears_of_what_it_may_see() -> None:
    """The hook's role decides, not the advisors'."""
    world = a_world("manager")
    person = world.joins(Mode.HELP)
    statements = tuple(replace(one, roles=("manager",)) for one in person.member.statements)
    world.changes(person, statements=statements)
    world.hears(person, Kind.HELP)
    assert news(world) == [(News.WAITING, "shoes", 1)]


def test_a_role_that_the_policy_does_not_know_rings_nothing_and_is_told_to_the_operator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also one that sees no floor."""
    for role in ("owner", "stock"):
        world = a_world(role)
        world.hears(world.joins(Mode.HELP), Kind.HELP)
        assert news(world) == []
    assert sum("hook_role_unknown" in record.getMessage() for record in caplog.records) == 2


def test_what_a_hook_counted_is_the_operators_alone() -> None:
    """Calls move it, also such as some role does not see."""
    world = a_world()
    for operator in (False, True):
        names = {one.name for one in world.gateway.status(world.now_s, operator=operator).counters}
        assert ("hook_bells" in names) is operator
