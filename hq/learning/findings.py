"""What goes into learning and what comes out of it: histories of nobody in particular, tables, and how good they are.

Nothing heavy is imported here, so that whoever asks for learning need not load what learns.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]  # stage, how much of it is done, of how much
Told = tuple[tuple[int, tuple[str, ...]], ...]  # one person's baskets, oldest first: UTC day since 1970, item ids
Parts = Mapping[str, bytes]  # of a model, by name, as `wire.affinity` cuts it
EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What is to be learned. `before`: the model in force as it was before each one's last basket; None: there is none,
    and the new model is held against each one's own history alone.
    """

    histories: tuple[Told, ...]
    before: Parts | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """How two models fare with some of the people: recall at 10 of each one's last basket, of which neither knew.

    `new`, `old`: the means. `low`, `high`: where the difference new - old lies, by a paired bootstrap; the level is
    such that all groups together are right 95 times of 100.
    """

    name: str
    people: int
    new: float
    old: float
    low: float
    high: float

    @property
    def is_worse(self) -> bool:
        """Whether the new model is worse here, beyond what chance explains."""
        return self.high < 0.0


@dataclass(frozen=True, slots=True)
class Attack:
    """How well somebody who has the tables and a history tells whether it is in them (`hq.learning.membership`)."""

    auc: float
    advantage: float
    members: int
    others: int


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """What was learned. `parts` is what is published. `twin`: the same as it was before each one's last basket, kept to
    compare it with later models. `sizes`: people in each cluster. `attack` None: too few people to try it.
    """

    parts: dict[str, bytes]
    twin: dict[str, bytes]
    groups: tuple[Group, ...]
    sizes: tuple[int, ...]
    attack: Attack | None
