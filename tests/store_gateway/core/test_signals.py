"""Signals are steadied by time, whatever the pace of a radio, and each place that is nearer for 3 s may take over."""

from dataclasses import replace
from random import Random

import pytest

from store_gateway.core.presence import What
from store_gateway.core.signals import Signals
from tests.store_gateway.core.test_presence import Floor
from tests.world import a_policy

PLACES = {"a-1": "a", "b-1": "b", "c-1": "c", "d-1": "d"}


@pytest.mark.parametrize("seed", range(8))
def test_places_that_are_nearer_in_turns_do_not_hold_each_other_up(seed: int) -> None:
    """Each of three beats the owner all the time, and now this, now that one is the best: one of them takes over."""
    signals, chance, now_s = Signals(0.0), Random(seed), 0.0
    while now_s < 20 and signals.owner in (None, "a-1"):
        signals.add("a-1", -50 if now_s < 8 else -90, now_s)
        for node in ("b-1", "c-1", "d-1"):
            signals.add(node, round(chance.gauss(-64, 5)), now_s)
        signals.settle(now_s, PLACES)
        now_s += 0.5
    assert signals.owner != "a-1"
    assert now_s <= 15.0


@pytest.mark.parametrize("pace_s", [0.25, 0.5, 1.0])
def test_the_average_is_of_time_and_not_of_messages(pace_s: float) -> None:
    """A satellite reports twice as often as a radio in the box: both say the same after the same time."""
    signals = Signals(0.0)
    for at in range(round(10 / pace_s)):
        signals.add("a-1", -80, at * pace_s)
    for at in range(1, round(20 / pace_s)):
        signals.add("a-1", -60, 10 - pace_s + at * pace_s)
        if at * pace_s == 5.0:
            # Of 3 s the 80th percentile rises with the first; half a second weighs 0.3.
            assert signals.level("a-1") == pytest.approx(-60, abs=1.0)
        if at * pace_s == 2.0:
            assert signals.level("a-1") == pytest.approx(-80 + 20 * (1 - 0.7**3), abs=2.5)


def test_dwelling_is_counted_where_the_member_is_heard_well() -> None:
    """One strong sighting, then another radio far away: nobody has dwelt at either."""
    floor = Floor()
    floor.hear(node="shoes-1", dbm=-70)
    for _ in range(40):
        floor.passes(0.5)
        floor.hear(node="shoes-2", dbm=-92)
    assert floor.said(What.ARRIVED) == 0


def test_a_sighting_between_two_does_not_part_them() -> None:
    """Two sightings a second apart are that, though a third came between."""
    floor = Floor(replace(a_policy().store, dwell_s=0))
    for pause_s in (0.8, 0.35, 0.1):
        floor.hear()
        floor.passes(pause_s)
    assert floor.here
