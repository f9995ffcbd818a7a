"""How good lists of suggestions are: recall, nDCG, share of shoppers with a hit; differences with their intervals.

nDCG's ideal runs over all true items, so a list of ten is not perfect where twelve were bought. PHR is the share of
shoppers of whose future basket at least one item was suggested.

Pure: no I/O, no clock.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST: Final = 20
AT: Final = (10, MOST)
NAMES: Final = tuple(f"{name}@{most}" for most in AT for name in ("Recall", "nDCG", "PHR"))
RESAMPLES: Final = 2_000
Tops = Mapping[str, Sequence[str]]  # shopper to items, best first


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of each shopper for each of NAMES, shoppers in one order."""

    each: Mapping[str, NDArray[np.float64]]

    def means(self) -> dict[str, float]:
        """Over all shoppers."""
        return {name: float(figures.mean()) for name, figures in self.each.items()}


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference of means, and where 95 of 100 resamples of the shoppers put it."""

    difference: float
    low: float
    high: float


def measured(tops: Tops, true: Mapping[str, Sequence[str]], shoppers: Sequence[str]) -> Measured:
    """What `tops` suggests to the shoppers, against what they bought. No list: nothing was suggested."""
    rows = [_of_one(tops.get(shopper, ()), frozenset(true[shopper])) for shopper in shoppers]
    return Measured(dict(zip(NAMES, np.array(rows, dtype=np.float64).reshape(-1, len(NAMES)).T, strict=True)))


def _of_one(top: Sequence[str], true: frozenset[str]) -> list[float]:
    ideal = sum(1.0 / math.log2(at + 2) for at in range(len(true)))
    found: list[float] = []
    for most in AT:
        places = [at for at, item in enumerate(dict.fromkeys(top[:most])) if item in true]
        gained = sum(1.0 / math.log2(at + 2) for at in places)
        found += [len(places) / len(true), gained / ideal, float(bool(places))]
    return found


def differences(ours: Measured, theirs: Measured, seed: int, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Ours minus theirs: both are drawn with the same shoppers, with replacement (paired bootstrap, percentiles)."""
    names = list(ours.each)
    apart = np.stack([ours.each[name] - theirs.each[name] for name in names])
    shoppers, chance = apart.shape[1], np.random.default_rng(seed)
    drawn = np.empty((resamples, len(names)))
    for at in range(resamples):
        times = np.bincount(chance.integers(shoppers, size=shoppers), minlength=shoppers)
        drawn[at] = apart @ times / shoppers
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    means = apart.mean(axis=1)
    return {
        name: Interval(float(mean), float(least), float(most))
        for name, mean, least, most in zip(names, means, low, high, strict=True)
    }
