"""What a store tells of items: which are muted, what became of a suggestion, what was proposed for a member's list.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.schema import Range, Size


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


@dataclass(frozen=True, slots=True)
class SuggestionOutcome:
    """Body of OUTCOME: what the member made of a suggested item; `zone` where the visit was, if that was known."""

    item: Annotated[str, Size(1, 64)]
    response: Response
    zone: Annotated[str, Size(1, 64)] | None


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
