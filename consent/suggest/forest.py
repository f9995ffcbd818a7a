"""Adds up boosted trees for a row of numbers, all trees at once and without walking any.

A branch that is not taken rules out the leaves behind it; what no branch of a tree rules out is the leaf that a walk
would end at (the idea of QuickScorer, Lucchese et al. 2015). For each feature, and each span between two thresholds of
it, what its branches leave over is made when the tables are read: one number with a bit a leaf. A row then takes a
search and an `and` a feature, where a walk takes a comparison a branch; the sum is the same to the last bit.

Pure: no I/O, no clock.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import add, and_, getitem
from struct import Struct

from wire.errors import Reason, WireError

MOST_LEAVES = 64  # of one tree: the widest field
TREES_AT_ONCE = 64  # in one grove, so that its numbers stay some hundred bytes
_FIELDS = ((8, "B"), (16, "H"), (32, "I"), (64, "Q"))


@dataclass(frozen=True, slots=True, repr=False)
class Grove:
    """Some trees. `spans`: feature, its thresholds ascending, and what is left of all leaves in each span."""

    every: int
    spans: tuple[tuple[int, tuple[float, ...], tuple[int, ...]], ...]
    fields: Struct
    leaves: tuple[dict[int, float], ...]  # of each tree by the bit of its field

    def __repr__(self) -> str:
        return f"Grove({len(self.leaves)} trees)"


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


def grown(several: Sequence[Grove], row: Sequence[float]) -> float:
    """What all the trees add up to for a row, in the order of the trees."""
    whole = 0.0
    for grove in several:
        left = grove.every
        for feature, thresholds, spans in grove.spans:
            left &= spans[bisect_left(thresholds, row[feature])]
        found = grove.fields.unpack(left.to_bytes(grove.fields.size, "little"))
        whole = reduce(add, map(getitem, grove.leaves, found), whole)  # `sum` rounds in another way from 3.12 on
    return whole
