"""What a member sets: mode, name, each purpose at each store, mutes, the list of stores; and the way out of it all.

A plain choice ("this purpose at these stores") becomes a grant whose roles, scopes and end follow from the stores'
policies. What takes away is one call and needs nothing else; it is refused only where it would end nothing, as no
policy ever declared the purpose or brand that it names.

I/O: sqlalchemy.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from hq import choices, door, gpc, ledger, membership, publication
from hq.choosing_tables import chosen_stores
from hq.database import reading, writing
from hq.door import MOST_STORES, Grant
from hq.errors import Reason, Refused
from hq.ledger_proof import Evidence, Proof
from hq.membership import Locked
from hq.office import Office, all_policies
from hq.state import fold, is_wide
from hq.tables import stores
from wire import synthetic
from wire.member import Mode, Muted, NameChoice
from wire.policy import MainPolicy
from wire.sync import is_store

LASTS_DAYS = 365  # a choice lasts a year from its day, and is asked again then (docs/decisions/0093)
MOST_DAYS = 730
_LINK = re.compile(r"(?:https://[^/\s]+)?/(?:[^\s?#]*/)?(?:stores/add|leave)/([a-z0-9-]{1,40})/?(?:[?#]\S*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """A plain choice. `stores` None: all that the member has; `scopes` None: every ordinary one of the purpose.

    A special category is given only where it is named. A purpose about a whole brand (a channel, partners) names the
    `brand`; None: the only one there is. `notice`: SHA-256 of the notice that was shown, `language` the one it was
    read in; None: the notice that policy names now. `until_days` counts from the choice.
    """

    purpose: str
    stores: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    until_days: int = LASTS_DAYS
    notice: bytes | None = None
    brand: str | None = None
    language: str | None = None


# --- what is given ----------------------------------------------------------------------------------------------------


def give(office: Office, member: str, wish: Wish, now_ms: int, method: str) -> tuple[bytes, ...]:
    """Gives a purpose, and adds its stores to the member's list; the ids of the consent events.

    Stores of several brands, and special categories, get grants of their own.

    Raises:
        Refused: nothing more is given than what was before the first grant that is refused.
    """
    if not 1 <= wish.until_days <= MOST_DAYS:
        raise Refused(Reason.MALFORMED, "until_days", f"1 to {MOST_DAYS} days")
    with reading(office.engine) as connection:
        one = choices.opened(connection, office.keys, member)
        listed = choices.added(connection, one.reference)
        policies = publication.Policies(connection)
        if is_wide(wish.purpose):
            named: tuple[str, ...] = ()
            brand = wish.brand or only_brand(connection)
            grants = [_grant(wish, now_ms // 1000, brand=brand)]
        else:
            named = tuple(sorted(listed)) if wish.stores is None else wish.stores
            if not named:
                raise Refused(Reason.UNKNOWN_STORE, "stores", "a store: the member has added none yet")
            grants = list(_grants(policies, wish, named, now_ms // 1000))
    for store in named:
        if store not in listed:
            add_store(office, member, store, now_ms)
    proof = _proof(wish.language, method)
    return tuple(event for grant in grants for event in office.grant(member, grant, now_ms, method, proof))


def _proof(language: str | None, method: str) -> Proof:
    return Proof(notice_language=language, surface=method, evidence=Evidence.SCREEN)


def only_brand(connection: Connection) -> str:
    """The brand, where there is but one. Raises: Refused."""
    found = connection.scalars(select(stores.c.policy).distinct().limit(2)).all()
    if len(found) != 1:
        raise Refused(Reason.MALFORMED, "brand", "which of the brands is meant")
    return str(found[0])


def _grant(
    wish: Wish, now_s: int, stores: tuple[str, ...] = (), roles: tuple[str, ...] = (), scopes: tuple[str, ...] = (),
    brand: str | None = None,
) -> Grant:  # fmt: skip
    return Grant(
        purpose=wish.purpose, stores=stores, roles=roles, scopes=scopes, until_days=wish.until_days, chosen_s=now_s,
        notice=wish.notice, brand=brand,
    )  # fmt: skip


def _grants(policies: publication.Policies, wish: Wish, named: Iterable[str], now_s: int) -> Iterable[Grant]:
    brands: dict[str, list[str]] = {}
    for store in named:
        brand = policies.name(store)
        if brand is None:
            raise Refused(Reason.UNKNOWN_STORE, "stores", "the ids of stores")
        brands.setdefault(brand, []).append(store)
    for brand, group in brands.items():
        main = policies.main(brand)
        if main is None:
            raise Refused(Reason.NO_POLICY, "stores", "stores whose policy is published")
        roles = tuple(one.id for one in main.roles if one.sees_floor and one.id != synthetic.ROLE)
        for scopes in _scopes(main, wish):
            yield _grant(wish, now_s, tuple(group), roles, scopes)


def _scopes(main: MainPolicy, wish: Wish) -> list[tuple[str, ...]]:
    """The scopes of each grant that the wish comes to: the ordinary ones together, each special one alone."""
    rules = {one.id: one for one in main.scopes}
    if wish.scopes is None:
        return [tuple(one.id for one in main.scopes if wish.purpose in one.all_purposes and not one.special)]
    special = [one for one in wish.scopes if one in rules and rules[one].special]
    ordinary = tuple(one for one in wish.scopes if one not in special)
    return [*([ordinary] if ordinary or not special else []), *((one,) for one in special)]


def set_mode(office: Office, member: str, mode: Mode, now_ms: int, method: str) -> bytes:
    """The member's own switch."""
    return office.set_mode(member, mode, now_ms, method=method)


def set_name(office: Office, member: str, name: NameChoice, now_ms: int, method: str) -> bytes:
    """When the first name may be shown."""
    return office.set_name(member, name, now_ms, method=method)


def resume(office: Office, member: str, now_ms: int, method: str) -> bytes:
    """Ends a pause: the mode that was chosen last before it."""
    with reading(office.engine) as connection:
        one = choices.opened(connection, office.keys, member)
        before = choices.resumes_to(ledger.of_members(connection, {one.reference: one})[one.reference])
    return set_mode(office, member, before, now_ms, method)


# --- what is taken back -----------------------------------------------------------------------------------------------


def withdraw(
    office: Office,
    member: str,
    now_ms: int,
    method: str,
    *,
    purpose: str | None = None,
    scopes: tuple[str, ...] | None = None,
    stores: tuple[str, ...] | None = None,
    brand: str | None = None,
) -> bytes:
    """Takes back, at once; what is not named means all. Raises: Refused, as `Office.withdraw`."""
    return office.withdraw(
        member, now_ms, purpose=purpose, scopes=scopes, stores=stores, brand=brand, method=method,
        proof=_proof(None, method),
    )  # fmt: skip


def stay_off(office: Office, member: str, now_ms: int, method: str) -> None:
    """Takes back the use by partners, with all below it that a policy declares, everywhere."""
    with reading(office.engine) as connection:
        purposes = gpc.named(one.id for main in all_policies(connection) for one in main.purposes)
    for purpose in purposes:
        withdraw(office, member, now_ms, method, purpose=purpose)


def refuse(office: Office, member: str, wish: Wish, now_ms: int, method: str) -> bytes:
    """The member was asked and says no: it ends what stands of it, and nobody asks again for 90 days.

    Of the wish only purpose, scopes, stores, brand, notice and language count; `stores` None: everywhere.
    """
    refusal = door.check_refusal(wish.purpose, wish.scopes, wish.stores, wish.brand, wish.notice)
    return office.refuse(member, refusal, now_ms, method, _proof(wish.language, method))


def pause(office: Office, member: str, now_ms: int, method: str) -> bytes:
    """Nobody is told that the member is there, until they resume; every grant stays as it is."""
    return set_mode(office, member, Mode.QUIET, now_ms, method)


def leave(office: Office, member: str, now_ms: int, method: str) -> bytes:
    """Everything, everywhere, in one call; the account and the list of stores stay.

    A store that was given something without being on the list is put there, so that it says how far it has come.
    """
    with reading(office.engine) as connection:
        one = choices.opened(connection, office.keys, member)
        standing = fold(ledger.of_members(connection, {one.reference: one})[one.reference])
    event = office.withdraw(member, now_ms, method=method)
    for store in sorted({statement.store for statement in standing.statements if statement.store}):
        with suppress(Refused):  # a list that is full, or a store that was closed
            add_store(office, member, store, now_ms)
    return event


# --- stores -----------------------------------------------------------------------------------------------------------


def store_of(text: str) -> str:
    """The store that a QR code or a link names: its id, or a link that ends in `/stores/add/ID` or `/leave/ID`.

    Raises:
        Refused: neither.
    """
    found = text.strip()
    found = found.lower() if is_store(found.lower()) else found  # as a phone's keyboard begins a line
    match = _LINK.fullmatch(found)
    if match is None and not is_store(found):
        raise Refused(Reason.MALFORMED, "store", "the code or the link that the store shows")
    return match[1] if match is not None else found


def add_store(office: Office, member: str, store: str, now_ms: int) -> bool:
    """Adds a store to the member's list; nothing is given to it by that. False: it is there already.

    Raises:
        Refused: no such store, one without a policy, or the list is full.
    """
    with writing(office.engine) as connection:
        one = lock(connection, office, member)
        _check_store(connection, store)
        listed = choices.added(connection, one.reference)
        if store in listed:
            return False
        if len(listed) >= MOST_STORES:
            raise Refused(Reason.TOO_MANY, "store", f"at most {MOST_STORES} stores: remove one first")
        with office.guarded(connection, one):
            connection.execute(insert(chosen_stores).values(member=one.reference, store=store, added_ms=now_ms))
    return True


def lock(connection: Connection, office: Office, member: str) -> Locked:
    """The member, locked in the caller's transaction. Raises: Refused."""
    found = membership.lock_by_id(connection, office.keys.custody, [member])
    if not found:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    return next(iter(found.values()))


def _check_store(connection: Connection, store: str) -> None:
    if not is_store(store) or connection.scalar(select(stores.c.id).where(stores.c.id == store)) is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "the id of a store")
    if publication.Policies(connection).of(store) is None:
        raise Refused(Reason.NO_POLICY, "store", "a store whose policy is published")


# --- mutes ------------------------------------------------------------------------------------------------------------


def mute(office: Office, member: str, muted: Muted, now_ms: int, method: str) -> bytes:
    """No suggestion of this item, category or theme any more, in any store."""
    return office.mute(member, muted, now_ms, method)


def unmute(office: Office, member: str, muted: Muted, now_ms: int, method: str) -> bytes:
    """Takes a mute back; where there is none, nothing changes."""
    return office.unmute(member, muted, now_ms, method)
