"""What a member sees of the choices: per store and purpose what is given, until when, and what the store made of it.

What counts as given is read from the same fold that the stores' records are made of.

I/O: sqlalchemy.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select

from hq import ledger, membership, publication
from hq.choosing_tables import chosen_stores
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.log_tables import withdrawals_applied
from hq.membership import Locked
from hq.state import DEFAULT_MODE, PRESENCE, Event, Standing, channel_of, fold, grant_time, is_wide
from hq.tables import audience, instances, links, records, stores
from wire import synthetic
from wire.member import Mode, Muted, NameChoice, Statement
from wire.policy import MainPolicy, Policy, Purpose
from wire.sync import Collection, instance

_MARGIN_MS = 5_000  # a hello that came while the change was being committed may have been answered without it
_VERSION_DIGITS = 32


class Step(StrEnum):
    """How far a store has caught up with a member's last change."""

    UNCHANGED = "unchanged"  # nothing was ever chosen for it
    CONFIRMED = "confirmed"  # the store told that it took effect
    IN_STEP = "in-step"  # since then it may show anything only if it holds the change
    DARK = "dark"  # it shows nobody
    ON_THE_WAY = "on-the-way"  # it may still go by what stood before


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a store has confirmed. Unix milliseconds UTC.

    `at_ms`: since when, of CONFIRMED and IN_STEP. `until_ms`: of ON_THE_WAY, when what stood before ends by itself.
    """

    step: Step
    at_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ChosenScope:
    """One scope of a purpose at a store; `special`: the special category, empty of an ordinary one. Unix seconds.

    Not `shown`: something is made of it for this purpose, and it is shown to nobody.
    """

    scope: str
    label: str
    special: str
    shown: bool
    given: bool
    since_s: int | None
    until_s: int | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """One purpose at a store, or for a brand; `channel`: of a contact, such as "email".

    `notice`: SHA-256 of the notice that policy names now; empty: none. Unix seconds.
    """

    purpose: str
    label: str
    given: bool
    since_s: int | None
    until_s: int | None
    roles: tuple[str, ...]  # labels of those to whom it is given
    notice: bytes
    scopes: tuple[ChosenScope, ...]
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class AtStore:
    """A store that the member added or gave something to. `brand`: the name of its policy.

    `purposes` leaves out those about the whole brand (`AtBrand`).
    """

    store: str
    label: str
    brand: str
    added_ms: int | None
    recognised: bool
    purposes: tuple[Chosen, ...]
    confirmed: Confirmed


@dataclass(frozen=True, slots=True)
class AtBrand:
    """What is chosen for a whole brand: its channels one by one, and the use by partners. No store is told of it."""

    brand: str
    purposes: tuple[Chosen, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """All of it. `version` changes with every choice and with the list of stores; `resumes_to`: after a pause."""

    version: str
    mode: Mode
    resumes_to: Mode
    name: NameChoice
    stores: tuple[AtStore, ...]
    brands: tuple[AtBrand, ...]
    mutes: tuple[Muted, ...]


def opened(connection: Connection, keys: Keys, member: str) -> Locked:
    """The member, without a lock: for who only reads.

    Raises:
        Refused: no such member.
    """
    found = membership.read_by_id(connection, keys.custody, [member])
    if not found:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    return next(iter(found.values()))


def of_member(connection: Connection, keys: Keys, member: str, now_ms: int) -> Choices:
    """Everything that the member chose, as it stands now.

    Raises:
        Refused: no such member.
    """
    one = opened(connection, keys, member)
    return of_events(connection, one, ledger.of_members(connection, {one.reference: one})[one.reference], now_ms)


def of_events(connection: Connection, one: Locked, events: Sequence[Event], now_ms: int) -> Choices:
    """The same of a member who is opened, and whose events these are."""
    standing = fold(events)
    listed = added(connection, one.reference)
    now_s = now_ms // 1000
    ahead = [statement for statement in standing.statements if statement.until_s > now_s]
    named = sorted({*listed, *(statement.store for statement in ahead)})
    policies = publication.Policies(connection)
    labels = _labels(connection, named)
    places = tuple(
        AtStore(
            store=store,
            label=_label(policies.of(store), labels[store]),
            brand=policies.name(store) or "",
            added_ms=listed.get(store),
            recognised=any(statement.store == store and statement.purpose == PRESENCE for statement in ahead),
            purposes=_purposes(policies.of(store), standing, _here(ahead, standing, store, policies.name(store) or "")),
            confirmed=confirmed(connection, one.reference, store, events, now_ms),
        )
        for store in named
        if store in labels
    )
    return Choices(
        version=_version(events, listed),
        mode=standing.mode,
        resumes_to=resumes_to(events),
        name=standing.name_choice,
        stores=places,
        brands=_brands(connection, policies, standing, now_s),
        mutes=standing.mutes,
    )


def mutes(connection: Connection, keys: Keys, member: str) -> tuple[Muted, ...]:
    """What the member wants no suggestion of. Raises: Refused."""
    one = opened(connection, keys, member)
    return fold(ledger.of_members(connection, {one.reference: one})[one.reference]).mutes


def added(connection: Connection, reference: bytes) -> dict[str, int]:
    """The stores that a member added, with when (Unix milliseconds), by HQ's reference."""
    return {row.store: row.added_ms for row in connection.execute(_ADDED, {"member": reference})}


_ADDED = select(chosen_stores).where(chosen_stores.c.member == bindparam("member"))


def version(connection: Connection, one: Locked) -> str:
    """The version alone, of the one member."""
    events = ledger.of_members(connection, {one.reference: one})[one.reference]
    return _version(events, added(connection, one.reference))


def resumes_to(events: Iterable[Event]) -> Mode:
    """The mode chosen last that is not quiet, ranked as the fold does: of unknown or future times the quieter one.

    Where none was, the one that everybody begins with.
    """
    modes = [(grant_time(one), one.choice.mode) for one in events]
    loud = [(at_s, -mode, mode) for at_s, mode in modes if mode is not None and mode is not Mode.QUIET]
    return max(loud)[2] if loud else DEFAULT_MODE


def confirmed(
    connection: Connection, reference: bytes, store: str, events: Sequence[Event], now_ms: int
) -> Confirmed:  # fmt: skip
    """How far the store has caught up with the member's last change that concerns it.

    A lease names HQ's own roots, and a store may show anything only while its records agree with them: one that was
    given after the change proves that what stood before is over. A withdrawal that took effect is told by the store.
    """
    changed_s = max((one.recorded_s for one in events if _concerns(one, store)), default=None)
    seat = connection.execute(_SEAT, {"store": store, "member": reference}).first()
    if changed_s is None or seat is None:
        return Confirmed(Step.UNCHANGED)
    asked = {"store": store, "name": instance(Collection.MEMBERS, store), "key": seat.pseudonym}
    told_ms = connection.scalar(_TOLD_MS, asked)
    if told_ms is not None:
        return Confirmed(Step.CONFIRMED, at_ms=told_ms)
    link = connection.execute(_LINK, {"store": store}).first()
    if link is None or link.lease_until_ms <= now_ms:
        return Confirmed(Step.DARK)
    leased_ms = min(link.hello_ms, link.lease_until_ms - _lease_ms(connection, store))
    if leased_ms >= (changed_s + 1) * 1000 + _MARGIN_MS:
        return Confirmed(Step.IN_STEP, at_ms=leased_ms)
    return Confirmed(Step.ON_THE_WAY, until_ms=link.lease_until_ms)


_SEAT = select(audience).where(audience.c.store == bindparam("store"), audience.c.member == bindparam("member"))
_TOLD_MS = (
    select(withdrawals_applied.c.at_ms)
    .join(records, records.c.seq == withdrawals_applied.c.seq)
    .join(instances, instances.c.id == records.c.instance)
    .where(
        withdrawals_applied.c.store == bindparam("store"),
        instances.c.name == bindparam("name"),
        records.c.key == bindparam("key"),
    )
)
_LINK = select(links).where(links.c.store == bindparam("store"))


def _here(ahead: Sequence[Statement], standing: Standing, store: str, brand: str) -> list[Statement]:
    return [one for one in ahead if one.store == store and standing.of_brand(one.event, brand)]


def _lease_ms(connection: Connection, store: str) -> int:
    wanted = (
        select(instances.c.lease_s)
        .join(stores, instances.c.name == "policy/" + stores.c.policy)
        .where(stores.c.id == store)
    )
    return int(connection.scalar(wanted) or 0) * 1000


def _concerns(event: Event, store: str) -> bool:
    return event.choice.stores is None or store in event.choice.stores


def _version(events: Iterable[Event], listed: Mapping[str, int]) -> str:
    digest = hashlib.sha256()
    for one in sorted({event.id for event in events}):
        digest.update(one)
    for store, added_ms in sorted(listed.items()):
        digest.update(f"\x00{store}\x00{added_ms}".encode())
    return digest.hexdigest()[:_VERSION_DIGITS]


def _labels(connection: Connection, named: Sequence[str]) -> dict[str, str]:
    return {row.id: row.label for row in connection.execute(_LABELS, {"stores": named})}


_LABELS = select(stores.c.id, stores.c.label).where(stores.c.id.in_(bindparam("stores", expanding=True)))


def _label(policy: Policy | None, otherwise: str) -> str:
    return policy.store.label if policy is not None else otherwise


def _purposes(policy: Policy | None, standing: Standing, statements: Sequence[Statement]) -> tuple[Chosen, ...]:
    if policy is None:
        return ()
    here = [one for one in policy.main.purposes if not is_wide(one.id)]
    return tuple(_purpose(one, policy.main, standing, statements) for one in here)


def _brands(
    connection: Connection, policies: publication.Policies, standing: Standing, now_s: int
) -> tuple[AtBrand, ...]:
    """Every brand that has something to choose as a whole."""
    found = []
    for brand in connection.scalars(_POLICIES):
        main = policies.main(brand)
        wide = [one for one in main.purposes if is_wide(one.id)] if main is not None else []
        given = [one for one in standing.wide if one.until_s > now_s and standing.of_brand(one.event, brand)]
        if main is not None and wide:
            found.append(AtBrand(brand, tuple(_purpose(one, main, standing, given) for one in wide)))
    return tuple(found)


_POLICIES = select(stores.c.policy).distinct().order_by(stores.c.policy)


def _purpose(purpose: Purpose, main: MainPolicy, standing: Standing, statements: Sequence[Statement]) -> Chosen:
    mine = [one for one in statements if one.purpose == purpose.id]
    scopes = []
    for rule in main.scopes:
        if purpose.id in rule.all_purposes:
            carry = [one for one in mine if rule.id in one.scopes and (not rule.special or standing.is_own(one))]
            scopes.append(
                ChosenScope(rule.id, rule.label, rule.special, purpose.id in rule.purposes, bool(carry), *_span(carry))
            )
    labels = {role.id: role.label for role in main.roles if role.id != synthetic.ROLE}
    roles = dict.fromkeys(labels[role] for one in mine for role in one.roles if role in labels)
    return Chosen(
        purpose=purpose.id,
        label=purpose.label,
        given=any(one.given for one in scopes) if scopes else bool(mine),
        **dict(zip(("since_s", "until_s"), _span(mine), strict=True)),
        roles=tuple(roles),
        notice=purpose.notice,
        scopes=tuple(scopes),
        channel=channel_of(purpose.id),
    )


def _span(statements: Sequence[Statement]) -> tuple[int | None, int | None]:
    """Since when and until when, of several grants of one matter the stricter: each of them has to allow."""
    if not statements:
        return None, None
    return max(max(one.from_s, one.chosen_s or 0) for one in statements), min(one.until_s for one in statements)
