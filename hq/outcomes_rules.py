"""Says which rules of suggestions rest and where: those whose suggestions are taken less often than policy's floor.

A rule is judged as a whole, in each zone, at each stage, and in each zone at each stage, wherever enough was shown. The
widest place rests, unless a part of it in which enough was shown fares well: then only the parts that do not.

Pure: no I/O, no clock.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from wire.suggestions import Resting


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a rule may rest; empty: in all zones, at all stages."""

    rule: str
    zone: str = ""
    stage: str = ""

    def holds(self, other: "Place") -> bool:
        """Whether whatever is in the other is in this one."""
        return self.rule == other.rule and self.zone in ("", other.zone) and self.stage in ("", other.stage)

    def resting(self, until_day: int) -> Resting:
        """As policy says it."""
        return Resting(self.rule, self.zone or None, self.stage or None, until_day)


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something was suggested by a rule in one zone at one stage, and taken; empty: not known which."""

    place: Place
    shown: int
    taken: int


def place_of(resting: Resting) -> Place:
    """Where a rule rests."""
    return Place(resting.rule, resting.zone or "", resting.stage or "")


def below(counted: Iterable[Counted], floor_permille: int, least_shown: int) -> list[Place]:
    """The places where a rule is taken too seldom, none of which holds another.

    least_shown: how often something must have been suggested there. Rates are of a thousand; one of exactly the floor
    is not below.
    """
    shown: dict[Place, int] = defaultdict(int)
    taken: dict[Place, int] = defaultdict(int)
    for one in counted:
        at = one.place
        for place in {Place(at.rule, zone, stage) for zone in ("", at.zone) for stage in ("", at.stage)}:
            shown[place] += one.shown
            taken[place] += one.taken
    judged = {
        place: taken[place] * 1000 < floor_permille * times
        for place, times in shown.items()
        if times >= max(1, least_shown)
    }
    poor = [
        place
        for place, is_poor in judged.items()
        if is_poor and all(part for other, part in judged.items() if place.holds(other))
    ]
    return sorted(one for one in poor if not any(other != one and other.holds(one) for other in poor))
