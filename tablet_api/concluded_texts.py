"""The sentences of what a store concludes from what a shopper does: how far they are, how they buy, and from what.

I/O: reads which language flask's current request wants.
"""

from collections.abc import Mapping
from typing import Any, Final

from runtime.web_languages import gettext, mark
from wire.concluded import Cohort, Evidence
from wire.suggestions import Stage

_STAGES: Final[dict[Stage, str]] = {
    Stage.BROWSING: mark("Looking around"),
    Stage.CHOOSING: mark("Choosing"),
    Stage.BUYING: mark("About to buy"),
    Stage.AFTER: mark("After a purchase"),
}
_COHORTS: Final[dict[Cohort, str]] = {
    Cohort.OFTEN: mark("Buys here often"),
    Cohort.NEW_THINGS: mark("Likes to try new things"),
    Cohort.QUANTITY: mark("Buys in quantity"),
}
_FROM: Final[dict[Evidence, str]] = {
    Evidence.BASKET_LATELY: mark("Put %(count)s things into the online basket in the last two days"),
    Evidence.BASKET_WEEK: mark("Put %(count)s things into the online basket this week"),
    Evidence.WISHLIST_WEEK: mark("Put %(count)s things on the wish list this week"),
    Evidence.LISTED: mark("Has %(count)s things on the wish list or in the online basket"),
    Evidence.BOUGHT: mark("Bought %(count)s things in the last two days"),
    Evidence.RETURNED: mark("Brought %(count)s things back this week"),
    Evidence.SERVICE: mark("Has %(count)s open service cases"),
    Evidence.HELP: mark("Asks for help"),
    Evidence.PURCHASE_DAYS: mark("Bought on %(count)s days in the last three months"),
    Evidence.FIRST_TIME: mark("Bought %(count)s things for the first time in the last three months"),
    Evidence.LARGE_LOTS: mark("Bought much of one thing on %(count)s days in the last year"),
}
_OF_ONE: Final[dict[Evidence, str]] = {
    Evidence.BASKET_LATELY: mark("Put something into the online basket in the last two days"),
    Evidence.BASKET_WEEK: mark("Put something into the online basket this week"),
    Evidence.WISHLIST_WEEK: mark("Put something on the wish list this week"),
    Evidence.LISTED: mark("Has something on the wish list or in the online basket"),
    Evidence.BOUGHT: mark("Bought something in the last two days"),
    Evidence.RETURNED: mark("Brought something back this week"),
    Evidence.SERVICE: mark("Has an open service case"),
}


def concluded(told: Mapping[str, Any]) -> str:
    """What was concluded, as the API says it."""
    if told["stage"] is not None:
        return gettext(_STAGES[Stage(told["stage"])])
    return gettext(_COHORTS[Cohort(told["cohort"])])


def from_what(told: Mapping[str, Any]) -> str:
    """What it rests on."""
    evidence, number = Evidence(told["evidence"]), told["number"] or 0
    if number == 1 and evidence in _OF_ONE:
        return gettext(_OF_ONE[evidence])
    return gettext(_FROM[evidence], count=number)
