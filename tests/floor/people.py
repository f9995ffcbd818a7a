"""People who walk a path with a phone: shoppers, passers-by, and who goes to the pharmacy or asks for help.

Pure: no I/O, no clock.
"""

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from tests.floor.plan import DOOR, MIDDLE, Plan, Point
from wire.member import Mode
from wire.token import Kind

PACE_M_S = 1.1
FAR: Point = (12, -75)  # down a side street, where nobody hears a phone


@dataclass(frozen=True, slots=True)
class Phone:
    """How a phone transmits. `interval_s`: between adverts. `level_dbm`: at a metre, to this kind of receiver.

    `turn_s`: when it changes its token, before or after the slot's border. `restless`: it changes its address every
    few seconds, so that no controller takes its adverts for repeats.
    """

    interval_s: float = 0.25
    level_dbm: float = -58.0
    turn_s: float = 0.0
    restless: bool = False


@dataclass(slots=True)
class Path:
    """Places and when. Before the first and after the last the phone is off."""

    times_s: list[float] = field(default_factory=list)
    places: list[Point] = field(default_factory=list)

    def starts(self, at_s: float, place: Point) -> "Path":
        """Begins here."""
        self.times_s.append(at_s)
        self.places.append(place)
        return self

    def to(self, *places: Point, pace_m_s: float = PACE_M_S) -> "Path":
        """Walks in straight lines."""
        for place in places:
            self.times_s.append(self.times_s[-1] + max(0.01, math.dist(self.places[-1], place) / pace_m_s))
            self.places.append(place)
        return self

    def stays(self, seconds: float) -> "Path":
        """Stands for so long."""
        return self.starts(self.times_s[-1] + seconds, self.places[-1])

    @property
    def now_s(self) -> float:
        """When it ends as far as it is known."""
        return self.times_s[-1]

    def at(self, now_s: float) -> Point | None:
        """Where the phone is; None while it is off."""
        if not self.times_s or not self.times_s[0] <= now_s <= self.times_s[-1]:
            return None
        after = bisect.bisect_right(self.times_s, now_s)
        if after >= len(self.times_s):
            return self.places[-1]
        began_s, ends_s = self.times_s[after - 1], self.times_s[after]
        (x0, y0), (x1, y1) = self.places[after - 1], self.places[after]
        share = (now_s - began_s) / (ends_s - began_s) if ends_s > began_s else 0.0
        return (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)


@dataclass(slots=True)
class Walker:
    """A member on the floor, or passing by. `asks_s`: when help is pressed and put away; in mode `help` the phone is
    silent otherwise. `pauses_s`: from when to when the phone advertises nothing."""

    path: Path
    phones: tuple[Phone, ...] = (Phone(),)
    mode: Mode = Mode.OPEN
    asks_s: tuple[float, float] | None = None
    pauses_s: tuple[float, float] | None = None

    def says(self, now_s: float) -> Kind | None:
        """The kind of token on the air."""
        if self.pauses_s is not None and self.pauses_s[0] <= now_s < self.pauses_s[1]:
            return None
        if self.asks_s is not None and self.asks_s[0] <= now_s < self.asks_s[1]:
            return Kind.HELP
        return Kind.PRESENCE if self.mode is Mode.OPEN else None


class Crowd:
    """Makes people by chance, the same ones for a seed."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self._plan = plan
        self._chance = Random(seed)

    def a_phone(self) -> Phone:
        """Some phone."""
        chance = self._chance
        return Phone(
            interval_s=chance.choice((0.1, 0.25, 0.25, 0.5, 1.0)),
            level_dbm=chance.gauss(-58.0, 3.0),
            turn_s=chance.uniform(-60, 60),
            restless=chance.random() < 0.1,
        )

    def place_in(self, zone: str) -> Point:
        """Somewhere in a zone, half a metre from its rectangle's border."""
        area = next(one for one in self._plan.areas if one.id == zone)
        while True:
            place = (
                self._chance.uniform(area.low[0] + 0.5, area.high[0] - 0.5),
                self._chance.uniform(area.low[1] + 0.5, area.high[1] - 0.5),
            )
            if self._plan.zone(place) == zone:
                return place

    def visits(self, path: Path, zone: str, stays_s: float) -> Path:
        """Goes from the middle of the shop into a zone, stays there, and comes back to the middle."""
        way_in = next(one.way_in for one in self._plan.areas if one.id == zone)
        return path.to(*way_in, self.place_in(zone)).stays(stays_s).to(*reversed(way_in), MIDDLE)

    def shopper(self, comes_s: float, zones: Iterable[str]) -> Walker:
        """Comes in by the door, looks around in each of these zones, and goes away down the street."""
        chance = self._chance
        path = Path().starts(comes_s, FAR).to((12, -3), DOOR, MIDDLE)
        for zone in zones:
            self.visits(path, zone, chance.uniform(20, 180))
        path.to(DOOR, (12, -3), FAR)
        return Walker(path, (self.a_phone(),))

    def shoppers(self, many: int, during_s: float) -> list[Walker]:
        """People who shop; one in four goes to the pharmacy or the fitting rooms, one in five asks for help."""
        chance = self._chance
        found = []
        for _ in range(many):
            zones = chance.choices(("shoes", "hats"), k=chance.randint(1, 3))
            if chance.random() < 0.25:
                zones.insert(chance.randint(0, len(zones)), chance.choice(("pharmacy", "fitting")))
            walker = self.shopper(chance.uniform(0, during_s), zones)
            if chance.random() < 0.2:
                at_s = chance.uniform(walker.path.times_s[3], walker.path.times_s[-3])
                walker.asks_s = (at_s, at_s + 120)
                walker.mode = chance.choice((Mode.OPEN, Mode.HELP))
            found.append(walker)
        return found

    def passers_by(self, many: int, during_s: float) -> list[Walker]:
        """People who walk along the window, two to six metres from it; one in five stops to look for a while."""
        chance = self._chance
        found = []
        for _ in range(many):
            away_m = chance.uniform(2, 6)
            left, right = (-50.0, -away_m), (74.0, -away_m)
            path = Path().starts(chance.uniform(0, during_s), left)
            if chance.random() < 0.2:
                path.to((chance.uniform(0, 24), -1.2)).stays(chance.uniform(10, 45))
            found.append(Walker(path.to(right, pace_m_s=1.4), (self.a_phone(),)))
        return found

    def browsers(self, zone: str, many: int, lasts_s: float) -> list[Walker]:
        """People who are in one zone from the first moment on and move about in it."""
        found = []
        for _ in range(many):
            path = Path().starts(0, self.place_in(zone))
            while path.now_s < lasts_s:
                path.stays(self._chance.uniform(5, 60)).to(self.place_in(zone), pace_m_s=0.6)
            found.append(Walker(path, (self.a_phone(),)))
        return found
