"""What a member did and shares, in time: the events from which a stage and a cohort are concluded, and nothing else.

Pure: no I/O, no clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

STAGE: Final = "stage"  # what may be concluded, by the scopes and rules of these names
COHORT: Final = "cohort"
HOUR_S = 3_600
DAY_S = 24 * HOUR_S


class Act(StrEnum):
    """What was done."""

    BASKET = "basket"  # put into the online basket
    WISHLIST = "wishlist"  # put on the wish list
    BOUGHT = "bought"  # and kept
    RETURNED = "returned"
    SERVICE = "service"  # a service case was opened, and is open


class Event(NamedTuple):
    """One thing that was done. `item` None: of a service case, which names none. `at_s`: Unix seconds UTC, None: not
    known. `quantity`: of the item; of service cases how many there are. A tuple, as `signals.Bought`.
    """

    act: Act
    item: str | None
    at_s: int | None
    quantity: int = 1

    def __repr__(self) -> str:
        return "Event(…)"


@dataclass(frozen=True, slots=True, repr=False)
class Journey:
    """What was done until `now_s`, in any order. `calls`: they ask for help on this visit, now.

    `concludes`: which of `STAGE` and `COHORT` may be concluded from it.

    What has no time, or lies in the future, says nothing: `within` leaves it out.
    """

    events: tuple[Event, ...]
    now_s: int
    calls: bool = False
    concludes: frozenset[str] = frozenset((STAGE, COHORT))

    def __repr__(self) -> str:
        return f"Journey({len(self.events)} events)"

    def within(self, act: Act, length_s: int) -> list[tuple[int, Event]]:
        """The events of one kind of the last `length_s` seconds, each with its time."""
        since_s, now_s = self.now_s - length_s, self.now_s
        return [
            (at_s, one)
            for one in self.events
            if one.act is act and (at_s := one.at_s) is not None and since_s < at_s <= now_s
        ]

    def only(self, is_signal: Callable[[str], bool]) -> "Journey":
        """The same without the events of items of which nothing may follow."""
        items = {one.item for one in self.events}
        silent = {item for item in items if item is not None and not is_signal(item)}
        left = [one for one in self.events if one.item not in silent] if silent else self.events
        return replace(self, events=tuple(left))
