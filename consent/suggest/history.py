"""Folds the lines of a history into baskets, and the baskets into how often and how lately each item was bought.

Pure: no I/O, no clock.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

from consent.suggest.signals import Bought

MOST_BASKETS = 400  # the newest; more change no order and would cost time


@dataclass(frozen=True, slots=True, repr=False)
class Past:
    """The baskets that were kept, oldest first, each with its items once and its day, ascending; and what came back."""

    baskets: tuple[tuple[str, ...], ...]
    days: tuple[int, ...]
    came_back: Mapping[str, int]

    def __repr__(self) -> str:
        return f"Past({len(self.baskets)} baskets)"


class Own:
    """One item in a member's past: `times` baskets, the first and last of them by place and day, and decayed counts.

    `habit` decays within and between groups of baskets (Hu et al. 2020), `fast` and `slow` by baskets,
    `fading` by days. Made by `weigh`, and changed by nobody after it.
    """

    __slots__ = ("fading", "fast", "first", "first_day", "habit", "last", "last_day", "slow", "times")

    def __init__(self, place: int, day: int, habit: float, fast: float, slow: float, fading: float) -> None:
        self.times = 1
        self.first = self.last = place
        self.first_day = self.last_day = day
        self.habit, self.fast, self.slow, self.fading = habit, fast, slow, fading

    def copy(self) -> "Own":
        """The same, of an item that was bought once."""
        return Own(self.first, self.first_day, self.habit, self.fast, self.slow, self.fading)

    def __repr__(self) -> str:
        return "Own(…)"


@dataclass(frozen=True, slots=True)
class Decay:
    """How a past fades: in `groups` of baskets, by `within` a group and `between` groups; in half `half_days`."""

    groups: int = 7
    within: float = 0.9
    between: float = 0.7
    fast: float = 0.5
    slow: float = 0.9
    half_days: float = 45.0


def fold(bought: Collection[Bought]) -> Past:
    """The past that lines make, whatever their order."""
    days: dict[int, int] = {}
    baskets: dict[int, set[str]] = {}
    for item, day, basket, quantity, returned, _ in bought:
        if returned or quantity <= 0:
            return _folded_with_returns(bought)
        known = baskets.get(basket)
        if known is None:
            baskets[basket], days[basket] = {item}, day
            continue
        known.add(item)
        if day > days[basket]:
            days[basket] = day
    return _past(baskets, days, {})


def _past(baskets: Mapping[int, Collection[str]], days: Mapping[int, int], came_back: Mapping[str, int]) -> Past:
    order = sorted(baskets)[-MOST_BASKETS:]
    ascending = accumulate((days[one] for one in order), max)  # a clock at a till may have gone back
    return Past(tuple(tuple(sorted(baskets[one])) for one in order), tuple(ascending), came_back)


def _folded_with_returns(bought: Iterable[Bought]) -> Past:
    kept: dict[tuple[int, str], int] = {}
    newest: dict[str, list[int]] = {}
    days: dict[int, int] = {}
    came_back: Counter[str] = Counter()
    for line in sorted(bought, key=_order):
        if line.returned or line.quantity <= 0:
            came_back[line.item] += 1
            if line.quantity <= 0:
                _take_away(line, kept, newest)
            continue
        at = (line.basket, line.item)
        if at not in kept:
            kept[at] = 0
            newest.setdefault(line.item, []).append(line.basket)
        kept[at] += line.quantity
        days[line.basket] = max(days.get(line.basket, line.day), line.day)
    baskets: dict[int, list[str]] = {}
    for (basket, item), quantity in kept.items():
        if quantity > 0:
            baskets.setdefault(basket, []).append(item)
    return _past(baskets, days, came_back)


def _order(line: Bought) -> tuple[int, bool, str, int, int]:
    return line.basket, line.returned or line.quantity <= 0, line.item, line.day, line.quantity


def _take_away(line: Bought, kept: dict[tuple[int, str], int], newest: dict[str, list[int]]) -> None:
    left = max(1, -line.quantity)
    places = newest.get(line.item, [])
    while left and places:
        at = (places[-1], line.item)
        taken = min(left, kept[at])
        kept[at] -= taken
        left -= taken
        if kept[at]:
            break
        del kept[at]
        places.pop()


def weigh(past: Past, decay: Decay, now_day: int) -> dict[str, Own]:
    """What each item of the past amounts to. Items that were bought once, in the same basket, share one."""
    number = len(past.baskets)
    found: dict[str, Own] = {}
    for place, (basket, day, habit) in enumerate(zip(past.baskets, past.days, habits(number, decay), strict=True)):
        age = number - 1 - place
        fast, slow = decay.fast**age, decay.slow**age
        fading = 0.5 ** (max(0, now_day - day) / decay.half_days)
        once = Own(place, day, habit, fast, slow, fading)
        for item in basket:
            one = found.get(item)
            if one is None:
                found[item] = once
                continue
            if one.times == 1:
                one = found[item] = one.copy()
            one.times += 1
            one.last = place
            one.last_day = day
            one.habit += habit
            one.fast += fast
            one.slow += slow
            one.fading += fading
    return found


def habits(number: int, decay: Decay) -> list[float]:
    """The weight of each of `number` baskets: groups of about equal size, the newest group and basket weigh most."""
    groups = min(decay.groups, number)
    weights: list[float] = []
    for group in range(groups):
        size = number // groups + (group < number % groups)
        base = decay.between ** (groups - 1 - group) / (size * groups)
        weights += [base * decay.within ** (size - 1 - place) for place in range(size)]
    return weights


def usual_gap(days: tuple[int, ...]) -> float | None:
    """The median number of days between baskets of different days; None: fewer than two such."""
    different = sorted(set(days))
    gaps = sorted(later - earlier for earlier, later in pairwise(different))
    return float(gaps[len(gaps) // 2]) if gaps else None
