"""Says of each item whether it may be suggested to this member at all, and by which rule; before any relevance.

The one place where it is decided. What is not known is not suggested. What a flag guards, and what the member muted,
is no signal either: `clean` takes it out of what is ranked by, so that nothing can follow from it.

Pure: no I/O, no clock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from consent.suggest.memory import NOTHING, by_category, is_declined, is_resting
from consent.suggest.shelf import Shelf, Sort
from consent.suggest.signals import Behaviour, Bought
from wire.flags import ADULT, NEVER, ONLY_IF_BOUGHT, category
from wire.suggestions import Memory, SuggestionPolicy


class GuardRule(StrEnum):
    """What decided about an item."""

    FREE = "free"  # nothing speaks against it
    UNKNOWN_ITEM = "unknown-item"  # no catalog knows it
    NEVER = "never"
    SPECIAL = "special"  # a special category that the member did not grant for this
    ADULT = "adult"  # the member is younger, or their age is not known
    MUTED_ITEM = "muted-item"
    MUTED_CATEGORY = "muted-category"
    MUTED_THEME = "muted-theme"
    ONLY_IF_BOUGHT = "only-if-bought"  # and it was not bought on two occasions
    RETURNED = "returned"  # as often as it was kept
    DECLINED = "declined"
    IGNORED = "ignored"  # shown too often without a word
    NO_HABIT = "no-habit"  # bought, and so nothing new, but not on two occasions lately


class Muting(StrEnum):
    """What a mute is about; by value `wire.items.MuteKind`."""

    ITEM = "item"
    CATEGORY = "category"
    THEME = "theme"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of an item. `by`: the category, theme or special category that decided; None: the item."""

    rule: GuardRule
    by: str | None = None

    @property
    def is_free(self) -> bool:
        """Whether it may be suggested."""
        return self.rule is GuardRule.FREE


@dataclass(frozen=True, slots=True, repr=False)
class Terms:
    """On what terms this member gets suggestions, beside what they did.

    mutes: what and its id, `what` by value a `Muting`. age_at_least: years, 0: not known. specials: special categories
    that they granted explicitly. showing: items that stand already on the card of this visit. zone and stage: where
    they are and how far, None: not known.
    """

    mutes: frozenset[tuple[str, str]] = frozenset()
    age_at_least: int = 0
    specials: frozenset[str] = frozenset()
    memory: Memory = NOTHING
    showing: frozenset[str] = frozenset()
    zone: str | None = None
    stage: str | None = None


_FREE = Verdict(GuardRule.FREE)
_NO_HABIT = Verdict(GuardRule.NO_HABIT)
_NONE: frozenset[str] = frozenset()


class Guard:
    """See the module: one for each request. Nothing that was changed after it was made is seen."""

    def __init__(self, behaviour: Behaviour, terms: Terms, shelf: Shelf, policy: SuggestionPolicy) -> None:
        self._behaviour, self._terms, self._shelf, self._policy = behaviour, terms, shelf, policy
        self._specials = frozenset(category(one) for one in terms.specials)
        self._remembered = {one.item: one for one in terms.memory.items}
        self._items, self._categories, self._themes = (
            frozenset([name for kind, name in terms.mutes if kind == what]) if terms.mutes else _NONE
            for what in (Muting.ITEM, Muting.CATEGORY, Muting.THEME)
        )
        self._signals: dict[str, bool] = {}
        self._days, self._back = _owned(behaviour.bought)
        now_day = behaviour.now_day
        self._since = None if now_day is None else now_day - policy.habit_days
        self._least = policy.habit_baskets
        self._mutes_sorts = bool(self._categories or self._themes)
        self._noted = self._remembered.keys() | self._items
        self._silent_ones: frozenset[str] | None = None

    def allows(self, item: str) -> bool:
        """Whether `judge` says that the item is free."""
        return self.judge(item) is _FREE

    def judge(self, item: str) -> Verdict:
        """The first rule that speaks against the item; `FREE`: none does."""
        verdict = self.harmless(item)
        return _NO_HABIT if verdict is _FREE and self._is_no_habit(item) else verdict

    def is_open(self, item: str) -> bool:
        """Whether no flag guards the item, and `judge` says that it is free."""
        days = self._days.get(item)
        if days and (len(days) < self._least or not self._is_habit(days)):
            return False  # as most of a history, whatever the shelf says of it
        sort = self._shelf.sort(item)
        if sort is None or sort.flags:
            return False
        if self._mutes_sorts and self._muted_sort(sort) is not None:
            return False
        return (days is None and item not in self._noted) or self._of_item(item, sort) is _FREE

    def told(self, item: str) -> Verdict:
        """As `judge`, for who explains it: by what follows from no mute, age or special grant, where that says no.

        So a mute changes nothing of what is told of an item that is not suggested anyway. Of a no in the store after
        what follows from purchases, so that who may see these alone is told the same with and without it.
        """
        sort = self._shelf.sort(item)
        if sort is None or NEVER in sort.flags:
            return self.judge(item)
        verdict = self._of_purchases(item, sort)
        if verdict is _FREE and self._is_no_habit(item):
            verdict = _NO_HABIT
        if verdict is _FREE:
            verdict = self._of_memory(item)
        return self.judge(item) if verdict is _FREE else verdict

    def is_guarded(self, item: str) -> bool:
        """Whether a flag guards the item, or nobody knows it."""
        sort = self._shelf.sort(item)
        return sort is None or bool(sort.flags)

    def harmless(self, item: str) -> Verdict:
        """As `judge`, without asking whether purchases are a habit: whether it does no harm to be shown at all."""
        sort = self._shelf.sort(item)
        if sort is None:
            return Verdict(GuardRule.UNKNOWN_ITEM)
        verdict = self._of_sort(sort)
        return self._of_item(item, sort) if verdict is _FREE else verdict

    def clean(self) -> Behaviour:
        """What the member did, without anything that a flag guards, that is muted, or that no catalog knows."""
        return self._without(self._silent())

    def owning(self, items: frozenset[str]) -> Behaviour:
        """The same with the purchases of these guarded items, which then speak for themselves and for nothing else."""
        return self._without(self._silent() - items)

    def own(self) -> frozenset[str]:
        """Items that a flag guards, that were bought, and that may be suggested: on their own account alone."""
        found = [one for one in self._silent() if self._is_habit(self._days.get(one))]  # the others are not free
        return frozenset([one for one in found if self._speaks_for_itself(one) and self.judge(one) is _FREE])

    def is_signal(self, item: str) -> bool:
        """Whether anything may follow from what was done with the item: no flag guards it, and it is not muted."""
        found = self._signals.get(item)
        if found is None:
            sort = self._shelf.sort(item)
            is_muted = item in self._items
            found = sort is not None and not sort.flags and not is_muted and self._muted_sort(sort) is None
            self._signals[item] = found
        return found

    def _silent(self) -> frozenset[str]:
        """What they bought, put into the basket or wished for that is no signal."""
        found = self._silent_ones
        if found is None:
            did, sort_of = self._behaviour, self._shelf.sort
            done = self._days.keys() | {*did.basket, *did.wishlist}
            silent = [item for item in done if (sort := sort_of(item)) is None or sort.flags]
            if self._items or self._mutes_sorts:
                silent = [item for item in done if not self.is_signal(item)]
            found = self._silent_ones = frozenset(silent)
        return found

    def _without(self, purchases: frozenset[str]) -> Behaviour:
        """What they did without these purchases, and with nothing else that is no signal."""
        did, silent = self._behaviour, self._silent()
        return Behaviour(
            bought=tuple([one for one in did.bought if one.item not in purchases]) if purchases else did.bought,
            basket=tuple([one for one in did.basket if one not in silent]),
            wishlist=tuple([one for one in did.wishlist if one not in silent]),
            now_day=did.now_day,
            tallies=by_category(self._terms.memory, self._shelf),
            journey=did.journey,
        )

    def _speaks_for_itself(self, item: str) -> bool:
        sort = self._shelf.sort(item)
        return sort is not None and bool(sort.flags) and not sort.specials

    def _of_sort(self, sort: Sort) -> Verdict:
        """What holds of every item of a sort."""
        if not sort.flags:
            return self._muted_sort(sort) or _FREE
        if NEVER in sort.flags:
            return Verdict(GuardRule.NEVER)
        for special in sorted(sort.specials):
            if special not in self._specials:
                return Verdict(GuardRule.SPECIAL, special)
        if ADULT in sort.flags and self._terms.age_at_least < self._policy.adult_age:
            return Verdict(GuardRule.ADULT)
        return self._muted_sort(sort) or _FREE

    def _muted_sort(self, sort: Sort) -> Verdict | None:
        categories, themes = self._categories, self._themes
        if categories and not categories.isdisjoint(sort.path):
            return Verdict(GuardRule.MUTED_CATEGORY, next(name for name in sort.path if name in categories))
        if themes and not themes.isdisjoint(sort.themes):
            return Verdict(GuardRule.MUTED_THEME, next(name for name in sort.themes if name in themes))
        return None

    def _of_item(self, item: str, sort: Sort) -> Verdict:
        """What holds of this one item, of a sort that is free."""
        if item in self._items:
            return Verdict(GuardRule.MUTED_ITEM)
        verdict = self._of_purchases(item, sort)
        return self._of_memory(item) if verdict is _FREE else verdict

    def _of_purchases(self, item: str, sort: Sort) -> Verdict:
        days = self._days_of(item, sort)
        if ONLY_IF_BOUGHT in sort.flags and not self._is_habit(days):
            return Verdict(GuardRule.ONLY_IF_BOUGHT)
        if days is not None and (back := self._back.get(item)) and back >= self._occasions(days):
            return Verdict(GuardRule.RETURNED)
        return _FREE

    def _of_memory(self, item: str) -> Verdict:
        remembered = self._remembered.get(item)
        if remembered is not None:
            day = self._behaviour.now_day
            if is_declined(remembered, day, self._policy):
                return Verdict(GuardRule.DECLINED)
            if is_resting(remembered, day, self._policy, showing=item in self._terms.showing):
                return Verdict(GuardRule.IGNORED)
        return _FREE

    def _days_of(self, item: str, sort: Sort) -> list[int] | None:
        """When they bought what they kept of an item; None: never, or it is of a special category: nothing follows."""
        return None if sort.flags and sort.specials else self._days.get(item)

    def _is_no_habit(self, item: str) -> bool:
        """Whether something of it was bought and kept, yet not as a habit."""
        sort = self._shelf.sort(item)
        days = None if sort is None else self._days_of(item, sort)
        return bool(days) and not self._is_habit(days)

    def _is_habit(self, days: list[int] | None) -> bool:
        return days is not None and len(days) >= self._least and self._occasions(days) >= self._least

    def _occasions(self, days: list[int]) -> int:
        """On how many days the item was bought and kept, not too long ago. Those of one occasion are of one day
        (`consent.occasions`), and several occasions of a day count as one.
        """
        since = self._since
        return len({*days}) if since is None else len({day for day in days if day > since})


def _owned(bought: Collection[Bought]) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Of each item that was bought or came back, the day of each purchase that was kept; and how often it came back."""
    days: dict[str, list[int]] = {}
    back: dict[str, int] = {}
    for item, day, _, quantity, returned, _ in bought:
        if returned or quantity <= 0:
            back[item] = back.get(item, 0) + 1
        elif item in days:
            days[item].append(day)
        else:
            days[item] = [day]
    if back:
        lines: dict[str, list[Bought]] = {item: [] for item in back}
        for one in bought:
            if one.item in lines:
                lines[one.item].append(one)
        days.update((item, _kept(of_it)) for item, of_it in lines.items())
    return days, back


def _kept(lines: list[Bought]) -> list[int]:
    """The day of each purchase of one item of which anything was kept.

    What came back never counts; the till's receipt of it takes off what was before.
    """
    kept: list[tuple[int, int]] = []
    for one in sorted(lines, key=lambda line: (line.day, line.basket, line.quantity <= 0)):
        if one.quantity > 0:
            if not one.returned:
                kept.append((one.day, one.quantity))
            continue
        off = max(1, -one.quantity)
        for at in range(len(kept) - 1, -1, -1):
            day, left = kept[at]
            kept[at] = day, max(0, left - off)
            off = max(0, off - left)
    return [day for day, left in kept if left > 0]
