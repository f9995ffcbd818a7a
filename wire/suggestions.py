"""What a policy says of suggestions, and the form in which a store remembers what became of them for one member.

Days are days since 1970 UTC. Nothing here names a member.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.schema import Count, Range, Size

ItemId = Annotated[str, Size(1, 64)]
Word = Annotated[str, Size(1, 64)]
Day = Annotated[int, Range(0, 2**20)]
Rest = Annotated[int, Range(1, 3_650)]
Times = Annotated[int, Range(0, 100_000)]
Permille = Annotated[int, Range(0, 1_000)]
MOST_REMEMBERED = 256
MOST_RULES = 64
MOST_RESTING = 256
FLOOR_DAYS = 28  # four of each weekday
REST_DAYS = 28


class Stage(StrEnum):
    """How far a shopper is on the way to buying something."""

    BROWSING = "browsing"
    CHOOSING = "choosing"
    BUYING = "buying"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class SpecialScope:
    """Items flagged `special:<category>` are suggested only to who granted this special scope to be used for it."""

    category: Word
    scope: Word


@dataclass(frozen=True, slots=True)
class Resting:
    """A rule rests in a zone, at a stage of the shopper's journey, or in both; None: in all of them.

    until_day: HQ let it rest and takes it back after this day; None: whoever wrote the policy did.
    """

    rule: Word
    zone: Word | None
    stage: Word | None
    until_day: Day | None = None


@dataclass(frozen=True, slots=True)
class SuggestionPolicy:
    """What may be suggested, how often, and when a rule is switched off.

    A rule is the kind of a reason such as "goes-with", or the scope that suggestions are made from. What was bought
    in fewer than `habit_baskets` purchases, or longer than `habit_days` ago, is no habit. `felt_most` and
    `felt_permille`: a rule that felt creepy to more members than so many, and to more than so many of a thousand looks
    at it, within `felt_days`, is switched off in all stores. `floor_permille`: a rule whose suggestions are taken less
    often, of at least `floor_shown` shown within `floor_days` (None: FLOOR_DAYS), rests for `rest_days` (None:
    REST_DAYS). `rules_off` and `rules_resting` are written by HQ, too.
    """

    most_due: Annotated[int, Range(0, 10)] = 3
    most_new: Annotated[int, Range(0, 10)] = 3
    ignore_limit: Annotated[int, Range(1, 100)] = 3
    ignore_rest_days: Rest = 90
    declined_rest_days: Rest = 365
    habit_baskets: Annotated[int, Range(2, 20)] = 2
    habit_days: Annotated[int, Range(1, 36_500)] = 730
    adult_age: Annotated[int, Range(13, 150)] = 18
    specials: Annotated[tuple[SpecialScope, ...], Count(32)] = ()
    rules_off: Annotated[tuple[Word, ...], Count(MOST_RULES)] = ()
    rules_resting: Annotated[tuple[Resting, ...], Count(MOST_RESTING)] = ()
    felt_most: Times = 10
    felt_permille: Permille = 5
    felt_days: Annotated[int, Range(1, 3_650)] = 90
    floor_permille: Permille = 0
    floor_shown: Times = 200
    floor_days: Annotated[int, Range(1, 3_650)] | None = None
    rest_days: Rest | None = None


DEFAULT = SuggestionPolicy()  # of a policy that says nothing of suggestions


@dataclass(frozen=True, slots=True, repr=False)
class Remembered:
    """What became of one item. `unanswered`: shown so often without a word since the last answer or rest.

    `last_day`: shown last; `declined_day`: declined last. `shown`, `taken`, `declined`: how often in all.
    """

    ROW = True
    item: ItemId
    unanswered: Times
    last_day: Day
    declined_day: Day | None
    shown: Times
    taken: Times
    declined: Times

    def __repr__(self) -> str:
        return "Remembered(…)"


@dataclass(frozen=True, slots=True, repr=False)
class Memory:
    """What a store remembers of one member's suggestions: sealed, and destroyed with the member's keys."""

    items: Annotated[tuple[Remembered, ...], Count(MOST_REMEMBERED)]

    def __repr__(self) -> str:
        return f"Memory({len(self.items)} items)"
