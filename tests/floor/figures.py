"""What a run of the simulator comes to, as figures; and a plain rule on the same sightings to compare them with.

The plain rule: present from the first sighting until 30 s without one, in the zone of the node that heard the member
most strongly in the newest second of raw signal; hidden while that zone is blind.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.floor.plan import OUTSIDE, Plan
from tests.floor.simulation import BLOCK_S, Sample, Simulation
from wire.member import Mode
from wire.sighting import Batch

TIMEOUT_S = 30.0
NEWEST_S = 1.0
OPEN_S = 11 * 3600.0  # a shop's day


@dataclass(slots=True)
class Seen:
    """What one rule showed of one walker, half second for half second."""

    samples: list[Sample]
    called_s: list[float]


class Plain:
    """The plain rule. `heard` is the hook that its simulation is made with; then `follow` runs both."""

    def __init__(self, plan: Plan) -> None:
        self._zone_of = {node: area.id for area in plan.areas for node in plan.nodes(area.id)}
        self._plan = plan
        self._heard: dict[int, dict[str, tuple[float, int]]] = {}
        self.simulation: Simulation | None = None
        self.stories: dict[int, Seen] = {}

    def heard(self, batch: Batch, now_s: float) -> None:
        """The same sightings as the gateway's."""
        assert self.simulation is not None
        for sighting in batch.sightings:
            number = self.simulation.number_of(sighting.token)
            if number is not None:
                rssi_dbm = -127 if sighting.rssi_dbm is None else sighting.rssi_dbm
                self._heard.setdefault(number, {})[batch.node] = now_s, rssi_dbm

    def follow(self, simulation: Simulation, seconds: float) -> None:
        """Runs the simulation and writes down what this rule shows."""
        self.simulation = simulation
        for _ in range(round(seconds / BLOCK_S)):
            simulation.run(BLOCK_S)
            self._look(simulation, simulation.now_s)

    def _look(self, simulation: Simulation, now_s: float) -> None:
        for number, story in enumerate(simulation.stories):
            place = story.walker.path.at(now_s)
            truth = None if place is None else self._plan.zone(place)
            zone = self._zone(number, now_s)
            if truth is None and zone is None:
                continue
            hidden = zone is None or self._plan.is_blind(zone)
            seen = self.stories.setdefault(number, Seen([], []))
            seen.samples.append(Sample(now_s, truth, not hidden, None if hidden else zone, False))

    def _zone(self, number: int, now_s: float) -> str | None:
        nodes = self._heard.get(number)
        if not nodes:
            return None
        newest_s = max(at_s for at_s, _ in nodes.values())
        if now_s - newest_s >= TIMEOUT_S:
            return None
        fresh = {node: dbm for node, (at_s, dbm) in nodes.items() if newest_s - at_s <= NEWEST_S}
        return self._zone_of[max(fresh, key=lambda node: fresh[node])]


@dataclass(slots=True)
class Figures:
    """Of one rule, over one or more runs."""

    arrivals_s: list[float] = field(default_factory=list)  # shown, after stepping in
    missed: int = 0  # stepped in, stayed a minute, never shown
    departures_s: list[float] = field(
        default_factory=list
    )  # gone from the roster, after stepping out; early is below 0
    helps_s: list[float] = field(default_factory=list)  # on the roster, after pressing
    right_s: float = 0.0  # shown in the zone where they truly were
    wrong_s: float = 0.0
    shown_s: float = 0.0  # of the time in open zones
    hidden_s: float = 0.0
    leaked_s: float = 0.0  # shown while truly in a blind zone
    leaks: int = 0
    blind_s: float = 0.0
    false_arrivals: int = 0  # of people who never came in
    passers: int = 0
    run_s: float = 0.0

    def add(self, plan: Plan, samples: Sequence[Sample], came_in: bool, is_open: bool) -> None:
        """One walker of one run. `is_open`: in mode `open`, so shown without asking."""
        if not came_in:
            self.passers += 1
            self.false_arrivals += _rises(one.shown for one in samples)
            return
        inside = [one.at_s for one in samples if one.truth not in (None, OUTSIDE)]
        if not inside:
            return
        entered_s, left_s = inside[0], inside[-1]
        shown = [one.at_s for one in samples if one.shown]
        if is_open and samples[0].truth in (None, OUTSIDE):
            if shown:
                self.arrivals_s.append(shown[0] - entered_s)
            elif left_s - entered_s >= 60:
                self.missed += 1
        # Whoever was shown in the last half minute before stepping out, and is not any more when the run ends.
        if shown and shown[-1] >= left_s - 30 and not samples[-1].shown and samples[-1].truth in (None, OUTSIDE):
            self.departures_s.append(shown[-1] + BLOCK_S - left_s)
        was_blind = leaked = False
        for one in samples:
            if one.truth in (None, OUTSIDE):
                continue
            assert one.truth is not None
            blind = plan.is_blind(one.truth)
            if blind:
                self.blind_s += BLOCK_S
                if one.shown:
                    self.leaked_s += BLOCK_S
                    self.leaks += not (was_blind and leaked)
            elif one.shown:
                self.shown_s += BLOCK_S
                if one.zone == one.truth:
                    self.right_s += BLOCK_S
                else:
                    self.wrong_s += BLOCK_S
            elif is_open:
                self.hidden_s += BLOCK_S
            was_blind, leaked = blind, blind and one.shown

    @property
    def accuracy(self) -> float:
        """Share of the time in which the zone that was shown was the true one."""
        return self.right_s / max(1e-9, self.right_s + self.wrong_s)

    @property
    def false_a_day(self) -> float:
        """False arrivals in a shop's day of eleven hours."""
        return self.false_arrivals / max(1e-9, self.run_s) * OPEN_S


def measure(simulation: Simulation, plain: Plain, into: Figures, into_plain: Figures) -> None:
    """Adds a run to the figures of both rules."""
    plan = simulation.plan
    for number, story in enumerate(simulation.stories):
        came_in = any(plan.zone(place) != OUTSIDE for place in story.walker.path.places if place[1] >= 0)
        is_open = story.walker.mode is Mode.OPEN
        into.add(plan, story.samples, came_in, is_open)
        seen = plain.stories.get(number)
        if seen is not None:
            into_plain.add(plan, seen.samples, came_in, is_open)
        asks_s = story.walker.asks_s
        place = story.walker.path.at(asks_s[0]) if asks_s is not None else None
        if asks_s is not None and place is not None and not plan.is_blind(plan.zone(place)):
            called = [at_s for at_s in story.called_s if asks_s[0] <= at_s < asks_s[1]]
            into.helps_s.append(called[0] - asks_s[0] if called else float("inf"))
    into.run_s += simulation.now_s
    into_plain.run_s += simulation.now_s


def _rises(values: Iterable[bool]) -> int:
    before, count = False, 0
    for value in values:
        count += value and not before
        before = value
    return count
