"""What a store concludes from what a member does, told to them: how far they are, how they buy, and from what.

I/O: reads which language flask's current request wants.
"""

from typing import Final

from runtime.web_languages import gettext, mark
from wire.concluded import Cohort, Concluded, Evidence
from wire.suggestions import Stage

_STAGES: Final[dict[Stage, str]] = {
    Stage.BROWSING: mark("you look around"),
    Stage.CHOOSING: mark("you are choosing"),
    Stage.BUYING: mark("you are about to buy"),
    Stage.AFTER: mark("after a purchase"),
}
_COHORTS: Final[dict[Cohort, str]] = {
    Cohort.OFTEN: mark("you buy here often"),
    Cohort.NEW_THINGS: mark("you like to try new things"),
    Cohort.QUANTITY: mark("you buy in quantity"),
}
_FROM: Final[dict[Evidence, str]] = {
    Evidence.BASKET_LATELY: mark("you put %(count)s things into the online basket in the last two days"),
    Evidence.BASKET_WEEK: mark("you put %(count)s things into the online basket this week"),
    Evidence.WISHLIST_WEEK: mark("you put %(count)s things on your wish list this week"),
    Evidence.LISTED: mark("you have %(count)s things on your wish list or in the online basket"),
    Evidence.BOUGHT: mark("you bought %(count)s things in the last two days"),
    Evidence.RETURNED: mark("you brought %(count)s things back this week"),
    Evidence.SERVICE: mark("you have %(count)s open service cases"),
    Evidence.HELP: mark("you ask for help"),
    Evidence.PURCHASE_DAYS: mark("you bought on %(count)s days in the last three months"),
    Evidence.FIRST_TIME: mark("you bought %(count)s things for the first time in the last three months"),
    Evidence.LARGE_LOTS: mark("you bought much of one thing on %(count)s days in the last year"),
}
_OF_ONE: Final[dict[Evidence, str]] = {
    Evidence.BASKET_LATELY: mark("you put something into the online basket in the last two days"),
    Evidence.BASKET_WEEK: mark("you put something into the online basket this week"),
    Evidence.WISHLIST_WEEK: mark("you put something on your wish list this week"),
    Evidence.LISTED: mark("you have something on your wish list or in the online basket"),
    Evidence.BOUGHT: mark("you bought something in the last two days"),
    Evidence.RETURNED: mark("you brought something back this week"),
    Evidence.SERVICE: mark("you have an open service case"),
}


def because(told: Concluded) -> str:
    """What was concluded, and what it rests on."""
    what = _STAGES[told.stage] if told.stage is not None else _COHORTS[told.cohort] if told.cohort is not None else ""
    return f"{gettext(what)}: {_from(told.evidence, told.number or 0)}" if what else _from(told.evidence, 0)


def _from(evidence: Evidence, number: int) -> str:
    if number == 1 and evidence in _OF_ONE:
        return gettext(_OF_ONE[evidence])
    return gettext(_FROM[evidence], count=number)
