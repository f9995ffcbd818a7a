"""The plan of a shop in metres: zones, walls with what they cost in dB, receivers; and the policy that belongs to it.

The shop is 24 m wide and 16 m deep, its front along y = 0 with a window and a door; the street is below. A pharmacy and
the fitting rooms have walls of their own and are blind.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass, replace

from tests.world import a_policy
from wire.policy import Policy, Zone

Point = tuple[float, float]
OUTSIDE = ""


@dataclass(frozen=True, slots=True)
class Wall:
    """From one point to another, and what a signal loses through it."""

    start: Point
    end: Point
    loss_db: float


@dataclass(frozen=True, slots=True)
class Receiver:
    """A radio and where it hangs. `slow`: its controller reports a payload that it knows once in 10.24 s.

    `duty`: the share of the time in which it listens. `late_s`: how long its sightings are on their way.
    """

    node: str
    place: Point
    slow: bool = False
    duty: float = 1.0
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Area:
    """A zone's rectangle, the way into it from the middle of the shop, and its receivers."""

    id: str
    kind: str
    blind: bool
    low: Point
    high: Point
    way_in: tuple[Point, ...]

    def holds(self, point: Point) -> bool:
        """Whether a point is in it."""
        return self.low[0] <= point[0] < self.high[0] and self.low[1] <= point[1] < self.high[1]


AREAS = (
    Area("pharmacy", "pharmacy", True, (18, 10), (24, 16), ((23, 8.5), (23, 10.7))),
    Area("fitting", "fitting-room", True, (0, 11), (5, 16), ((4, 9.5), (4, 11.7))),
    Area("entrance", "entrance", False, (9, 0), (15, 4), ()),
    Area("shoes", "sales", False, (0, 0), (12, 16), ()),
    Area("hats", "sales", False, (12, 0), (24, 16), ()),
)
WALLS = (
    Wall((0, 0), (11, 0), 3), Wall((13, 0), (24, 0), 3),  # the window; between them the door
    Wall((0, 0), (0, 16), 12), Wall((24, 0), (24, 16), 12), Wall((0, 16), (24, 16), 12),
    Wall((18, 10), (18, 16), 8), Wall((18, 10), (22, 10), 8),
    Wall((5, 11), (5, 16), 6), Wall((0, 11), (3, 11), 6),
)  # fmt: skip
RECEIVERS = (
    Receiver("entrance-1", (12, 2.5)),
    Receiver("shoes-1", (5, 5), late_s=0.2),
    Receiver("shoes-2", (9, 12), late_s=0.3),
    Receiver("hats-1", (19, 5), late_s=0.4),
    Receiver("hats-2", (14, 12), late_s=0.1),
    Receiver("pharmacy-1", (21, 13), late_s=0.3),
    Receiver("fitting-1", (2.5, 13.5), late_s=0.1),
)
DOOR: Point = (12, 0)
MIDDLE: Point = (12, 7)


@dataclass(frozen=True, slots=True)
class Plan:
    """A shop."""

    areas: tuple[Area, ...] = AREAS
    walls: tuple[Wall, ...] = WALLS
    receivers: tuple[Receiver, ...] = RECEIVERS
    enter_dbm: int = -80
    dwell_s: int = 5

    def zone(self, point: Point) -> str:
        """The zone of a point, the blind ones first; `OUTSIDE` in the street."""
        if point[1] < 0:
            return OUTSIDE
        return next((area.id for area in self.areas if area.holds(point)), OUTSIDE)

    def is_blind(self, zone: str) -> bool:
        """Whether who is there is shown to nobody."""
        return any(area.blind for area in self.areas if area.id == zone)

    def loss_db(self, a: Point, b: Point) -> float:
        """What the walls between two points cost."""
        return sum(wall.loss_db for wall in self.walls if _cross(a, b, wall.start, wall.end))

    def nodes(self, zone: str) -> tuple[str, ...]:
        """The receivers that hang in a zone."""
        return tuple(one.node for one in self.receivers if self.zone(one.place) == zone)

    def policy(self) -> Policy:
        """The policy of this shop: the tests' own, with these zones."""
        usual = a_policy()
        zones = tuple(
            Zone(area.id, area.id.title(), area.kind, self.nodes(area.id), area.blind, (), None) for area in self.areas
        )
        main = replace(usual.main, session_idle_s=86_400, session_s=86_400)  # the tablet is watched all day
        return Policy(main, replace(usual.store, zones=zones, enter_dbm=self.enter_dbm, dwell_s=self.dwell_s))


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two segments cross."""
    return _side(a, b, c) != _side(a, b, d) and _side(c, d, a) != _side(c, d, b)


def _side(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0
