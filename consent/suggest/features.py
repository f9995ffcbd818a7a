"""What is known of the items that a member may want next: candidates, and for each a row of numbers by `Feature`.

HQ learns the weights from just these rows, so that what is learned is what a store computes.

Pure: no I/O, no clock.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nlargest

from consent.suggest.history import Own, Past, fold, usual_gap, weigh
from consent.suggest.model import LEAST_POPULAR, Knob, Model
from consent.suggest.signals import Behaviour

MOST_OWN = 256  # candidates from the own past; a record holds two lists of 128 entries
MOST_NEW = 25  # by each of two tables
MOST_SEEDS = 40  # own items that say what goes with them
MOST_LAST = 20  # items of the last basket that do
_NO_OWN = Own(0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0)

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Situation:
    """A member's past in the terms of the tables. Items that they do not name have numbers from `model.items` on."""

    past: Past
    own: Mapping[int, Own]
    names: Mapping[int, str]  # of the items that the tables do not name
    now_day: int
    visit_gap: float
    goes_with: Mapping[int, float]
    goes_with_last: Mapping[int, float]
    goes_with_basket: Mapping[int, float]
    goes_with_wishlist: Mapping[int, float]
    similar: Mapping[int, float]
    wishlist: frozenset[int]
    basket: frozenset[int]

    def __repr__(self) -> str:
        return "Situation(…)"


def situation(behaviour: Behaviour, model: Model) -> Situation:
    """What a member's behaviour says in the terms of the tables."""
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
    last = {number(item): 1.0 for item in past.baskets[-1]} if past.baskets else {}
    wishlist = [number(item) for item in dict.fromkeys(behaviour.wishlist)]
    basket = [number(item) for item in dict.fromkeys(behaviour.basket)]
    return Situation(
        past,
        own,
        {at: item for item, at in others.items()},
        now_day,
        max(1.0, visit_gap),
        _goes_with(model, _seeds({item: one.habit for item, one in own.items()})),
        _goes_with(model, _seeds(last, MOST_LAST)),
        _goes_with(model, _seeds(dict.fromkeys(basket, 1.0))),
        _goes_with(model, _seeds(dict.fromkeys(wishlist, 1.0))),
        _similar(model, {item: one.habit for item, one in own.items()}),
        frozenset(wishlist),
        frozenset(basket),
    )


def _seeds(weights: Mapping[int, float], most: int = MOST_SEEDS) -> list[tuple[int, float]]:
    """The weightiest items, with weights that sum to 1."""
    seeds = strongest(weights, most)
    whole = sum(weight for _, weight in seeds)
    return [(item, weight / whole) for item, weight in seeds] if whole > 0 else []


def strongest(weights: Mapping[int, float], most: int) -> list[tuple[int, float]]:
    """The greatest weights, the greatest first; of equal ones the lower number."""
    if len(weights) > most:
        least = nlargest(most, weights.values())[-1]  # numbers alone are compared much faster than pairs
        listed = [one for one in weights.items() if one[1] >= least]
    else:
        listed = list(weights.items())
    listed.sort(key=lambda one: (-one[1], one[0]))
    return listed[:most]


def _goes_with(model: Model, seeds: list[tuple[int, float]]) -> dict[int, float]:
    found: dict[int, float] = {}
    known = model.items
    get = found.get
    for seed, weight in seeds:
        if seed >= known:
            continue
        items, weights, scale = model.goes_with.row(seed)
        scale *= weight
        for item, one in zip(items, weights, strict=True):
            found[item] = get(item, 0.0) + scale * one
    return found


def likeness(model: Model, weights: Mapping[int, float]) -> list[tuple[int, float]]:
    """The clusters that these weights of items are likest to, with shares that sum to 1."""
    near: dict[int, float] = {}
    get = near.get
    known = model.items
    scales = model.members.scales
    for item, weight in strongest(weights, MOST_SEEDS):
        if item >= known:
            continue
        rows, listed = model.members.entries(item)
        for row, one in zip(rows, listed, strict=True):
            near[row] = get(row, 0.0) + weight * one
    power = model.knobs[Knob.CLOSENESS]
    lengths = model.lengths
    likest = [(row, (scales[row] * one / lengths[row]) ** power) for row, one in near.items() if lengths[row] > 0]
    likest = nlargest(max(1, int(model.knobs[Knob.CLUSTERS_EACH])), likest, key=lambda one: (one[1], -one[0]))
    whole = sum(one for _, one in likest)
    return [(row, one / whole) for row, one in likest] if whole > 0 else []


def _similar(model: Model, weights: Mapping[int, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    get = found.get
    for row, share in likeness(model, weights):
        items, listed, scale = model.clusters.row(row)
        scale *= share
        for item, one in zip(items, listed, strict=True):
            found[item] = get(item, 0.0) + scale * one
    return found


def candidates(found: Situation, model: Model) -> list[int]:
    """The items that may be wanted next: own ones, and new ones by each table. In order of their numbers."""
    chosen = set(found.own)
    if len(chosen) > MOST_OWN:
        chosen = {item for item, _ in strongest({item: one.habit for item, one in found.own.items()}, MOST_OWN)}
    for table in (found.goes_with, found.similar, found.goes_with_basket, found.goes_with_wishlist):
        new = {item: weight for item, weight in table.items() if item not in chosen}
        chosen.update(item for item, _ in strongest(new, MOST_NEW))
    chosen.update(model.most_popular)
    chosen.update(found.wishlist)
    return sorted(chosen - found.basket)


def rows(found: Situation, model: Model, listed: list[int]) -> list[Row]:
    """A row of numbers for each item, by `Feature`."""
    past, own, now_day = found.past, found.own, found.now_day
    number = len(past.baskets)
    strongest = max((one.habit for one in own.values()), default=0.0) or 1.0
    dated = model.dated
    month = _month(now_day)
    bought = sum(map(len, past.baskets))
    size = bought / number if number else 0.0
    later = bought - len(past.baskets[0]) if number > 1 else 0
    novelty = (len(own) - len(past.baskets[0])) / later if later > 0 else 0.5
    visit_due = 0.0
    if dated and number:
        visit_due = math.log1p((now_day - past.days[-1]) / found.visit_gap)
    person = (math.log1p(number), math.log1p(size), novelty, visit_due)
    log, log1p, known = math.log, math.log1p, model.items
    made: list[Row] = []
    for item in listed:
        named = item < known
        popular = model.popular[item] if named else LEAST_POPULAR
        goes_with = log1p(100.0 * found.goes_with.get(item, 0.0))
        table = (
            popular,
            model.trend[item] if named else 0.0,
            model.season(item, month) if named and dated else 0.0,
            log1p(1000.0 * found.similar.get(item, 0.0)),
            goes_with,
            log1p(100.0 * found.goes_with_last.get(item, 0.0)),
        )
        one = own.get(item)
        if one is None:
            made.append((*_NOTHING_OWN, *table, 1.0, popular, goes_with, *person))
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
                *table,
                0.0,
                0.0,
                0.0,
                *person,
            )
        )
    return made


_NOTHING_OWN = (0.0,) * 12


def _month(day: int) -> int:
    """The month, 1 to 12, of a day since 1970, by the mean length of months: a day off at its ends."""
    return int((day % 365.2425) / 30.436875) % 12 + 1
