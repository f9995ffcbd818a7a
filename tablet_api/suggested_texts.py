"""The sentences of a suggestion: in which place it stands, why it is suggested, and what a theme is called.

I/O: reads which language flask's current request wants.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runtime.web_languages import gettext, mark
from wire.items import Response
from wire.suggested import SuggestedKind, SuggestedPlace

_PLACES: Final[dict[SuggestedPlace, str]] = {
    SuggestedPlace.DUE_AGAIN: mark("Due again"),
    SuggestedPlace.NEW: mark("New for them"),
}
_PLAIN: Final[dict[SuggestedKind, str]] = {
    SuggestedKind.SIMILAR: mark("Shoppers with similar baskets like it"),
    SuggestedKind.WITH_BOUGHT: mark("Goes with what they bought"),
    SuggestedKind.WITH_BASKET: mark("Goes with their online basket"),
    SuggestedKind.WITH_WISHLIST: mark("Goes with their wish list"),
    SuggestedKind.ON_WISHLIST: mark("On their wish list"),
    SuggestedKind.POPULAR: mark("Many like it just now"),
    SuggestedKind.NEAR: mark("Right here, in this part of the shop"),
    SuggestedKind.OFTEN: mark("They bought it before"),
    SuggestedKind.EVERY: mark("They buy it now and again"),
    SuggestedKind.DUE: mark("About time for it again"),
    SuggestedKind.LATELY: mark("They bought it lately"),
    SuggestedKind.SEASON: mark("Fits the season"),
}
_OFTEN: Final = mark("Bought %(count)s times")
_EVERY_DAY: Final = mark("Buys this about every day")
_EVERY_DAYS: Final = mark("Buys this about every %(count)s days")
_EVERY_WEEK: Final = mark("Buys this about every week")
_EVERY_WEEKS: Final = mark("Buys this about every %(count)s weeks")
_EVERY_MONTHS: Final = mark("Buys this about every %(count)s months")
_MONTHS: Final = (
    mark("Often bought in January"), mark("Often bought in February"), mark("Often bought in March"),
    mark("Often bought in April"), mark("Often bought in May"), mark("Often bought in June"),
    mark("Often bought in July"), mark("Often bought in August"), mark("Often bought in September"),
    mark("Often bought in October"), mark("Often bought in November"), mark("Often bought in December"),
)  # fmt: skip
_ANSWERS: Final[dict[Response, str]] = {Response.TAKEN: mark("They take it")}
# What people call a theme (wire.themes). Another is not named: its id may say what nobody is to read aloud.
THEMES: Final[dict[str, str]] = {
    "alcohol": mark("Everything with alcohol"),
    "baby": mark("All baby things"),
    "children": mark("Everything for children"),
    "christmas": mark("Everything for Christmas"),
    "easter": mark("Everything for Easter"),
    "fathers-day": mark("Everything for Father’s Day"),
    "fitness": mark("Everything for fitness"),
    "mothers-day": mark("Everything for Mother’s Day"),
    "pets": mark("Everything for pets"),
    "valentine": mark("Everything for Valentine’s Day"),
    "weight-loss": mark("Everything for losing weight"),
    "wedding": mark("Everything for weddings"),
}
_THEME: Final = mark("Nothing of this kind")
_WEEK_FROM, _WEEKS_FROM, _MONTHS_FROM = 6, 11, 63  # days
_MONTH_DAYS = 30.4
_MOST_SAID = 2


def places(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries of a line by place, in their order; those that are in none stand under no heading."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in entries:
        told = one["suggested"]
        found.setdefault("" if told is None else told["place"], []).append(one)
    return [
        {"id": place, "heading": gettext(_PLACES[SuggestedPlace(place)]) if place else "", "entries": listed}
        for place, listed in found.items()
    ]


def because(told: Mapping[str, Any]) -> str:
    """Why an item is suggested: what mattered most, in few words."""
    return " · ".join(dict.fromkeys(reason(one) for one in told["reasons"][:_MOST_SAID]))


def themes(names: Sequence[str]) -> dict[str, str]:
    """What people call each theme, by what they read; of those that have no word the first."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(gettext(THEMES.get(name, _THEME)), name)
    return found


def answered(value: str | None) -> str:
    """What the shopper made of it already, where that is worth a word; else empty."""
    told = _ANSWERS.get(Response(value)) if value is not None else None
    return "" if told is None else gettext(told)


def reason(told: Mapping[str, Any]) -> str:
    """One reason, as the API says it."""
    kind, number = SuggestedKind(told["kind"]), told["number"]
    if number is None:
        return gettext(_PLAIN[kind])
    match kind:
        case SuggestedKind.OFTEN:
            return gettext(_OFTEN, count=number) if number > 1 else gettext(_PLAIN[kind])
        case SuggestedKind.EVERY | SuggestedKind.DUE:
            return _every(number)
        case SuggestedKind.SEASON if 1 <= number <= len(_MONTHS):
            return gettext(_MONTHS[number - 1])
        case _:
            return gettext(_PLAIN[kind])


def _every(days: int) -> str:
    """Rounded as people say it."""
    if days < _WEEK_FROM:
        return gettext(_EVERY_DAYS, count=days) if days > 1 else gettext(_EVERY_DAY)
    if days < _WEEKS_FROM:
        return gettext(_EVERY_WEEK)
    if days < _MONTHS_FROM:
        return gettext(_EVERY_WEEKS, count=round(days / 7))
    return gettext(_EVERY_MONTHS, count=round(days / _MONTH_DAYS))
