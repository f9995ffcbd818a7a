"""Makes a card's suggestions: the way from a member's record to `consent.suggest`, and from there onto the card.

The store and HQ's mirror go it alike. The code that suggests gets item ids, times and counts; names and words come
after it.

Pure: no I/O, no clock.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from consent import occasions
from consent.decide import Allow, Verdicts
from consent.grants import SUGGEST
from consent.journeys import BASKET, CONCLUSIONS, HISTORIES, SERVICE, WISHLIST, journey
from consent.journeys import RETURNS as RETURNS
from consent.mutes import mutes
from consent.suggest import choose
from consent.suggest.choose import Chosen
from consent.suggest.guard import Guard, Terms
from consent.suggest.journey import COHORT, STAGE
from consent.suggest.memory import NOTHING
from consent.suggest.model import Model
from consent.suggest.rank import Place, Ranked, ReasonKind
from consent.suggest.shelf import EMPTY, Shelf
from consent.suggest.signals import Behaviour, Bought
from consent.visit import Denied, Visit
from wire.concluded import Concluded
from wire.items import Response
from wire.member import Field, Item, Member, SourceClass, Value, ValueClass
from wire.policy import Policy, Section
from wire.suggested import MOST_REASONS, Suggested, SuggestedKind, SuggestedPlace, SuggestedReason
from wire.suggestions import DEFAULT, Memory, Stage, SuggestionPolicy
from wire.views import Entry

SCOPE = "suggestions"
MADE = frozenset((SCOPE, STAGE, COHORT))  # made where they are shown; a record's own value of them is never used
HISTORY_STORE, HISTORY_ONLINE = HISTORIES
SOURCES = (HISTORY_STORE, HISTORY_ONLINE, RETURNS, WISHLIST, BASKET)
_DAY_S = 86_400
_PLACES = {Place.DUE_AGAIN: SuggestedPlace.DUE_AGAIN, Place.NEW: SuggestedPlace.NEW}
_LONGEST_DAYS = 36_500
_PROBE = Value(items=(Item("", "", None, None, False),))  # stands for what would be made


@dataclass(frozen=True, slots=True, repr=False)
class Around:
    """What suggestions are made from beside the member's record. `name`: of an item, None where there is none.

    `memory`: what became of suggestions on earlier visits, where that is known.
    """

    shelf: Shelf = EMPTY
    name: Callable[[str], str | None] = lambda item: None
    model: Model | None = None
    memory: Memory = NOTHING


@dataclass(frozen=True, slots=True, repr=False)
class Offered:
    """What is suggested on one card, and what was concluded. `answers`: what the shopper made of items on this visit.

    `harmless`: whether an item that somebody else suggests may stand there at all.
    """

    entries: tuple[Entry, ...] = ()
    answers: Mapping[str, Response] = field(default_factory=lambda: MappingProxyType({}))
    harmless: Callable[[str], bool] = lambda item: True

    def stands(self, item: str) -> bool:
        """Whether an item is still to be shown: what was declined goes."""
        return self.answers.get(item) not in (Response.DECLINED, Response.NOT_FOR_ME)

    def left(self) -> tuple[Entry, ...]:
        """The entries that are still to be shown, with what was made of each."""
        return tuple(
            self._answered(one)
            for one in self.entries
            if one.concluded is not None or (one.item is not None and self.stands(one.item))
        )

    def under(self, scope: str) -> tuple[Entry, ...]:
        """Those of them that stand under one scope."""
        return tuple(one for one in self.left() if scope_of(one) == scope)

    @property
    def stage(self) -> Stage | None:
        """How far the shopper is, where that was concluded."""
        return next((one.concluded.stage for one in self.entries if one.concluded and one.concluded.stage), None)

    def _answered(self, entry: Entry) -> Entry:
        answer = self.answers.get(entry.item or "")
        if entry.suggested is None or answer is None:
            return entry
        return replace(entry, suggested=replace(entry.suggested, answer=answer))


NOTHING_OFFERED = Offered()


def scope_of(entry: Entry) -> str:
    """The scope under which an entry stands that was made here."""
    if entry.concluded is None:
        return SCOPE
    return COHORT if entry.concluded.stage is None else STAGE


def rules(policy: Policy) -> SuggestionPolicy:
    """What the policy says of suggestions."""
    return policy.main.suggestions or DEFAULT


def sources(
    member: Member, denied: Denied, role: str, visit: Visit, policy: Policy, now_s: int
) -> frozenset[str] | None:
    """The scopes that suggestions for this role may be made from now; None where none may be shown to it.

    Whether they may be shown is the decision on `SCOPE`, as on any scope: made before anything is computed, so that who
    hides them costs no more than who has none. `STAGE` and `COHORT` are among them where these may be shown as well:
    what may not be said is not concluded, and steers nothing.
    """
    made = dict.fromkeys(MADE, _made(SCOPE, _PROBE, now_s))
    verdicts = Verdicts(member, denied, role, visit, policy, now_s, made)
    if not isinstance(verdicts.shown(SCOPE), Allow):
        return None
    declared = ((scope, verdicts.declaration(scope)) for scope in CONCLUSIONS)
    told = [scope for scope, rule in declared if rule is not None and rule.section is Section.SUGGESTIONS]
    found = [scope for scope in told if isinstance(verdicts.shown(scope), Allow)]
    asked = (*SOURCES, SERVICE) if STAGE in found else SOURCES
    found += [scope for scope in asked if isinstance(verdicts.used(scope, SUGGEST), Allow)]
    return choose.inputs(rules(policy), visit.zone, None, found)


def behaviour(member: Member, scopes: frozenset[str], now_s: int, *, calls: bool = False) -> Behaviour:
    """What the member did, of these scopes alone: item ids, times and counts. `calls`: they ask for help now.

    What was bought on one day in one way is one basket: one visit, however often it went to the till. The day of a
    purchase is the one on which its occasion began (`consent.occasions`).
    """
    items = {one.scope: one.value.items or () for one in member.fields if one.scope in scopes}
    lines = _lines(items.get(HISTORY_STORE, ()), items.get(HISTORY_ONLINE, ()), now_s)
    return Behaviour(
        bought=(*lines, *_returns(items.get(RETURNS, ()), lines, now_s)),
        basket=tuple([one.item for one in items.get(BASKET, ())]),
        wishlist=tuple([one.item for one in items.get(WISHLIST, ())]),
        now_day=now_s // _DAY_S,
        journey=journey(member, scopes, now_s, calls=calls),
    )


def _lines(store: tuple[Item, ...], online: tuple[Item, ...], now_s: int) -> list[Bought]:
    """The purchases: up to 256, so that each is made by `tuple` itself, at half the cost of its constructor."""
    every = store + online
    times_s = [now_s if one.at_s is None or one.at_s > now_s else one.at_s for one in every]
    began = occasions.days([one.item for one in every], times_s)
    ways = ((store, began[: len(store)], False), (online, began[len(store) :], True))
    baskets = {place: at for at, place in enumerate(sorted([(day, way) for _, days, way in ways for day in {*days}]))}
    make, lines = tuple.__new__, list[Bought]()
    for items, days, way in ways:
        at = {day: baskets[day, way] for day in {*days}}
        lines += [
            make(Bought, (one.item, day, at[day], many if (many := one.quantity or 1) > 0 else 1, one.returned, way))
            for one, day in zip(items, days, strict=True)
        ]
    return lines


def _returns(items: tuple[Item, ...], lines: list[Bought], now_s: int) -> list[Bought]:
    """What came back without its purchase saying so: as the till's receipt of it, with a quantity below 0."""
    if not items:
        return []
    told = Counter(one.item for one in lines if one.returned)
    bought: dict[str, list[Bought]] = {}
    for line in lines:
        bought.setdefault(line.item, []).append(line)
    found = []
    for one in items:
        if told[one.item]:
            told[one.item] -= 1
            continue
        day = _day(one, now_s)
        before = [line.basket for line in bought.get(one.item, ()) if line.day <= day]
        if before:
            found.append(Bought(one.item, day, max(before), -max(1, abs(one.quantity or 1)), returned=True))
    return found


def _day(one: Item, now_s: int) -> int:
    return min(one.at_s if one.at_s is not None else now_s, now_s) // _DAY_S


def specials(member: Member, denied: Denied, role: str, visit: Visit, policy: Policy, now_s: int) -> frozenset[str]:
    """The special categories of which something may be suggested to this member now, on a grant of their own."""
    asked = rules(policy).specials
    if not asked:
        return frozenset()
    verdicts = Verdicts(member, denied, role, visit, policy, now_s)
    return frozenset(one.category for one in asked if isinstance(verdicts.used(one.scope, SUGGEST), Allow))


def terms(member: Member, denied: Denied, role: str, visit: Visit, policy: Policy, now_s: int, around: Around) -> Terms:
    """On what terms this member gets suggestions: mutes, age, special grants, what became of earlier ones."""
    return Terms(
        mutes=frozenset((what.value, name) for what, name in mutes(member, denied)),
        age_at_least=member.age_at_least,
        specials=specials(member, denied, role, visit, policy, now_s),
        memory=around.memory,
        zone=visit.zone,
    )


def make(
    member: Member,
    denied: Denied,
    role: str,
    visit: Visit,
    policy: Policy,
    now_s: int,
    around: Around,
    scopes: frozenset[str],
) -> tuple[Entry, ...]:
    """What is suggested to this member on a card for this role, from `scopes`, which `sources` gave."""
    on_terms = terms(member, denied, role, visit, policy, now_s, around)
    did = behaviour(member, scopes, now_s, calls=visit.help)
    return entries(choose.choose(did, on_terms, around.shelf, around.model, rules(policy)), around)


def guard(
    member: Member,
    denied: Denied,
    role: str,
    visit: Visit,
    policy: Policy,
    now_s: int,
    around: Around,
    scopes: frozenset[str],
) -> Guard:
    """What says of any item whether it may be suggested to this member at all."""
    on_terms = terms(member, denied, role, visit, policy, now_s, around)
    return Guard(behaviour(member, scopes, now_s), on_terms, around.shelf, rules(policy))


def entries(chosen: Chosen, around: Around) -> tuple[Entry, ...]:
    """The lines of a card. What has no name is left out."""
    found = []
    for one in (*chosen.due, *chosen.new):
        name, sort = around.name(one.item), around.shelf.sort(one.item)
        if name and sort is not None:
            told = Suggested(_PLACES[one.place], _reasons(one), sort.themes)
            found.append(Entry(name, None, None, False, one.item, told))
    concluded = ((chosen.stage,) if chosen.stage is not None else ()) + chosen.cohorts
    return (*found, *map(_said, concluded))


def _said(one: Concluded) -> Entry:
    return Entry((one.stage or one.cohort or one.evidence).value, None, None, False, concluded=one)


def _reasons(one: Ranked) -> tuple[SuggestedReason, ...]:
    """Kinds and numbers. Which item of a basket or a history it was is not said: the history may be hidden."""
    told = dict.fromkeys([(each.kind, _in_bounds(each.number)) for each in one.reasons])
    return tuple([_reason(kind, number) for kind, number in told][:MOST_REASONS])


@lru_cache(maxsize=1024)
def _reason(kind: ReasonKind, number: int | None) -> SuggestedReason:
    return SuggestedReason(SuggestedKind(kind.value), number)


def _in_bounds(number: int | None) -> int | None:
    return None if number is None else max(0, min(number, _LONGEST_DAYS))


def laid(member: Member, made: tuple[Entry, ...], now_s: int) -> Member:
    """The record with what was made here in the place of whatever it says under `MADE`."""
    others = tuple(one for one in member.fields if one.scope not in MADE)
    if len(others) == len(member.fields) and not made:
        return member
    items: dict[str, list[Item]] = {}
    for one in made:
        items.setdefault(scope_of(one), []).append(Item(one.item or "", one.text, None, None, False))
    fields = (_made(scope, Value(items=tuple(listed)), now_s) for scope, listed in items.items())
    return replace(member, fields=(*others, *fields))


def _made(scope: str, value: Value, now_s: int) -> Field:
    return Field(scope, value, SourceClass.FIRST, "store", ValueClass.ENGAGEMENT, now_s, now_s)
