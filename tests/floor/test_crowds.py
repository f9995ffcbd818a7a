"""Whole crowds in the simulated shop: what a hidden member or another order changes, who is shown in a blind zone."""

import random
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.floor.figures import Figures, Plain, measure
from tests.floor.people import Crowd, Path, Walker
from tests.floor.plan import Plan
from tests.floor.simulation import BLOCK_S, Simulation
from tests.store_gateway.core.test_presence import Floor
from wire import query
from wire.member import Mode
from wire.token import Kind

SHOP = Plan()
TICK_MS = 100
STEPPING_IN_S = 3.0  # fold, the way to the gateway, one strong half second: until then who walks in is shown outside


def a_crowd(seed: int) -> list[Walker]:
    """Shoppers and passers-by of ten minutes."""
    crowd = Crowd(SHOP, seed)
    return [*crowd.shoppers(5, 200), *crowd.passers_by(3, 300)]


def rosters(walkers: list[Walker], seed: int, seconds: float) -> list[tuple[float, query.Roster]]:
    """All that a tablet was given."""
    return Simulation(SHOP, walkers, seed).run(seconds).screen.pushed


def test_a_run_follows_from_its_seed() -> None:
    """Twice the same, and another seed is another run."""
    runs = [rosters(a_crowd(seed)[:4], seed, 150) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert len(runs[0]) > 3


HIDDEN = {
    "quiet": Walker(Path().starts(0, (5, 6)).to((10, 6)).stays(400), mode=Mode.QUIET),
    "in the pharmacy": Walker(Path().starts(0, (21.5, 13.5)).stays(400)),
    "calls in the pharmacy": Walker(Path().starts(0, (21, 14)).stays(400), mode=Mode.HELP, asks_s=(60, 200)),
    "silent in mode help": Walker(Path().starts(0, (5, 6)).stays(400), mode=Mode.HELP),
    "far down the street": Walker(Path().starts(0, (12, -60)).stays(400)),
}


@cache
def without() -> list[tuple[float, query.Roster]]:
    """The same crowd, and nobody who hides."""
    return rosters(a_crowd(3), 3, 240)


@pytest.mark.parametrize("who", HIDDEN)
def test_crowds_that_differ_in_a_hidden_member_give_equal_rosters(who: str) -> None:
    """Each roster, its version, its urgency and its instant: one more who hides changes no byte of them."""
    assert without() == rosters([*a_crowd(3), HIDDEN[who]], 3, 240)


NODES = ("shoes-1", "shoes-2", "hats-1", "pharmacy-1")
HEARD = st.tuples(
    st.sampled_from(NODES),
    st.integers(-100, -30) | st.none(),
    st.sampled_from([Kind.PRESENCE, Kind.PRESENCE, Kind.HELP]),
    st.integers(-1, 1),
)


CALL_AGAIN = [[("shoes-1", None, Kind.HELP, 1)], [("shoes-1", -30, Kind.PRESENCE, 0)]]  # the second ends the call


@example(
    half_seconds=[*CALL_AGAIN, [("shoes-1", None, Kind.HELP, 0), ("shoes-1", None, Kind.HELP, 1)]],
    pauses=[0.5, 5.0, 0.5],
    chance=random.Random(1),
)
@given(
    half_seconds=st.lists(st.lists(HEARD, max_size=6), max_size=60),
    pauses=st.lists(st.sampled_from([0.5, 0.5, 0.5, 5.0, 31.0]), min_size=60, max_size=60),
    chance=st.randoms(use_true_random=False),
)
@settings(max_examples=30)
def test_the_order_in_which_nodes_report_one_half_second_changes_nothing(
    half_seconds: list[list[tuple[str, int | None, Kind, int]]], pauses: list[float], chance: random.Random
) -> None:
    """Two floors hear the same in another order: they are the same after every tick."""
    floors = [Floor(), Floor()]
    slot = floors[0].now_ms // 600_000
    for heard, pause_s in zip(half_seconds, pauses, strict=False):
        for floor, rows in zip(floors, (heard, chance.sample(heard, len(heard))), strict=True):
            for node, rssi_dbm, kind, slots in rows:
                floor.hear(kind, node, rssi_dbm, slot + slots)
            floor.passes(0.1)
        here = [[visit for _, visit in floor.presence.visits()] for floor in floors]
        shown = [[replace(visit, handle=b"", arrived_ms=0) for visit in visits] for visits in here]
        assert shown[0] == shown[1]
        for one, other in zip(*here, strict=True):  # who calls arrives at the sighting that says so, else with the tick
            assert abs(one.arrived_ms - other.arrived_ms) <= TICK_MS
        for floor in floors:
            floor.passes(pause_s)


def leaks(simulation: Simulation) -> tuple[list[float], float]:
    """For each half second in which somebody in a blind zone is shown: how long that one had been in; and all the time
    that anybody spent in one."""
    found, spent_s = [], 0.0
    for story in simulation.stories:
        entered_s: float | None = None
        for sample in story.samples:
            if not sample.truth or not simulation.plan.is_blind(sample.truth):
                entered_s = None
                continue
            entered_s = sample.at_s if entered_s is None else entered_s
            spent_s += BLOCK_S
            if sample.shown:
                found.append(sample.at_s - entered_s)
    return found, spent_s


@pytest.mark.parametrize("seed", range(2))
def test_nobody_who_is_in_a_blind_zone_is_on_a_roster(seed: int) -> None:
    """People who move about in the pharmacy and the fitting rooms; a call or two among them; five minutes."""
    crowd = Crowd(SHOP, seed)
    walkers = crowd.browsers("pharmacy", 4, 300) + crowd.browsers("fitting", 4, 300)
    walkers[0].asks_s, walkers[5].asks_s = (50, 200), (100, 150)
    found, spent_s = leaks(Simulation(SHOP, walkers, seed).run(300))
    assert spent_s >= 8 * 290
    assert found == []


def test_who_walks_into_a_blind_zone_is_off_the_roster_within_three_seconds() -> None:
    """Ten shoppers who go from the hats to the pharmacy and from the shoes to the fitting rooms."""
    crowd = Crowd(SHOP, 11)
    walkers = [crowd.shopper(at * 5 - 60, ["hats", "pharmacy", "shoes", "fitting"]) for at in range(6)]
    found, spent_s = leaks(Simulation(SHOP, walkers, 11).run(420))
    assert spent_s > 60
    assert max(found, default=0.0) <= STEPPING_IN_S


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20, 40))
def test_nobody_stays_on_a_roster_in_a_blind_zone_in_twenty_busy_half_hours(seed: int) -> None:
    """Twenty shoppers each, a quarter of whom go into a blind zone: only while they step in is anybody shown."""
    found, _ = leaks(Simulation(SHOP, Crowd(SHOP, seed).shoppers(20, 1200), seed).run(1800))
    assert max(found, default=0.0) <= STEPPING_IN_S


def test_the_figures_are_taken_of_both_rules_on_the_same_sightings() -> None:
    """Ten minutes: arrivals, departures, zones and calls are counted for ours, all but calls for the plain rule."""
    plain = Plain(SHOP)
    walkers = [*Crowd(SHOP, 5).shoppers(5, 60), *Crowd(SHOP, 5).passers_by(3, 60)]
    walkers[0].asks_s = (walkers[0].path.times_s[3] + 5, walkers[0].path.times_s[3] + 100)
    simulation = Simulation(SHOP, walkers, 5, "ada", plain.heard)
    plain.follow(simulation, 600)
    ours, theirs = Figures(), Figures()
    measure(simulation, plain, ours, theirs)
    for found in (ours, theirs):
        assert found.arrivals_s and found.departures_s
        assert 0.3 < found.accuracy <= 1
        assert found.passers == 3
        assert found.run_s == 600
    assert ours.helps_s
    assert ours.false_arrivals <= theirs.false_arrivals
