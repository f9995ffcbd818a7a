"""Ranking the plain way, step by step as it is defined, by which the quicker way of `consent.suggest` is judged."""

import math
from collections import Counter
from heapq import nlargest
from operator import mul

from consent.suggest.features import MOST_LAST, MOST_NEW, MOST_OWN, MOST_SEEDS
from consent.suggest.history import _take_away, habits, usual_gap
from consent.suggest.model import LEAST_POPULAR, LOG_2, MONTHS, Feature, Knob
from consent.suggest.rank import CAME_BACK, LEAST_TREED, ON_WISHLIST, TREED_EACH, WITH_BASKET, WITH_WISHLIST, tallied
from wire.affinity import floats, shorts


def fold(bought):
    """Baskets with their days, oldest first, and what came back."""
    kept, newest, days, came_back = {}, {}, {}, Counter()
    for line in sorted(
        bought, key=lambda one: (one.basket, one.returned or one.quantity <= 0, one.item, one.day, one.quantity)
    ):
        if line.returned or line.quantity <= 0:
            came_back[line.item] += 1
            if line.quantity <= 0:
                _take_away(line, kept, newest)
            continue
        at = (line.basket, line.item)
        if at not in kept:
            kept[at] = 0
            newest.setdefault(line.item, []).append(line.basket)
        kept[at] += line.quantity
        days[line.basket] = max(days.get(line.basket, line.day), line.day)
    baskets = {}
    for basket, item in kept:
        baskets.setdefault(basket, []).append(item)
    order, latest, ascending = sorted(baskets)[-400:], None, []
    for one in order:
        latest = days[one] if latest is None else max(latest, days[one])
        ascending.append(latest)
    return [sorted(baskets[one]) for one in order], ascending, came_back


def weigh(baskets, days, decay, now_day):
    """times, first, last, first day, last day, habit, fast, slow, fading, by item."""
    found = {}
    weights = habits(len(baskets), decay)
    for place, basket in enumerate(baskets):
        age = len(baskets) - 1 - place
        added = (
            weights[place],
            decay.fast**age,
            decay.slow**age,
            0.5 ** (max(0, now_day - days[place]) / decay.half_days),
        )
        for item in basket:
            one = found.setdefault(item, [0, place, place, days[place], days[place], 0.0, 0.0, 0.0, 0.0])
            one[0] += 1
            one[2], one[4] = place, days[place]
            one[5:] = [before + more for before, more in zip(one[5:], added, strict=True)]
    return found


def strongest(weights, most):
    """The greatest, of equal ones the lower number."""
    return sorted(weights.items(), key=lambda one: (-one[1], one[0]))[:most]


def shares(listed):
    """Weights that sum to 1."""
    total = sum(weight for _, weight in listed)
    return [(item, weight / total) for item, weight in listed] if total > 0 else []


def summed(rows):
    """Rows of a table, each times its weight."""
    found = {}
    for (items, weights, scale), weight in rows:
        for item, one in zip(items, weights, strict=True):
            found[item] = found.get(item, 0.0) + scale * weight * one
    return found


def goes_with(model, seeds):
    """What goes with the seeds."""
    return summed((model.goes_with.row(seed), weight) for seed, weight in seeds if seed < model.items)


def similar(model, seeds):
    """What the likest clusters buy."""
    near = {}
    for seed, weight in seeds:
        for row in range(len(model.clusters.scales)):
            for item, one in zip(*model.clusters.row(row)[:2], strict=True):
                if item == seed:
                    near[row] = near.get(row, 0.0) + weight * one
    likest = [
        (row, (model.clusters.scales[row] * one / model.lengths[row]) ** model.knobs[Knob.CLOSENESS])
        for row, one in near.items()
        if 0 < model.lengths[row] < math.inf
    ]
    likest = nlargest(max(1, int(model.knobs[Knob.CLUSTERS_EACH])), likest, key=lambda one: (one[1], -one[0]))
    return summed((model.clusters.row(row), share) for row, share in shares(likest))


def walked(trees, row):
    """What the trees of the wire add up to."""
    told, values, children = bytes(trees.features), floats(trees.values), shorts(trees.children)
    added = 0.0
    for node in shorts(trees.roots):
        while told[node] != 255:
            node = children[2 * node + (row[told[node]] > values[node])]
        added += values[node]
    return added


def rank(behaviour, model, trees, allowed=lambda item: True, most=10, category=None):
    """(item, score, times), best first: all of them; the score of each to the last bit."""
    baskets, days, came_back = fold(behaviour.bought)
    gap = usual_gap(tuple(days)) if model.dated else None
    gap = model.knobs[Knob.GAP_DAYS] if gap is None else gap
    last_day = days[-1] if days else 0
    now_day = last_day + round(gap) if behaviour.now_day is None else max(behaviour.now_day, last_day)
    gap = max(1.0, gap)
    numbers = dict(model.index)

    def number(item):
        return numbers.setdefault(item, len(numbers))

    own = {number(item): one for item, one in weigh(baskets, days, model.decay, now_day).items()}
    last = [number(item) for item in baskets[-1]] if baskets else []
    wishlist, basket = ([number(item) for item in dict.fromkeys(one)] for one in (behaviour.wishlist, behaviour.basket))
    seeds = strongest({item: one[5] for item, one in own.items()}, MOST_SEEDS)
    alike = similar(model, seeds)
    alone = [(last, MOST_LAST), (basket, MOST_SEEDS), (wishlist, MOST_SEEDS)]
    sets = [seeds, *(strongest(dict.fromkeys(items, 1.0), number_of) for items, number_of in alone)]
    beside, beside_last, beside_basket, beside_wishlist = (goes_with(model, shares(one)) for one in sets)
    chosen = {item for item, _ in strongest({item: one[5] for item, one in own.items()}, MOST_OWN)}
    for table in (beside, alike, beside_basket, beside_wishlist):
        chosen.update(
            item for item, _ in strongest({item: one for item, one in table.items() if item not in chosen}, MOST_NEW)
        )
    chosen = sorted((chosen | set(model.most_popular) | set(wishlist)) - set(basket))
    names = {at: item for item, at in numbers.items()}
    listed = [item for item in chosen if allowed(names[item])]

    count, bought = len(baskets), sum(map(len, baskets))
    later = bought - len(baskets[0]) if count > 1 else 0
    month = int((now_day % 365.2425) / 30.436875) % 12 + 1
    top = max((one[5] for one in own.values()), default=0.0) or 1.0
    person = (
        math.log1p(count),
        math.log1p(bought / count if count else 0.0),
        (len(own) - len(baskets[0])) / later if later > 0 else 0.5,
        math.log1p((now_day - days[-1]) / gap) if model.dated and count else 0.0,
    )
    rows = []
    for item in listed:
        named = item < model.items
        popular, trend = (model.popular[item], model.trend[item]) if named else (LEAST_POPULAR, 0.0)
        beside_it = math.log1p(100.0 * beside.get(item, 0.0))
        season = 0.0
        if named and model.dated and model.seasons:
            season = (model.seasons[item * MONTHS + month - 1] - 128) / 16.0
        table = (
            popular, trend, season, math.log1p(1000.0 * alike.get(item, 0.0)), beside_it,
            math.log1p(100.0 * beside_last.get(item, 0.0)),
        )  # fmt: skip
        if item not in own:
            of_late = popular + LOG_2 * trend
            rows.append((*(0.0,) * 12, *table, 1.0, of_late, beside_it, *person))
            continue
        times, first, newest, first_day, newest_day, habit, fast, slow, fading = own[item]
        since_days = due_days = 0.0
        if model.dated:
            usual = model.gap_days[item] if named and model.gap_days[item] > 0 else 3.0 * gap
            since_days = math.log1p(now_day - newest_day)
            due_days = math.log((now_day - newest_day + 1.0) / ((newest_day - first_day + usual) / times + 1.0))
        rows.append((
            habit / top, times / count, math.log1p(times), fast, slow, 1.0 / (count - newest),
            math.log((count - newest) / ((newest - first + count / 2.0) / times)), since_days, due_days,
            fading if model.dated else 0.0, 1.0 if times == 1 else 0.0, model.again[item] if named else 0.0,
            *table, 0.0, 0.0, 0.0, *person,
        ))  # fmt: skip
    scores = scored(model, trees, rows, max(LEAST_TREED, TREED_EACH * most))
    tallies = {name: tallied(one) for name, one in behaviour.tallies} if category else {}
    found = []
    for item, score in zip(listed, scores, strict=True):
        if basket or wishlist:
            added = ON_WISHLIST if item in wishlist else 0.0
            added += WITH_BASKET * math.sqrt(min(1.0, beside_basket.get(item, 0.0)))
            score += added + WITH_WISHLIST * math.sqrt(min(1.0, beside_wishlist.get(item, 0.0)))
        if came_back:
            score -= CAME_BACK * came_back.get(names[item], 0)
        if tallies:
            score += tallies.get(category(names[item]) or "", 0.0)
        found.append((names[item], score, own[item][0] if item in own else 0))
    return sorted(found, key=lambda one: (-one[1], one[0]))


def scored(model, trees, rows, treed):
    """By the linear weights, and the best of them by the trees."""
    intercept, *weights = model.linear
    assert len(weights) == len(Feature)
    linear = [intercept + sum(map(mul, weights, row)) for row in rows]
    if not trees.roots:
        return linear
    order = sorted(range(len(rows)), key=lambda place: -linear[place])
    share = model.knobs[Knob.TREES_SHARE]
    for place in order[:treed]:
        linear[place] = share * walked(trees, rows[place]) + (1.0 - share) * linear[place]
    if len(order) > treed:
        floor = min(linear[place] for place in order[:treed]) - 1e-6
        step = linear[order[treed]] - floor
        for place in order[treed:]:
            linear[place] = min(linear[place], linear[place] - step)
    return linear
