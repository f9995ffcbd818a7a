"""Tells an operator which rule decided about a suggestion, as a look of the role in which they ask: recorded before.

Catalog and policy are told to whoever may be shown suggestions. What follows from purchases is told only where the
role may see these purchases themselves, and what was said of the item in this store only where it may see all that the
item can have been suggested from. What the member said of themselves, by a mute, a special grant or their age, is told
to nobody: it looks like any other item that was not chosen, and changes nothing of what the other rules say.

I/O: the cache, through the replica.
"""

from collections.abc import Callable
from typing import Protocol

from consent import offered
from consent.decide import Allow, decide, presence
from consent.grants import PRESENCE, SUGGEST
from consent.suggest.choose import Told
from consent.suggest.guard import GuardRule
from consent.suggest.journey import STAGE
from consent.suggest.shelf import Shelf
from consent.verdict import Ground, Rule
from consent.visit import Denied, Visit
from store_gateway.doors import DARK
from store_gateway.errors import CacheError
from wire import query
from wire.explained import Explain, Explained
from wire.member import Member
from wire.policy import Policy
from wire.suggested import SuggestedPlace
from wire.sync import Disclosure, EventKind, ReasonCode

OPERATOR = "operator"  # who looked, and where, in the record: no associate, no tablet
CHOSEN, NOT_CHOSEN, SWITCHED_OFF = "chosen", "not-chosen", "switched-off"
_OF_THE_ITEM = frozenset({GuardRule.UNKNOWN_ITEM, GuardRule.NEVER})
_OF_THE_STORE = frozenset({GuardRule.DECLINED, GuardRule.IGNORED})
_OF_PURCHASES = frozenset({GuardRule.ONLY_IF_BOUGHT, GuardRule.RETURNED, GuardRule.NO_HABIT})
_PURCHASES = (offered.HISTORY_STORE, offered.HISTORY_ONLINE, offered.RETURNS)


class Visits(Protocol):
    """What is needed of who is present."""

    def find(self, handle: bytes) -> bytes | None: ...
    def visit(self, pseudonym: bytes) -> Visit | None: ...


class Keeper(Protocol):
    """What is needed of the replica."""

    def live(self, now_mono_s: float) -> bool: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def policy(self) -> Policy | None: ...
    def record(self, now_mono_s: float, *entries: tuple[EventKind, bytes | None, object]) -> int: ...


class Offering(Protocol):
    """What is needed of who suggests."""

    def explain(self, pseudonym: bytes, visit: Visit, role: str, item: str, now_ms: int) -> Told | None: ...


class Explaining:
    """See the module. `record`: a member's record, and what was denied in the store. `shelf`: what is on sale."""

    def __init__(
        self,
        keeper: Keeper,
        visits: Visits,
        record: Callable[[bytes], tuple[Member | None, Denied]],
        offers: Offering,
        shelf: Callable[[], Shelf],
    ) -> None:
        self._keeper, self._visits, self._record, self._offers, self._shelf = keeper, visits, record, offers, shelf

    def answer(self, asked: Explain, now_mono_s: float) -> query.Reply:
        """The answer to an operator; a visit that may not be shown is answered as one that never was."""
        now_ms = self._keeper.trusted_ms(now_mono_s) if self._keeper.live(now_mono_s) else None
        policy = self._keeper.policy()
        if now_ms is None or policy is None:
            return DARK
        pseudonym = self._visits.find(asked.handle)
        visit = self._visits.visit(pseudonym) if pseudonym is not None else None
        if pseudonym is None or visit is None:
            return query.Withheld()
        member, denied = self._record(pseudonym)
        told = self._offers.explain(pseudonym, visit, asked.role, asked.item, now_ms)
        try:
            if member is None or told is None:
                rule = (
                    Rule.NOT_GRANTED if member is None else _refusal(member, denied, asked.role, visit, policy, now_ms)
                )
                self._note(asked, pseudonym, visit, rule.value, now_mono_s, shown=False)
                return query.Withheld()
            self._note(asked, pseudonym, visit, Ground.GRANT.value, now_mono_s, shown=True)
        except CacheError:
            return DARK
        return self._told(asked, told, member, denied, visit, policy, now_ms)

    def _note(
        self, asked: Explain, pseudonym: bytes, visit: Visit, rule: str, now_mono_s: float, *, shown: bool
    ) -> None:
        """Raises: CacheError; then nothing is told."""
        body = Disclosure(
            visit=visit.handle,
            associate=OPERATOR,
            role=asked.role,
            tablet=OPERATOR,
            scopes=(offered.SCOPE,) if shown else (),
            purposes=(PRESENCE, SUGGEST) if shown else (),
            rule=rule,
            reason=(ReasonCode.HELP if visit.help else ReasonCode.OPEN) if shown else None,
            shown=shown,
            roster=False,
        )
        self._keeper.record(now_mono_s, (EventKind.DISCLOSURE, pseudonym, body))

    def _told(
        self, asked: Explain, told: Told, member: Member, denied: Denied, visit: Visit, policy: Policy, now_ms: int
    ) -> Explained:
        sort = self._shelf().sort(asked.item)
        flags = () if sort is None else tuple(sorted(sort.flags))
        rule = told.verdict.rule
        if told.is_chosen and told.place is not None:
            return Explained(CHOSEN, flags, SuggestedPlace(told.place.value), told.position)
        if rule in _OF_THE_ITEM:
            return Explained(rule.value, flags)

        def sees(scope: str) -> bool:
            return isinstance(decide(member, denied, scope, asked.role, visit, policy, now_ms // 1000), Allow)

        if rule in _OF_THE_STORE and all(sees(scope) for scope in offered.SOURCES if _was_let(member, scope)):
            return Explained(rule.value, flags)
        # As `decide` has it for a card: what is used for suggestions is not shown by that.
        used = offered.sources(member, denied, asked.role, visit, policy, now_ms // 1000) or frozenset()
        if all(sees(scope) for scope in _PURCHASES if scope in used):
            if rule in _OF_PURCHASES:
                return Explained(rule.value, flags)
            if told.off == STAGE:
                return Explained(STAGE, flags)
            if told.off is not None:
                return Explained(SWITCHED_OFF, flags, off=told.off)
        return Explained(NOT_CHOSEN, flags)


def _was_let(member: Member, scope: str) -> bool:
    """Whether any choice, still in force or not, lets some role have suggestions made from a scope."""
    choices = [one.scopes for one in member.statements if one.purpose == SUGGEST]
    return any(scope in scopes or not scopes for scopes in choices)


def _refusal(member: Member, denied: Denied, role: str, visit: Visit, policy: Policy, now_ms: int) -> Rule:
    verdict = presence(member, denied, role, visit, policy, now_ms // 1000)
    return Rule.NOT_GRANTED if isinstance(verdict, Allow) else verdict.rule
