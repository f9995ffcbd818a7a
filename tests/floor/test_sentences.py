"""Each sentence of the rules of presence, tried on the real gateway: what a phone says, arrive, leave, zone, help.

Exact numbers are given by hand, sighting for sighting; what depends on walls, people and lost packets is walked through
the simulated shop. `docs/presence.md` names the test of each sentence.
"""

from dataclasses import replace

import pytest

from store_gateway.gateway import Asker
from tests.floor.people import FAR, Crowd, Path, Phone, Walker
from tests.floor.plan import DOOR, MIDDLE, RECEIVERS, Plan, Receiver
from tests.floor.simulation import SLOT_S, Simulation
from tests.world import NOON_MS, Person, Tablet, World, a_policy
from wire import query
from wire.member import Mode
from wire.policy import Hours, Policy, Zone
from wire.query import Action
from wire.sighting import Batch, Health, RadioReason, RadioState, Sighting
from wire.token import Kind, day_key, day_of_slot, sign, token

STEP_S = 0.5
SLOW_S = 10.24


def a_world(**changes: object) -> World:
    """The tests' store; changes to its own policy."""
    policy = a_policy()
    return World(Policy(policy.main, replace(policy.store, **changes)))  # type: ignore[arg-type]


def stays(
    world: World, person: Person, seconds: float, every_s: float = STEP_S, kind: Kind = Kind.PRESENCE, **at: int | None
) -> None:
    """Heard at these nodes with these strengths, again and again; underscores stand for hyphens."""
    for _ in range(round(seconds / every_s)):
        for node, rssi_dbm in at.items():
            world.hears(person, kind, node.replace("_", "-"), rssi_dbm)
        world.passes(every_s)


def shown(world: World, associate: str = "ada") -> tuple[query.Visit, ...]:
    """The roster."""
    return world.tablet_sees(associate)


def gone_after(world: World, most_s: int) -> int:
    """After how many seconds the floor is empty."""
    tablet = world.tablet()
    for second in range(most_s):
        if not world.floor(tablet).visits:
            return second
        world.passes(1)
    raise AssertionError("still there")


# --- the token -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slots", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_token_counts_in_its_slot_and_one_to_each_side(slots: int, counts: bool) -> None:
    """Phones turn within a minute of the border, and clocks differ; what is older or younger is nobody's."""
    world = World()
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP, slots=slots)
    world.passes(1)  # of a slot that has passed it is told once every radio had its say
    assert bool(shown(world)) is counts


def test_a_phone_is_not_lost_at_the_border_of_a_slot_whenever_it_turns() -> None:
    """A minute early, a minute late, on time: one visit each."""
    stands = [Path().starts(0, (5, 6)).stays(900) for _ in range(3)]
    walkers = [Walker(path, (Phone(0.5, turn_s=turn_s),)) for path, turn_s in zip(stands, (-60, 0, 60), strict=True)]
    simulation = Simulation(Plan(receivers=RECEIVERS[:2]), walkers, 1)
    simulation.run((SLOT_S - simulation.world.now_ms / 1000 % SLOT_S) % SLOT_S + 90)
    assert [(len(one.appeared_s), len(one.went_s)) for one in simulation.stories] == [(1, 0)] * 3


def test_the_sign_is_that_of_the_newest_token() -> None:
    """The phone turned: the tablet shows its new sign; the old token, reported once more, changes nothing back."""
    world = World()
    person = world.joins(Mode.OPEN)
    slot = world.now_ms // 600_000
    for said in (0, 1, 0):
        world.hears(person, Kind.HELP, slots=said)
        world.passes(0.6)
    right = sign(day_key(person.secret, day_of_slot(slot + 1)), slot + 1)
    (visit,) = shown(world)
    assert (visit.sign_colour, visit.sign_digits) == (right.colour.value, f"{right.digits:02d}")


def test_a_phone_in_mode_quiet_is_nobody() -> None:
    """Even if one goes on advertising."""
    world = World()
    person = world.joins(Mode.QUIET)
    stays(world, person, 10, shoes_1=-50)
    stays(world, person, 2, kind=Kind.HELP, shoes_1=-50)
    assert not shown(world)
    assert world.gateway.counts.resolved == 0


def test_a_pause_is_a_phone_that_stops() -> None:
    """Nobody is told; a minute later the member is gone, and comes back as somebody new."""
    path = Path().starts(0, (5, 6)).stays(400)
    simulation = Simulation(Plan(), [Walker(path, pauses_s=(60, 200))], 2).run(240)
    (story,) = simulation.stories
    assert len(story.went_s) == 1
    assert 119 <= story.went_s[0] <= 125
    assert len(story.appeared_s) == 2
    handles = {sample.handle for sample in story.samples if sample.shown}
    assert len(handles) == 2


# --- arrive ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times_s", "arrives"),
    [
        ((0,), False),
        ((0, 0.9), False),
        ((0, 1.1), True),
        ((0, 24), True),
        ((0, 26), False),
        ((0, SLOW_S), True),
        ((0, 2 * SLOW_S), True),
    ],
)
def test_two_sightings_a_second_apart_within_25_s_arrive(times_s: tuple[float, ...], arrives: bool) -> None:
    """However rarely a radio reports, up to one report in 10.24 s of which one is lost."""
    world = a_world(dwell_s=0)
    person = world.joins(Mode.OPEN)
    began_s = world.now_s
    for at_s in times_s:
        if at_s:
            world.passes(began_s + at_s - world.now_s)
        world.hears(person, Kind.PRESENCE)
    world.passes(0.2)
    assert bool(shown(world)) is arrives


@pytest.mark.parametrize(("rssi_dbm", "arrives"), [(-80, True), (-81, False), (None, False)])
def test_who_is_heard_weakly_or_without_a_measurement_does_not_arrive(rssi_dbm: int | None, arrives: bool) -> None:
    """From `enter_dbm` on; -127, which is "not known", is no strength."""
    world = World()
    person = world.joins(Mode.OPEN)
    stays(world, person, 30, shoes_1=rssi_dbm)
    assert bool(shown(world)) is arrives


@pytest.mark.parametrize("dwell_s", [0, 5, 20])
def test_the_signal_is_held_for_the_dwelling_time(dwell_s: int) -> None:
    """Not sooner, and not much later; a weak moment begins it anew."""
    world = a_world(dwell_s=dwell_s)
    person = world.joins(Mode.OPEN)
    tablet = world.tablet(watches=True)
    stays(world, person, dwell_s, shoes_1=-60)
    assert not world.floor(tablet).visits
    stays(world, person, 4, shoes_1=-100)
    stays(world, person, 4 + dwell_s, shoes_1=-60)
    assert world.floor(tablet).visits


def test_a_slow_controller_lets_a_member_arrive_stay_and_leave() -> None:
    """One report in 10.24 s at every receiver of the shop: one visit, from coming in to going out."""
    plan = Plan(receivers=tuple(replace(one, slow=True) for one in RECEIVERS))
    path = Path().starts(0, (12, -3)).to(DOOR, (5, 6)).stays(300).to(MIDDLE, DOOR, FAR)
    simulation = Simulation(plan, [Walker(path)], 3).run(700)
    (story,) = simulation.stories
    assert len(story.appeared_s) == len(story.went_s) == 1
    assert story.appeared_s[0] < 40
    assert story.went_s[0] > 310


def test_a_help_token_arrives_at_its_first_sighting() -> None:
    """Once heard, no dwelling: on the tablet at once, and with another radio's word to wait for within a second."""
    for rssi_dbm, waits_s in ((-60, 0.0), (-88, 0.9), (None, 0.9)):
        world = World()
        tablet = world.tablet(watches=True)
        world.hears(world.joins(Mode.HELP), Kind.HELP, rssi_dbm=rssi_dbm)
        if waits_s:
            assert len(tablet.pushed) == 1
            world.passes(waits_s)
        pushed = tablet.pushed[-1]
        assert isinstance(pushed, query.Roster)
        assert pushed.urgent and pushed.visits[0].help


def test_help_is_on_the_tablets_within_two_seconds_anywhere() -> None:
    """In mode `help`, from every half of every open zone, with a quarter of the packets lost, at the usual interval."""
    places = [(2, 2), (2, 8), (10, 14), (7, 7), (13, 1), (16, 8), (22, 2), (22, 7)]
    walkers = [
        Walker(Path().starts(0, place).stays(60), (Phone(0.25, -58.0),), Mode.HELP, asks_s=(5 + at, 50))
        for at, place in enumerate(places)
    ]
    simulation = Simulation(Plan(), walkers, 4).run(20)
    waits_s = [story.called_s[0] - story.walker.asks_s[0] for story in simulation.stories if story.walker.asks_s]
    assert len(waits_s) == len(places)
    assert max(waits_s) <= 2.0


# --- opening hours ---------------------------------------------------------------------------------------------------


def until(minutes_from_start: int) -> tuple[Hours, ...]:
    """Open on this Saturday from 9:00 until so many minutes after the world begins, at 13:00 in Berlin."""
    return (Hours(6, 9 * 60, 13 * 60 + minutes_from_start),)


@pytest.mark.parametrize("kind", [Kind.PRESENCE, Kind.HELP])
def test_who_is_there_at_closing_time_leaves_the_floor(kind: Kind) -> None:
    """At the minute itself, and nobody comes after it, whoever calls."""
    world = a_world(hours=until(1))
    person = world.joins(Mode.OPEN)
    tablet = world.tablet(watches=True)
    closes_s = world.now_s + (NOON_MS + 60_000 - world.now_ms) / 1000
    while world.now_s < closes_s - 0.5:
        world.hears(person, kind)
        world.passes(0.5)
    assert world.floor(tablet).visits
    world.passes(closes_s - world.now_s + 0.05)
    last = tablet.pushed[-1]
    assert isinstance(last, query.Roster) and not last.visits
    for _ in range(40):
        world.hears(person, kind)
        world.passes(0.5)
    assert not world.floor(tablet).visits
    world.hears(person, Kind.HELP)
    world.passes(1)
    assert not world.floor(tablet).visits


def test_a_zone_may_close_before_the_shop() -> None:
    """In its own hours it shows, outside them nobody; next door the shop's hours count."""
    policy = a_policy().store
    zones = (replace(policy.zones[0], hours=until(1)), replace(policy.zones[1], hours=None), policy.zones[2])
    world = a_world(zones=zones)
    inside, next_door = world.joins(Mode.OPEN), world.joins(Mode.OPEN)
    seen = []
    for _ in range(180):
        world.hears(inside, Kind.PRESENCE, "shoes-1")
        world.hears(next_door, Kind.PRESENCE, "hats-1")
        world.passes(0.5)
        seen.append(sorted(str(visit.zone) for visit in shown(world)) if len(seen) % 30 == 29 else [])
    assert seen[29] == ["hats", "shoes"]
    assert seen[-1] == ["hats"]


# --- leave -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("every_s", "least_s", "most_s"), [(0.5, 57, 62), (SLOW_S, 70, 84), (24.0, 150, 182)])
def test_silence_for_eight_usual_gaps_ends_a_visit(every_s: float, least_s: int, most_s: int) -> None:
    """Within 60 and 180 s, by the gateway's own clock: no advert of anybody is needed."""
    world = a_world(dwell_s=0)
    person = world.joins(Mode.OPEN)
    stays(world, person, max(20, every_s * 5), every_s, shoes_1=-60)
    assert shown(world)
    assert least_s <= gone_after(world, 200) <= most_s


def test_a_call_ends_and_its_visit_leaves_when_the_phone_stops() -> None:
    """Silence ends a call as it ends a visit."""
    world = World()
    person = world.joins(Mode.HELP)
    stays(world, person, 20, kind=Kind.HELP, shoes_1=-60)
    assert shown(world)[0].help
    assert 57 <= gone_after(world, 90) <= 62


def test_half_a_minute_below_the_exit_ends_a_visit() -> None:
    """Heard from the street only; at the threshold, or without a measurement, one stays."""
    for rssi_dbm, leaves in ((-88, False), (-89, True), (None, False)):
        world = World()
        person = world.joins(Mode.OPEN)
        stays(world, person, 10, shoes_1=-60)
        stays(world, person, 45, shoes_1=rssi_dbm)
        assert bool(shown(world)) is not leaves


def test_who_walks_out_is_gone_when_the_phone_is_out_of_earshot() -> None:
    """Not before stepping out, and within two minutes of it, though the phone is heard from the street for a while."""
    walkers = [
        Walker(Path().starts(0, (x, 6)).stays(30 + 5 * x).to(MIDDLE, DOOR, (12, -3), FAR), (Phone(),))
        for x in range(1, 12, 2)
    ]
    simulation = Simulation(Plan(), walkers, 5).run(330)
    for story in simulation.stories:
        path = story.walker.path
        stepped_out_s = path.times_s[path.places.index(DOOR)]
        assert stepped_out_s - 1 <= story.went_s[-1] <= stepped_out_s + 120


# --- by member -------------------------------------------------------------------------------------------------------


def test_a_phone_that_changes_address_and_token_every_few_seconds_stays_one_visit() -> None:
    """Three slots' tokens in turns, at radios that report what is new at once and what they know once in 10.24 s."""
    world = World()
    person = world.joins(Mode.OPEN)
    tablet = world.tablet(watches=True)
    for step in range(120):
        world.hears(person, Kind.PRESENCE, slots=step // 4 % 3 - 1)
        world.passes(0.5)
    handles = {visit.handle for told in tablet.pushed if isinstance(told, query.Roster) for visit in told.visits}
    assert len(handles) == 1
    restless = Walker(Path().starts(0, (5, 6)).stays(300), (Phone(restless=True),))
    simulation = Simulation(Plan(receivers=(Receiver("shoes-1", (5, 5), slow=True),)), [restless], 6).run(290)
    assert len(simulation.stories[0].appeared_s) == 1
    assert not simulation.stories[0].went_s


def test_two_phones_of_a_member_are_one_visit_where_the_stronger_one_is() -> None:
    """A second phone in a bag changes neither zone nor handle; the visit lasts while one of them is heard."""
    second = Phone(level_dbm=-75)
    walker = Walker(Path().starts(0, (5, 6)).stays(200), (Phone(), second))
    simulation = Simulation(Plan(), [walker], 7).run(190)
    (story,) = simulation.stories
    assert len(story.appeared_s) == 1 and not story.went_s
    assert {sample.zone for sample in story.samples if sample.shown} == {"shoes"}


def two_phones(world: World) -> tuple[Person, bytes]:
    """A member with a second phone, and its presence token now."""
    person = world.joins(Mode.OPEN)
    secret = person.secret[::-1]
    for day in (world.day, world.day + 1):
        keys = tuple(day_key(one, day) for one in (person.secret, secret))
        world.hq_says(world.replica.put_keys(day, person.pseudonym, keys))
    slot = world.now_ms // 600_000
    return person, token(day_key(secret, day_of_slot(slot)), Kind.PRESENCE, slot)


def test_another_phones_presence_does_not_cancel_a_call() -> None:
    """One phone calls at a radio that reports it once in 10.24 s, the other says presence twice a second."""
    world = World()
    person, other = two_phones(world)
    for step in range(80):
        if step % 20 == 0:
            world.hears(person, Kind.HELP)
        world.hears_token(other)
        world.passes(0.5)
        assert shown(world)[0].help
    world.hears(person, Kind.PRESENCE)
    world.passes(0.2)
    (visit,) = shown(world)
    assert not visit.help


# --- zone ------------------------------------------------------------------------------------------------------------


def zones_over(world: World, person: Person, tablet: Tablet, seconds: float, **at: int) -> float | None:
    """After how many seconds of this the shown zone is another."""
    before = world.floor(tablet).visits[0].zone
    for step in range(round(seconds / STEP_S)):
        stays(world, person, STEP_S, **at)
        if world.floor(tablet).visits[0].zone != before:
            return (step + 1) * STEP_S
    return None


def a_shop_of_two() -> tuple[World, Person, Tablet]:
    """Shoes with two radios and hats with two; a member among the shoes."""
    zones = tuple(Zone(id, id.title(), "sales", (f"{id}-1", f"{id}-2"), False, (), None) for id in ("shoes", "hats"))
    world = a_world(zones=zones)
    person = world.joins(Mode.OPEN)
    stays(world, person, 10, shoes_1=-65)
    return world, person, world.tablet()


@pytest.mark.parametrize(("hats_dbm", "changes"), [(-60, False), (-58, True)])
def test_another_zone_takes_over_by_six_decibels_for_three_seconds(hats_dbm: int, changes: bool) -> None:
    """Less is nothing for however long; enough is not at once."""
    world, person, tablet = a_shop_of_two()
    after_s = zones_over(world, person, tablet, 20, shoes_1=-65, hats_1=hats_dbm)
    if changes:
        assert after_s is not None and 3 <= after_s <= 6
    else:
        assert after_s is None


def test_a_zone_is_all_of_its_radios_together() -> None:
    """The other radio of the same zone holds it; two radios of another zone in turns take it as one would."""
    world, person, tablet = a_shop_of_two()
    assert zones_over(world, person, tablet, 20, shoes_1=-75, shoes_2=-64, hats_1=-62) is None
    for step in range(16):
        first, second = (-50, -54) if step % 2 else (-54, -50)
        stays(world, person, STEP_S, shoes_1=-75, hats_1=first, hats_2=second)
    assert world.floor(tablet).visits[0].zone == "hats"


def test_a_zone_that_was_silent_for_ten_seconds_loses_at_once() -> None:
    """However weak the other is; a radio that is slow by nature is given 25 s."""
    world, person, tablet = a_shop_of_two()
    after_s = zones_over(world, person, tablet, 30, hats_1=-79)
    assert after_s is not None and 9.5 <= after_s <= 11
    world, person, tablet = a_shop_of_two()
    for step in range(120):
        if step % 20 == 0:
            world.hears(person, Kind.PRESENCE, "shoes-1", -60)
        stays(world, person, STEP_S, hats_1=-79)
        assert world.floor(tablet).visits[0].zone == "shoes" or step < 40


def test_a_moment_of_a_strong_channel_is_no_move() -> None:
    """One half second in ten that is 17 dB stronger at the other radio."""
    world, person, tablet = a_shop_of_two()
    for step in range(60):
        stays(world, person, STEP_S, shoes_1=-65, hats_1=-55 if step % 10 == 9 else -72)
        assert world.floor(tablet).visits[0].zone == "shoes"


# --- blind zones -----------------------------------------------------------------------------------------------------


def test_who_calls_in_a_blind_zone_is_not_shown_whichever_radio_speaks_first() -> None:
    """The next zone's radio reports the first help token half a second before the pharmacy's does."""
    world = World()
    tablet = world.tablet(watches=True)
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP, "shoes-1", -72)
    world.passes(0.5)
    for _ in range(20):
        world.hears(person, Kind.HELP, "pharmacy-1", -60)
        world.hears(person, Kind.HELP, "shoes-1", -72)
        world.passes(0.5)
    assert not [told for told in tablet.pushed if isinstance(told, query.Roster) and told.visits]


def radio(world: World, node: str, state: RadioState) -> None:
    """A radio says how it fares."""
    reason = RadioReason.SILENT if state is not RadioState.HEARING else None
    health = Health(node, "none", state, reason, 0, int(world.now_s * 100), 0, 0, ())
    world.gateway.on_sighting(health, world.now_s)


@pytest.mark.parametrize("told", [RadioState.RECOVERING, RadioState.ILL, None])
def test_who_was_in_a_blind_zone_whose_radio_fell_ill_stays_hidden(told: RadioState | None) -> None:
    """The next radio hears the member through the wall, and nobody else does: told of, or fallen silent."""
    world = World()
    person = world.joins(Mode.OPEN)
    stays(world, person, 10, pharmacy_1=-55, shoes_1=-75)
    world.well = ()
    for second in range(300):
        if told is not None and second >= 30 and second % 5 == 0:
            radio(world, "pharmacy-1", told)
        stays(world, person, 1, shoes_1=-75)
        if second % 10 == 9:
            assert not shown(world)
    stays(world, person, 10, kind=Kind.HELP, shoes_1=-75)
    assert not shown(world)
    stays(world, person, 10, shoes_1=-60)  # beside the shelf: that is no pharmacy
    assert shown(world)


def test_a_blind_zone_whose_radio_is_ill_hides_who_is_heard_weakly_until_it_is_well() -> None:
    """Nobody knows whether that is through its wall; who stands beside another radio is shown."""
    world = World()
    weak, near = world.joins(Mode.OPEN), world.joins(Mode.OPEN)

    def both(seconds: float) -> int:
        for _ in range(round(seconds * 2)):
            world.hears(weak, Kind.PRESENCE, "shoes-1", -75)
            world.hears(near, Kind.PRESENCE, "shoes-1", -60)
            world.passes(0.5)
        return len(shown(world))

    assert both(10) == 2
    world.well = ()
    radio(world, "pharmacy-1", RadioState.ILL)
    assert both(2) == 1
    world.well = ("pharmacy-1",)
    assert both(15) == 2


def test_in_the_walled_pharmacy_nobody_is_shown_though_its_radio_falls_ill() -> None:
    """Six people who walk about in there and two at the entrance; from the second minute on its radio hears nothing."""
    plan = Plan()
    crowd = Crowd(plan, 8)
    there, hats = crowd.browsers("pharmacy", 6, 400), crowd.browsers("entrance", 2, 400)
    simulation = Simulation(plan, [*there, *hats], 8).run(60)
    simulation.falls_ill("pharmacy-1")
    simulation.run(180)
    simulation.falls_ill("pharmacy-1", False)
    simulation.run(40)
    leaked_s = sum(STEP_S for story in simulation.stories[:6] for sample in story.samples if sample.shown)
    assert leaked_s == 0
    assert any(sample.shown for story in simulation.stories[6:] for sample in story.samples if sample.at_s > 250)


# --- help ------------------------------------------------------------------------------------------------------------


def test_help_lasts_until_an_associate_is_done() -> None:
    """The token that called calls no more, alone or reported from BlueZ's memory beside newer presence tokens."""
    world = World()
    person = world.joins(Mode.OPEN)
    stays(world, person, 8, shoes_1=-60)
    world.hears(person, Kind.HELP)
    called = world.token(person, Kind.HELP)
    tablet = world.tablet()
    handle = world.floor(tablet).visits[0].handle
    for action in (Action.ATTENDING, Action.DONE):
        assert world.ask(query.Attend(tablet.session, handle, action)) == query.Accepted()
    for slots in (0, 1):
        for _ in range(20):
            world.hears(person, Kind.PRESENCE, slots=slots)
            world.hears_token(called)
            world.passes(0.5)
            (visit,) = world.floor(tablet).visits
            assert (visit.handle, visit.help) == (handle, False)


def test_a_call_is_cancelled_when_the_phone_says_presence_again() -> None:
    """Two seconds after its last help token, also at a radio that reports each token once in 10.24 s."""
    for every in (1, 20):
        world = World()
        person = world.joins(Mode.OPEN)
        for _ in range(20):
            world.hears(person, Kind.HELP)
            world.passes(0.5)
        for step in range(6):
            if step % every == 0:
                world.hears(person, Kind.PRESENCE)
            world.passes(0.5)
        (visit,) = shown(world)
        assert not visit.help


@pytest.mark.parametrize("first", [Kind.PRESENCE, Kind.HELP])
def test_an_old_presence_token_beside_the_help_token_cancels_nothing(first: Kind) -> None:
    """BlueZ lets UUIDs of one address accumulate: both in one batch, once in 10.24 s, in whatever order."""
    world = World()
    person = world.joins(Mode.OPEN)
    kinds = (first, Kind.HELP if first is Kind.PRESENCE else Kind.PRESENCE)
    for _ in range(6):
        rows = tuple(Sighting("shoes-1", world.token(person, kind), -60, 1, 0, 0) for kind in kinds)
        world.hears_batch(Batch("shoes-1", rows))
        world.passes(SLOW_S)
        assert shown(world)[0].help


def test_an_old_help_token_beside_newer_presence_tokens_keeps_no_call_alive() -> None:
    """The slot turned and the phone says presence: what BlueZ remembers of the call's last slot counts no more."""
    world = World()
    person = world.joins(Mode.OPEN)
    stays(world, person, 5, kind=Kind.HELP, shoes_1=-60)
    for _ in range(6):
        world.hears(person, Kind.HELP)
        world.hears(person, Kind.PRESENCE, slots=1)
        world.passes(0.5)
    (visit,) = shown(world)
    assert not visit.help


def test_help_times_out() -> None:
    """After `help_s`, though its token is heard on; in mode `open` the visit stays, in mode `help` it leaves."""
    for mode in (Mode.OPEN, Mode.HELP):
        world = a_world(help_s=60, help_escalate_s=50)
        person = world.joins(mode)
        if mode is Mode.OPEN:
            stays(world, person, 8, shoes_1=-60)
        stays(world, person, 58, kind=Kind.HELP, shoes_1=-60)
        assert shown(world)[0].help
        stays(world, person, 4, kind=Kind.HELP, shoes_1=-60)
        assert [visit.help for visit in shown(world)] == ([False] if mode is Mode.OPEN else [])


def test_an_unanswered_call_is_raised_to_all_tablets_and_the_manager() -> None:
    """After `help_escalate_s`, urgently, to every role that the member lets see it, and to no other."""
    world = World()
    tablets = {associate: world.tablet(associate, watches=True) for associate in ("ada", "bo", "max", "sam")}
    person = world.joins(Mode.HELP)
    stays(world, person, 118, 1.0, kind=Kind.HELP, shoes_1=-60)
    before = {associate: len(tablet.pushed) for associate, tablet in tablets.items()}
    stays(world, person, 4, 1.0, kind=Kind.HELP, shoes_1=-60)
    for associate, tablet in tablets.items():
        raised = [
            told
            for told in tablet.pushed[before[associate] :]
            if isinstance(told, query.Roster) and told.urgent and told.visits and told.visits[0].escalated
        ]
        assert bool(raised) is (associate != "sam")


def test_an_attended_call_is_not_raised() -> None:
    """Somebody is on the way."""
    world = World()
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP)
    tablet = world.tablet()
    handle = world.floor(tablet).visits[0].handle
    world.ask(query.Attend(tablet.session, handle, Action.ATTENDING))
    stays(world, person, 200, 1.0, kind=Kind.HELP, shoes_1=-60)
    (visit,) = shown(world)
    assert not visit.escalated


def test_in_mode_help_the_visit_leaves_the_floor_when_help_ends() -> None:
    """Done, or cancelled by silence: the member is not shown as merely present."""
    path = Path().starts(0, (5, 6)).stays(300)
    simulation = Simulation(Plan(), [Walker(path, mode=Mode.HELP, asks_s=(20, 60))], 9).run(200)
    (story,) = simulation.stories
    assert len(story.called_s) == len(story.went_s) == 1
    assert 118 <= story.went_s[0] <= 125
    assert all(sample.help for sample in story.samples if sample.shown)


# --- radios and memory -----------------------------------------------------------------------------------------------


def test_departures_wait_for_a_radio_that_is_ill_and_only_for_those_it_alone_hears() -> None:
    """Silence at an ill radio says nothing; whom another one heard leaves as ever; afterwards silence counts anew."""
    world = World()
    alone, both = world.joins(Mode.OPEN), world.joins(Mode.OPEN)
    for _ in range(20):
        world.hears(alone, Kind.PRESENCE, "shoes-1")
        for node in ("shoes-1", "shoes-2"):
            world.hears(both, Kind.PRESENCE, node)
        world.passes(0.5)
    assert len(shown(world)) == 2
    for _ in range(30):
        radio(world, "shoes-1", RadioState.ILL)
        world.passes(5)
    assert len(shown(world)) == 1
    for _ in range(10):
        radio(world, "shoes-1", RadioState.HEARING)
        world.passes(5)
    assert len(shown(world)) == 1
    for _ in range(4):
        radio(world, "shoes-1", RadioState.HEARING)
        world.passes(5)
    assert not shown(world)


def test_a_restarted_gateway_has_forgotten_who_was_there() -> None:
    """Sightings live in memory: nobody is there until heard again, and then under another handle."""
    world = World()
    person = world.joins(Mode.OPEN)
    stays(world, person, 10, shoes_1=-60)
    (visit,) = shown(world)
    restarted = World()
    restarted.replica = world.replica
    assert not shown(restarted)
    found = restarted.gateway.answer(query.AskStatus(), Asker(True, None), restarted.now_s)
    assert isinstance(found, query.Status) and found.visits_open == 0
    assert restarted.gateway._presence.find(visit.handle) is None
