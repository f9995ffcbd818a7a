"""Adds up boosted trees for a row of numbers, all trees at once and without walking any.

A branch that is not taken rules out the leaves behind it; what no branch of a tree rules out is the leaf that a walk
would end at (the idea of QuickScorer, Lucchese et al. 2015). For each feature, and each span between two thresholds of
it, what its branches leave over is made when the tables are read: one number with a bit a leaf. A row then takes a
search and an `and` a feature, where a walk takes a comparison a branch; the sum is the same to the last bit.

Pure: no I/O, no clock.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from operator import add, and_, getitem, itemgetter
from struct import Struct

from wire.errors import Reason, WireError

MOST_LEAVES = 64  # of one tree: the widest field
TREES_AT_ONCE = 64  # in one grove, so that its numbers stay some hundred bytes
_FIELDS = ((8, "B"), (16, "H"), (32, "I"), (64, "Q"))


_Take = Callable[[Sequence[float]], tuple[float, ...]]
_Others = tuple[_Take, Sequence[Sequence[float]], Sequence[Sequence[int]]]


@dataclass(frozen=True, slots=True, repr=False)
class Grove:
    """Some trees. `spans`: feature, its thresholds ascending, and what is left of all leaves in each span.

    `leaves`: of each tree by the bit of its field.
    """

    every: int
    spans: tuple[tuple[int, tuple[float, ...], tuple[int, ...]], ...]
    fields: Struct
    leaves: tuple[dict[int, float], ...]
    _others: dict[frozenset[int], _Others] = field(default_factory=dict, compare=False)  # by what was asked of `but`

    def __repr__(self) -> str:
        return f"Grove({len(self.leaves)} trees)"

    def but(self, alike: frozenset[int]) -> "_Others":
        """How to take the features other than these out of a row, their thresholds, and their spans."""
        found = self._others.get(alike)
        if found is None:
            others = [one for one in self.spans if one[0] not in alike]
            found = _taking([one[0] for one in others]), [one[1] for one in others], [one[2] for one in others]
            self._others[alike] = found
        return found


@dataclass(frozen=True, slots=True)
class Node:
    """A branch, or with `feature` -1 a leaf that adds `value`. Up to the threshold `value` a row goes `low`."""

    feature: int
    value: float
    low: int
    high: int


def groves(roots: Sequence[int], nodes: Sequence[Node]) -> tuple[Grove, ...]:
    """The trees with these roots, in their order; children stand behind their parents.

    Raises:
        WireError: a node has two parents, or a tree has too many leaves.
    """
    children = [child for one in nodes if one.feature >= 0 for child in (one.low, one.high)]
    if len(children) + len(roots) != len({*children, *roots}):
        raise WireError(Reason.SHAPE, "expected trees, of nodes with one parent")
    trees = [_tree(root, nodes) for root in roots]
    return tuple(_grove(trees[at : at + TREES_AT_ONCE]) for at in range(0, len(trees), TREES_AT_ONCE))


@dataclass(frozen=True, slots=True)
class _Tree:
    leaves: list[float]  # the lowest first
    branches: list[tuple[int, float, int, int]]  # feature, threshold, bits of the leaves below and above it


def _tree(root: int, nodes: Sequence[Node]) -> _Tree:
    order, left = [], [root]
    while left:
        order.append(left.pop())
        one = nodes[order[-1]]
        if one.feature >= 0:
            left += (one.high, one.low)
    leaves = [at for at in order if nodes[at].feature < 0]
    if len(leaves) > MOST_LEAVES:
        raise WireError(Reason.SHAPE, f"expected trees of at most {MOST_LEAVES} leaves")
    behind = {at: 1 << place for place, at in enumerate(leaves)}
    branches = []
    for at in reversed(order):
        one = nodes[at]
        if one.feature >= 0:
            behind[at] = behind[one.low] | behind[one.high]
            branches.append((one.feature, one.value, behind[one.low], behind[one.high]))
    return _Tree([nodes[at].value for at in leaves], branches)


def _grove(trees: Sequence[_Tree]) -> Grove:
    widest = max(len(tree.leaves) for tree in trees)
    bits, letter = next(field for field in _FIELDS if widest <= field[0])
    branches: dict[int, list[tuple[float, int, int]]] = {}
    every = 0
    for place, tree in enumerate(trees):
        every |= ((1 << len(tree.leaves)) - 1) << (bits * place)
        for feature, threshold, low, high in tree.branches:
            branches.setdefault(feature, []).append((threshold, low << (bits * place), high << (bits * place)))
    return Grove(
        every,
        tuple((feature, *_spans(every, branches[feature])) for feature in sorted(branches)),
        Struct(f"<{len(trees)}{letter}"),
        tuple({1 << place: value for place, value in enumerate(tree.leaves)} for tree in trees),
    )


def _taking(features: Sequence[int]) -> _Take:
    """`itemgetter`, which gives a tuple for two places and more alone."""
    return itemgetter(*features) if len(features) > 1 else lambda row: tuple(row[one] for one in features)


def _spans(every: int, branches: list[tuple[float, int, int]]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The thresholds, and what is left up to the first, between each two, and above the last."""
    thresholds = sorted({threshold for threshold, _, _ in branches})
    place = {threshold: at for at, threshold in enumerate(thresholds)}
    above, up_to = [every] * len(thresholds), [every] * len(thresholds)
    for threshold, low, high in branches:
        above[place[threshold]] &= ~low
        up_to[place[threshold]] &= ~high
    before = accumulate(above, and_, initial=every)
    behind = [*accumulate(reversed(up_to), and_, initial=every)][::-1]
    return tuple(thresholds), tuple(one & other for one, other in zip(before, behind, strict=True))


def grown(
    several: Sequence[Grove], rows: Sequence[Sequence[float]], alike: frozenset[int] = frozenset()
) -> list[float]:
    """What all the trees add up to for each row, in the order of the trees. `alike`: features that all rows share."""
    sums = [0.0] * len(rows)
    for grove in several if rows else ():
        left, others = _narrowed(grove, rows[0], alike)
        of, thresholds, spans = others
        leaves, fields = grove.leaves, grove.fields
        unpack, size_bytes = fields.unpack, fields.size
        for place, row in enumerate(rows):
            bits = reduce(and_, map(getitem, spans, map(bisect_left, thresholds, of(row))), left)
            found = unpack(bits.to_bytes(size_bytes, "little"))
            sums[place] = reduce(add, map(getitem, leaves, found), sums[place])  # `sum` rounds otherwise from 3.12 on
    return sums


def _narrowed(grove: Grove, row: Sequence[float], alike: frozenset[int]) -> tuple[int, _Others]:
    """What the features that all rows share leave over, and the spans of the others."""
    left = grove.every
    for feature, thresholds, spans in grove.spans:
        if feature in alike:
            left &= spans[bisect_left(thresholds, row[feature])]
    return left, grove.but(alike)
