"""A membership test: how well somebody who has the tables and a person's history can tell that it is in the tables.

Shokri et al. 2017, for tables instead of a network. Three signs are tried, and the one that tells most is reported: how
near the history is to its nearest cluster, how much of it the clusters' tables hold, and how many of its pairs of items
stand in the table of what goes with what. The attack knows whole histories, which nobody who has the tables alone does.

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from consent.suggest.features import likeness, situation
from consent.suggest.model import Model
from hq.learning.purchases import Floats, History
from hq.learning.weights import behaviour
from wire.affinity import Affinity

MOST_ITEMS = 60
MOST_PEOPLE = 3000  # of each side; of more some by lot


@dataclass(frozen=True, slots=True)
class Membership:
    """`auc`: the chance that a member looks more like one than another does (0.5: nothing is told). `advantage`: the
    most by which an attacker's hits exceed false alarms (0: nothing). `sign`: what told most. `cluster_sizes`: people.
    """

    auc: float
    advantage: float
    sign: str
    cluster_sizes: tuple[int, ...]


def attack(affinity: Affinity, members: Sequence[History], others: Sequence[History], seed: int = 7) -> Membership:
    """How well tables learned from `members` alone tell them from `others`, people of the same kind.

    Raises:
        ValueError: nobody to compare.
    """
    if not members or not others:
        raise ValueError("members and others, at least one of each")
    model = Model.of(affinity)
    signs = ("near a cluster", "held by clusters", "pairs of items")
    inside = np.asarray([_signs(model, one) for one in _some(members, seed)])
    outside = np.asarray([_signs(model, one) for one in _some(others, seed)])
    told = [(*_told(inside[:, at], outside[:, at]), sign) for at, sign in enumerate(signs)]
    auc, advantage, sign = max(told)
    return Membership(auc, advantage, sign, tuple(model.sizes))


def _some(people: Sequence[History], seed: int) -> list[History]:
    return [people[at] for at in np.random.default_rng(seed).permutation(len(people))[:MOST_PEOPLE]]


def _signs(model: Model, history: History) -> tuple[float, float, float]:
    found = situation(behaviour(history, None), model)
    weights = {item: one.habit for item, one in found.own.items()}
    items = [item for item in sorted(weights, key=lambda one: (-weights[one], one)) if item < model.items][:MOST_ITEMS]
    length = sum(weight * weight for weight in weights.values()) ** 0.5
    near, held = 0.0, 0.0
    for row, _ in likeness(model, weights):
        listed, told, scale = model.clusters.row(row)
        in_row = dict(zip(listed, told, strict=True))
        product = sum(weights[item] * in_row.get(item, 0) for item in items) * scale
        near = max(near, product / (model.lengths[row] * length) if length and model.lengths[row] else 0.0)
        held = max(held, sum(1 for item in items if item in in_row) / max(1, len(items)))
    pairs = sum(1 for one, other in pairwise(items) if other in model.goes_with.row(one)[0])
    return near, held, pairs / max(1, len(items) - 1)


def _told(inside: npt.NDArray[np.float64], outside: Floats) -> tuple[float, float]:
    """The area under the curve of hits over false alarms, and the greatest distance between both."""
    every = np.unique(np.concatenate([inside, outside]))
    below_inside = np.searchsorted(np.sort(inside), every, side="left") / len(inside)
    below_outside = np.searchsorted(np.sort(outside), every, side="left") / len(outside)
    hits, alarms = np.append(1.0 - below_inside, 0.0), np.append(1.0 - below_outside, 0.0)
    auc = float(np.sum((hits[:-1] + hits[1:]) / 2.0 * -np.diff(alarms)))
    return auc, float(np.max(hits - alarms))
