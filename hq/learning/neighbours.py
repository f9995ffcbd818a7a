"""Tables of neighbours: which items go with which, and what clusters of shoppers with similar habits buy.

A cell stands only where enough people are behind it; weights are eight bits of the row's strongest. People and what
they buy are counted in steps, by lot (`hq.learning.lots`): no cell is the mean of just these people.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.cluster import MiniBatchKMeans  # type: ignore[import-untyped]
from sklearn.decomposition import TruncatedSVD  # type: ignore[import-untyped]

from hq.learning import lots
from hq.learning.purchases import Floats, Purchases, Whole
from wire.affinity import Neighbours, column

MOST_BESIDE = 50  # items beside an item
MOST_IN_CLUSTER = 200
_AT_ONCE = 1024  # rows that are dense at a time
_DIMENSIONS = 40
MOST_HABIT = 0.05  # that one person adds to a cluster's sum of an item; a greater habit counts as this one
_SIZES, _BEHIND, _SUMS = 5, 6, 7  # kinds of lots


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which cluster each person is in, and what they are. `sizes`: in tens by lot, never more than there are."""

    of: Whole
    table: Neighbours
    sizes: Whole


def packed(lists: "list[tuple[np.ndarray, np.ndarray]]") -> Neighbours:
    """The columns of rows of items and weights above 0."""
    counts, items, weights, scales = bytearray(), [], bytearray(), []
    for listed, told in lists:
        scale = float(told.max()) / 255.0 if len(told) else 0.0
        eighths = np.round(told / scale).astype(np.uint8) if scale > 0 else np.zeros(len(told), np.uint8)
        kept = eighths > 0
        counts.append(int(kept.sum()))
        items.extend(listed[kept].tolist())
        weights.extend(eighths[kept].tobytes())
        scales.append(scale)
    return Neighbours(bytes(counts), column("H", items), bytes(weights), column("f", scales))


def strongest(row: "np.ndarray", most: int) -> "tuple[np.ndarray, np.ndarray]":
    """The places and values of the greatest values above 0; of equal ones the first."""
    places = np.flatnonzero(row > 0)
    if len(places) > most:
        places = places[np.argsort(-row[places], kind="stable")[:most]]
    return places, row[places]


def goes_with(
    once: "sparse.csr_array", purchases: Purchases, support: int, power: float, drawn: float
) -> Neighbours:  # fmt: skip
    """For each item the others that the same people buy, against what their popularity alone would make.

    `power` 0.5 is the cosine; less favours the popular. `drawn`: people's worth of doubt about each pair. People are
    counted in steps, by lot (`hq.learning.lots`).
    """
    people = purchases.told + (lots.STEP - 1)
    turned = once.T.tocsr()
    lists = []
    for start in range(0, once.shape[1], _AT_ONCE):
        both = (turned[start : start + _AT_ONCE] @ once).toarray()
        for place, row in enumerate(both, start):
            row[place] = 0.0
            row = lots.pairs_below(row, place, support, purchases.seed)
            row[row > 0] += support - 1
            told = row / (people[place] ** (1.0 - power) * people**power) * (row / (row + drawn))
            lists.append(strongest(told, MOST_BESIDE))
    return packed(lists)


def clusters(
    habits: "sparse.csr_array", purchases: Purchases, wanted: int, least: int, support: int, seed: int
) -> Clusters:
    """Shoppers by similar habits, in clusters of at least `least` people; smaller ones go to the next nearest.

    What a cluster buys of an item is the sum over its people, each with `MOST_HABIT` at most, rounded by lot to what
    ten of them add at most; over as many people as are told.
    """
    number = habits.shape[0]
    of = _assigned(habits, wanted, least, seed)
    if number < least:
        return Clusters(of, packed([]), np.zeros(0, np.int64))
    kept = np.unique(of[of >= 0])
    belongs = sparse.csr_array(
        (np.ones(number), (np.searchsorted(kept, of), np.arange(number))), shape=(len(kept), number)
    )
    once, capped = purchases.once(), habits.copy()
    capped.data = np.minimum(capped.data, MOST_HABIT) / MOST_HABIT
    counts = np.asarray(belongs.sum(axis=1)).ravel()
    sizes = np.maximum(least, lots.below(counts, purchases.seed, _SIZES))
    lists = []
    for row, size in enumerate(sizes):
        behind = lots.below((belongs[[row]] @ once).toarray().ravel(), purchases.seed, _BEHIND, row)
        sums = lots.rounded((belongs[[row]] @ capped).toarray().ravel(), purchases.seed, _SUMS, row)
        sums[behind < support] = 0.0
        lists.append(strongest(MOST_HABIT * sums / (size + lots.STEP - 1), MOST_IN_CLUSTER))
    return Clusters(np.searchsorted(kept, of), packed(lists), sizes.astype(np.int64))


def _assigned(habits: "sparse.csr_array", wanted: int, least: int, seed: int) -> Whole:
    number, items = habits.shape
    if number < least:
        return np.full(number, -1, np.int64)
    wanted = max(1, min(wanted, number // least))
    rarity = np.log1p(number / (1.0 + np.asarray((habits > 0).sum(axis=0)).ravel()))
    weighed = habits @ sparse.diags_array(rarity)
    if items > _DIMENSIONS + 1:
        points: Floats = TruncatedSVD(_DIMENSIONS, random_state=seed).fit_transform(weighed)
    else:
        points = weighed.toarray()
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    if wanted == 1:
        return np.zeros(number, np.int64)
    found = MiniBatchKMeans(wanted, random_state=seed, n_init=3, batch_size=4096, reassignment_ratio=0.0).fit(points)
    of, centres = found.labels_.astype(np.int64), found.cluster_centers_
    while True:
        sizes = np.bincount(of, minlength=len(centres))
        small = [one for one in range(len(centres)) if 0 < sizes[one] < least]
        if not small:
            return np.asarray(of, np.int64)
        gone = min(small, key=lambda one: (sizes[one], one))
        centres[gone] = np.inf
        there = np.flatnonzero(np.isfinite(centres[:, 0]) & (sizes > 0))
        moved = np.flatnonzero(of == gone)
        away = ((points[moved][:, None, :] - centres[there][None]) ** 2).sum(axis=2)
        of[moved] = there[away.argmin(axis=1)]
