"""Members' rows, profiles and phones: locked for a transaction, opened under each member's key, and written sealed.

The database knows a member by a reference of HQ's own, 16 random bytes; the id that people use stands sealed in the
row, and beside it only what finds it again (HMAC-SHA256 under a key of HQ's).

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from hq.ages import band
from hq.custody import REFERENCE_BYTES, Custody, Place, Seal, bound
from hq.custody_tables import member_keys
from hq.systems_tables import merges
from hq.tables import members, phones, profiles
from wire import schema
from wire.member import Field, Seconds
from wire.schema import Count, Range, Size

_CHUNK = 500
_PHONE_BYTES = 8
MOST_GONE = 1024  # deletions that are remembered of a member, the latest


@dataclass(frozen=True, slots=True, repr=False)
class About:
    """What stands sealed in a member's row."""

    id: Annotated[str, Size(1, 64)]
    age_at_least: Annotated[int, Range(0, 150)]  # years; 0: unknown. However old somebody is, the band alone is kept
    jurisdiction: Annotated[str, Size(0, 16)]  # empty: unknown

    def __post_init__(self) -> None:
        object.__setattr__(self, "age_at_least", band(self.age_at_least))


@dataclass(frozen=True, slots=True, repr=False)
class Gone:
    """What the member deleted, and when in Unix seconds: what a system knows from before does not come back.

    `item` empty: all of the scope; else an item of its list.
    """

    scope: Annotated[str, Size(1, 64)]
    item: Annotated[str, Size(0, 64)]
    at_s: Seconds


@dataclass(frozen=True, slots=True, repr=False)
class Profile:
    """What stands sealed in a member's profile."""

    fields: Annotated[tuple[Field, ...], Count(1024)]
    gone: Annotated[tuple[Gone, ...], Count(MOST_GONE)] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Locked:
    """A member whose row is locked in this transaction, and what opens the rest of it."""

    reference: bytes
    about: About
    seal: Seal


def lock(connection: Connection, custody: Custody, references: Iterable[bytes]) -> dict[bytes, Locked]:
    """Locks these members' rows in ascending reference; who is missing or erased is not in the answer."""
    return _found(connection, custody, references, locking=True)


def opened(connection: Connection, custody: Custody, references: Iterable[bytes]) -> dict[bytes, Locked]:
    """The same members as they are at the instant of the transaction, which only reads: nobody waits for it."""
    return _found(connection, custody, references, locking=False)


def _found(
    connection: Connection, custody: Custody, references: Iterable[bytes], *, locking: bool
) -> dict[bytes, Locked]:
    found = {}
    listed = sorted(set(references))
    for start in range(0, len(listed), _CHUNK):
        chunk = {"ids": listed[start : start + _CHUNK]}
        for one, content, wrapped in connection.execute(_LOCKING if locking else _READING, chunk):
            found[one] = _opened(custody, one, wrapped, content)
    return found


_READING = (
    select(members.c.id, members.c.content, member_keys.c.wrapped)
    .join(member_keys, member_keys.c.member == members.c.id)
    .where(members.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(members.c.id)
)
_LOCKING = _READING.with_for_update()


def lock_by_id(connection: Connection, custody: Custody, ids: Iterable[str]) -> dict[bytes, Locked]:
    """The same of members by the ids that people use."""
    return lock_named(connection, custody, ids)[1]


def lock_named(
    connection: Connection, custody: Custody, ids: Iterable[str]
) -> tuple[dict[str, bytes], dict[bytes, Locked]]:
    """Whom each of these ids means, and their locked rows; who is not a member is in neither."""
    wanted = set(ids)
    references = custody.references(connection, wanted)
    while True:
        locked = lock(connection, custody, references.values())
        # While this waited for a row, a merge may have let the id lead to somebody else.
        now = custody.references(connection, wanted)
        if now == references:
            return references, locked
        references = now


def read_by_id(connection: Connection, custody: Custody, ids: Iterable[str]) -> dict[bytes, Locked]:
    """The same without a lock: for whoever only reads, in one transaction."""
    return opened(connection, custody, custody.references(connection, ids).values())


def _opened(custody: Custody, reference: bytes, wrapped: bytes, content: bytes) -> Locked:
    seal = custody.member(reference, wrapped)
    return Locked(reference, schema.decode(About, seal.open(content, bound(Place.MEMBER, reference))), seal)


def alike(connection: Connection, member: bytes) -> list[bytes]:
    """This member and those who were merged into it: what was recorded of them is this member's to read."""
    return [member, *connection.scalars(select(merges.c.member).where(merges.c.survivor == member))]


def survivors(connection: Connection, listed: Iterable[bytes]) -> dict[bytes, bytes]:
    """Into whom each of these was merged; who was not is not in the answer."""
    wanted = select(merges.c.member, merges.c.survivor).where(merges.c.member.in_(sorted(listed)))
    return {row.member: row.survivor for row in connection.execute(wanted)}


def lock_with_survivors(
    connection: Connection, custody: Custody, listed: Iterable[bytes]
) -> tuple[dict[bytes, bytes], dict[bytes, Locked]]:
    """Into whom each of these was merged, and the locked rows of all of them."""
    wanted = set(listed)
    led = survivors(connection, wanted)
    while True:
        locked = lock(connection, custody, wanted | set(led.values()))
        now = survivors(connection, wanted)  # as in `lock_named`
        if now == led:
            return led, locked
        led = now


def make(connection: Connection, custody: Custody, people: Iterable[About], now_ms: int) -> dict[bytes, Locked]:
    """New members, each with a key of its own; the caller saw that nobody has these ids."""
    made = {os.urandom(REFERENCE_BYTES): one for one in people}
    if not made:
        return {}
    lookups = custody.lookup(connection, [one.id for one in made.values()], making=True)
    keys = custody.new_members(made)
    locked = {one: Locked(one, about, keys[one].seal) for one, about in made.items()}
    rows = [{**_row(one), "lookup": lookups[one.about.id], "added_ms": now_ms} for one in locked.values()]
    connection.execute(insert(members), rows)
    connection.execute(insert(member_keys), [{"member": one, "wrapped": key.wrapped} for one, key in keys.items()])
    return locked


def change(connection: Connection, changed: Iterable[Locked]) -> None:
    """Writes what is now known about these members."""
    rows = [{f"b_{name}": value for name, value in _row(one).items()} for one in changed]
    if rows:
        connection.execute(_CHANGE, rows)


_CHANGE = update(members).where(members.c.id == bindparam("b_id")).values(content=bindparam("b_content"))


def _row(one: Locked) -> dict[str, Any]:
    content = one.seal.close(schema.encode(one.about), bound(Place.MEMBER, one.reference))
    return {"id": one.reference, "content": content}


def fields(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, tuple[Field, ...]]:
    """The profile of each, in ascending scope; who has none is not in the answer."""
    return {member: one.fields for member, one in _profiles(connection, locked).items() if one.fields}


def gone(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, dict[tuple[str, str], int]]:
    """When each deleted what, by scope and item (`Gone`)."""
    found = _profiles(connection, locked)
    return {
        member: {(each.scope, each.item): each.at_s for each in found[member].gone} if member in found else {}
        for member in locked
    }


def is_deleted(found: Field, gone: Mapping[tuple[str, str], int]) -> bool:
    """Whether the member deleted this value, or an entry of its list, later than it was collected."""
    listed = ((one.item, one.at_s or 0) for one in found.value.items or ())
    return any(at_s <= gone.get((found.scope, item), -1) for item, at_s in (("", found.collected_s), *listed))


def _profiles(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, Profile]:
    found = {}
    listed = sorted(locked)
    for start in range(0, len(listed), _CHUNK):
        for row in connection.execute(_PROFILES, {"members": listed[start : start + _CHUNK]}):
            opened = locked[row.member].seal.open(row.content, bound(Place.PROFILE, row.member))
            found[row.member] = schema.decode(Profile, opened)
    return found


_PROFILES = select(profiles).where(profiles.c.member.in_(bindparam("members", expanding=True)))


def put_fields(
    connection: Connection,
    locked: Mapping[bytes, Locked],
    found: Mapping[bytes, Iterable[Field]],
    deleted: Mapping[bytes, Iterable[Gone]] | None = None,
) -> None:
    """Writes whole profiles in place of those before; `deleted` comes beside what was deleted earlier."""
    if not found:
        return
    before = _profiles(connection, {member: locked[member] for member in found})
    connection.execute(_FORGET_PROFILE, [{"b_member": one} for one in found])
    rows = []
    for member, listed in found.items():
        earlier = before[member].gone if member in before else ()
        kept = _latest((*earlier, *(deleted or {}).get(member, ())))
        inner = Profile(tuple(sorted(listed, key=lambda one: one.scope)), kept)
        if inner.fields or inner.gone:
            content = locked[member].seal.close(schema.encode(inner), bound(Place.PROFILE, member))
            rows.append({"member": member, "content": content})
    if rows:
        connection.execute(insert(profiles), rows)


def _latest(listed: Iterable[Gone]) -> tuple[Gone, ...]:
    """Each once, by its last time; of too many the latest, those of whole scopes first."""
    found: dict[tuple[str, str], Gone] = {}
    for one in listed:
        held = found.get((one.scope, one.item))
        if held is None or held.at_s < one.at_s:
            found[one.scope, one.item] = one
    return tuple(sorted(found.values(), key=lambda one: (one.item != "", -one.at_s, one.scope, one.item))[:MOST_GONE])


_FORGET_PROFILE = delete(profiles).where(profiles.c.member == bindparam("b_member"))


def secrets(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, list[bytes]]:
    """The presence secrets of the phones of each, 32 bytes."""
    found: dict[bytes, list[bytes]] = defaultdict(list)
    listed = sorted(locked)
    for start in range(0, len(listed), _CHUNK):
        for row in connection.execute(_PHONES, {"members": listed[start : start + _CHUNK]}):
            found[row.member].append(phone_secret(locked[row.member].seal, row.id, row.member, row.secret))
    return found


_PHONES = select(phones).where(phones.c.member.in_(bindparam("members", expanding=True))).order_by(phones.c.id)


def phone_secret(seal: Seal, phone: bytes, member: bytes, sealed: bytes) -> bytes:
    """A phone's presence secret, 32 bytes, of its row. Raises: SealBroken."""
    return seal.open(sealed, bound(Place.PHONE, member, phone))


def add_phones(connection: Connection, added: Sequence[tuple[Locked, bytes]], now_ms: int) -> list[bytes]:
    """Phones of these members with these secrets; returns the phones' new ids, 8 bytes each."""
    made, rows = [], []
    for one, secret in added:
        phone = os.urandom(_PHONE_BYTES)
        sealed = one.seal.close(secret, bound(Place.PHONE, one.reference, phone))
        rows.append({"id": phone, "member": one.reference, "secret": sealed, "added_ms": now_ms})
        made.append(phone)
    if rows:
        connection.execute(insert(phones), rows)
    return made
