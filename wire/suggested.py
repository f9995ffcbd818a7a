"""What a card says of a suggested item: in which of two places it stands, why, and what the shopper made of it.

The reasons are kinds and numbers; whoever shows them has the words. They are those of `consent.suggest.rank`, by value.
None names an item: what the shopper bought is not told by the way.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.items import Response
from wire.items import SuggestedKind as SuggestedKind
from wire.schema import Count, Range, Size

MOST_REASONS = 3
MOST_THEMES = 32  # as many as an item may have


class SuggestedPlace(StrEnum):
    """Where a suggestion stands."""

    DUE_AGAIN = "due-again"
    NEW = "new"


@dataclass(frozen=True, slots=True, repr=False)
class SuggestedReason:
    """One reason."""

    ROW = True
    kind: SuggestedKind
    number: Annotated[int, Range(0, 36_500)] | None


@dataclass(frozen=True, slots=True, repr=False)
class Suggested:
    """What belongs to a suggestion that the store made. `themes`: of the item, which the member can mute whole.

    `answer`: what the shopper made of it on this visit; None: nothing yet.
    """

    place: SuggestedPlace
    reasons: Annotated[tuple[SuggestedReason, ...], Count(MOST_REASONS)]
    themes: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(MOST_THEMES)]
    answer: Response | None = None
