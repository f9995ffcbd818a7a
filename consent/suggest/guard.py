"""Says of each item whether it may be suggested to this member at all, and by which rule; before any relevance.

The one place where it is decided. What is not known is not suggested. What a flag guards, and what the member muted,
is no signal either: `clean` takes it out of what is ranked by, so that nothing can follow from it.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
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


class _Own:
    """The purchases of one item: day of each and what is left of its quantity, and how often it was returned."""

    __slots__ = ("kept", "returned")

    def __init__(self) -> None:
        self.kept: list[tuple[int, int]] = []
        self.returned = 0


class Guard:
    """See the module: one for each request. Nothing that was changed after it was made is seen."""

    def __init__(self, behaviour: Behaviour, terms: Terms, shelf: Shelf, policy: SuggestionPolicy) -> None:
        self._behaviour, self._terms, self._shelf, self._policy = behaviour, terms, shelf, policy
        self._specials = frozenset(category(one) for one in terms.specials)
        self._remembered = {one.item: one for one in terms.memory.items}
        self._items, self._categories, self._themes = (
            frozenset(name for kind, name in terms.mutes if kind == what)
            for what in (Muting.ITEM, Muting.CATEGORY, Muting.THEME)
        )
        self._sorts: dict[int, Verdict] = {}  # by identity: a shelf has each sort once, and hashing one takes long
        self._signals: dict[str, bool] = {}
        self._judged: dict[str, Verdict] = {}  # of the noted
        self._own = _owned(behaviour.bought)
        # Items of which more is known than their sort: most have none, and are judged by it alone.
        self._noted = self._own.keys() | self._remembered.keys() | self._items

    def allows(self, item: str) -> bool:
        """Whether `judge` says that the item is free."""
        return self.judge(item) is _FREE

    def judge(self, item: str) -> Verdict:
        """The first rule that speaks against the item; `FREE`: none does."""
        verdict = self._judged.get(item)
        if verdict is None:
            verdict = self.harmless(item)
            if verdict is _FREE and self._is_no_habit(item):
                verdict = _NO_HABIT
            if item in self._noted:
                self._judged[item] = verdict
        return verdict

    def is_open(self, item: str) -> bool:
        """Whether no flag guards the item, and `judge` says that it is free."""
        sort = self._shelf.sort(item)
        if sort is None or sort.flags:
            return False
        if item in self._noted:
            own = self._own.get(item)
            if own is not None and not own.returned and len(own.kept) < self._policy.habit_baskets:
                return False  # whatever else: it is no habit, as most of a history
            return self.judge(item) is _FREE
        return not (self._categories or self._themes) or self._muted_sort(sort) is None

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
        verdict = self._of_its_sort(sort)
        if verdict is not _FREE or not (sort.flags or item in self._noted):
            return verdict
        return self._of_item(item, sort)

    def clean(self) -> Behaviour:
        """What the member did, without anything that a flag guards, that is muted, or that no catalog knows."""
        return self._behaving(self.is_signal, self.is_signal)

    def owning(self, items: frozenset[str]) -> Behaviour:
        """The same with the purchases of these guarded items, which then speak for themselves and for nothing else."""
        return self._behaving(lambda item: item in items or self.is_signal(item), self.is_signal)

    def own(self) -> frozenset[str]:
        """Items that a flag guards, that were bought, and that may be suggested: on their own account alone."""
        return frozenset(item for item in self._own if self._speaks_for_itself(item) and self.judge(item).is_free)

    def _behaving(self, is_bought: Callable[[str], bool], is_signal: Callable[[str], bool]) -> Behaviour:
        did = self._behaviour
        return replace(
            did,
            bought=tuple(one for one in did.bought if is_bought(one.item)),
            basket=tuple(one for one in did.basket if is_signal(one)),
            wishlist=tuple(one for one in did.wishlist if is_signal(one)),
            tallies=by_category(self._terms.memory, self._shelf),
        )

    def is_signal(self, item: str) -> bool:
        """Whether anything may follow from what was done with the item: no flag guards it, and it is not muted."""
        found = self._signals.get(item)
        if found is None:
            sort = self._shelf.sort(item)
            is_muted = item in self._items
            found = sort is not None and not sort.flags and not is_muted and self._muted_sort(sort) is None
            self._signals[item] = found
        return found

    def _speaks_for_itself(self, item: str) -> bool:
        sort = self._shelf.sort(item)
        return sort is not None and bool(sort.flags) and not sort.specials

    def _of_its_sort(self, sort: Sort) -> Verdict:
        verdict = self._sorts.get(id(sort))
        if verdict is None:
            verdict = self._sorts[id(sort)] = self._of_sort(sort)
        return verdict

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
        own = self._own_of(item)
        if ONLY_IF_BOUGHT in sort.flags and not self._is_habit(own):
            return Verdict(GuardRule.ONLY_IF_BOUGHT)
        if own is not None and own.returned and own.returned >= self._occasions(own):
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

    def _own_of(self, item: str) -> _Own | None:
        """What they bought of an item; None: nothing, or it is of a special category, of which nothing follows."""
        own = self._own.get(item)
        sort = self._shelf.sort(item) if own is not None else None
        return None if sort is None or sort.specials else own

    def _is_no_habit(self, item: str) -> bool:
        """Whether something of it was bought and kept, yet not as a habit."""
        own = self._own_of(item)
        return own is not None and any(left > 0 for _, left in own.kept) and not self._is_habit(own)

    def _is_habit(self, own: _Own | None) -> bool:
        least = self._policy.habit_baskets
        return own is not None and len(own.kept) >= least and self._occasions(own) >= least

    def _occasions(self, own: _Own) -> int:
        """On how many days the item was bought and kept, not too long ago. Several baskets of a day are one visit."""
        now_day = self._behaviour.now_day
        since = now_day - self._policy.habit_days if now_day is not None else None
        return len({day for day, left in own.kept if left > 0 and (since is None or day > since)})


def _owned(bought: Collection[Bought]) -> dict[str, _Own]:
    """What was kept of each item. What came back never counts; the till's receipt of it takes off what was before."""
    found: dict[str, _Own] = {}
    for one in _ordered(bought):
        own = found.get(one.item)
        if own is None:
            own = found[one.item] = _Own()
        if one.quantity > 0 and not one.returned:
            own.kept.append((one.day, one.quantity))
            continue
        own.returned += 1
        off = max(1, -one.quantity) if one.quantity <= 0 else 0
        for at in range(len(own.kept) - 1, -1, -1):
            day, left = own.kept[at]
            own.kept[at] = day, max(0, left - off)
            off = max(0, off - left)
    return found


def _ordered(bought: Collection[Bought]) -> Iterable[Bought]:
    """By time; as they are where nothing came back, since then no order matters."""
    if any(one.returned or one.quantity <= 0 for one in bought):
        return sorted(bought, key=lambda line: (line.day, line.basket, line.quantity <= 0))
    return bought
