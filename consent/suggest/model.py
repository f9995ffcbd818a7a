"""The tables of `wire.affinity` in memory, as the ranker reads them; and the small model that needs none.

Pure: no I/O, no clock.
"""

import hashlib
import math
from array import array
from dataclasses import dataclass, field
from enum import IntEnum

from consent.suggest.forest import Grove, Node, groves
from consent.suggest.history import Decay
from wire import schema
from wire.affinity import ITEM_COLUMNS, Affinity, Neighbours, floats, shorts, words
from wire.affinity import MONTHS as MONTHS
from wire.errors import Reason, WireError

Entries = tuple["array[int]", bytes, float]  # items, weights, and the scale of the weights

LEAST_POPULAR = math.log(1e-4)
LOG_2 = math.log(2.0)  # of a doubling
MOST_POPULAR = 20  # that are candidates for everybody
MOST_WEIGHT = 255
WEIGHTS = tuple(
    map(float, range(MOST_WEIGHT + 1))
)  # of one byte: a float times a float is quicker than times a whole number


class Feature(IntEnum):
    """What is known of one item for one member, in the order in which weights are shipped."""

    HABIT = 0  # decayed within and between groups of baskets, as a share of the strongest
    SHARE = 1  # of the baskets
    TIMES = 2
    FAST = 3
    SLOW = 4
    LAST = 5  # 1 for the last basket, 1/2 for the one before
    DUE_BASKETS = 6  # baskets since, against the own usual number
    SINCE_DAYS = 7
    DUE_DAYS = 8  # days since, against the own usual gap
    FADING = 9
    ONCE = 10  # bought in one basket alone
    AGAIN = 11  # the probability over people that it is bought again; 0 where it is not own
    POPULAR = 12
    TREND = 13
    SEASON = 14
    SIMILAR = 15  # by clusters of similar habits
    GOES_WITH = 16  # what was bought, the newer the more
    GOES_WITH_LAST = 17  # the last basket alone
    NEW = 18
    NEW_POPULAR = 19  # of late
    NEW_GOES_WITH = 20
    BASKETS = 21
    BASKET_SIZE = 22
    NOVELTY = 23  # the share of new items among what was bought after the first basket
    VISIT_DUE = 24  # days since the last basket against the usual gap between baskets


class Knob(IntEnum):
    """The place of each number in the column `knobs`."""

    GROUPS = 0
    WITHIN = 1
    BETWEEN = 2
    FAST = 3
    SLOW = 4
    HALF_DAYS = 5
    GAP_DAYS = 6  # the median gap between baskets, for whom one cannot be told
    CLUSTERS_EACH = 7  # clusters that a member is likened to
    CLOSENESS = 8  # the power that sharpens likeness
    TREES_SHARE = 9  # of the trees in the score, beside the linear weights; 0 to 1


DEFAULT_KNOBS = (7.0, 0.9, 0.7, 0.5, 0.9, 45.0, 14.0, 4.0, 2.0, 1.0)


@dataclass(frozen=True, slots=True, repr=False)
class Rows:
    """A table of neighbours, read a row at a time."""

    starts: "array[int]"
    items: "array[int]"
    weights: bytes
    scales: "array[float]"

    @classmethod
    def of(cls, told: Neighbours) -> "Rows":
        """From the columns of the wire."""
        starts = array("I", [0])
        for count in told.counts:
            starts.append(starts[-1] + count)
        return cls(starts, shorts(told.items), told.weights, floats(told.scales))

    def row(self, number: int) -> Entries:
        """One row."""
        start, end = self.starts[number], self.starts[number + 1]
        return self.items[start:end], self.weights[start:end], self.scales[number]


@dataclass(frozen=True, slots=True, repr=False)
class Model:
    """Everything that ranking reads. `version`: 16 hexadecimal digits of the tables' SHA-256."""

    version: str
    dated: bool
    names: tuple[str, ...]
    index: dict[str, int]
    decay: Decay
    knobs: tuple[float, ...]
    popular: "array[float]"  # the log of the share of people
    trend: "array[float]"
    again: "array[float]"
    gap_days: "array[float]"
    seasons: bytes
    goes_with: Rows
    members: tuple[tuple[tuple[int, float], ...], ...]  # for each item the clusters that buy it, and its weight in each
    clusters: Rows
    lengths: tuple[float, ...]  # of each cluster's vector; of one that has none, infinite: nothing is like it
    scales: tuple[float, ...]  # of each cluster's weights
    sizes: "array[int]"
    linear: tuple[float, ...]
    trees: tuple[Grove, ...]
    most_popular: tuple[int, ...] = field(default=())  # of late

    def __repr__(self) -> str:
        return f"Model({self.version}, {len(self.names)} items)"

    @property
    def items(self) -> int:
        """How many items the tables name."""
        return len(self.names)

    @classmethod
    def of(cls, affinity: Affinity) -> "Model":
        """The tables as ranking reads them. Raises: WireError: weights of features that this program does not know."""
        columns = floats(affinity.columns)
        knobs = (*floats(affinity.knobs), *DEFAULT_KNOBS[len(affinity.knobs) // 4 :])
        clusters = Rows.of(affinity.clusters)
        popular = array("f", (math.log(max(share, 1e-4)) for share in columns[0::ITEM_COLUMNS]))
        names, trend = tuple(affinity.names), columns[1::ITEM_COLUMNS]
        late = [one + LOG_2 * doublings for one, doublings in zip(popular, trend, strict=True)]
        return cls(
            version=hashlib.sha256(schema.encode(affinity)).hexdigest()[:16],
            dated=affinity.dated,
            names=names,
            index={name: number for number, name in enumerate(names)},
            decay=_decay(knobs),
            knobs=knobs,
            popular=popular,
            trend=trend,
            again=columns[2::ITEM_COLUMNS],
            gap_days=columns[3::ITEM_COLUMNS],
            seasons=affinity.seasons,
            goes_with=Rows.of(affinity.goes_with),
            members=_turned(clusters, len(names)),
            clusters=clusters,
            lengths=tuple(length or math.inf for length in _lengths(clusters, len(affinity.sizes) // 4)),
            scales=tuple(clusters.scales),
            sizes=words(affinity.sizes),
            linear=tuple(floats(affinity.linear)),
            trees=_trees(affinity),
            most_popular=tuple(sorted(range(len(names)), key=lambda item: (-late[item], names[item]))[:MOST_POPULAR]),
        )


def _decay(knobs: tuple[float, ...]) -> Decay:
    within, between, fast, slow = (min(1.0, max(0.01, rate)) for rate in knobs[Knob.WITHIN : Knob.HALF_DAYS])
    return Decay(max(1, int(knobs[Knob.GROUPS])), within, between, fast, slow, max(1.0, knobs[Knob.HALF_DAYS]))


def _lengths(rows: Rows, number: int) -> tuple[float, ...]:
    found = array("f")
    for row in range(number):
        _, weights, scale = rows.row(row)
        found.append(scale * sum(weight * weight for weight in weights) ** 0.5)
    return tuple(found)


def _turned(rows: Rows, items: int) -> tuple[tuple[tuple[int, float], ...], ...]:
    """The same table by item: the rows that it is in, ascending, with its weight in each."""
    found: list[list[tuple[int, float]]] = [[] for _ in range(items)]
    for row in range(len(rows.scales)):
        listed, weights, _ = rows.row(row)
        for item, weight in zip(listed, weights, strict=True):
            found[item].append((row, WEIGHTS[weight]))
    return tuple(tuple(one) for one in found)


def _trees(affinity: Affinity) -> tuple[Grove, ...]:
    features = array("b", affinity.trees.features)
    if max(features, default=-1) >= len(Feature):
        raise WireError(Reason.SHAPE, f"expected trees of at most {len(Feature)} features")
    values, children = floats(affinity.trees.values), shorts(affinity.trees.children)
    nodes = [Node(*one) for one in zip(features, values, children[0::2], children[1::2], strict=True)]
    return groves(shorts(affinity.trees.roots), nodes)


# The weights without any table: how often, how lately, and whether it is due.
OWN_ALONE = {
    Feature.HABIT: 3.0,
    Feature.SLOW: 0.25,
    Feature.LAST: 0.5,
    Feature.TIMES: 0.4,
    Feature.DUE_DAYS: 0.1,
}
_NO_ROWS = Rows(array("I", [0]), array("H"), b"", array("f"))
WITHOUT_TABLES = Model(
    version="0" * 16,
    dated=True,
    names=(),
    index={},
    decay=Decay(),
    knobs=DEFAULT_KNOBS,
    popular=array("f"),
    trend=array("f"),
    again=array("f"),
    gap_days=array("f"),
    seasons=b"",
    goes_with=_NO_ROWS,
    members=(),
    clusters=_NO_ROWS,
    lengths=(),
    scales=(),
    sizes=array("I"),
    linear=(-3.0, *(OWN_ALONE.get(one, 0.0) for one in Feature)),
    trees=(),
)
