"""Learns the weights of a ranker from last baskets, by the very rows that stores compute.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from consent.suggest import features
from consent.suggest.model import WITHOUT_TABLES, Feature, Model
from consent.suggest.signals import Behaviour, Bought
from hq.learning.purchases import History
from wire.affinity import Trees, column

Rows = npt.NDArray[np.float32]


LEAST_PEOPLE = 40
NO_TREES = Trees(b"", b"", b"", b"")
TREES = 60
LEAVES = 15
SHARES = (0.0, 0.5, 1.0)  # of the trees in the score
LEAF = 200, 1000  # rows in a leaf at least: one in `LEAF_OF`, within these; more change less from one shop to another
LEAF_OF = 500


@dataclass(frozen=True, slots=True)
class Weights:
    """What `wire.affinity` ships: linear weights, trees, and the trees' share of the score (0: no trees)."""

    linear: bytes
    trees: Trees
    share: float


@dataclass(frozen=True, slots=True, repr=False)
class Examples:
    """Rows of candidates, whether each was bought next, and the person each is of (a number)."""

    rows: Rows
    bought: npt.NDArray[np.bool_]
    persons: npt.NDArray[np.int64]
    wanted: npt.NDArray[np.int64]  # items of each person's next basket, by person


def behaviour(history: History, now_day: int | None) -> Behaviour:
    """A history as stores tell the ranker of it."""
    days = history.days or (0,) * len(history.baskets)
    return Behaviour(
        tuple(
            Bought(item, day, place)
            for place, (basket, day) in enumerate(zip(history.baskets, days, strict=True))
            for item in basket
        ),
        now_day=now_day,
    )


def examples(histories: Sequence[History], model: Model, now_known: bool, told: Callable[[int, int], None]) -> Examples:
    """What each history's last basket teaches about what is before."""
    rows: list[Rows] = []
    bought: list[npt.NDArray[np.bool_]] = []
    wanted = []
    for done, history in enumerate(histories):
        now_day = history.days[-1] if now_known and history.days is not None else None
        found = features.situation(behaviour(history.before(), now_day), model)
        listed = features.candidates(found, model)
        last = set(history.baskets[-1])
        name = model.names
        rows.append(np.asarray(features.rows(found, model, listed), np.float32).reshape(len(listed), -1))
        bought.append(np.asarray([(name[at] if at < model.items else found.names[at]) in last for at in listed]))
        wanted.append(len(last))
        if done % 200 == 0:
            told(done, len(histories))
    persons = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
    width = len(Feature)
    return Examples(
        np.concatenate([np.zeros((0, width), np.float32), *rows]),
        np.concatenate([np.zeros(0, np.bool_), *bought]),
        persons,
        np.asarray(wanted, np.int64),
    )


def together(several: Sequence[Examples]) -> Examples:
    """All examples as one; a person of two of them counts as two."""
    firsts = np.concatenate([[0], np.cumsum([len(one.wanted) for one in several])])
    return Examples(
        np.concatenate([one.rows for one in several]),
        np.concatenate([one.bought for one in several]),
        np.concatenate([one.persons + first for one, first in zip(several, firsts, strict=False)]),
        np.concatenate([one.wanted for one in several]),
    )


def learned(found: Examples, seed: int, progress: Callable[[str, int, int], None]) -> Weights:
    """Linear weights and trees, and which of them, or both, foretold best what a fifth of the people bought.

    That fifth taught neither of those that were compared. Where too little is told, the weights are those of a store
    without tables.
    """
    kept = _kept(found, seed)
    if not _teaches(found, kept):
        return Weights(column("f", list(WITHOUT_TABLES.linear)), NO_TREES, 0.0)
    linear, trees = _linear(found, kept), _trees(found, kept, seed)
    progress("weights", 1, 2)
    rest = ~kept
    by_line, by_trees = linear(found.rows[rest]), trees.decision_function(found.rows[rest])
    worth = [judged(found, rest, share * by_trees + (1.0 - share) * by_line) for share in SHARES]
    share = SHARES[int(np.argmax(worth))]
    everybody = np.ones_like(kept)
    slopes = _linear(found, everybody).slopes
    shipped = grown(_trees(found, everybody, seed)) if share else NO_TREES
    progress("weights", 2, 2)
    return Weights(column("f", slopes), shipped, share)


def _teaches(found: Examples, kept: npt.NDArray[np.bool_]) -> bool:
    """Whether there is enough to compare: people on both sides, and something bought and something not."""
    both = len(found.wanted) >= LEAST_PEOPLE and not kept.all()
    return both and bool(found.bought[kept].any()) and not found.bought[kept].all()


def _kept(found: Examples, seed: int) -> npt.NDArray[np.bool_]:
    people = len(found.wanted)
    taught: npt.NDArray[np.bool_] = np.random.default_rng(seed).random(people) < 0.8
    taught[: min(2, people)] = True
    return taught[found.persons]


@dataclass(frozen=True, slots=True)
class _Line:
    slopes: list[float]  # the intercept first

    def __call__(self, rows: Rows) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = self.slopes[0] + rows.astype(np.float64) @ np.asarray(self.slopes[1:])
        return found


def _linear(found: Examples, which: npt.NDArray[np.bool_]) -> _Line:
    scaler = StandardScaler().fit(found.rows[which])
    fitted = LogisticRegression(C=0.1, max_iter=200)
    fitted.fit(scaler.transform(found.rows[which]), found.bought[which], _say(found, which))
    slopes = fitted.coef_[0] / scaler.scale_
    return _Line([float(fitted.intercept_[0] - slopes @ scaler.mean_), *slopes.tolist()])


def _trees(found: Examples, which: npt.NDArray[np.bool_], seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=0.1, l2_regularization=20.0,
        min_samples_leaf=min(max(LEAF[0], int(which.sum()) // LEAF_OF), LEAF[1]),
        random_state=seed, early_stopping=False,
    ).fit(found.rows[which], found.bought[which], _say(found, which))  # fmt: skip


def _say(found: Examples, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """What each row counts: who buys much at once has many rows, and should not speak for all."""
    say: npt.NDArray[np.float64] = 1.0 / np.sqrt(np.maximum(1, found.wanted[found.persons[which]]))
    return np.asarray(say / say.mean())


def judged(found: Examples, which: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> float:
    """The mean of recall and nDCG at 10 and 20 of these rows' people, by these scores of their rows."""
    persons, bought = found.persons[which], found.bought[which]
    order = np.lexsort((-scores, persons))
    persons, bought = persons[order], bought[order]
    starts = np.flatnonzero(np.diff(persons, prepend=-1))
    places = np.arange(len(persons)) - np.repeat(starts, np.diff([*starts, len(persons)]))
    wanted = np.maximum(1, found.wanted[persons[starts]])
    gain = bought / np.log2(places + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(20) + 2.0))])
    worth = 0.0
    for most in (10, 20):
        first = places < most
        worth += float((np.add.reduceat(bought & first, starts, dtype=np.float64) / wanted).mean())
        worth += float((np.add.reduceat(gain * first, starts) / ideal[np.minimum(wanted, most)]).mean())
    return worth / 4.0


def grown(fitted: HistGradientBoostingClassifier) -> Trees:
    """The trees of a fitted model; the first also carries what all begin from."""
    roots: list[int] = []
    features_of, values, children = bytearray(), [], []
    base = float(np.ravel(fitted._baseline_prediction)[0])  # no public name; `test_weights` compares the sums
    for (predictor,) in fitted._predictors:
        first = len(features_of)
        roots.append(first)
        for node in predictor.nodes:
            if node["is_leaf"]:
                features_of.append(255)
                values.append(float(node["value"]) + (base if len(roots) == 1 else 0.0))
                children += [0, 0]
            else:
                features_of.append(int(node["feature_idx"]))
                values.append(float(node["num_threshold"]))
                children += [first + int(node["left"]), first + int(node["right"])]
    return Trees(column("H", roots), bytes(features_of), column("f", values), column("H", children))
