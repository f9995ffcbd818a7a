"""Says how far a shopper is on the way to buying something, from the newest of what they did; and what follows from it.

| what is the newest | stage |
|---|---|
| put into the online basket in the last two days; or this week into basket or list, and they ask for help | buying |
| put into the online basket or on the wish list this week; or nothing of it all, and they ask for help | choosing |
| bought in the last two days, gave back this week, or has a service case open | after |
| has things in the basket or on the list, none of them put there this week | browsing |
| anything else; or two that say different things at one moment | not known |

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from typing import Final

from consent.suggest.journey import DAY_S, Act, Event, Journey
from consent.suggest.reasons import ReasonKind
from wire.concluded import MOST_NUMBER, Concluded, Evidence
from wire.suggestions import Stage

LATELY_S: Final = 2 * DAY_S
WEEK_S: Final = 7 * DAY_S
LISTED_S: Final = 90 * DAY_S
_EVER_S: Final = 10_000 * DAY_S  # an open case is open, however old
_PUT: Final = (Act.BASKET, Act.WISHLIST)
_PAST: Final = (
    (Act.BOUGHT, LATELY_S, Evidence.BOUGHT),
    (Act.RETURNED, WEEK_S, Evidence.RETURNED),
    (Act.SERVICE, _EVER_S, Evidence.SERVICE),
)

# What a stage changes of what is suggested. Kinds of reasons that come first among the likeliest:
FIRST: Final = {
    Stage.CHOOSING: frozenset({ReasonKind.WITH_BASKET, ReasonKind.WITH_WISHLIST, ReasonKind.ON_WISHLIST}),
    Stage.BUYING: frozenset({ReasonKind.WITH_BASKET}),
}
# Stages at which nothing is suggested as new that is of a category just bought from:
NOT_AGAIN: Final = frozenset({Stage.AFTER})


def stage(journey: Journey) -> Concluded | None:
    """How far they are; None: it cannot be told."""
    past = {act: journey.within(act, length_s) for act, length_s, _ in _PAST}
    ended_s = max((at_s for found in past.values() for at_s, _ in found), default=None)
    put = {act: journey.within(act, WEEK_S) for act in _PUT}
    later = {act: [(at_s, one) for at_s, one in put[act] if ended_s is None or at_s > ended_s] for act in _PUT}
    if later[Act.BASKET] or later[Act.WISHLIST]:
        return _wanting(journey, later[Act.BASKET], later[Act.WISHLIST])
    if ended_s is not None:
        if any(at_s == ended_s for found in put.values() for at_s, _ in found):
            return None  # which of the two came last is not known
        newest = next(one for one in _PAST if any(at_s == ended_s for at_s, _ in past[one[0]]))
        return _concluded(Stage.AFTER, newest[2], past[newest[0]])
    if journey.calls:
        return Concluded(Stage.CHOOSING, None, Evidence.HELP, None)
    listed = [one for act in _PUT for one in journey.within(act, LISTED_S)]
    return _concluded(Stage.BROWSING, Evidence.LISTED, listed) if listed else None


def just_bought(journey: Journey) -> frozenset[str]:
    """The items that were bought when somebody is called `AFTER` for it."""
    return frozenset(one.item for _, one in journey.within(Act.BOUGHT, LATELY_S) if one.item is not None)


def _wanting(journey: Journey, basket: list[tuple[int, Event]], wishlist: list[tuple[int, Event]]) -> Concluded:
    lately = [(at_s, one) for at_s, one in basket if at_s > journey.now_s - LATELY_S]
    if lately:
        return _concluded(Stage.BUYING, Evidence.BASKET_LATELY, lately)
    if journey.calls:
        return Concluded(Stage.BUYING, None, Evidence.HELP, None)
    if basket:
        return _concluded(Stage.CHOOSING, Evidence.BASKET_WEEK, basket)
    return _concluded(Stage.CHOOSING, Evidence.WISHLIST_WEEK, wishlist)


def _concluded(found: Stage, evidence: Evidence, of: Iterable[tuple[int, Event]]) -> Concluded:
    """Things are counted once each, however much of one there is; of service cases there are as many as said."""
    told = [one for _, one in of]
    number = sum(one.quantity for one in told) if evidence is Evidence.SERVICE else len({one.item for one in told})
    return Concluded(found, None, evidence, min(number, MOST_NUMBER))
