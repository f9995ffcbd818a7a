"""What figures count: members by what was asked of them and what they chose, over days, split along one axis.

A member counts once in a span: by the first thing of it. So the rows of one table never share a member.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

DAY_S = 86_400
_EPOCH = date(1970, 1, 1)
_MOST_CHARACTERS = 80  # of a value
_UNKNOWN, _JOINED = "–", " · "


class Population(StrEnum):
    """Who is counted. `OUTCOMES` says what can become of each."""

    ASKED = "asked"  # who was shown a notice for the first time
    GIVEN = "given"  # who granted
    ENDED = "ended"  # whose grant came to its end by itself
    SEEN = "seen"  # whom associates could see in a store; only members who grant `insight` there
    SUGGESTED = "suggested"  # to whom a card suggested something there; only members who grant `insight` there


class Outcome(StrEnum):
    """What became of it."""

    GIVEN = "given"
    REFUSED = "refused"
    NONE = "none"  # no choice
    WITHDRAWN = "withdrawn"
    KEPT = "kept"
    RENEWED = "renewed"
    LAPSED = "lapsed"
    HELPED = "helped"  # asked for help
    PRESENT = "present"  # did not
    TAKEN = "taken"
    DECLINED = "declined"  # and took nothing
    IGNORED = "ignored"  # said nothing to it


OUTCOMES: dict[Population, tuple[Outcome, ...]] = {
    Population.ASKED: (Outcome.GIVEN, Outcome.REFUSED, Outcome.NONE),
    Population.GIVEN: (Outcome.WITHDRAWN, Outcome.KEPT),
    Population.ENDED: (Outcome.RENEWED, Outcome.LAPSED),
    Population.SEEN: (Outcome.HELPED, Outcome.PRESENT),
    Population.SUGGESTED: (Outcome.TAKEN, Outcome.DECLINED, Outcome.IGNORED),
}
# How many days after a span its outcomes are known: until then nothing of it is released.
KNOWN_AFTER_DAYS = {
    Population.ASKED: 7,
    Population.GIVEN: 30,
    Population.ENDED: 30,
    Population.SEEN: 2,
    Population.SUGGESTED: 2,
}


class Axis(StrEnum):
    """Along what a table is split."""

    ALL = "all"
    CHANNEL = "channel"
    STORE = "store"
    NOTICE = "notice"
    WAIT = "wait"  # from the notice to the first choice
    RULE = "rule"  # what mattered most for a suggestion
    ZONE = "zone"  # where it was shown
    STAGE = "stage"  # how far the shopper was
    PLACE = "place"  # in which zone at which stage


AXES: dict[Population, tuple[Axis, ...]] = {
    Population.ASKED: (Axis.ALL, Axis.CHANNEL, Axis.STORE, Axis.NOTICE, Axis.WAIT),
    Population.GIVEN: (Axis.ALL,),
    Population.ENDED: (Axis.ALL,),
    Population.SEEN: (Axis.ALL, Axis.STORE),
    Population.SUGGESTED: (Axis.ALL, Axis.RULE, Axis.ZONE, Axis.STAGE, Axis.PLACE),
}
# Up to how many seconds each wait is.
WAITS: tuple[tuple[str, int], ...] = (("minute", 60), ("hour", 3600), ("day", DAY_S), ("week", 7 * DAY_S))


def wait_of(seconds: int) -> str:
    """The name of the shortest wait that holds these seconds, which are less than 7 days."""
    return next((name for name, most in WAITS if seconds <= most), WAITS[-1][0])


class SpanKind(StrEnum):
    """How long a span is. Days are of UTC, weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Days from `first` on, counted from 1970-01-01."""

    kind: SpanKind
    first: int

    @property
    def end(self) -> int:
        """The day after its last one."""
        if self.kind is SpanKind.DAY:
            return self.first + 1
        if self.kind is SpanKind.WEEK:
            return self.first + 7
        begun = day_of(self.first)
        following = date(begun.year + begun.month // 12, begun.month % 12 + 1, 1)
        return number_of(following)

    @property
    def days(self) -> range:
        """Its days."""
        return range(self.first, self.end)

    @property
    def label(self) -> str:
        """As people read it: 2026-11-22, 2026-W47 or 2026-11."""
        begun = day_of(self.first)
        if self.kind is SpanKind.DAY:
            return begun.isoformat()
        if self.kind is SpanKind.MONTH:
            return f"{begun.year}-{begun.month:02}"
        year, week, _ = begun.isocalendar()
        return f"{year}-W{week:02}"

    def holds(self, other: "Span") -> bool:
        """Whether all of the other's days are in it."""
        return self.first <= other.first and other.end <= self.end


def day_of(number: int) -> date:
    """The day of a number."""
    return _EPOCH + timedelta(days=number)


def number_of(day: date) -> int:
    """The number of a day."""
    return (day - _EPOCH).days


def span_of(kind: SpanKind, day: int) -> Span:
    """The span of this kind in which a day lies."""
    if kind is SpanKind.DAY:
        return Span(kind, day)
    if kind is SpanKind.WEEK:
        return Span(kind, day - day_of(day).weekday())
    return Span(kind, number_of(day_of(day).replace(day=1)))


@dataclass(frozen=True, slots=True, repr=False)
class Episode:
    """One thing that is counted, of one member (HQ's reference). `at_s` Unix seconds UTC orders them."""

    member: bytes
    at_s: int
    outcome: Outcome
    channel: str = ""
    store: str = ""
    notice: str = ""
    wait: str = ""  # empty: nothing was chosen
    rule: str = ""
    zone: str = ""  # empty: not known
    stage: str = ""  # empty: not known

    @property
    def place(self) -> str:
        """The zone and the stage as one value."""
        return f"{self.zone or _UNKNOWN}{_JOINED}{self.stage or _UNKNOWN}"[:_MOST_CHARACTERS]

    def value(self, axis: Axis) -> str:
        """Where it stands on an axis."""
        return "" if axis is Axis.ALL else str(getattr(self, axis.value))


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """What one figure counts, of one population and purpose. `outcome` None: all."""

    span: Span
    axis: Axis
    value: str = ""
    outcome: Outcome | None = None

    def holds(self, other: "Box") -> bool:
        """Whether whoever is in the other is, by what they are, in this one too."""
        return (
            self.span.holds(other.span)
            and (self.axis, self.value) in other.rows
            and self.outcome in (None, other.outcome)
        )

    @property
    def rows(self) -> tuple[tuple[Axis, str], ...]:
        """The rows, of whatever axis, in which all of it stands: its own first."""
        own = ((self.axis, self.value),)
        if self.axis is Axis.ALL:
            return own
        if self.axis is not Axis.PLACE:
            return (*own, (Axis.ALL, ""))
        zone, _, stage = ("" if one == _UNKNOWN else one for one in self.value.rpartition(_JOINED))
        return (*own, (Axis.ZONE, zone), (Axis.STAGE, stage), (Axis.ALL, ""))

    def parents(self) -> list["Box"]:
        """Those from which this one is split off, along one way each."""
        found = [Box(span_of(kind, self.span.first), self.axis, self.value, self.outcome) for kind in SpanKind]
        found = [one for one in found if one.span != self.span and one.span.holds(self.span)]
        if self.outcome is not None:
            found.append(Box(self.span, self.axis, self.value))
        found += [Box(self.span, axis, value, self.outcome) for axis, value in self.rows[1:]]
        return found

    def splits_like(self, other: "Box", parent: "Box") -> bool:
        """Whether this and the other are parts of one split of the parent: apart from each other, of one kind."""
        if not parent.holds(self) or not parent.holds(other):
            return False
        if parent.span != other.span:
            same = (self.axis, self.value, self.outcome) == (other.axis, other.value, other.outcome)
            return same and self.span.kind is other.span.kind
        if self.span != other.span:
            return False
        if parent.axis is not other.axis:
            return self.axis is other.axis and self.outcome == other.outcome
        return (self.axis, self.value) == (other.axis, other.value) and self.outcome is not None


Members = Mapping[Box, frozenset[bytes]]


class Counting:
    """Who stands behind each box, of the episodes of some days of one population and purpose."""

    def __init__(self, episodes: Iterable[Episode]) -> None:
        self._episodes = sorted(episodes, key=lambda one: (one.at_s, one.member))
        self._spans: dict[Span, list[Episode]] = {}
        self._found: dict[Box, frozenset[bytes]] = {}

    def members(self, box: Box) -> frozenset[bytes]:
        """The members behind a box."""
        if box not in self._found:
            self._found[box] = frozenset(
                one.member
                for one in self._first(box.span)
                if (box.axis is Axis.ALL or one.value(box.axis) == box.value) and box.outcome in (None, one.outcome)
            )
        return self._found[box]

    def boxes(self, population: Population, span: Span, axis: Axis) -> list[Box]:
        """The boxes of one table, each row's whole before its outcomes; rows in which nobody stands are not there."""
        values = {one.value(axis) for one in self._first(span)}
        if axis is Axis.WAIT:  # who chose nothing waits for nothing, and what they chose is in another table
            return [Box(span, axis, one) for one in sorted(values - {""})]
        return [
            Box(span, axis, value, outcome) for value in sorted(values) for outcome in (None, *OUTCOMES[population])
        ]

    def _first(self, span: Span) -> list[Episode]:
        """Of each member the first thing in a span."""
        if span not in self._spans:
            once: dict[bytes, Episode] = {}
            for one in self._episodes:
                if span.first <= one.at_s // DAY_S < span.end:
                    once.setdefault(one.member, one)
            self._spans[span] = list(once.values())
        return self._spans[span]
