"""The published methods that ours is measured against: three frequencies, TIFU-KNN and UP-CF, tuned as their papers do.

TIFU-KNN: Hu, He, Gao, Zhang, "Modeling Personalized Item Frequency Information for Next-basket Recommendation", SIGIR
2020. UP-CF: Faggioli, Polato, Aiolli, "Recency Aware Collaborative Filtering for Next Basket Recommendation", UMAP
2020. Parameters are searched one after the other, from the papers' own, as long as one of them helps on the `validate`
shoppers; neighbours are all shoppers' histories but one's own.

Pure: no I/O, no clock.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.suggestions_baskets import Baskets
from benchmarks.suggestions_matrices import Lines, tops
from benchmarks.suggestions_measures import measured

Told = Callable[[str], None]
Tops = dict[str, list[str]]
Kept = dict[object, Any]
TUNED_ON: Final = 600  # at most so many of the `validate` shoppers
ROUNDS: Final = 3


def global_frequency(baskets: Baskets, strict: bool, told: Told) -> tuple[Tops, str]:
    """What is bought most often, to everybody the same."""
    lines = Lines.of(baskets, strict)
    times = np.bincount(lines.item, minlength=len(lines.items)).astype(np.float64)
    return tops(lines, baskets.test, lambda rows: np.tile(times, (len(rows), 1))), ""


def personal_frequency(baskets: Baskets, strict: bool, told: Told) -> tuple[Tops, str]:
    """What the shopper bought most often, and nothing else."""
    lines = Lines.of(baskets, strict)
    times = lines.matrix(np.ones(len(lines.item)))
    return tops(lines, baskets.test, lambda rows: times[rows].toarray(), only_above=0.0), ""


def combined_frequency(baskets: Baskets, strict: bool, told: Told) -> tuple[Tops, str]:
    """What the shopper bought most often, then what everybody does."""
    lines = Lines.of(baskets, strict)
    times = lines.matrix(np.ones(len(lines.item)))
    everybody = np.bincount(lines.item, minlength=len(lines.items)) / (len(lines.item) + 1.0)
    return tops(lines, baskets.test, lambda rows: times[rows].toarray() + everybody), ""


class Reading(StrEnum):
    """Where TIFU-KNN's decay within groups counts, in which its authors' paper and program differ."""

    PAPER = "paper"  # within each group; the newest basket always weighs most
    PROGRAM = "program"  # over the whole history; short histories fill the oldest groups


@dataclass(frozen=True, slots=True)
class Tifu:
    """TIFU-KNN's parameters, as its authors' example has them."""

    groups: int = 7
    within: float = 0.9
    between: float = 0.7
    neighbours: int = 300
    alpha: float = 0.7  # the shopper's own share
    reading: Reading = Reading.PROGRAM

    def weights(self, lines: Lines) -> NDArray[np.float64]:
        """What each line adds to its shopper's vector."""
        count = lines.baskets[lines.shopper]
        real = np.minimum(count, self.groups)
        size, larger = np.divmod(count, real)  # the newest `larger` groups hold one basket more
        small = (real - larger) * size  # baskets in the groups that do not
        late = lines.basket >= small
        wide = size + late
        after = np.where(late, lines.basket - small, lines.basket)
        group = np.where(late, real - larger, 0) + after // wide
        if self.reading is Reading.PROGRAM:
            within, between = count - 1 - lines.basket, self.groups - 1 - group
        else:
            within, between = wide - 1 - after % wide, real - 1 - group
        grown: NDArray[np.float64] = self.within**within * self.between**between / (wide * real)
        return grown


def said(chosen: "Tifu | UpCf") -> str:
    """Parameters as they are printed: a reading by its name."""
    named = (f"{one.name}={getattr(chosen, one.name)}" for one in dataclasses.fields(chosen))
    return f"{type(chosen).__name__}({', '.join(named)})"


TIFU_GRID: Final[dict[str, tuple[Any, ...]]] = {
    "reading": tuple(Reading),
    "groups": (3, 5, 7, 11, 15, 19, 23),
    "within": (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
    "between": (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "neighbours": (50, 100, 300, 500, 900, 1300),
    "alpha": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
}


class TifuScores:
    """TIFU-KNN's scores for some parameters. `kept`: what another setting may use again, of the same rows."""

    def __init__(self, lines: Lines, chosen: Tifu, kept: Kept | None = None) -> None:
        self._rows, self._kept = kept, {} if kept is None else kept
        of = dataclasses.replace(chosen, neighbours=0, alpha=0.0)
        if self._kept.get("of") != of:
            self._kept.clear()
            self._kept["of"], self._kept["vectors"] = of, lines.matrix(chosen.weights(lines))
        self._vectors = self._kept["vectors"]
        self._chosen = chosen

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The shopper's own vector mixed with the mean of the nearest."""
        many = min(self._chosen.neighbours, self._vectors.shape[0] - 1)
        kept = (self._rows or {}).get(("mean", rows.tobytes()))
        mean = kept[1] if kept is not None and kept[0] == many else self._mean(rows, many)
        if self._rows is not None:
            self._rows["mean", rows.tobytes()] = many, mean
        own = self._vectors[rows].toarray()
        mixed: NDArray[np.float64] = self._chosen.alpha * own + (1.0 - self._chosen.alpha) * mean
        return mixed

    def _mean(self, rows: NDArray[np.int64], many: int) -> NDArray[np.float64]:
        near = _once(self._rows, ("near", rows.tobytes()), lambda: self._near(rows))
        picked = _pick(near[:, :many], None, self._vectors.shape[0])
        mean: NDArray[np.float64] = (picked @ self._vectors).toarray() / max(many, 1)
        return mean

    def _near(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The nearest others, nearest first, as many as any setting asks for."""
        turned = _once(self._kept, "turned", self._vectors.T.tocsr)
        squares = _once(self._kept, "squares", lambda: self._vectors.multiply(self._vectors).sum(axis=1))
        apart = np.asarray(squares).ravel()[None, :] - 2.0 * (self._vectors[rows] @ turned).toarray()
        apart[np.arange(len(rows)), rows] = np.inf
        most = max(self._chosen.neighbours, *TIFU_GRID["neighbours"])
        columns = _least(apart, min(most, apart.shape[1] - 1))
        order = np.argsort(np.take_along_axis(apart, columns, axis=1), axis=1, kind="stable")
        return np.take_along_axis(columns, order, axis=1)


@dataclass(frozen=True, slots=True)
class UpCf:
    """UP-CF's parameters. `recency` 0: all baskets; `neighbours` 0: everybody."""

    recency: int = 5
    locality: int = 10
    alpha: float = 0.25
    neighbours: int = 0


UP_CF_GRID: Final[dict[str, tuple[Any, ...]]] = {
    "recency": (0, 1, 2, 3, 5, 10, 15, 25, 50, 100),
    "locality": (1, 2, 3, 5, 7, 10, 15, 25, 50, 100, 500),
    "alpha": (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0),
    "neighbours": (0, 10, 50, 100, 300, 900),
}


class UpCfScores:
    """UP-CF's scores for some parameters. `kept`: what the next setting may use again, for the same lines and rows."""

    def __init__(self, lines: Lines, chosen: UpCf, kept: Kept | None = None) -> None:
        self._rows, self._kept = kept, {} if kept is None else kept
        count = lines.baskets[lines.shopper]
        window = np.minimum(chosen.recency or count, count)
        self._popular = lines.matrix((lines.basket >= count - window) / window)
        self._held = _once(self._kept, "held", lambda: _held(lines))
        self._many = np.diff(self._held.indptr).astype(np.float64)
        self._chosen = chosen

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Shoppers by the asymmetric cosine of what they ever bought, to the power of locality, times recent shares."""
        chosen = self._chosen
        turned = _once(self._kept, "turned", self._held.T.tocsr)
        common = _once(self._rows, rows.tobytes(), lambda: _common(self._held[rows], turned))
        alike = common / (self._many[rows, None] ** chosen.alpha * self._many[None, :] ** (1.0 - chosen.alpha))
        alike **= chosen.locality
        if 0 < chosen.neighbours < alike.shape[1]:
            columns = _least(-alike, chosen.neighbours)
            weights = _pick(columns, np.take_along_axis(alike, columns, axis=1), alike.shape[1])
            scores: NDArray[np.float64] = (weights @ self._popular).toarray()
            return scores
        return np.asarray(alike @ self._popular)


def _common(some: sparse.csr_array, turned: sparse.csr_array) -> NDArray[np.float64]:
    """How many items each of some shares with each of all."""
    return np.asarray((some @ turned).toarray())


def _held(lines: Lines) -> sparse.csr_array:
    """1 for each item that a shopper ever bought."""
    held = lines.matrix(np.ones(len(lines.item)))
    held.data[:] = 1.0
    return held


def _once(kept: Kept | None, key: object, made: Callable[[], Any]) -> Any:
    if kept is None:
        return made()
    if key not in kept:
        kept[key] = made()
    return kept[key]


def _least(apart: NDArray[np.float64], many: int) -> NDArray[np.int64]:
    """The columns of the `many` smallest of each row."""
    return np.argpartition(apart, min(many, apart.shape[1] - 1), axis=1)[:, :many]


def _pick(columns: NDArray[np.int64], weights: NDArray[np.float64] | None, width: int) -> sparse.csr_array:
    """Rows with a weight (1 unless given) in each of the columns."""
    rows, many = columns.shape
    values = np.ones(columns.size) if weights is None else weights.ravel()
    return sparse.csr_array((values, columns.ravel(), np.arange(0, columns.size + 1, many)), shape=(rows, width))


_Chosen = TypeVar("_Chosen", Tifu, UpCf)


def tuned(
    lines: Lines,
    baskets: Baskets,
    start: _Chosen,
    grid: Mapping[str, Sequence[Any]],
    scores: Callable[[Lines, _Chosen, Kept], Callable[[NDArray[np.int64]], NDArray[np.float64]]],
    told: Told,
) -> _Chosen:
    """The parameters with the best mean of all measures on the `validate` shoppers; the grid is walked by turns."""
    shoppers = baskets.validate[:TUNED_ON]
    tried: dict[_Chosen, float] = {}
    kept: Kept = {}

    def worth(chosen: _Chosen) -> float:
        if chosen not in tried:
            found = measured(tops(lines, shoppers, scores(lines, chosen, kept)), baskets.future, shoppers).means()
            tried[chosen] = sum(value for name, value in found.items() if not name.startswith("PHR"))
        return tried[chosen]

    leading = start
    for turn in range(ROUNDS):
        before = leading
        for name, values in grid.items():
            leading = max((leading, *(dataclasses.replace(leading, **{name: value}) for value in values)), key=worth)
            told(f"round {turn + 1}, {name}: {getattr(leading, name)} of {len(values)}, {len(tried)} settings tried")
        if leading == before:
            break
    return leading


def tifu_knn(baskets: Baskets, strict: bool, told: Told) -> tuple[Tops, str]:
    """What tuned TIFU-KNN suggests to the `test` shoppers, and its parameters."""
    lines = Lines.of(baskets, strict)
    chosen = tuned(lines, baskets, Tifu(), TIFU_GRID, TifuScores, told)
    return tops(lines, baskets.test, TifuScores(lines, chosen)), said(chosen)


def up_cf(baskets: Baskets, strict: bool, told: Told) -> tuple[Tops, str]:
    """What tuned UP-CF suggests to the `test` shoppers, and its parameters."""
    lines = Lines.of(baskets, strict)
    chosen = tuned(lines, baskets, UpCf(), UP_CF_GRID, UpCfScores, told)
    return tops(lines, baskets.test, UpCfScores(lines, chosen)), said(chosen)
