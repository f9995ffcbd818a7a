"""The sentences of the acts on a visit: why somebody else is to help, and the lists of the member's own.

I/O: reads which language flask's current request wants.
"""

from typing import Final

from runtime.web_languages import gettext, mark
from wire.events import HandOverReason
from wire.items import ItemList
from wire.policy import Section
from wire.query import Card

_REASONS: Final[dict[HandOverReason, str]] = {
    HandOverReason.NEEDS_EXPERT: mark("An expert is needed"),
    HandOverReason.OTHER_ZONE: mark("It belongs to another zone"),
    HandOverReason.LANGUAGE: mark("Another language is needed"),
    HandOverReason.BREAK: mark("My break or shift ends"),
    HandOverReason.OTHER: mark("Another reason"),
}
_HANDED_OVER: Final = mark("Handed over. If nobody takes it within a minute, it waits again.")
_NOBODY_THERE: Final = mark("They are not signed in any more. Choose somebody else.")
_CHANGED: Final = mark("Something changed meanwhile. Please look again.")
_GONE: Final = mark("This shopper is not on the floor now. Nothing was changed.")
_CAN_LEAVE_BY_CODE: Final = mark("This shopper is not on the floor now. Nothing was changed; they can leave by code.")
_NOTHING_SHARED: Final = mark("Done. Nothing of this shopper is shared any more.")
_NOT_SHARED: Final = mark("Done. It is no longer shared.")
_LISTS: Final[dict[ItemList, str]] = {
    ItemList.BASKET: mark("Their online basket"),
    ItemList.WISHLIST: mark("Their wish list"),
}
_SECTIONS: Final = {ItemList.BASKET: Section.BASKET, ItemList.WISHLIST: Section.WISHLIST}
_SCOPES: Final = {ItemList.BASKET: "basket.online", ItemList.WISHLIST: "wishlist"}  # these may lead a card instead


def reason(value: str) -> str:
    """Why a visit was handed over, as the API says it."""
    return gettext(_REASONS[HandOverReason(value)])


def handed_over() -> str:
    """What is said to who handed over."""
    return gettext(_HANDED_OVER)


def nobody_there() -> str:
    """What is said where those to whom a visit was handed over are not there any more."""
    return gettext(_NOBODY_THERE)


def changed() -> str:
    """What is said where nothing came of an act, and it cannot be said why."""
    return gettext(_CHANGED)


def gone() -> str:
    """What is said where nothing came of an act because whoever it was for is not on the floor any more."""
    return gettext(_GONE)


def can_leave_by_code() -> str:
    """The same where they asked to leave."""
    return gettext(_CAN_LEAVE_BY_CODE)


def nothing_shared() -> str:
    """What is said once everything is withdrawn."""
    return gettext(_NOTHING_SHARED)


def not_shared() -> str:
    """What is said once a line is withdrawn."""
    return gettext(_NOT_SHARED)


def reasons() -> list[dict[str, str]]:
    """All reasons that can be chosen."""
    return [{"value": one.value, "label": gettext(label)} for one, label in _REASONS.items()]


def lists(card: Card) -> list[dict[str, str]]:
    """The lists for which an item can be proposed: those of which the card shows that they are shared."""
    leading = {line.scope for line in card.lead}
    return [
        {"value": one.value, "label": gettext(label)}
        for one, label in _LISTS.items()
        if _SECTIONS[one] in card.sections or _SCOPES[one] in leading
    ]
