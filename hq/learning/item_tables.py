"""What is told of each item: how popular, how often bought again and after how long, in which months.

Each person counts once for an item, whatever they bought of it, and each of the five sums is rounded to tens by lot
(`hq.learning.lots`): of any item what is told comes out otherwise without one person with a chance of a half at most.
Every figure is drawn towards that of all items, the more the fewer people stand behind it.

Pure: no I/O, no clock.
"""

import numpy as np

from hq.learning import lots
from hq.learning.purchases import Floats, Purchases, Whole
from wire.affinity import MONTHS

LATE_DAYS = 60
LATE_SHARE = 0.2  # of each person's baskets, where days are not known
SEASON_DAYS = 60  # less tells nothing of months; a month without purchases stays as all year
DRAWN = 20.0  # people's worth of what holds for all items
DRAWN_MONTHS = 120.0
LEAST_LEFT = 0.25  # of the odds over all items, however the lots fall
MOST_APART = 1.5  # logs of days, by which a person's usual gap may differ from all
_LATE, _AGAIN, _GAPS, _SEASONS = 1, 2, 3, 4


def columns(purchases: Purchases) -> Floats:
    """A row an item: share of people, doublings of it of late, log odds to be bought again, usual gap in days."""
    popular = purchases.told / max(1, purchases.people)
    return np.column_stack([popular, _trend(purchases), _again(purchases), _gaps(purchases)])


def _people(purchases: Purchases) -> Floats:
    """How many bought each item, in the mean, as far as is told."""
    found: Floats = purchases.told + (lots.STEP - 1)
    return found


def _trend(purchases: Purchases) -> Floats:
    number = len(purchases.names)
    if purchases.dated and len(purchases.days):
        late = purchases.days > purchases.days.max() - LATE_DAYS
    else:
        late = purchases.baskets >= np.ceil(purchases.lengths[purchases.persons] * (1.0 - LATE_SHARE)) - 1e-9
    once = np.unique(purchases.persons[late] * max(1, number) + purchases.items[late])
    newest = np.bincount(once % max(1, number), minlength=number).astype(float)
    share = _coarse(newest.sum() / max(1.0, purchases.told.sum() + (lots.STEP - 1) * number))
    newest = lots.rounded(newest, purchases.seed, _LATE)
    found: Floats = np.log2((newest + DRAWN * share + 1e-12) / (_people(purchases) * share + DRAWN * share + 1e-12))
    return np.clip(found, -6.0, 6.0)


def _again(purchases: Purchases) -> Floats:
    """The log odds that whoever bought it has it in a later one: the mean over people of repeats of later baskets."""
    number = len(purchases.names)
    key, order = _by_person(purchases)
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    times = np.diff([*starts, len(order)])
    firsts = order[starts]
    chances = purchases.lengths[purchases.persons[firsts]] - 1 - purchases.baskets[firsts]
    able = chances > 0
    shares, items = (times[able] - 1) / chances[able], purchases.items[firsts][able]
    overall = min(0.999, _coarse((shares.sum() + 1.0) / (len(shares) + 2.0)))
    apart = np.bincount(items, weights=shares - overall, minlength=number).astype(np.float64)
    share = overall + lots.rounded(apart, purchases.seed, _AGAIN) / (_people(purchases) + DRAWN)
    share = np.clip(share, LEAST_LEFT * overall, 1.0 - LEAST_LEFT * (1.0 - overall))
    found: Floats = np.log(share / (1.0 - share))
    return found


def _gaps(purchases: Purchases) -> Floats:
    number = len(purchases.names)
    key, order = _by_person(purchases)
    same = key[order][1:] == key[order][:-1]
    if not purchases.dated or not same.any():
        return np.zeros(number)
    logs = np.log1p(np.diff(purchases.days[order])[same])
    whose, place = np.unique(key[order][1:][same], return_inverse=True)
    means = np.bincount(place, weights=logs) / np.bincount(place)
    overall = _coarse(means.mean())
    apart = np.clip(means - overall, -MOST_APART, MOST_APART) / MOST_APART
    sums = np.bincount(whose % number, weights=apart, minlength=number).astype(np.float64)
    told = lots.rounded(sums, purchases.seed, _GAPS)
    found: Floats = np.expm1(overall + MOST_APART * np.clip(told / (_people(purchases) + DRAWN), -1.0, 1.0))
    return np.maximum(0.0, found)


def seasons(purchases: Purchases) -> bytes:
    """128 and 16 for each doubling, 12 months an item; empty where days are not known or too few."""
    number = len(purchases.names)
    if not purchases.dated or not len(purchases.days) or np.ptp(purchases.days) < SEASON_DAYS:
        return b""
    months = (np.mod(purchases.days, 365.2425) / 30.436875).astype(np.int64) % MONTHS
    _, place, times = np.unique(
        purchases.persons * number + purchases.items, return_inverse=True, return_counts=True
    )  # fmt: skip
    cells = np.bincount(purchases.items * MONTHS + months, weights=1.0 / times[place], minlength=number * MONTHS)
    counts: Floats = cells.astype(np.float64).reshape(number, MONTHS)
    whole = np.round(counts.sum(axis=0) / counts.sum(), 3)
    counts = lots.rounded(counts, purchases.seed, _SEASONS)
    expected = np.outer(counts.sum(axis=1), whole)
    doublings = np.log2((counts + DRAWN_MONTHS * whole + 1e-9) / (expected + DRAWN_MONTHS * whole + 1e-9))
    doublings[:, whole == 0.0] = 0.0
    return bytes(np.clip(np.round(128 + 16 * doublings), 0, 255).astype(np.uint8))


def _by_person(purchases: Purchases) -> tuple[Whole, Whole]:
    """A number for each person and item, and the order by it, then by basket."""
    key = purchases.persons * max(1, len(purchases.names)) + purchases.items
    return key, np.lexsort((purchases.baskets, key))


def _coarse(share: float) -> float:
    """What holds for all items, so roughly that nobody changes it alone."""
    return max(0.01, round(float(share), 2))
