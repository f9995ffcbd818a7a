"""What is told of each item: how popular, how often bought again and after how long, in which months.

Every figure is drawn towards that of all items, the more the fewer people stand behind it.

Pure: no I/O, no clock.
"""

import numpy as np

from hq.learning.purchases import Floats, Purchases
from wire.affinity import MONTHS

LATE_DAYS = 60
LATE_SHARE = 0.2  # of each person's baskets, where days are not known
SEASON_DAYS = 60  # less tells nothing of months; a month without purchases stays as all year
DRAWN = 10.0  # people's worth of what holds for all items


def columns(purchases: Purchases) -> Floats:
    """A row an item: share of people, doublings of it of late, log odds to be bought again, usual gap in days."""
    number = len(purchases.names)
    people = np.bincount(_distinct(purchases)[1], minlength=number).astype(float)
    popular = people / max(1, purchases.people)
    return np.column_stack([popular, _trend(purchases), _again(purchases), _gaps(purchases)])


def _distinct(purchases: Purchases) -> tuple[np.ndarray, np.ndarray]:
    return purchases.once().nonzero()  # type: ignore[no-any-return]


def _trend(purchases: Purchases) -> Floats:
    number = len(purchases.names)
    if purchases.dated and len(purchases.days):
        late = purchases.days > purchases.days.max() - LATE_DAYS
    else:
        late = purchases.baskets >= np.ceil(purchases.lengths[purchases.persons] * (1.0 - LATE_SHARE)) - 1e-9
    whole = np.bincount(purchases.items, minlength=number).astype(float)
    newest = np.bincount(purchases.items[late], minlength=number).astype(float)
    share = late.mean() if len(late) else 1.0
    found: Floats = np.log2((newest + DRAWN * share) / (whole * share + DRAWN * share + 1e-12))
    return np.clip(found, -6.0, 6.0)


def _again(purchases: Purchases) -> Floats:
    """The log odds that whoever bought it has it in a later basket: repeats of all later baskets."""
    number = len(purchases.names)
    once = purchases.once()
    times = purchases.matrix(np.ones(len(purchases.items)))
    first = purchases.matrix(np.zeros(len(purchases.items)))
    key = purchases.persons * max(1, number) + purchases.items
    order = np.lexsort((purchases.baskets, key))
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    first_basket = purchases.baskets[order][starts]
    chances_each = purchases.lengths[purchases.persons[order][starts]] - 1 - first_basket
    chances = np.bincount(purchases.items[order][starts], weights=chances_each, minlength=number)
    repeats = np.asarray((times - once - first).sum(axis=0)).ravel()
    overall = (repeats.sum() + 1.0) / (chances.sum() + 2.0)
    share = (repeats + DRAWN * overall) / (chances + DRAWN)
    share = np.clip(share, 1e-4, 1.0 - 1e-4)
    found: Floats = np.log(share / (1.0 - share))
    return found


def _gaps(purchases: Purchases) -> Floats:
    number = len(purchases.names)
    if not purchases.dated or not len(purchases.items):
        return np.zeros(number)
    key = purchases.persons * number + purchases.items
    order = np.lexsort((purchases.baskets, key))
    same = key[order][1:] == key[order][:-1]
    gaps = np.diff(purchases.days[order])[same]
    items = purchases.items[order][1:][same]
    if not len(gaps):
        return np.zeros(number)
    logs = np.log1p(gaps)
    whole, listed = np.bincount(items, weights=logs, minlength=number), np.bincount(items, minlength=number)
    found: Floats = np.expm1((whole + DRAWN * logs.mean()) / (listed + DRAWN))
    return found


def seasons(purchases: Purchases) -> bytes:
    """128 and 16 for each doubling, 12 months an item; empty where days are not known or too few."""
    number = len(purchases.names)
    if not purchases.dated or not len(purchases.days) or np.ptp(purchases.days) < SEASON_DAYS:
        return b""
    months = (np.mod(purchases.days, 365.2425) / 30.436875).astype(np.int64) % MONTHS
    counts = np.bincount(purchases.items * MONTHS + months, minlength=number * MONTHS).reshape(number, MONTHS)
    whole = counts.sum(axis=0) / counts.sum()
    expected = np.outer(counts.sum(axis=1), whole)
    doublings = np.log2((counts + DRAWN * whole + 1e-9) / (expected + DRAWN * whole + 1e-9))
    return bytes(np.clip(np.round(128 + 16 * doublings), 0, 255).astype(np.uint8))
