"""How many members a change of a policy concerns: counts by purpose and store, and nothing of anybody.

Each member who said yes last is opened, a batch at a time, as the end of a grant and an age stand sealed.

I/O: sqlalchemy.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from hq import ledger, membership
from hq.audience import Known, is_of_age
from hq.keys import Keys
from hq.ledger_proof import Status
from hq.ledger_tables import consent_facts
from hq.membership import Locked
from hq.policy_rules import Draft
from hq.state import Standing, fold
from wire.member import Statement
from wire.policy import MainPolicy, Policy, StorePolicy

_GIVEN = frozenset({Status.GIVEN.value, Status.RENEWED.value})
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Affected:
    """How many members have a grant in force of a purpose at a store (empty: for the whole brand)."""

    purpose: str
    store: str
    members: int


@dataclass(frozen=True, slots=True)
class Ages:
    """Of members with a grant in force at a store of the policy's: whom an age shuts out there, and whom it lets in."""

    too_young: int
    old_enough: int


def count(
    connection: Connection, keys: Keys, before: Draft | None, draft: Draft, purposes: Collection[str], now_s: int
) -> tuple[list[Affected], Ages | None]:
    """Of these purposes, by purpose and store; and of the ages, None where both versions ask the same of everybody.

    A first version, `before` None, concerns nobody.
    """
    if before is None:
        return [], None
    ages_changed = _rules(before) != _rules(draft)
    found: Counter[tuple[str, str]] = Counter()
    young = old = 0
    for one, standing in _givers(connection, keys, draft.name, None if ages_changed else purposes):
        live = _in_force(standing, draft.name, now_s)
        found.update({(each.purpose, each.store) for each in live if each.purpose in purposes})
        if ages_changed:
            stores = {each.store for each in live if each.store}
            turns = {_turn(one, _policy(before, store), _policy(draft, store)) for store in stores}
            young, old = young + (-1 in turns), old + (1 in turns)
    listed = [Affected(purpose, store, members) for (purpose, store), members in sorted(found.items())]
    return listed, Ages(young, old) if ages_changed else None


def _rules(draft: Draft) -> tuple[object, ...]:
    main = draft.main
    return frozenset(main.ages), main.unknown_age_is_of_age, {one.store: one.jurisdiction for one in draft.stores}


def _policy(draft: Draft, store: str) -> tuple[MainPolicy, StorePolicy] | None:
    return next(((draft.main, one) for one in draft.stores if one.store == store), None)


def _turn(
    one: Locked, before: tuple[MainPolicy, StorePolicy] | None, after: tuple[MainPolicy, StorePolicy] | None
) -> int:
    """-1: the age shuts them out from now on; 1: it lets them in; 0: as before, or the store comes or goes."""
    if before is None or after is None:
        return 0
    known = Known(one.about.age_at_least, one.about.jurisdiction, ())
    return int(is_of_age(known, Policy(*after))) - int(is_of_age(known, Policy(*before)))


def _in_force(standing: Standing, brand: str, now_s: int) -> list[Statement]:
    stated = (*standing.statements, *standing.wide)
    return [one for one in stated if one.until_s > now_s and standing.of_brand(one.event, brand)]


def _givers(
    connection: Connection, keys: Keys, policy: str, purposes: Collection[str] | None
) -> Iterator[tuple[Locked, Standing]]:
    """Who said yes last of any of these purposes, None: of any at all; whether it still holds is told by the events."""
    facts = consent_facts.c
    newest = (
        select(func.max(facts.id).label("id"))
        .where(
            facts.brand == policy, facts.member.is_not(None), facts.partial.is_(False),
            facts.status != Status.INVALIDATED.value,
            *(() if purposes is None else (facts.purpose.in_(list(purposes)),)),
        )
        .group_by(facts.member, facts.purpose, facts.store)
        .subquery()
    )  # fmt: skip
    wanted = select(facts.member).join(newest, newest.c.id == facts.id).where(facts.status.in_(_GIVEN)).distinct()
    listed = sorted(connection.scalars(wanted))
    for start in range(0, len(listed), _AT_ONCE):
        opened = membership.opened(connection, keys.custody, listed[start : start + _AT_ONCE])
        for member, events in ledger.of_members(connection, opened).items():
            yield opened[member], fold(events)
