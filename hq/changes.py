"""Tells other systems what members chose, withdrew and muted, and whom HQ erased: a page after a cursor.

The cursor is the number of a consent event. Numbers have no gap and are given under one lock that is held until the
commit: whoever sees a number sees all before it, so no writer can slip in behind a cursor. Told, it names that event
by its hash besides: after a restore from a backup the numbers are given again, and what was told of is not there.

I/O: sqlalchemy.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import Connection, delete, insert, select

from hq import ledger
from hq.alarms import Alarm, raise_
from hq.changes_tables import gone_members
from hq.custody import Custody, Place, Purpose, Seal, bound
from hq.custody_tables import member_keys
from hq.errors import SealBroken
from hq.ledger_tables import consent_facts
from hq.membership import About, Locked
from hq.state import CLOSING, Choice, Event, EventKind
from hq.systems import Right, System
from hq.systems_intake import Reach
from hq.systems_tables import merges, systems
from hq.tables import chain_heads, consent_events, members
from runtime.logs import Log
from wire import schema
from wire.errors import WireError
from wire.member import Mode, NameChoice
from wire.schema import Count, Size

_LOG = Log("changes")
KEPT_MS = 30 * 86_400_000
MOST_AT_ONCE = 500
CURSOR = r"^[0-9]{1,16}(-[0-9a-f]{8})?$"
_CURSOR_BYTES = 4  # of the hash
_LAST_S = 253_402_300_799  # RFC 3339 has years of four digits
ERASURE = "erasure"  # the method of the event that ends a member
MERGE = "merge"  # that of the one that ends an id which leads to another member from then on


@dataclass(frozen=True, slots=True, repr=False)
class Gone:
    """Who was erased, and of which brands they had chosen something."""

    id: Annotated[str, Size(1, 64)]
    brands: Annotated[tuple[Annotated[str, Size(1, 40)], ...], Count(1000)]


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """One change as a system may know it. `kind`: given, renewed, refused, withdrawn, invalidated, mode, name, mute,
    unmute, merged, erased. Of a withdrawal None means all. Times are Unix seconds UTC.
    """

    number: int
    kind: str
    member: str
    recorded_s: int
    chosen_s: int | None = None
    method: str = ""
    purpose: str | None = None
    scopes: tuple[str, ...] | None = None
    stores: tuple[str, ...] | None = None
    brand: str | None = None
    until_s: int | None = None
    notice: bytes | None = None
    mode: str | None = None
    name: str | None = None
    muted: tuple[str, str] | None = None  # item, category or theme, and its id
    into: str | None = None  # of merged: the id that this one leads to now


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """Some changes, in ascending number. `next`: the cursor to go on with; `more`: there are further ones now;
    `unreadable`: the numbers of those that HQ cannot open, of members whom the system knows.
    """

    changes: tuple[Change, ...]
    next: int
    more: bool
    unreadable: tuple[int, ...] = ()


def newest(connection: Connection) -> int:
    """The number of the last event; 0: none."""
    wanted = select(chain_heads.c.number).where(chain_heads.c.name == ledger.CHAIN)
    return connection.scalar(wanted) or 0


def cursor(connection: Connection, number: int) -> str:
    """The number as it is told: `<number>-<8 hex digits of that event's hash>`; `0`: before the first."""
    found = _hash(connection, number)
    return str(number) if found is None else f"{number}-{_short(found)}"


def number_of(connection: Connection, told: str) -> int | None:
    """The number that a cursor tells, also one without a hash; None: no such event is here, or another one is."""
    number, _, short = told.partition("-")
    found = _hash(connection, int(number))
    if found is None:
        return None if int(number) or short else 0
    return int(number) if short in ("", _short(found)) else None


def _hash(connection: Connection, number: int) -> bytes | None:
    return connection.scalar(select(consent_events.c.hash).where(consent_events.c.number == number))


def _short(found: bytes) -> str:
    return found[:_CURSOR_BYTES].hex()


def after(connection: Connection, custody: Custody, system: System, cursor: int, most: int = MOST_AT_ONCE) -> Page:
    """What this system may know of the `most` events after the cursor; what it may not is passed over.

    So is what does not open, and is counted: nobody's withdrawal waits behind a row that was changed.
    """
    rows = ledger.since(connection, cursor, most + 1)
    more, rows = len(rows) > most, rows[:most]
    told = _Told(connection, custody, system, {row.member for row in rows})
    found: list[Change] = []
    unreadable: list[int] = []
    for row in rows:
        try:
            change = told.change(row)
        except (SealBroken, WireError):
            if row.member in told.known or row.method == ERASURE:
                unreadable.append(row.number)
            continue
        if change is not None:
            found.append(change)
    return Page(tuple(found), rows[-1].number if rows else cursor, more, tuple(unreadable))


def note_unreadable(connection: Connection, system: str, page: Page, now_ms: int) -> None:
    """Tells operators what of a page did not open, in a transaction that writes."""
    stated = f"system={system} changes={len(page.unreadable)} first={page.unreadable[0]}"
    raise_(connection, Alarm.CHANGE_UNREADABLE, "", now_ms, stated)
    _LOG.error(
        "change_unreadable", system=system, changes=len(page.unreadable), first=page.unreadable[0],
        remedy="see whether rows were changed outside of HQ, then: consentry-hq consent check",
    )  # fmt: skip


class _Told:
    """What a page is made with: whose events they are, into whom those were merged, and whom the system knows."""

    def __init__(self, connection: Connection, custody: Custody, system: System, whose: set[bytes]) -> None:
        self._connection = connection
        self._custody = custody
        self._reach = Reach(connection, system)
        wanted = select(merges.c.member, merges.c.survivor, merges.c.at_ms)
        self._led = {row.member: row for row in connection.execute(wanted.where(merges.c.member.in_(sorted(whose))))}
        survivors = whose | {row.survivor for row in self._led.values()}
        self._merged: dict[bytes, set[bytes]] = {}
        for row in connection.execute(wanted.where(merges.c.survivor.in_(sorted(survivors)))):
            self._merged.setdefault(row.survivor, set()).add(row.member)
        self._seals = _seals(connection, custody, survivors)
        opens = select(members.c.id, members.c.content).where(members.c.id.in_(sorted(survivors)))
        self._content = {row.id: row.content for row in connection.execute(opens) if row.content is not None}
        everybody = survivors.union(*self._merged.values())
        chosen = everybody if system.is_everywhere else _who_chose(connection, self._reach, everybody)
        self._chosen = chosen
        # Whoever knew an id knows the member whom it leads to.
        self.known = {one for one in whose if one in chosen or self._merged.get(one, set()) & chosen}

    def change(self, row: Any) -> Change | None:
        """What is told of an event; None: nothing. Raises: SealBroken, WireError."""
        if row.member not in self._content:  # erased, perhaps since the keys were read
            return _erased(self._connection, self._custody, row, self._reach)
        event = ledger.event_of(row, self._seal(row.member))
        merge = self._led.get(row.member)
        if merge is not None and _is_merge(event, merge.at_ms):
            return self._as_merged(row, event, merge.survivor)
        return _change(row.number, self._id(row.member), event, self._reach, is_known=row.member in self.known)

    def _as_merged(self, row: Any, event: Event, survivor: bytes) -> Change | None:
        """Told to whoever knew the id, or may have added it; of an id that led on to this one, too."""
        system = self._reach.system
        if not (system.may(Right.MEMBERS) or self._merged.get(survivor, set()) & self._chosen):
            return None
        if survivor not in self._content:
            return None  # erased meanwhile, and this one with it: that is told
        return Change(
            row.number, "merged", self._id(row.member), event.recorded_s, event.chosen_s, event.method,
            into=self._id(survivor),
        )  # fmt: skip

    def _id(self, member: bytes) -> str:
        opened = self._seal(member).open(self._content[member], bound(Place.MEMBER, member))
        return schema.decode(About, opened).id

    def _seal(self, member: bytes) -> Seal:
        found = self._seals.get(member)
        if found is None:
            raise SealBroken("a member's key does not open", "see whether rows were changed outside of HQ")
        return found


def _seals(connection: Connection, custody: Custody, whose: set[bytes]) -> dict[bytes, Seal]:
    """The seal of each whose key opens; who was erased has none."""
    try:
        return custody.of_members(connection, whose)
    except SealBroken:
        found = {}
    for row in connection.execute(select(member_keys).where(member_keys.c.member.in_(sorted(whose)))):
        with suppress(SealBroken):
            found[row.member] = custody.member(row.member, row.wrapped)
    return found


def _is_merge(event: Event, at_ms: int) -> bool:
    """Whether it is the event by which all of a merged id ended."""
    choice = event.choice
    names_all = choice.purpose is None and choice.scopes is None and choice.stores is None and choice.brand is None
    return (
        event.method == MERGE
        and event.recorded_s == at_ms // 1000
        and choice.kind is EventKind.WITHDRAWAL
        and names_all
    )


def _who_chose(connection: Connection, reach: Reach, whose: set[bytes]) -> set[bytes]:
    """Which of them ever chose something of a brand or a store that is open to the system."""
    wanted = select(consent_facts.c.member, consent_facts.c.store, consent_facts.c.brand).where(
        consent_facts.c.member.in_(sorted(whose))
    )
    return {
        row.member
        for row in connection.execute(wanted.distinct())
        if row.brand in reach.brands_in_full or (row.store and reach.has(row.store))
    }


def _change(number: int, member: str, event: Event, reach: Reach, *, is_known: bool) -> Change | None:
    choice = event.choice
    stores = choice.stores
    if stores:
        stores = tuple(one for one in stores if reach.has(one))
        if not stores:
            return None
    elif not is_known or (choice.brand is not None and not _concerns(reach, choice.brand, choice.kind)):
        return None
    return Change(
        number=number,
        kind=_kind(choice),
        member=member,
        recorded_s=event.recorded_s,
        chosen_s=event.chosen_s,
        method=event.method,
        purpose=choice.purpose,
        scopes=choice.scopes,
        stores=stores,
        brand=choice.brand,
        until_s=choice.until_s if choice.kind is EventKind.GRANT else None,
        notice=choice.notice if choice.kind is EventKind.GRANT else None,
        mode=None if choice.mode is None else Mode(choice.mode).name.lower(),
        name=None if choice.name_choice is None else NameChoice(choice.name_choice).name.lower(),
        muted=None if choice.mute is None else (choice.mute.what.value, choice.mute.id),
    )


def _concerns(reach: Reach, brand: str, kind: EventKind) -> bool:
    """Whether what was chosen for a brand as a whole is the system's to know.

    Where a system has some of the brand's stores, what ends there, too: else it would go on by what it was told.
    """
    if reach.system.is_everywhere or brand in reach.brands_in_full:
        return True
    return kind in CLOSING and brand in reach.brands


def _kind(choice: Choice) -> str:
    return choice.kind.name.lower() if choice.stated is None else choice.stated.value


# --- whom an erasure concerned ------------------------------------------------------------------------------------


def note_gone(connection: Connection, custody: Custody, event: bytes, one: Locked, now_ms: int) -> None:
    """Keeps for 30 days who is being erased, for the systems that have to be told; before their rows go."""
    if not any(Right.CHANGES in row.split() for row in connection.scalars(_TOLD)):
        return
    wanted = select(consent_facts.c.brand).where(consent_facts.c.member == one.reference).distinct()
    brands = tuple(sorted(brand for brand in connection.scalars(wanted) if brand))
    seal = custody.to_seal(connection, Purpose.SYSTEMS)
    content = seal.close(schema.encode(Gone(one.about.id, brands)), bound(Place.GONE_MEMBER, event))
    connection.execute(insert(gone_members).values(event=event, content=content, until_ms=now_ms + KEPT_MS))


_TOLD = select(systems.c.rights).where(systems.c.revoked_ms.is_(None))


def _erased(connection: Connection, custody: Custody, row: Any, reach: Reach) -> Change | None:
    if row.method != ERASURE:
        return None  # an earlier choice of somebody erased since: nobody can open it any more
    content = connection.scalar(select(gone_members.c.content).where(gone_members.c.event == row.id))
    if content is None:
        return None
    seal = custody.to_open(connection, Purpose.SYSTEMS)
    gone = schema.decode(Gone, seal.open(content, bound(Place.GONE_MEMBER, row.id)))
    # Whom a system added itself, and who never chose anything, is of no brand that HQ knows.
    may_have_added = reach.system.may(Right.MEMBERS)
    if not reach.system.is_everywhere and not may_have_added and not reach.brands & set(gone.brands):
        return None
    return Change(row.number, "erased", gone.id, row.recorded_s, row.chosen_s, row.method)


def forget(connection: Connection, now_ms: int) -> int:
    """Lets go who was erased more than 30 days ago, in a transaction that writes."""
    return connection.execute(delete(gone_members).where(gone_members.c.until_ms <= now_ms)).rowcount


def plain(found: Sequence[Change]) -> list[dict[str, Any]]:
    """The changes as JSON has them, times as RFC 3339 in UTC; what is not said is left out."""
    return [_plain(one) for one in found]


def _plain(one: Change) -> dict[str, Any]:
    said: dict[str, Any] = {
        "number": one.number, "kind": one.kind, "member": one.member, "recorded": _instant(one.recorded_s),
        "chosen": _instant(one.chosen_s), "method": one.method, "purpose": one.purpose,
        "scopes": None if one.scopes is None else list(one.scopes),
        "stores": None if one.stores is None else list(one.stores), "brand": one.brand, "until": _instant(one.until_s),
        "notice": None if one.notice is None else one.notice.hex(), "mode": one.mode, "name": one.name,
        "muted": None if one.muted is None else {"what": one.muted[0], "id": one.muted[1]}, "into": one.into,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def _instant(at_s: int | None) -> str | None:
    """With milliseconds, as all times of the API: texts of one form are in the order of their times."""
    return None if at_s is None else f"{datetime.fromtimestamp(min(at_s, _LAST_S), UTC).isoformat()[:19]}.000Z"
