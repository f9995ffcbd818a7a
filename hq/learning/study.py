"""Learns a model from histories, says how good it is beside another, and what its tables give away.

Pure: no I/O, no clock.
"""

from collections.abc import Sequence

import numpy as np

from consent.suggest.model import Model
from hq.learning import membership
from hq.learning.comparison import compare
from hq.learning.findings import Asked, Attack, Found, Parts, Progress
from hq.learning.learn import Settings, learn
from hq.learning.purchases import History
from wire import affinity
from wire.affinity import LEAST_CLUSTER, Affinity

LEFT_OUT = 10  # every tenth person is left out of the twin, so that there is somebody whom it does not know
MOST_TESTED = 1000


def study(asked: Asked, progress: Progress) -> Found:
    """Two models are learned: what is published, and its twin without each one's last basket, which alone is judged.

    Raises:
        ValueError: days that do not ascend, or nobody.
    """
    histories = [_history(one) for one in asked.histories]
    settings = Settings()
    made = learn(histories, settings, progress)
    inside, outside = _divided(histories, settings.seed)
    twin = learn(inside, settings, lambda stage, done, of: progress(f"{stage} without last baskets", done, of))
    old = None if asked.before is None else _model(asked.before)
    groups = compare(histories, Model.of(twin), old, progress, settings.seed)
    return Found(
        affinity.encode(made),
        affinity.encode(twin),
        groups,
        tuple(affinity.words(made.sizes)),
        _attack(twin, inside, outside, progress),
    )


def _history(told: Sequence[tuple[int, tuple[str, ...]]]) -> History:
    return History(tuple(items for _, items in told), tuple(day for day, _ in told))


def _divided(histories: Sequence[History], seed: int) -> tuple[list[History], list[History]]:
    """What the twin learns from, and whom it does not know at all: a tenth, where enough are left out by that."""
    shortened = [one.before() for one in histories if len(one.baskets) > 1]
    out = len(shortened) // LEFT_OUT
    if out < LEAST_CLUSTER:
        return shortened, []
    order = np.random.default_rng(seed).permutation(len(shortened)).tolist()
    return [shortened[at] for at in sorted(order[out:])], [shortened[at] for at in sorted(order[:out])]


def _model(parts: Parts) -> Model | None:
    found = affinity.decode(parts.get)
    return None if found is None else Model.of(found)


def _attack(twin: Affinity, inside: list[History], outside: list[History], progress: Progress) -> Attack | None:
    if not outside:
        return None
    progress("membership test", 0, 1)
    members, others = inside[:: max(1, len(inside) // MOST_TESTED)], outside[:MOST_TESTED]
    found = membership.attack(twin, members, others)
    progress("membership test", 1, 1)
    return Attack(found.auc, found.advantage, len(members), len(others))
