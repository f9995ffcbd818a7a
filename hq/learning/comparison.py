"""Compares two models over the same people: how much of each one's last basket each of them would have suggested.

By everybody, by tenths of how much was bought, and by cohorts of behaviour: how often somebody comes, and how much of
what they buy they had bought before. Groups of fewer than `LEAST_CLUSTER` people are not looked at.

Pure: no I/O, no clock.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from consent.suggest.model import Model
from consent.suggest.rank import rank
from hq.learning.findings import EVERYBODY, Group, Progress
from hq.learning.purchases import Floats, History
from hq.learning.weights import behaviour
from wire.affinity import LEAST_CLUSTER

AT = 10  # suggestions
MOST_PEOPLE = 5000  # of more some by lot
RESAMPLES = 4000
DOUBT = 0.05  # of all groups together
TENTHS = 10
_AT_ONCE = 200  # resamples
_MONTH_DAYS = 30.4

Members = npt.NDArray[np.int64]


def compare(
    histories: Sequence[History], new: Model, old: Model | None, progress: Progress, seed: int = 7
) -> tuple[Group, ...]:
    """The groups, everybody first. Neither model may know anybody's last basket. `old` None: own history alone."""
    able = [one for one in histories if len(one.baskets) > 1]
    order = np.random.default_rng(seed).permutation(len(able))[:MOST_PEOPLE]
    chosen = [able[at] for at in sorted(order.tolist())]
    told = np.zeros((len(chosen), 2))
    for place, one in enumerate(chosen):
        if place % 100 == 0:
            progress("comparison", place, len(chosen))
        told[place] = recall(one, new), recall(one, old)
    progress("comparison", len(chosen), len(chosen))
    listed = [(name, members) for name, members in groups(chosen) if len(members) >= LEAST_CLUSTER]
    doubt = DOUBT / max(1, len(listed))
    return tuple(_group(name, told[members], doubt, seed) for name, members in listed)


def recall(history: History, model: Model | None) -> float:
    """How much of the last basket is among ten suggestions that are made of what was before it, 0 to 1."""
    day = None if history.days is None else history.days[-1]
    found = rank(behaviour(history.before(), day), model, most=AT)
    wanted = set(history.baskets[-1])
    return sum(one.item in wanted for one in found) / len(wanted)


def groups(histories: Sequence[History]) -> Iterator[tuple[str, Members]]:
    """Each group's name, and the places of its people: by what each did before the last basket, and nothing else."""
    yield EVERYBODY, np.arange(len(histories))
    bought = np.asarray([sum(map(len, one.baskets[:-1])) for one in histories])
    edges = np.unique(np.quantile(bought, np.linspace(0, 1, TENTHS + 1))) if len(bought) else bought
    for at, (low, high) in enumerate(pairwise(edges)):
        is_first, is_last = at == 0, at == len(edges) - 2
        found = np.flatnonzero((bought >= low) & ((bought <= high) if is_last else (bought < high)))
        if len(found):
            yield f"purchases: {_span(low, high, is_first, is_last)}", found
    months = np.asarray([_a_month(one.before()) for one in histories])
    for name, low, high in (
        ("visits: under 1 a month", 0.0, 1.0), ("visits: 1 to 3 a month", 1.0, 3.0),
        ("visits: over 3 a month", 3.0, 1e9),
    ):  # fmt: skip
        yield name, np.flatnonzero((months >= low) & (months < high))
    again = np.asarray([_again(one.before()) for one in histories])
    for name, low, high in (
        ("bought again: under a third", 0.0, 1 / 3), ("bought again: a third to two thirds", 1 / 3, 2 / 3),
        ("bought again: over two thirds", 2 / 3, 1.1),
    ):  # fmt: skip
        yield name, np.flatnonzero((again >= low) & (again < high))


def _span(low: float, high: float, is_first: bool, is_last: bool) -> str:
    """By a group's edges, `high` not in it; the least and the most are one person's own, which no card tells."""
    if is_first and is_last:
        return "any"
    if is_last:
        return f"{math.ceil(low)} and more"
    end = math.ceil(high) - 1
    return f"up to {end}" if is_first else f"{math.ceil(low)} to {end}"


def _a_month(history: History) -> float:
    """Baskets a month; -1 where one visit alone is known, or no days."""
    if history.days is None or len(history.days) < 2:
        return -1.0
    return (len(history.days) - 1) * _MONTH_DAYS / max(1, history.days[-1] - history.days[0])


def _again(history: History) -> float:
    """How much of what was bought after the first basket had been bought before; -1 where there is no second."""
    known: set[str] = set()
    told = again = 0
    for basket in history.baskets:
        if known:
            told += len(basket)
            again += sum(item in known for item in basket)
        known.update(basket)
    return again / told if told else -1.0


def _group(name: str, told: Floats, doubt: float, seed: int) -> Group:
    low, high = interval(told[:, 0] - told[:, 1], doubt, seed)
    new, old = told.mean(axis=0).tolist()
    return Group(name, len(told), new, old, low, high)


def interval(differences: Floats, doubt: float, seed: int) -> tuple[float, float]:
    """Where the mean of these differences lies, by drawing people again (bootstrap), but for `doubt`, 0 to 1."""
    drawing, number = np.random.default_rng(seed), len(differences)
    means = np.concatenate(
        [
            differences[drawing.integers(0, number, (_AT_ONCE, number))].mean(axis=1)
            for _ in range(RESAMPLES // _AT_ONCE)
        ]
    )
    low, high = np.quantile(means, [doubt / 2, 1 - doubt / 2]).tolist()
    return low, high
