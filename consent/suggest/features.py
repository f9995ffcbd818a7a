"""What is known of the items that a member may want next: candidates, and for each a row of numbers by `Feature`.

HQ learns the weights from just these rows, so that what is learned is what a store computes.

Pure: no I/O, no clock.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import filterfalse, islice
from operator import mul, truediv

from consent.suggest.history import Own, Past, fold, usual_gap, weigh
from consent.suggest.model import LEAST_POPULAR, LOG_2, MONTHS, WEIGHTS, Entries, Feature, Knob, Model
from consent.suggest.signals import Behaviour

MOST_OWN = 256  # candidates from the own past; a record holds two lists of 128 entries
MOST_NEW = 15  # by each of two tables
MOST_SEEDS = 20  # own items that say what goes with them
MOST_LAST = 12  # items of the last basket that do

_SHARPENS = 0.01, 8.0  # powers by which what is less stays less, to the last bit

Row = tuple[float, ...]
Seeds = list[tuple[int, float]]  # items with what each of them counts


@dataclass(frozen=True, slots=True, repr=False)
class Situation:
    """A member's past in the terms of the tables. Items that they do not name have numbers from `model.items` on.

    `only`: of these alone, which are own ones, the tables are looked at; None: of all.
    """

    past: Past
    own: Mapping[int, Own]
    names: Mapping[int, str]  # of the items that the tables do not name
    now_day: int
    visit_gap: float
    seeds: Seeds  # own items that say what goes with them, by their habit
    goes_with: Mapping[int, float]
    last: Seeds  # of the last basket
    goes_with_basket: Mapping[int, float]
    goes_with_wishlist: Mapping[int, float]
    similar: Mapping[int, float]
    wishlist: frozenset[int]
    basket: frozenset[int]
    only: frozenset[int] | None

    def __repr__(self) -> str:
        return "Situation(…)"


def situation(behaviour: Behaviour, model: Model, only: Collection[str] | None = None) -> Situation:
    """What a member's behaviour says in the terms of the tables. `only`: candidates are these bought items alone."""
    past = fold(behaviour.bought)
    gap = usual_gap(past.days) if model.dated else None
    visit_gap = model.knobs[Knob.GAP_DAYS] if gap is None else gap
    last_day = past.days[-1] if past.days else 0
    now_day = last_day + round(visit_gap) if behaviour.now_day is None else max(behaviour.now_day, last_day)
    numbers = model.index
    others: dict[str, int] = {}

    def number(item: str) -> int:
        known = numbers.get(item)
        return others.setdefault(item, model.items + len(others)) if known is None else known

    own = {number(item): one for item, one in weigh(past, model.decay, now_day).items()}
    last = [number(item) for item in past.baskets[-1]] if past.baskets else []
    wishlist = [number(item) for item in dict.fromkeys(behaviour.wishlist)]
    basket = [number(item) for item in dict.fromkeys(behaviour.basket)]
    wanted = None if only is None else frozenset(own.keys() & map(number, only))
    named = None if wanted is None else frozenset(item for item in wanted if item < model.items)
    is_told = named is None or bool(named)  # whether the tables have anything to tell
    seeds = strongest({item: one.habit for item, one in own.items()}, MOST_SEEDS) if is_told else []
    return Situation(
        past,
        own,
        {at: item for item, at in others.items()},
        now_day,
        max(1.0, visit_gap),
        seeds,
        _goes_with(model, _shares(seeds), named),
        _shares(_equal(last, MOST_LAST)) if is_told else [],
        _goes_with(model, _shares(_equal(basket, MOST_SEEDS)), named),
        _goes_with(model, _shares(_equal(wishlist, MOST_SEEDS)), named),
        _similar(model, seeds, named),
        frozenset(wishlist),
        frozenset(basket),
        wanted,
    )


def _shares(seeds: Seeds) -> Seeds:
    """The same, with weights that sum to 1."""
    whole = sum(weight for _, weight in seeds)
    return [(item, weight / whole) for item, weight in seeds] if whole > 0 else []


def _equal(items: Iterable[int], most: int) -> Seeds:
    """The first of these items by their numbers, all of one weight."""
    return [(item, 1.0) for item in sorted(items)[:most]]


def strongest(weights: Mapping[int, float], most: int) -> Seeds:
    """The greatest weights, the greatest first; of equal ones the lower number."""
    if len(weights) > most:
        least = sorted(weights.values())[-most]  # numbers alone are compared much faster than pairs
        listed = [one for one in weights.items() if one[1] >= least]
    else:
        listed = list(weights.items())
    listed.sort(key=lambda one: (-one[1], one[0]))
    return listed[:most]


def _least(numbers: Iterable[float], most: int) -> float:
    """The least of the `most` greatest of more numbers than these."""
    left = iter(numbers)
    greatest = [*islice(left, most)]
    heapify(greatest)
    least = greatest[0]
    for one in left:
        if one > least:  # seldom, the further the less: this is quicker than to sort them all
            heapreplace(greatest, one)
            least = greatest[0]
    return least


def _goes_with(model: Model, seeds: Seeds, wanted: Collection[int] | None = None) -> dict[int, float]:
    """How much each item, or each of those that are wanted, goes with the seeds."""
    known, row = model.items, model.goes_with.row
    return _summed(((row(seed), weight) for seed, weight in seeds if seed < known), wanted)


def _summed(rows: Iterable[tuple[Entries, float]], wanted: Collection[int] | None) -> dict[int, float]:
    """The sum of rows of a table, each times its weight, in their order."""
    found: dict[int, float] = {}
    get, floats = found.get, WEIGHTS
    if wanted is None:
        for (items, weights, scale), weight in rows:
            scale *= weight
            for item, one in zip(items, weights, strict=True):
                found[item] = get(item, 0.0) + scale * floats[one]
        return found
    narrowed = frozenset(wanted)
    for (items, weights, scale), weight in rows if narrowed else ():
        here = narrowed.intersection(items)
        if here:
            scale *= weight
            for item, one in zip(items, weights, strict=True):
                if item in here:
                    found[item] = get(item, 0.0) + scale * floats[one]
    return found


def likeness(model: Model, weights: Mapping[int, float]) -> Seeds:
    """The clusters that these weights of items are likest to, with shares that sum to 1."""
    return _likest(model, strongest(weights, MOST_SEEDS))


def _likest(model: Model, seeds: Seeds) -> Seeds:
    near = [0.0] * len(model.lengths)
    members, known = model.members, model.items
    for item, weight in seeds:
        if item >= known:
            continue
        for row, one in members[item]:
            near[row] += weight * one
    power, most = model.knobs[Knob.CLOSENESS], max(1, int(model.knobs[Knob.CLUSTERS_EACH]))
    alike = [*map(truediv, map(mul, model.scales, near), model.lengths)]
    # What is clearly less alike than so many others stays so when it is sharpened, which takes time.
    least = _least(alike, most) * (1.0 - 1e-9) if len(alike) > most and _SHARPENS[0] <= power <= _SHARPENS[1] else 0.0
    return _shares(strongest({row: one**power for row, one in enumerate(alike) if one > 0.0 and one >= least}, most))


def _similar(model: Model, seeds: Seeds, wanted: Collection[int] | None) -> dict[int, float]:
    if wanted is not None and not any(model.members[item] for item in wanted):
        return {}  # no cluster has any of them: it does not matter which is likest
    row = model.clusters.row
    return _summed(((row(cluster), share) for cluster, share in _likest(model, seeds)), wanted)


def candidates(found: Situation, model: Model) -> list[int]:
    """The items that may be wanted next: own ones, and new ones by each table. In order of their numbers."""
    chosen = set(found.own)
    if len(chosen) > MOST_OWN:
        chosen = {item for item, _ in strongest({item: one.habit for item, one in found.own.items()}, MOST_OWN)}
    if found.only is not None:
        return sorted((chosen & found.only) - found.basket)
    for table in (found.goes_with, found.similar, found.goes_with_basket, found.goes_with_wishlist):
        new = [*filterfalse(chosen.__contains__, table)]
        if len(new) > MOST_NEW:
            least = _least(map(table.__getitem__, new), MOST_NEW)
            new = [one for one in new if table[one] >= least]
            if len(new) > MOST_NEW:  # equal ones
                new = [item for item, _ in strongest({one: table[one] for one in new}, MOST_NEW)]
        chosen.update(new)
    chosen.update(model.most_popular)
    chosen.update(found.wishlist)
    return sorted(chosen - found.basket)


def rows(found: Situation, model: Model, listed: list[int]) -> list[Row]:
    """A row of numbers for each item, by `Feature`."""
    return [whole(row) for row in short_rows(found, model, listed)]


def whole(row: Row) -> Row:
    """A row of `short_rows` with all its numbers."""
    return row if len(row) > NEW_NUMBERS else _NOTHING_OWN + row


def short_rows(found: Situation, model: Model, listed: list[int]) -> list[Row]:
    """The same, for new items without the numbers before `POPULAR`, which all are 0."""
    past, own, now_day = found.past, found.own, found.now_day
    number = len(past.baskets)
    strongest = max((one.habit for one in own.values()), default=0.0) or 1.0
    dated = model.dated
    month = _month(now_day) - 1
    bought = sum(map(len, past.baskets))
    size = bought / number if number else 0.0
    later = bought - len(past.baskets[0]) if number > 1 else 0
    novelty = (len(own) - len(past.baskets[0])) / later if later > 0 else 0.5
    visit_due = 0.0
    if dated and number:
        visit_due = math.log1p((now_day - past.days[-1]) / found.visit_gap)
    person = (math.log1p(number), math.log1p(size), novelty, visit_due)
    last = _goes_with(model, found.last, listed)
    log, log1p, known = math.log, math.log1p, model.items
    similar, goes_with = found.similar, found.goes_with
    popularity, trends, seasons = model.popular, model.trend, model.seasons if dated else b""
    made: list[Row] = []
    for item in listed:
        popular, trend, season = LEAST_POPULAR, 0.0, 0.0
        named = item < known
        if named:
            popular, trend = popularity[item], trends[item]
            if seasons:
                season = _DOUBLINGS[seasons[item * MONTHS + month]]
        alike = log1p(1000.0 * similar[item]) if item in similar else 0.0
        beside = log1p(100.0 * goes_with[item]) if item in goes_with else 0.0
        beside_last = log1p(100.0 * last[item]) if item in last else 0.0
        one = own.get(item)
        if one is None:
            late = popular + LOG_2 * trend
            made.append((popular, trend, season, alike, beside, beside_last, 1.0, late, beside, *person))
            continue
        times = one.times
        since = number - one.last
        usual = (one.last - one.first + number / 2.0) / times  # between the own gap and half of what is known
        since_days, due_days = 0.0, 0.0
        if dated:
            days = now_day - one.last_day
            since_days = log1p(days)
            usual_days = model.gap_days[item] if named and model.gap_days[item] > 0 else 3.0 * found.visit_gap
            gap = (one.last_day - one.first_day + usual_days) / times
            due_days = log((days + 1.0) / (gap + 1.0))
        made.append(
            (
                one.habit / strongest,
                times / number,
                log1p(times),
                one.fast,
                one.slow,
                1.0 / since,
                log(since / usual),
                since_days,
                due_days,
                one.fading if dated else 0.0,
                1.0 if times == 1 else 0.0,
                model.again[item] if named else 0.0,
                popular,
                trend,
                season,
                alike,
                beside,
                beside_last,
                0.0,
                0.0,
                0.0,
                *person,
            )
        )
    return made


_DOUBLINGS = tuple((one - 128) / 16.0 for one in range(256))  # of a season, by its byte
_NOTHING_OWN = (0.0,) * Feature.POPULAR
NEW_NUMBERS = len(Feature) - Feature.POPULAR  # of a new item's short row
_OF_PERSON = {Feature.BASKETS, Feature.BASKET_SIZE, Feature.NOVELTY, Feature.VISIT_DUE}
# Which features are one number in all rows of own items, and in all of new ones, of one situation.
ALIKE_OWN: frozenset[int] = frozenset({Feature.NEW, Feature.NEW_POPULAR, Feature.NEW_GOES_WITH} | _OF_PERSON)
ALIKE_NEW: frozenset[int] = frozenset({*range(len(_NOTHING_OWN)), Feature.NEW} | _OF_PERSON)


def _month(day: int) -> int:
    """The month, 1 to 12, of a day since 1970, by the mean length of months: a day off at its ends."""
    return int((day % 365.2425) / 30.436875) % 12 + 1
