"""Why something is suggested, to whom it is suggested: the reasons of a card's suggestion in words.

I/O: reads which language flask's current request wants.
"""

from typing import Final

from runtime.web_languages import gettext, mark
from wire.suggested import Suggested, SuggestedKind, SuggestedPlace, SuggestedReason

_PLACES: Final[dict[SuggestedPlace, str]] = {
    SuggestedPlace.DUE_AGAIN: mark("due again"),
    SuggestedPlace.NEW: mark("new for you"),
}
_REASONS: Final[dict[SuggestedKind, str]] = {
    SuggestedKind.SIMILAR: mark("shoppers with similar baskets like it"),
    SuggestedKind.WITH_BOUGHT: mark("goes with what you bought"),
    SuggestedKind.WITH_BASKET: mark("goes with your online basket"),
    SuggestedKind.WITH_WISHLIST: mark("goes with your wish list"),
    SuggestedKind.ON_WISHLIST: mark("on your wish list"),
    SuggestedKind.POPULAR: mark("many like it just now"),
    SuggestedKind.NEAR: mark("right where you are"),
    SuggestedKind.OFTEN: mark("you bought it before"),
    SuggestedKind.EVERY: mark("you buy it now and again"),
    SuggestedKind.DUE: mark("about time for it again"),
    SuggestedKind.LATELY: mark("you bought it lately"),
    SuggestedKind.SEASON: mark("fits the season"),
}
_EVERY: Final = mark("you buy it about every %(count)s days")
_OFTEN: Final = mark("you bought it %(count)s times")


def because(told: Suggested) -> str:
    """In which place it stands, and all that mattered."""
    return " · ".join(dict.fromkeys((gettext(_PLACES[told.place]), *(_reason(one) for one in told.reasons))))


def _reason(told: SuggestedReason) -> str:
    if told.kind in (SuggestedKind.EVERY, SuggestedKind.DUE) and told.number is not None and told.number > 1:
        return gettext(_EVERY, count=told.number)
    if told.kind is SuggestedKind.OFTEN and told.number is not None and told.number > 1:
        return gettext(_OFTEN, count=told.number)
    return gettext(_REASONS[told.kind])
