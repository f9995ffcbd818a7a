"""Rounds counts of people to tens, up or down by lot: two models, with somebody and without, differ by lot anyhow.

A count that one person changes by `change` at most comes out otherwise with a chance of `change / STEP` at most. The
lots are drawn from all purchases together: the same for the same purchases, and others as soon as one person leaves.

Pure: no I/O, no clock.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from hq.learning.purchases import History

STEP = 10

Floats = npt.NDArray[np.float64]


def drawn_from(histories: "Sequence[History]") -> int:
    """The number from which all lots of these histories come; who does not know all of them cannot tell it."""
    said = hashlib.sha256()
    for one in histories:
        said.update(repr((one.baskets, one.days)).encode())
    return int.from_bytes(said.digest()[:16], "big")


def rounded(values: Floats, seed: int, *what: int) -> Floats:
    """To multiples of `STEP`, in the mean what they were. `what`: numbers for each kind of count."""
    lots = np.random.default_rng([seed, *what]).random(values.shape)
    found: Floats = STEP * np.floor(values / STEP + lots)
    return found


def below(counts: Floats, seed: int, *what: int) -> Floats:
    """To multiples of `STEP` that are no more than the count; in the mean `STEP - 1` less."""
    return rounded(np.maximum(0.0, counts - (STEP - 1)), seed, *what)


def pairs_below(row: Floats, place: int, step: int, seed: int) -> Floats:
    """`below` for what `place` has in common with each other one, by `step`; the same for a pair from either side."""
    others = np.arange(len(row), dtype=np.uint64)
    mixed = np.minimum(others, place) * np.uint64(0x9E3779B97F4A7C15) + np.maximum(others, place)
    mixed = (mixed ^ np.uint64(seed & 0xFFFF_FFFF_FFFF_FFFF)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    lots = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    found: Floats = step * np.floor(np.maximum(0.0, row - (step - 1)) / step + lots)
    return found
