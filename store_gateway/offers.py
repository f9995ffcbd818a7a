"""Suggests to the members who are on a visit, and knows what was shown to each and what they made of it.

What is suggested is made when a card first holds it, from what the member grants to this role in this zone, and stays
as it is for the visit until the record, a mute, a grant, the catalog, the policy or the tables are others. The code
that suggests gets item ids, times and counts (`consent.offered`).

I/O: the cache, through the replica and the assortment.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from consent import offered
from consent.offered import NOTHING_OFFERED, Around, Offered
from consent.suggest import choose
from consent.suggest.choose import Told
from consent.suggest.guard import Guard
from consent.suggest.journey import COHORT, STAGE
from consent.suggest.memory import Came, after
from consent.suggest.model import Model
from consent.suggest.shelf import Shelf
from consent.visit import Denied, Visit
from store_gateway.assortment import Assortment
from store_gateway.memories import lets_tell
from store_gateway.shelf import Stamp
from store_gateway.tables import Tables
from wire.items import Response, SuggestionOutcome
from wire.member import Member
from wire.policy import Policy, Section
from wire.query import Card
from wire.suggested import Suggested, SuggestedKind, SuggestedPlace
from wire.suggestions import Memory

_DAY_S = 86_400
_CONCLUDED = frozenset((STAGE, COHORT))


class Keeper(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def memory(self, pseudonym: bytes) -> Memory: ...


class Records(Protocol):
    """What is needed of who knows the members on a visit."""

    def record(self, pseudonym: bytes) -> tuple[Member | None, Denied]: ...


@dataclass(frozen=True, slots=True, repr=False)
class _From:
    """What suggestions were made from: while none of it is another object they stay."""

    member: Member
    denied: Denied
    policy: Policy
    zone: str | None
    calls: bool  # whether they ask for help, where that may say how far they are
    sorts: Shelf
    catalog: Stamp
    model: Model | None

    def is_same(self, other: "_From") -> bool:
        mine, theirs = (self.member, self.denied, self.policy, self.sorts, self.model), (
            other.member, other.denied, other.policy, other.sorts, other.model
        )  # fmt: skip
        return (
            all(one is another for one, another in zip(mine, theirs, strict=True))
            and (self.zone, self.calls) == (other.zone, other.calls)
            and self.catalog == other.catalog
        )


class _Made:
    """What one role is shown, and what is looked at each second: `scopes` that it was made from, None: nothing may be
    shown; and `specials`, the special categories that were granted for it.
    """

    __slots__ = ("at_s", "of", "offered", "scopes", "specials")

    def __init__(
        self, of: _From, scopes: frozenset[str] | None, specials: frozenset[str], at_s: int, offered: Offered
    ) -> None:
        self.of = of
        self.scopes = scopes
        self.specials = specials
        self.at_s = at_s
        self.offered = offered

    def still(self, scopes: frozenset[str] | None, specials: frozenset[str], now_s: int) -> bool:
        """Whether it would be made of the same on the same day."""
        return (self.scopes, self.specials, self.at_s // _DAY_S) == (scopes, specials, now_s // _DAY_S)


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """How an item was shown first on a visit: what was recorded of it, to which role, and the visit as it was then."""

    outcome: SuggestionOutcome
    role: str
    visit: Visit


class _Visit:
    """One visit. `shown`: by item what was said of it; None: nothing yet. `first`: by item how it was shown first.

    memory: as it was when the visit's first suggestions were made; what happens since is in `shown`.
    """

    __slots__ = ("first", "made", "memory", "pseudonym", "shown")

    def __init__(self, pseudonym: bytes) -> None:
        self.pseudonym = pseudonym
        self.memory: Memory | None = None
        self.first: dict[str, Shown] = {}
        self.made: dict[str, _Made] = {}  # by role
        self.shown: dict[str, Response | None] = {}

    @property
    def answers(self) -> dict[str, Response]:
        return {item: answer for item, answer in self.shown.items() if answer is not None}


class Offers:
    """See the module."""

    def __init__(self, keeper: Keeper, records: Records, assortment: Assortment, tables: Tables) -> None:
        self._keeper = keeper
        self._records = records
        self._assortment = assortment
        self._tables = tables
        self._visits: dict[bytes, _Visit] = {}  # by handle

    # --- what is suggested -------------------------------------------------------------------------------------------

    def of(self, pseudonym: bytes, visit: Visit, role: str, policy: Policy, now_ms: int) -> Offered:
        """What is suggested to this member on a card for this role now."""
        member, denied = self._records.record(pseudonym)
        if member is None or not any(rule.section is Section.SUGGESTIONS for rule in policy.main.scopes):
            return NOTHING_OFFERED
        held = self._visits.get(visit.handle) or _Visit(pseudonym)
        made = self._made(held, member, denied, visit, role, policy, now_ms // 1000)
        if made.scopes is None and not _is_told(member, policy):
            return NOTHING_OFFERED  # nothing of who hides suggestions is kept, nor anything computed
        self._visits[visit.handle] = held
        return Offered(made.offered.entries, held.answers, made.offered.harmless)

    def _made(
        self, held: _Visit, member: Member, denied: Denied, visit: Visit, role: str, policy: Policy, now_s: int
    ) -> _Made:
        sorts, stamp, model = self._assortment.sorts, self._assortment.stamp, self._tables.model
        calls = visit.help and any(rule.id == STAGE for rule in policy.main.scopes)
        of = _From(member, denied, policy, visit.zone, calls, sorts, stamp, model)
        before = held.made.get(role)
        same = before is not None and before.of.is_same(of)
        if before is not None and same and before.at_s == now_s:
            return before
        scopes = self._sources(member, denied, role, visit, policy, now_s)
        specials = offered.specials(member, denied, role, visit, policy, now_s)
        if before is not None and same and before.still(scopes, specials, now_s):
            before.at_s = now_s
            return before
        around = self._around(held)
        found: Offered = NOTHING_OFFERED
        if scopes is not None:
            found = Offered(offered.make(member, denied, role, visit, policy, now_s, around, scopes))
        if _is_told(member, policy):
            guard = offered.guard(member, denied, role, visit, policy, now_s, around, scopes or frozenset())
            found = Offered(found.entries, {}, self._harmless(guard))
        made = held.made[role] = _Made(of, scopes, specials, now_s, found)
        return made

    def _harmless(self, guard: Guard) -> Callable[[str], bool]:
        """Asked anew of each item each time: a flag counts at once, also while the catalog is read anew."""
        return lambda item: guard.harmless(item).is_free and self._assortment.name(item) is not None

    def _sources(
        self, member: Member, denied: Denied, role: str, visit: Visit, policy: Policy, now_s: int
    ) -> frozenset[str] | None:
        """Nothing is concluded before the catalog is read that says what guards it: a conclusion names no item that
        could be taken from the card.
        """
        found = offered.sources(member, denied, role, visit, policy, now_s)
        return found if found is None or self._assortment.is_read else found - _CONCLUDED

    def _around(self, held: _Visit) -> Around:
        if held.memory is None:
            held.memory = self._keeper.memory(held.pseudonym)
        return Around(self._assortment.sorts, self._assortment.naming(), self._tables.model, held.memory)

    def explain(self, pseudonym: bytes, visit: Visit, role: str, item: str, now_ms: int) -> Told | None:
        """Which rule decides about one item for this member; None where nothing may be suggested to them for it."""
        policy = self._keeper.policy()
        member, denied = self._records.record(pseudonym)
        if policy is None or member is None:
            return None
        now_s = now_ms // 1000
        scopes = self._sources(member, denied, role, visit, policy, now_s)
        if scopes is None:
            return None
        held = self._visits.get(visit.handle) or _Visit(pseudonym)
        around = self._around(held)
        on_terms = offered.terms(member, denied, role, visit, policy, now_s, around)
        did = offered.behaviour(member, scopes, now_s, calls=visit.help)
        rules = offered.rules(policy)
        if not Offered(answers=held.answers).stands(item):  # a no of this visit, as the next will know it
            memory = after(on_terms.memory, item, Came.DECLINED, now_s // _DAY_S, rules)
            on_terms = replace(on_terms, memory=memory)
        told = choose.explain(item, did, on_terms, around.shelf, around.model, rules)
        if not told.is_chosen or told.place is None:
            return told
        card, place = self.of(pseudonym, visit, role, policy, now_ms).left(), SuggestedPlace(told.place.value)
        beside = [one.item for one in card if one.suggested is not None and one.suggested.place is place]
        return replace(told, position=beside.index(item) + 1) if item in beside else replace(told, is_chosen=False)

    # --- what became of it -------------------------------------------------------------------------------------------

    def unseen(self, visit: Visit, role: str, card: Card) -> tuple[SuggestionOutcome, ...]:
        """What a card shows this role for the first time on this visit: to be recorded with it, and then told `saw`."""
        held = self._visits.get(visit.handle)
        if held is None:
            return ()
        made = held.made.get(role)
        stage = made.offered.stage if made is not None else None
        entries = (entry for line in (*card.lead, *card.lines) for entry in line.entries)
        items = {entry.item: entry.suggested for entry in entries if entry.item is not None}
        return tuple(
            SuggestionOutcome(item, Response.SHOWN, visit.zone, stage, _led(told))
            for item, told in items.items()
            if item not in held.shown
        )

    def saw(self, visit: Visit, role: str, outcomes: tuple[SuggestionOutcome, ...]) -> None:
        """It was recorded that these were shown to this role."""
        held = self._visits.get(visit.handle)
        if held is not None and outcomes:
            held.first |= {one.item: Shown(one, role, visit) for one in outcomes}
            held.shown |= dict.fromkeys((one.item for one in outcomes), None)

    def outcome(self, visit: Visit, item: str, response: Response, now_ms: int) -> SuggestionOutcome:
        """What is to be recorded of an answer: with zone, stage and reason of when the item was shown first.

        So a share of what was shown can be told of each of them. What may not be told any more is left out: the stage,
        and the reason where the store's own suggestions were withdrawn, and somebody else suggests the item.
        """
        held = self._visits.get(visit.handle)
        first = held.first.get(item) if held is not None else None
        if held is None or first is None:
            return SuggestionOutcome(item, response, visit.zone)
        told = self._told(held.pseudonym, first, now_ms // 1000)
        policy = self._keeper.policy()
        member, denied = self._records.record(held.pseudonym)
        store = policy.store.store if policy is not None else ""
        if member is None or not lets_tell(told, member, denied, policy, store, now_ms // 1000):
            told = replace(told, reason=None)
        return replace(told, response=response)

    def ignored(self, pseudonym: bytes, shown: Shown, now_ms: int) -> SuggestionOutcome:
        """What is to be recorded of what was shown without a word, with as much of it as may be told now."""
        return replace(self._told(pseudonym, shown, now_ms // 1000), response=Response.IGNORED)

    def _told(self, pseudonym: bytes, shown: Shown, now_s: int) -> SuggestionOutcome:
        """Without the stage where it may no longer be shown to who saw it then, on the visit as it was then."""
        if shown.outcome.stage is None:
            return shown.outcome
        policy = self._keeper.policy()
        member, denied = self._records.record(pseudonym)
        scopes = None
        if policy is not None and member is not None:
            scopes = offered.sources(member, denied, shown.role, shown.visit, policy, now_s)
        return shown.outcome if STAGE in (scopes or ()) else replace(shown.outcome, stage=None)

    def is_news(self, handle: bytes, item: str, response: Response) -> bool:
        """Whether this was not said on this visit yet, nor anything that says more: to be recorded."""
        held = self._visits.get(handle)
        if held is None or response is Response.SHOWN:
            return False
        before = held.shown.get(item)
        return before is None if response is Response.IGNORED else before is not response

    def answered(self, handle: bytes, item: str, response: Response) -> None:
        """It was recorded what the shopper made of an item."""
        held = self._visits.get(handle)
        if held is not None:
            held.shown[item] = response

    def left(self, handle: bytes) -> tuple[bytes, tuple[Shown, ...]] | None:
        """The visit is over: whose it was, and what was shown without a word; nothing of it is kept."""
        held = self._visits.pop(handle, None)
        if held is None:
            return None
        return held.pseudonym, tuple(one for item, one in held.first.items() if held.shown.get(item) is None)


def _led(told: Suggested | None) -> SuggestedKind | None:
    """What mattered most for a suggestion of ours."""
    return told.reasons[0].kind if told is not None and told.reasons else None


def _is_told(member: Member, policy: Policy) -> bool:
    """Whether the record says under another scope of that section what somebody else suggests."""
    others = {rule.id for rule in policy.main.scopes if rule.section is Section.SUGGESTIONS} - offered.MADE
    return bool(others) and any(one.scope in others for one in member.fields)
