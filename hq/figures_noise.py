"""Draws the noise of figures: OpenDP's discrete Laplace mechanism, and what it costs.

I/O: opendp (the system's random generator); its only importer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Not opendp.prelude, which brings scikit-learn and scipy along where they are: two seconds of each program's start.
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_laplace
from opendp.metrics import l1_distance
from opendp.mod import enable_features

MICRO = 1_000_000
# What one day of one member changes. They stand in one row of a table: in its whole, and in one outcome of it.
SENSITIVITY = 2
# A member counts by the first thing of a span. Where that day is missing it is a later day's: another row, maybe.
SENSITIVITY_SPLIT = 4

enable_features("contrib")


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of one table: its scale, and the epsilon that a table costs, both in millionths."""

    scale_micro: int
    cost_micro: int


def noise(epsilon_micro: int, sensitivity: int = SENSITIVITY) -> Noise:
    """The noise that costs at most this epsilon for each table. `sensitivity`: by how much its counts change in all."""
    scale_micro = -(-sensitivity * MICRO * MICRO // epsilon_micro)
    cost = _mechanism(scale_micro).map(sensitivity)
    # Rounded up: what is booked is never less than what was spent.
    return Noise(scale_micro, max(epsilon_micro, -int(-cost * MICRO // 1)))


def draw(counts: Sequence[int], wanted: Noise) -> list[int]:
    """The counts of one table with noise, not below 0: what was drawn below is told as 0."""
    if not counts:
        return []
    return [max(0, one) for one in _mechanism(wanted.scale_micro)(list(counts))]


def _mechanism(scale_micro: int) -> Any:
    return make_laplace(vector_domain(atom_domain(T=int)), l1_distance(T=int), scale=scale_micro / MICRO)
