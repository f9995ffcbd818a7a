"""Makes baskets of other shapes than Online Retail's: `python -m benchmarks.suggestions_made KIND OUT.json`.

`groceries`: weekly, few items, most bought again at a shopper's own pace. `marketplace`: few large orders of many items
of changing taste, hardly anything twice. `undated`: in between, habits that drift, order only. Shoppers are mixtures of
households' habits, items have fashions, companions and seasons. Nobody's purchases: all follows from the seed.

I/O: writes a file.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.suggestions_baskets import Baskets, split, write

SEED: Final = 11


@dataclass(frozen=True, slots=True)
class Kind:
    """The shape. `again`: the share of a basket that comes from what the shopper keeps buying."""

    shoppers: int
    items: int
    habits: int  # groups of shoppers with a taste of their own
    staples: int  # how many items a shopper keeps buying
    baskets: float  # mean number of a shopper's, at least 3
    size: float  # mean number of items
    again: float
    drift: float  # share of staples that change from basket to basket
    gap_days: float
    has_days: bool = True


KINDS: Final = {
    "groceries": Kind(6_000, 1_200, 40, 22, 24.0, 9.0, 0.75, 0.015, 7.0),
    "marketplace": Kind(6_000, 9_000, 120, 6, 6.0, 6.0, 0.12, 0.10, 40.0),
    "undated": Kind(5_000, 3_500, 60, 12, 11.0, 12.0, 0.45, 0.06, 20.0, has_days=False),
}
_YEAR_DAYS: Final = 365.0


def baskets(kind: Kind, seed: int = SEED) -> Baskets:
    """The shape's baskets; days from 0 on."""
    chance = np.random.default_rng(seed)
    shop = _Shop.of(kind, chance)
    history, future, days = {}, {}, {}
    for number in range(kind.shoppers):
        found, on = _shopper(kind, shop, chance)
        name = f"s{number}"
        history[name] = [[f"i{item}" for item in basket] for basket in found[:-1]]
        future[name] = [f"i{item}" for item in found[-1]]
        days[name] = on
    return Baskets(history, future, *split(history, seed), days if kind.has_days else None)


@dataclass(frozen=True, slots=True)
class _Shop:
    taste: NDArray[np.float64]  # habits x items: how the mass of purchases lies, summed up
    companion: NDArray[np.int64]  # the item that often goes with each
    season: NDArray[np.float64]  # the day of the year on which an item is bought most; below 0: all year
    pace: NDArray[np.float64]  # typical baskets between two purchases of a staple

    @classmethod
    def of(cls, kind: Kind, chance: np.random.Generator) -> "_Shop":
        popular = 1.0 / np.arange(1, kind.items + 1) ** 0.75
        taste = popular * chance.gamma(0.25, 4.0, (kind.habits, kind.items))
        season = np.where(chance.random(kind.items) < 0.15, chance.random(kind.items) * _YEAR_DAYS, -1.0)
        return cls(
            np.cumsum(taste / taste.sum(axis=1, keepdims=True), axis=1),
            chance.integers(kind.items, size=kind.items),
            season,
            chance.lognormal(1.0, 0.6, kind.items),
        )

    def draw(self, habit: int, day: float, chance: np.random.Generator) -> int:
        """An item of the habit's taste that is in season."""
        while True:
            item = min(int(np.searchsorted(self.taste[habit], chance.random())), len(self.season) - 1)
            best = self.season[item]
            away = min((day - best) % _YEAR_DAYS, (best - day) % _YEAR_DAYS)
            if best < 0 or chance.random() < np.exp(-((away / 45.0) ** 2)):
                return item


def _shopper(kind: Kind, shop: _Shop, chance: np.random.Generator) -> tuple[list[list[int]], list[int]]:
    mixed = chance.choice(kind.habits, 2, replace=False)
    share = chance.beta(4.0, 1.0)

    def habit() -> int:
        return int(mixed[0] if chance.random() < share else mixed[1])

    count = 3 + chance.geometric(1.0 / max(kind.baskets - 2.0, 1.0)) - 1
    count = min(count, int(5 * kind.baskets))
    gap_days, day = kind.gap_days * chance.lognormal(0.0, 0.4), chance.random() * 100.0
    staples = {shop.draw(habit(), day, chance): 0.0 for _ in range(kind.staples)}
    own = {item: shop.pace[item] * chance.lognormal(0.0, 0.3) for item in staples}
    found, on = [], []
    for at in range(count):
        basket: dict[int, None] = {}
        size = max(1, int(chance.poisson(kind.size)))
        for item in list(staples):
            if chance.random() < kind.drift:
                del staples[item]
                fresh = shop.draw(habit(), day, chance)
                staples[fresh], own[fresh] = float(at), shop.pace[fresh] * chance.lognormal(0.0, 0.3)
        due = sorted(staples, key=lambda item: (at - staples[item]) / own[item] * chance.lognormal(0.0, 0.5))
        for item in reversed(due[len(due) - min(len(due), int(chance.binomial(size, kind.again))) :]):
            basket[item] = None
        while len(basket) < size:
            item = shop.draw(habit(), day, chance)
            basket[item] = None
            if chance.random() < 0.3:
                basket[int(shop.companion[item])] = None
        for item in basket:
            if item in staples:
                staples[item] = float(at)
        found.append(list(basket))
        on.append(int(day))
        day += max(1.0, gap_days * chance.gamma(4.0, 0.25))
    return found, on


def main() -> int:
    """Writes the file; exit 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suggestions_made", description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    write(arguments.out, baskets(KINDS[arguments.kind], arguments.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
