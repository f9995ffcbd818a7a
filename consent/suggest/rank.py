"""Ranks what a member may want next, and says what mattered: the one order of suggestions, in store and at HQ alike.

Scores are log odds of being bought in the next basket, comparable between calls with the same model.

Pure: no I/O, no clock.
"""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import compress
from operator import mul

from consent.suggest import features, reasons
from consent.suggest.features import Row, Situation
from consent.suggest.forest import grown
from consent.suggest.model import WITHOUT_TABLES, Feature, Knob, Model
from consent.suggest.reasons import Reason as Reason
from consent.suggest.reasons import ReasonKind as ReasonKind
from consent.suggest.signals import Behaviour, Tally

# By hand, since no shop's purchases tell them: in log odds.
ON_WISHLIST = 2.0
WITH_BASKET = 3.0  # times the share of the basket's items that it goes with
WITH_WISHLIST = 1.5
NEAR = 0.5
CAME_BACK = 1.5  # for each time that it was brought back
DECLINED = 0.35  # for each time that its category was declined
UNANSWERED = 0.04
TAKEN = 0.3
MOST_TALLY = 4.0  # nothing is lost for ever, nor carries all before it
LEAST_TREED = 12  # of the best by the linear weights; trees cost more
TREED_EACH = 4  # and so many for each that is asked for, where these are more


class Place(StrEnum):
    """Where a suggestion belongs: bought in two baskets or more, in one (no habit, and not new), or never."""

    DUE_AGAIN = "due-again"
    ONCE = "once"
    NEW = "new"


EVERYWHERE = frozenset(Place)
Scored = tuple[float, str, int, Row]  # the score below 0 and the name, by which they are sorted; the item and its row
_PLACES = (Place.NEW, Place.ONCE, Place.DUE_AGAIN)  # by the number of baskets, up to that of a habit


@dataclass(frozen=True, slots=True)
class Ranked:
    """One suggestion. `times`: the baskets in which it was bought and kept. `reasons`: 1 to 3, the strongest first."""

    item: str
    score: float
    place: Place
    reasons: tuple[Reason, ...]
    times: int


def rank(
    behaviour: Behaviour,
    model: Model | None,
    allowed: Callable[[str], bool] | None = None,
    most: int = 10,
    *,
    category: Callable[[str], str | None] | None = None,
    near: Callable[[str], bool] | None = None,
    apart: bool = False,
    places: frozenset[Place] = EVERYWHERE,
    only: Collection[str] | None = None,
) -> tuple[Ranked, ...]:
    """The best suggestions, best first: at most `most` of them, or with `apart` of each of `places`. Equal ones by id.

    `model` None: by the own past alone. `allowed` is asked about candidates, some hundreds. `category` is what the
    behaviour's tallies count by; `near` says whether an item stands in the zone of the visit. `only`: of these
    alone, of those that were bought; the others say no more than what they are to them.
    """
    model = WITHOUT_TABLES if model is None else model
    found = features.situation(behaviour, model, only)
    names, known, others = model.names, model.items, found.names
    listed = features.candidates(found, model)
    called = [names[item] if item < known else others[item] for item in listed]
    if allowed is not None:
        may = [*map(allowed, called)]
        listed, called = [*compress(listed, may)], [*compress(called, may)]
    rows = features.short_rows(found, model, listed)
    tallies = {name: tallied(one) for name, one in behaviour.tallies} if category is not None else {}
    shared = found.wishlist.union(found.goes_with_basket, found.goes_with_wishlist)
    came_back = found.past.came_back
    scored: list[Scored] = []
    for item, name, row, score in zip(listed, called, rows, scores(model, rows, TREED_EACH * most), strict=True):
        if item in shared:
            score += _shared(found, item)
        if came_back:
            score -= CAME_BACK * came_back.get(name, 0)
        if near is not None and near(name):
            score += NEAR
        if tallies and category is not None:
            score += tallies.get(category(name) or "", 0.0)
        scored.append((-score, name, item, row))
    scored.sort()  # a name stands once: no more than the two is compared
    left = [most if place in places else 0 for place in _PLACES]
    return tuple(_best(scored, found, model, left, apart, near))


def _best(
    scored: list[Scored],
    found: Situation,
    model: Model,
    left: list[int],
    apart: bool,
    near: Callable[[str], bool] | None,
) -> Iterable[Ranked]:
    kept: list[tuple[float, str, int, Row, Place, int]] = []
    for less, name, item, row in scored:
        own = found.own.get(item)
        times = 0 if own is None else own.times
        at = min(times, 2)
        if left[at] <= 0:
            continue
        left = [one - (which == at or not apart) for which, one in enumerate(left)]
        kept.append((-less, name, item, features.whole(row), _PLACES[at], times))
        if max(left) <= 0:
            break
    seeds = reasons.Seeds.of(found, model, [item for _, _, item, *_ in kept])
    for score, name, item, row, place, times in kept:
        why = reasons.reasons(found, model, seeds, item, row, near is not None and near(name))
        yield Ranked(name, score, place, why, times)


def scores(model: Model, rows: list[Row], treed: int = LEAST_TREED) -> list[float]:
    """The log odds of each row: by the linear weights, and for the best of them by the trees, where there are any.

    Rows may be short (`features.short_rows`).
    """
    if not model.linear:
        return [0.0] * len(rows)
    intercept, *weights = model.linear
    for_new, short = weights[Feature.POPULAR :], features.NEW_NUMBERS
    linear = [intercept + sum(map(mul, weights if len(row) > short else for_new, row)) for row in rows]
    if not model.trees:
        return linear
    treed = max(treed, LEAST_TREED)
    order = sorted(range(len(rows)), key=lambda place: -linear[place])
    share = model.knobs[Knob.TREES_SHARE]
    best = order[:treed]
    for is_new, alike in ((False, features.ALIKE_OWN), (True, features.ALIKE_NEW)):
        places = [place for place in best if (len(rows[place]) <= short) is is_new]
        sums = grown(model.trees, [features.whole(rows[place]) for place in places], alike)
        for place, one in zip(places, sums, strict=True):
            linear[place] = share * one + (1.0 - share) * linear[place]
    if len(order) > treed:  # the others stay behind the best of them, in their order
        floor = min(linear[place] for place in best) - 1e-6
        step = linear[order[treed]] - floor
        for place in order[treed:]:
            linear[place] = min(linear[place], linear[place] - step)
    return linear


def _shared(found: Situation, item: int) -> float:
    """What the online basket and the wish list add."""
    added = ON_WISHLIST if item in found.wishlist else 0.0
    basket, wishlist = found.goes_with_basket.get(item), found.goes_with_wishlist.get(item)
    if basket is not None:
        added += WITH_BASKET * (math.sqrt(basket) if basket < 1.0 else 1.0)
    if wishlist is not None:
        added += WITH_WISHLIST * (math.sqrt(wishlist) if wishlist < 1.0 else 1.0)
    return added


def tallied(tally: Tally) -> float:
    """What the outcomes of a category's suggestions add: below 0 where they were declined or not answered."""
    unanswered = max(0, tally.shown - tally.taken - tally.declined)
    added = TAKEN * tally.taken - DECLINED * tally.declined - UNANSWERED * unanswered
    return max(-MOST_TALLY, min(MOST_TALLY, added))
