"""Decides whether a system may contact a member now, and keeps what came of it and what it cost.

    {"member": "m-1", "channel": "email", "brand": "main", "time_zone": "Europe/Berlin",
     "offer": {"id": "spring-1", "items": ["b-12"], "categories": ["shoes"], "themes": []}}
    {"decision": "<32 hex digits>", "result": "sent", "cost_micros": 1200, "currency": "EUR"}

What is allowed counts against the caps at once, and no more when it was not sent.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated

from sqlalchemy import Connection, Engine, delete, insert, select, update

from hq import catalogs, ledger, membership, purchases, recovery, regulation
from hq.contacts_rules import (
    DEFAULT,
    LONGEST_DAYS,
    Content,
    Denied,
    Rules,
    compared,
    contents,
    is_zone,
    of_caps,
    of_groups,
    of_guards,
    of_hours,
    of_mutes,
)
from hq.contacts_tables import contact_rules, contacts
from hq.custody import Place, bound
from hq.database import writing
from hq.errors import Reason, Refused
from hq.importer import Problem
from hq.keys import Keys
from hq.membership import Locked
from hq.purchases_told import Kind
from hq.state import CONTACT, Event, EventKind, Standing, fold
from hq.systems import System
from hq.systems_intake import Reach, Taken, problem
from hq.systems_line import Line, Row
from hq.tables import stores
from wire import schema
from wire.catalog import CatalogItem
from wire.items import MuteKind
from wire.member import Muted, Name
from wire.schema import Range, Size

DAY_MS = 86_400_000
KEPT_MS = 400 * DAY_MS
MOST_ITEMS = 50
_ID_BYTES = 16
_KEYS = "member channel brand store time_zone offer"


class Result(IntEnum):
    """What became of a contact."""

    ALLOWED = 0  # nothing is known yet
    SENT = 1
    NOT_SENT = 2  # counts against no cap
    BOUNCED = 3


@dataclass(frozen=True, slots=True, repr=False)
class Contact:
    """What stands sealed in a contact's row."""

    channel: Name
    system: Annotated[str, Size(1, 40)]
    offer: Annotated[str, Size(0, 64)]
    result: Result = Result.ALLOWED
    cost_micros: Annotated[int, Range(0, 2**53)] | None = None  # millionths of the currency
    currency: Annotated[str, Size(3, 3)] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """About one line. `denied` None: allowed, and `id` (16 bytes) names it for the result.

    `not_before_ms`: when it may be asked again, where only time forbids it.
    """

    line: int
    denied: Denied | None
    id: bytes | None = None
    not_before_ms: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class _Asked:
    reference: bytes
    channel: str
    brand: str
    zone: str
    offer: str
    items: tuple[str, ...]
    named: frozenset[Muted]


# --- rules --------------------------------------------------------------------------------------------------------


def rules_of(connection: Connection, brand: str) -> Rules:
    """A brand's rules; those of nobody are `DEFAULT`."""
    content = connection.scalar(select(contact_rules.c.content).where(contact_rules.c.brand == brand))
    return DEFAULT if content is None else schema.decode(Rules, content)


def set_rules(connection: Connection, brand: str, rules: Rules, now_ms: int) -> None:
    """Sets a brand's rules, which hold from now on. Raises: Refused, where no store is of that brand."""
    if connection.scalar(select(stores.c.id).where(stores.c.policy == brand).limit(1)) is None:
        raise Refused(Reason.NO_POLICY, "brand", "the name of a policy that a store is under")
    connection.execute(delete(contact_rules).where(contact_rules.c.brand == brand))
    connection.execute(insert(contact_rules).values(brand=brand, content=schema.encode(rules), set_ms=now_ms))


# --- decisions ----------------------------------------------------------------------------------------------------


def decide(
    engine: Engine, keys: Keys, system: System, batch: list[Line], now_ms: int
) -> tuple[list[Decision], list[Problem]]:
    """Decides about each line, in one transaction, and the lines that say nothing that can be decided.

    Raises: DatabaseUnavailable.
    """
    with writing(engine) as connection:
        reach = Reach(connection, system)
        named = {str(one.said.get("member", "")) for one in batch}
        references, locked = membership.lock_named(connection, keys.custody, named)
        judge = _Judge(connection, keys, locked, now_ms)
        found, refused = [], []
        for line in batch:
            try:
                found.append(
                    judge.decide(line.number, _asked(Row(line.said, _KEYS), reach, references, locked), system)
                )
            except Refused as error:
                refused.append(problem(line, error))
        judge.write()
    return found, refused


def _asked(row: Row, reach: Reach, references: Mapping[str, bytes], locked: Mapping[bytes, Locked]) -> _Asked:
    reference = references.get(row.text("member", most_bytes=64))
    if reference is None or reference not in locked:
        raise row.wrong("member", "the id of a member", Reason.UNKNOWN_MEMBER)
    store = row.text("store", "", most_bytes=40)
    if store:
        reach.check_store(store, "store")
    own = reach.brands_in_full if not store else frozenset({reach.policies.name(store) or ""})
    brand = row.text("brand", next(iter(own)) if len(own) == 1 else "", most_bytes=40)
    if brand not in own:
        raise row.wrong("brand", "a brand that this system was given, and of that store", Reason.FORBIDDEN)
    zone = row.text("time_zone", "", most_bytes=64) or _zone(reach, store, brand)
    if not is_zone(zone):
        raise row.wrong("time_zone", "the name of a time zone, such as Europe/Berlin")
    offer = row.row("offer", "id items categories themes")
    named: set[Muted] = set()
    for key, kind in (("categories", MuteKind.CATEGORY), ("themes", MuteKind.THEME)):
        named.update(Muted(kind, one) for one in (offer.texts(key) if offer is not None else ()))
    return _Asked(
        reference=reference,
        channel=row.text("channel", most_bytes=56),
        brand=brand,
        zone=zone,
        offer="" if offer is None else offer.text("id", "", most_bytes=64),
        items=() if offer is None else offer.texts("items", MOST_ITEMS),
        named=frozenset(named),
    )


def _zone(reach: Reach, store: str, brand: str) -> str:
    """The time zone of the store, or of the first of the brand that has one; empty: none has."""
    names = [store] if store else [one for one in reach.open_stores if reach.policies.name(one) == brand]
    found = [reach.policies.of(one) for one in names]
    return next((one.store.time_zone for one in found if one is not None), "")


class _Judge:
    """What is known in one transaction, and the contacts that it allows."""

    def __init__(self, connection: Connection, keys: Keys, locked: Mapping[bytes, Locked], now_ms: int) -> None:
        self._connection, self._keys, self._locked, self._now_ms = connection, keys, locked, now_ms
        events = ledger.of_members(connection, locked)
        doubt_s = recovery.contacts_in_doubt_s(connection)
        self._standing = {one: fold(_counting(events[one], locked[one], doubt_s)) for one in locked}
        self._before = {one: [(said.channel, at_ms) for said, at_ms in _made(connection, locked[one], now_ms)]
                        for one in locked}  # fmt: skip
        self._rules: dict[str, Rules] = {}
        self._contents: dict[str, dict[Muted, Content]] = {}
        self._shelves: dict[str, catalogs.Catalogs] = {}
        self._items: dict[tuple[str, str], CatalogItem | None] = {}
        self._new: list[dict[str, object]] = []

    def decide(self, line: int, asked: _Asked, system: System) -> Decision:
        """One line, as everything before it has left it. The first reason that forbids it is told."""
        standing = self._standing[asked.reference]
        rules = self._rules.setdefault(asked.brand, rules_of(self._connection, asked.brand))
        if not is_granted(standing, asked.channel, asked.brand, self._brand_of, self._now_ms // 1000):
            return Decision(line, Denied.CONSENT)
        items = {one: self._item(asked.brand, one) for one in asked.items}
        named = {one: self._content(asked.brand, one) for one in asked.named}
        denied = (
            of_mutes(standing.mutes, items, named, self._muted(asked, standing))
            or of_guards(items, self._bought(asked, items))
            or of_groups(named.values())
        )
        if denied is not None:
            return Decision(line, denied)
        before = self._before[asked.reference]
        until_ms = of_caps(rules, asked.channel, before, self._now_ms)
        if until_ms is not None:
            return Decision(line, Denied.CAP, not_before_ms=until_ms)
        until_ms = of_hours(rules, asked.channel, asked.zone, self._now_ms)
        if until_ms is not None:
            return Decision(line, Denied.QUIET, not_before_ms=until_ms)
        made = os.urandom(_ID_BYTES)
        content = schema.encode(Contact(asked.channel, system.id, asked.offer))
        sealed = self._locked[asked.reference].seal.close(content, bound(Place.CONTACT, asked.reference, made))
        self._new.append({"id": made, "member": asked.reference, "content": sealed, "at_ms": self._now_ms})
        before.append((asked.channel, self._now_ms))
        return Decision(line, None, made)

    def write(self) -> None:
        """Writes what was allowed."""
        if self._new:
            self._connection.execute(insert(contacts), self._new)

    def _brand_of(self, store: str) -> str | None:
        return self._connection.scalar(select(stores.c.policy).where(stores.c.id == store))

    def _item(self, brand: str, item: str) -> CatalogItem | None:
        """What the brand's catalogs say of an item; None: nothing."""
        if (brand, item) not in self._items:
            self._items[brand, item] = self._catalogs_of(brand).item(item)
        return self._items[brand, item]

    def _muted(self, asked: _Asked, standing: Standing) -> list[CatalogItem]:
        """The items that the member muted; looked up only where the offer names groups that could hold them."""
        listed = [one.id for one in standing.mutes if one.what is MuteKind.ITEM] if asked.named else []
        found = [self._item(asked.brand, one) for one in listed]
        return [one for one in found if one is not None]

    def _content(self, brand: str, group: Muted) -> Content | None:
        """What the brand's catalogs hold in a category or theme; None: nothing."""
        if brand not in self._contents:
            self._contents[brand] = contents(self._catalogs_of(brand).told())
        return self._contents[brand].get(compared(group))

    def _catalogs_of(self, brand: str) -> catalogs.Catalogs:
        if brand not in self._shelves:
            self._shelves[brand] = catalogs.of_brand(self._connection, brand)
        return self._shelves[brand]

    def _bought(self, asked: _Asked, items: Mapping[str, CatalogItem | None]) -> frozenset[str]:
        """What of these the member bought for themself; looked up only where it matters."""
        if not any(one is not None and one.flags for one in items.values()):
            return frozenset()
        one = {asked.reference: self._locked[asked.reference]}
        held = purchases.of_members(self._connection, one)[asked.reference]
        return frozenset(
            line.item
            for each in held
            if each.said.kind is Kind.PURCHASE
            for line in each.said.lines
            if each.mark_of(line.item) is None
        )


def _counting(events: Sequence[Event], one: Locked, doubt_s: int | None) -> list[Event]:
    """Those that count at the member's age; no grant up to `doubt_s`, of which HQ may have lost the withdrawal."""
    about = one.about
    return [
        each
        for each in events
        if regulation.counts_now(each, about.age_at_least, about.jurisdiction)
        and not (doubt_s is not None and each.choice.kind is EventKind.GRANT and each.recorded_s <= doubt_s)
    ]


def is_granted(standing: Standing, channel: str, brand: str, brand_of: Callable[[str], str | None], now_s: int) -> bool:
    """Whether the member wants to be contacted by this channel for this brand now. Doubt is no.

    `standing` is of the events that count at the member's age.
    """
    for one in (*standing.wide, *standing.statements):
        if one.purpose == CONTACT + channel and one.from_s <= now_s < one.until_s:
            whose = brand_of(one.store) if one.store else standing.brands.get(one.event)
            if whose == brand and standing.of_brand(one.event, brand):
                return True
    return False


def _made(connection: Connection, one: Locked, now_ms: int) -> list[tuple[Contact, int]]:
    """The contacts of one member that count against caps, with their times."""
    since_ms = now_ms - LONGEST_DAYS * DAY_MS
    wanted = select(contacts).where(contacts.c.member == one.reference, contacts.c.at_ms > since_ms)
    found = [(_opened(one, row.id, row.content), row.at_ms) for row in connection.execute(wanted)]
    return [(said, at_ms) for said, at_ms in found if said.result is not Result.NOT_SENT]


def _opened(one: Locked, contact: bytes, content: bytes) -> Contact:
    return schema.decode(Contact, one.seal.open(content, bound(Place.CONTACT, one.reference, contact)))


# --- results ------------------------------------------------------------------------------------------------------


def take_results(engine: Engine, keys: Keys, system: System, batch: list[Line], now_ms: int) -> Taken:
    """Keeps what became of contacts that this system was allowed; one transaction. Raises: DatabaseUnavailable."""
    with writing(engine) as connection:
        refused, new = [], 0
        for line in batch:
            try:
                new += _result(connection, keys, system, Row(line.said, "decision result cost_micros currency"))
            except Refused as error:
                refused.append(problem(line, error))
    return Taken(new, refused)


def _result(connection: Connection, keys: Keys, system: System, row: Row) -> int:
    name = row.text("decision", most_bytes=2 * _ID_BYTES)
    result = row.word("result", Result)
    unknown = row.wrong("decision", "the id of a decision that allowed a contact of this system", Reason.MALFORMED)
    try:
        contact = bytes.fromhex(name)
    except ValueError:
        raise unknown from None
    whose = connection.scalar(select(contacts.c.member).where(contacts.c.id == contact))
    locked = {} if whose is None else membership.lock(connection, keys.custody, [whose])
    content = connection.scalar(select(contacts.c.content).where(contacts.c.id == contact))
    if whose is None or whose not in locked or content is None:
        raise unknown
    one = locked[whose]
    said = _opened(one, contact, content)
    if said.system != system.id or result is Result.ALLOWED:
        raise unknown
    if result is Result.NOT_SENT and said.result in (Result.SENT, Result.BOUNCED):
        raise row.wrong("result", "sent or bounced: what was sent stays so, and counts", Reason.EXISTS)
    cost = row.whole("cost_micros", 0, 2**53, -1)
    currency = row.text("currency", "", most_bytes=3)
    if (cost >= 0) is not (len(currency) == 3):
        raise row.wrong("currency", "a cost with its currency of three letters, or neither")
    changed = replace(said, result=result, cost_micros=cost if cost >= 0 else None, currency=currency or None)
    if changed == said:
        return 0
    sealed = one.seal.close(schema.encode(changed), bound(Place.CONTACT, whose, contact))
    connection.execute(update(contacts).where(contacts.c.id == contact).values(content=sealed))
    return 1


def resealed(before: Locked, after: Locked, contact: bytes, content: bytes) -> bytes:
    """A contact's content for another member. Raises: SealBroken."""
    opened = before.seal.open(content, bound(Place.CONTACT, before.reference, contact))
    return after.seal.close(opened, bound(Place.CONTACT, after.reference, contact))


def of_member(connection: Connection, one: Locked) -> Sequence[tuple[int, Contact]]:
    """All of one member, with their times in Unix milliseconds, the newest first."""
    wanted = select(contacts).where(contacts.c.member == one.reference).order_by(contacts.c.at_ms.desc())
    return [(row.at_ms, _opened(one, row.id, row.content)) for row in connection.execute(wanted)]


def forget(connection: Connection, now_ms: int) -> int:
    """Lets go what is older than 400 days, in a transaction that writes."""
    return connection.execute(delete(contacts).where(contacts.c.at_ms < now_ms - KEPT_MS)).rowcount
