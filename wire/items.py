"""What a store tells of items: which are muted, what became of a suggestion, what was proposed for a member's list.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.schema import Range, Size
from wire.suggestions import Stage


class MuteKind(StrEnum):
    """What a mute is about."""

    ITEM = "item"
    CATEGORY = "category"
    THEME = "theme"


@dataclass(frozen=True, slots=True)
class Mute:
    """Body of MUTE: the member wants no suggestion of this any more, for good. `id`: of item, category or theme."""

    what: MuteKind
    id: Annotated[str, Size(1, 64)]
    associate: Annotated[str, Size(1, 64)]
    tablet: Annotated[str, Size(1, 64)]


class Response(StrEnum):
    """What became of a suggestion."""

    SHOWN = "shown"
    TAKEN = "taken"
    DECLINED = "declined"
    IGNORED = "ignored"
    NOT_FOR_ME = "not-for-me"  # and no suggestion of it any more: the mute is an event of its own


class SuggestedKind(StrEnum):
    """Why an item is suggested. `number`, where one belongs to it, is named behind it."""

    EVERY = "every"  # days: about so often they buy it
    OFTEN = "often"  # in so many of their purchases
    DUE = "due"  # days: their usual time is over
    LATELY = "lately"  # days since they bought it
    SEASON = "season"  # month, 1 to 12
    SIMILAR = "similar"  # shoppers with similar baskets like it
    WITH_BOUGHT = "goes-with"  # something that they bought
    WITH_BASKET = "goes-with-basket"
    WITH_WISHLIST = "goes-with-wishlist"
    ON_WISHLIST = "on-wishlist"
    POPULAR = "popular"
    NEAR = "near"  # it stands in the zone where they are


@dataclass(frozen=True, slots=True)
class SuggestionOutcome:
    """Body of OUTCOME: what the member made of a suggested item; `zone` where the visit was, if that was known.

    stage: how far the shopper was, where that could be told. reason: what mattered most for it, the rule that it is
    counted by; None: not suggested by the store itself, or told by a box before there was a word for it. Zone, stage
    and reason are those of when it was shown first on the visit, whatever is said of it later; what the member withdrew
    since is left out.
    """

    item: Annotated[str, Size(1, 64)]
    response: Response
    zone: Annotated[str, Size(1, 64)] | None
    stage: Stage | None = None
    reason: SuggestedKind | None = None


class ItemList(StrEnum):
    """A list of the member's own."""

    BASKET = "basket"
    WISHLIST = "wishlist"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Body of PROPOSAL: an associate proposes an item for a list of the member's, who confirms it in the app or not."""

    to: ItemList
    item: Annotated[str, Size(1, 64)]
    quantity: Annotated[int, Range(1, 9)]
    role: Annotated[str, Size(1, 64)]
    associate: Annotated[str, Size(1, 64)]
    tablet: Annotated[str, Size(1, 64)]
