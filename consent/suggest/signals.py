"""What the code that suggests is told of a member: item ids, times and counts, and nothing else.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import NamedTuple

from consent.suggest.journey import Journey


class Bought(NamedTuple):
    """One line of one basket. `day`: UTC days since 1970; lines with the same `basket` were bought together.

    A line that is `returned` with a quantity above 0 is itself what came back, and never counts as bought; with a
    quantity of 0 or less it is the till's receipt of something that came back, and takes away the newest line before.
    A tuple, since each request makes some hundred, and the constructor of a frozen dataclass takes five times as long.
    """

    item: str
    day: int
    basket: int
    quantity: int = 1
    returned: bool = False
    online: bool = False

    def __repr__(self) -> str:
        return "Bought(…)"


@dataclass(frozen=True, slots=True)
class Tally:
    """How often suggestions of a category were shown to the member, taken, and declined."""

    shown: int = 0
    taken: int = 0
    declined: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Behaviour:
    """What a member did and shares. `now_day` None: the day of the next basket is not known.

    `basket` is the online basket: it says what else may be wanted and is never suggested itself. `tallies`: by
    category, each once. `journey`: the same in time, for what may be concluded of it; None: nothing may.
    """

    bought: tuple[Bought, ...] = ()
    basket: tuple[str, ...] = ()
    wishlist: tuple[str, ...] = ()
    now_day: int | None = None
    tallies: tuple[tuple[str, Tally], ...] = ()
    journey: Journey | None = None

    def __repr__(self) -> str:
        return "Behaviour(…)"
