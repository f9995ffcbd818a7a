"""Baskets as sparse matrices, and the best items of each row of scores.

Items are numbered by how often they were bought, most often first, so that equal scores fall to the more popular item.

Pure: no I/O, no clock.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.suggestions_baskets import Baskets
from benchmarks.suggestions_measures import MOST

CHUNK: Final = 256  # rows of scores that are held at once


@dataclass(frozen=True, slots=True)
class Lines:
    """All that may be counted on: one line for each item of each basket."""

    shoppers: tuple[str, ...]
    items: tuple[str, ...]
    shopper: NDArray[np.int64]  # of each line
    item: NDArray[np.int64]
    basket: NDArray[np.int64]  # 0 is the shopper's oldest
    baskets: NDArray[np.int64]  # of each shopper

    @classmethod
    def of(cls, baskets: Baskets, strict: bool) -> "Lines":
        """The histories of all; where it is not `strict`, the future baskets of the `train` shoppers as well."""
        known = {shopper: list(found) for shopper, found in baskets.history.items()}
        if not strict:
            for shopper in (one for one in baskets.train if one in baskets.future):
                known[shopper].append(baskets.future[shopper])
        times = Counter(item for found in known.values() for basket in found for item in basket)
        items = tuple(sorted(times, key=lambda item: (-times[item], item)))
        number = {item: at for at, item in enumerate(items)}
        lines = np.array(
            [
                (shopper, number[item], at)
                for shopper, found in enumerate(known.values())
                for at, basket in enumerate(found)
                for item in basket
            ],
            dtype=np.int64,
        )
        count = np.array([len(found) for found in known.values()], dtype=np.int64)
        shopper_of, item_of, basket_of = np.ascontiguousarray(lines.T)
        return cls(tuple(known), items, shopper_of, item_of, basket_of, count)

    def matrix(self, weights: NDArray[np.float64]) -> sparse.csr_array:
        """Shoppers by items: the sums of the lines' weights."""
        shape = (len(self.shoppers), len(self.items))
        summed = sparse.coo_array((weights, (self.shopper, self.item)), shape=shape).tocsr()
        summed.eliminate_zeros()
        return summed

    def rows(self, shoppers: Sequence[str]) -> NDArray[np.int64]:
        """Where the shoppers stand."""
        place = {shopper: at for at, shopper in enumerate(self.shoppers)}
        return np.array([place[shopper] for shopper in shoppers], dtype=np.int64)


def chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """So many rows at once as memory is meant for."""
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def best(scores: NDArray[np.float64], only_above: float | None = None) -> list[NDArray[np.int64]]:
    """The MOST best columns of each row, equal ones in the columns' order; `only_above`: none at or below it."""
    most = min(MOST, scores.shape[1])
    edge = -np.partition(-scores, most - 1, axis=1)[:, most - 1]
    found = []
    for row, least in zip(scores, edge, strict=True):
        columns = np.flatnonzero(row >= least if only_above is None else (row >= least) & (row > only_above))
        found.append(columns[np.argsort(-row[columns], kind="stable")][:most])
    return found


def tops(
    lines: Lines,
    shoppers: Sequence[str],
    scored: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    only_above: float | None = None,
) -> dict[str, list[str]]:
    """The best items of each shopper; `scored` gives dense scores for a chunk of rows."""
    found: list[NDArray[np.int64]] = []
    for rows in chunks(lines.rows(shoppers)):
        found += best(scored(rows), only_above)
    return {
        shopper: [lines.items[column] for column in columns] for shopper, columns in zip(shoppers, found, strict=True)
    }
