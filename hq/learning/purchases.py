"""Purchases as learning takes them: histories of nobody in particular, laid out flat for tables.

Pure: no I/O, no clock.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]

from consent.suggest.history import Decay, habits
from hq.learning import lots
from wire.affinity import MAX_ITEMS

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, repr=False)
class History:
    """One person's baskets, oldest first, and where known the day of each, in UTC days since 1970.

    Raises:
        ValueError: as many days as baskets, ascending.
    """

    baskets: tuple[tuple[str, ...], ...]
    days: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.days is not None and (len(self.days) != len(self.baskets) or list(self.days) != sorted(self.days)):
            raise ValueError("as many days as baskets, ascending")

    def __repr__(self) -> str:
        return f"History({len(self.baskets)} baskets)"

    def before(self) -> "History":
        """All but the last basket."""
        return self.cut(1)

    def cut(self, number: int) -> "History":
        """All but the last so many baskets."""
        left = len(self.baskets) - number
        return History(self.baskets[:left], None if self.days is None else self.days[:left])


@dataclass(frozen=True, slots=True, repr=False)
class Purchases:
    """One entry for each item of each basket, by person, then basket. `names`: items bought by enough people.

    `told`: by how many people each was bought, rounded down to tens by lot; `seed`: of the lots.

    `persons`, `items`: numbers; `baskets`: the place of the basket in the person's history; `days`: of the basket, or
    all 0; `lengths`: how many baskets each person has.
    """

    names: tuple[str, ...]
    dated: bool
    persons: Whole
    baskets: Whole
    items: Whole
    days: Whole
    lengths: Whole
    told: Floats
    seed: int

    @property
    def people(self) -> int:
        """How many persons."""
        return len(self.lengths)

    def matrix(self, weights: Floats) -> "sparse.csr_array":
        """Persons by items; what several baskets say of the same item is added up."""
        made = sparse.coo_array((weights, (self.persons, self.items)), shape=(self.people, len(self.names)))
        return made.tocsr()

    def once(self) -> "sparse.csr_array":
        """Persons by items: 1 where it was ever bought."""
        found = self.matrix(np.ones(len(self.items)))
        found.data[:] = 1.0
        return found

    def habits(self, decay: Decay) -> "sparse.csr_array":
        """Persons by items: decayed within and between groups of baskets, as the store computes it."""
        kept = cache(lambda number: np.asarray(habits(number, decay)))
        starts = np.concatenate([[0], np.cumsum(self.lengths)])
        whole = np.concatenate([kept(int(number)) for number in self.lengths]) if len(self.lengths) else np.zeros(0)
        return self.matrix(whole[starts[self.persons] + self.baskets])


def laid_out(histories: Sequence[History], support: int) -> Purchases:
    """The purchases, of items that at least `support` people bought, as rounded down to tens by lot: of nine never, of
    nineteen always. The most bought where there are too many.
    """
    bought = Counter(item for one in histories for item in {item for basket in one.baskets for item in basket})
    seed, known = lots.drawn_from(histories), sorted(bought)
    counts = lots.below(np.asarray([bought[item] for item in known], np.float64), seed, 0).tolist()
    wide = sorted(  # by what is told: the order by more would tell more
        (-people, item)
        for item, people in zip(known, counts, strict=True)
        if people >= max(support, lots.STEP) and 1 <= len(item.encode()) <= 64
    )[:MAX_ITEMS]
    names = tuple(item for _, item in wide)
    index = {name: number for number, name in enumerate(names)}
    dated = bool(histories) and all(one.days is not None for one in histories)
    persons, baskets, items, days = [], [], [], []
    for person, one in enumerate(histories):
        for place, basket in enumerate(one.baskets):
            for item in dict.fromkeys(basket):
                number = index.get(item)
                if number is not None:
                    persons.append(person)
                    baskets.append(place)
                    items.append(number)
                    days.append(one.days[place] if dated and one.days is not None else 0)
    return Purchases(
        names,
        dated,
        np.asarray(persons, np.int64),
        np.asarray(baskets, np.int64),
        np.asarray(items, np.int64),
        np.asarray(days, np.int64),
        np.asarray([len(one.baskets) for one in histories], np.int64),
        np.asarray([-people for people, _ in wide], np.float64),
        seed,
    )
