"""Learns tables and weights from histories: tables of what is before each last basket, weights by what is in it.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from consent.suggest.history import Decay
from consent.suggest.model import DEFAULT_KNOBS, Knob, Model
from hq.learning import item_tables, neighbours, weights
from hq.learning.purchases import History as History
from hq.learning.purchases import Purchases, laid_out
from wire import affinity
from wire.affinity import LEAST_CLUSTER, Affinity, column

Progress = Callable[[str, int, int], None]


PLAIN = Decay()


@dataclass(frozen=True, slots=True)
class Settings:
    """What is chosen for learning. `clusters_of`: the least people in a cluster; `support`: behind a cell of a table.

    `now_known`: the day of the visit is known where suggestions are made. `most_people`: so many teach weights, each
    by `DEPTHS` baskets.
    """

    clusters_of: int = LEAST_CLUSTER
    named: int = 10  # people who bought an item, before it has figures of its own
    support: int = 10  # of 5, 10 and 20 the least that much weakens a membership test at little cost
    now_known: bool = True
    seed: int = 7
    most_people: int = 4000
    people_a_cluster: int = 100  # fewer are told too coarsely
    goes_with_power: float = 0.5
    goes_with_drawn: float = 5.0
    decay: Decay = PLAIN
    clusters_each: int = 4
    closeness: float = 2.0


MOST_CLUSTERS = 300
DEPTHS = 3  # the newest baskets of each that teach: what is bought of late is another thing before each of them


def tables(purchases: Purchases, settings: Settings, progress: Progress) -> Affinity:
    """All tables, without weights."""
    progress("tables", 0, 3)
    once, habits = purchases.once(), purchases.habits(settings.decay)
    columns = item_tables.columns(purchases)
    goes_with = neighbours.goes_with(
        once, purchases, settings.support, settings.goes_with_power, settings.goes_with_drawn
    )
    progress("tables", 1, 3)
    wanted = max(1, min(MOST_CLUSTERS, purchases.people // settings.people_a_cluster))
    found = neighbours.clusters(habits, purchases, wanted, settings.clusters_of, settings.support, settings.seed)
    progress("tables", 2, 3)
    knobs = list(DEFAULT_KNOBS)
    decay = settings.decay
    knobs[Knob.GROUPS : Knob.GAP_DAYS] = [
        decay.groups, decay.within, decay.between, decay.fast, decay.slow, decay.half_days,
    ]  # fmt: skip
    knobs[Knob.GAP_DAYS] = _gap_days(purchases)
    knobs[Knob.CLUSTERS_EACH], knobs[Knob.CLOSENESS] = settings.clusters_each, settings.closeness
    made = Affinity(
        affinity.FORMAT,
        purchases.dated,
        purchases.names,
        column("f", knobs),
        column("f", columns.ravel().tolist()),
        item_tables.seasons(purchases),
        goes_with,
        found.table,
        column("I", found.sizes.tolist()),
        b"",
        weights.NO_TREES,
    )
    progress("tables", 3, 3)
    return made


def _gap_days(purchases: Purchases) -> float:
    if not purchases.dated or not len(purchases.items):
        return DEFAULT_KNOBS[Knob.GAP_DAYS]
    visits = np.unique(np.column_stack([purchases.persons, purchases.days]), axis=0)
    same = visits[1:, 0] == visits[:-1, 0]
    gaps = np.diff(visits[:, 1])[same]
    return float(np.median(gaps)) if len(gaps) else DEFAULT_KNOBS[Knob.GAP_DAYS]


def learn(
    histories: Sequence[History],
    settings: Settings = Settings(),
    progress: Progress = lambda stage, done, of: None,
) -> Affinity:
    """Tables of all histories, with weights that the last baskets of each teach to tables of what was before.

    One processor is used: threads that wait for each other at every step stand still where others work as well, and
    sums in another order are other bytes. `progress` is told the stage, how much of it is done, and of how much.
    """
    with threadpool_limits(1):
        return _learned(histories, settings, progress)


def _learned(histories: Sequence[History], settings: Settings, progress: Progress) -> Affinity:
    chosen = _chosen(histories, settings)
    taught: list[weights.Examples] = []
    shortened = [one for one in histories if len(one.baskets) > 1]
    for depth in range(DEPTHS):
        shortened = [one.before() if len(one.baskets) > 1 else one for one in shortened]
        model = Model.of(tables(laid_out(shortened, settings.named), settings, progress))
        cut = [one.cut(depth) for one in chosen if len(one.baskets) > depth + 1]
        told = partial(progress, "examples")
        taught.append(weights.examples(cut, model, settings.now_known, told))
    found = weights.learned(weights.together(taught), settings.seed, progress)
    made = tables(laid_out(histories, settings.named), settings, progress)
    knobs = affinity.floats(made.knobs)
    knobs[Knob.TREES_SHARE] = found.share
    return replace(made, knobs=column("f", knobs), linear=found.linear, trees=found.trees)


def _chosen(histories: Sequence[History], settings: Settings) -> list[History]:
    """Whose last baskets teach weights: those who have two, and of too many some by lot."""
    able = [one for one in histories if len(one.baskets) > 1]
    order = np.random.default_rng(settings.seed).permutation(len(able))[: settings.most_people]
    return [able[at] for at in order]
