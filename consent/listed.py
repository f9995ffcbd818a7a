"""Says which entries of a list may stand on a card: none too old, none of a special category without its own grant.

Too old is what policy says; of a special category is what the catalog says. What may not stand there is left out
as if it had never been: a list of nothing else is no list.

Pure: no I/O, no clock.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from consent.decide import DAY_S, Verdicts
from consent.offered import rules
from consent.suggest.shelf import Sort
from consent.verdict import Allow, Ground
from wire.flags import category
from wire.member import Field, Item
from wire.policy import Policy, ScopeRule, Section

SortOf = Callable[[str], Sort | None]  # what the catalog says of an item; None: nothing


class Lists:
    """The lists of one member for one role at one moment. `now_s`: Unix seconds UTC of trusted time.

    `sort_of`: of what it says nothing is shown, since what was bought may be on sale no more. Nothing that was changed
    after it was made is seen.
    """

    __slots__ = ("_granted_for", "_now_s", "_policy", "_sort_of", "_verdicts")

    def __init__(self, verdicts: Verdicts, policy: Policy, now_s: int, sort_of: SortOf) -> None:
        self._verdicts, self._policy, self._now_s, self._sort_of = verdicts, policy, now_s, sort_of
        self._granted_for: dict[str, frozenset[str]] = {}  # by purpose

    def left(self, field: Field, rule: ScopeRule, allow: Allow) -> tuple[Field, Allow] | None:
        """The value with what may be shown of it, and what that rests on; None: nothing may. All but lists as it is.

        Of suggestions their guard has said already what tells of a special category (`consent.suggest.guard`).
        """
        if field.value.items is None:
            return field, allow
        kept = (one for one in field.value.items if not is_too_old(one.at_s, rule.retention_days, self._now_s))
        if rule.section is Section.SUGGESTIONS:
            items = tuple(kept)
        else:
            granted = self._granted(rule, allow)
            items = tuple(islice((one for one in kept if self._specials(one) <= granted), rule.most_items))
            if any(self._specials(one) for one in items):
                allow = replace(allow, rule=Ground.EXPLICIT_GRANT)
        return (replace(field, value=replace(field.value, items=items)), allow) if items else None

    def _specials(self, item: Item) -> frozenset[str]:
        sort = self._sort_of(item.item)
        return frozenset() if sort is None else sort.specials

    def _granted(self, rule: ScopeRule, allow: Allow) -> frozenset[str]:
        """The special categories that may be shown for the purpose of this list.

        Those of which policy names a special scope that the member lets us show for it, as the guard asks whether it
        may be used; and that of the list, where it is special itself.
        """
        granted = self._granted_for.get(allow.purpose)
        if granted is None:
            asked = rules(self._policy).specials
            granted = frozenset(category(one.category) for one in asked if self._shows(one.scope, allow.purpose))
            self._granted_for[allow.purpose] = granted
        return granted | {category(rule.special)} if allow.rule is Ground.EXPLICIT_GRANT else granted

    def _shows(self, scope: str, purpose: str) -> bool:
        verdict = self._verdicts.shown(scope)
        return isinstance(verdict, Allow) and verdict.rule is Ground.EXPLICIT_GRANT and verdict.purpose == purpose


def is_too_old(at_s: int | None, retention_days: int, now_s: int) -> bool:
    """Whether an entry by its own time is older than that. What has none is as old as its list."""
    return at_s is not None and now_s - at_s > retention_days * DAY_S
