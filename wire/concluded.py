"""What a store concludes from what a shopper does and shares, and from what: how far they are, and how they buy.

Kinds and numbers; whoever shows them has the words. None names an item.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.schema import Range
from wire.suggestions import Stage

MOST_NUMBER = 36_500


class Cohort(StrEnum):
    """How a shopper buys: behaviour, and nothing about who they are."""

    OFTEN = "often"
    NEW_THINGS = "new-things"
    QUANTITY = "quantity"


class Evidence(StrEnum):
    """What it was concluded from. `number` of `Concluded` as said here."""

    # of a stage: how many things, but of the last
    BASKET_LATELY = "basket-lately"  # put into the online basket in the last two days
    BASKET_WEEK = "basket-week"  # … this week
    WISHLIST_WEEK = "wishlist-week"  # put on the wish list this week
    LISTED = "listed"  # in the basket or on the list, for longer than a week
    BOUGHT = "bought"  # in the last two days
    RETURNED = "returned"  # this week
    SERVICE = "service"  # service cases that are open
    HELP = "help"  # they ask for help now; no number
    # of a cohort
    PURCHASE_DAYS = "purchase-days"  # days on which they bought, of the last three months
    FIRST_TIME = "first-time"  # things bought for the first time, in the last three months
    LARGE_LOTS = "large-lots"  # days on which they bought much of one thing, in the last year


@dataclass(frozen=True, slots=True)
class Concluded:
    """One conclusion with what it rests on: `stage` or `cohort`, and never both."""

    ROW = True
    stage: Stage | None
    cohort: Cohort | None
    evidence: Evidence
    number: Annotated[int, Range(0, MOST_NUMBER)] | None
