"""Works out what a store's answer to RECALL takes away from a restored HQ, and writes it: withdrawals, mutes, erasures.

What a member withdrew after the backup is no consent event any more. But a store that knew of it lacks the record, or
holds a newer one in which the grant is missing. Wherever HQ would say more than such a store was told last, that is
withdrawn, in all stores: a store that was out of reach then would show it otherwise. Whom a store was ordered to erase
is erased, though the backup brought the key back.

I/O: sqlalchemy.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update

from hq import door, erasure, ledger, membership, publication, records
from hq.database import reading, writing
from hq.keys import Keys
from hq.ledger import Entry
from hq.state import Choice, Event, EventKind
from hq.tables import audience, instances
from hq.tables import records as record_rows
from wire import schema, tree
from wire.errors import WireError
from wire.member import Member, Mode, NameChoice, State
from wire.recall import HELD_BYTES, Denied, Newer, Recalled
from wire.sync import Collection, instance

METHOD = "recovered"
_MEMBERS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, repr=False)
class Judged:
    """What an answer means. `gone`: pseudonyms of whom nothing stands; `said`: what the store was told last of others.

    denied: withdrawals and mutes made in the store itself, under this `incarnation`. erased: pseudonyms of whom it was
    ordered to erase. renew: keys whose record gets a new seq. ahead: instances of which the
    store holds more than HQ. ask_since: the store is to be asked again, from this seq on.
    """

    gone: set[bytes] = field(default_factory=set)
    said: dict[bytes, Member | None] = field(default_factory=dict)
    denied: dict[bytes, list[Denied]] = field(default_factory=lambda: defaultdict(list))
    incarnation: bytes = b""
    erased: set[bytes] = field(default_factory=set)
    renew: set[bytes] = field(default_factory=set)
    ahead: set[str] = field(default_factory=set)
    ask_since: int | None = None


def judge(engine: Engine, store: str, result: bytes, since: Mapping[str, int]) -> Judged:
    """Compares an answer with HQ's rows. `since`: how far each instance was in the backup, by name."""
    found = Judged()
    lowest: int | None = None
    try:
        told = schema.decode(Recalled, result)
    except WireError:
        told = Recalled(0, (), b"", (), (), (), b"", ())  # it cannot be read: then nothing of it is known
    for reached in told.others:
        if reached.seq > since.get(reached.instance, reached.seq):
            found.ahead.add(reached.instance)
    for one in told.denied:
        found.denied[one.pseudonym].append(one)
    if told.erased:
        found.erased.update(_named(engine, store, frozenset(told.erased)))
    newer = {one.column: one for one in told.newer}
    kept = dict(_held(told.held))
    floors = {one.prefix: one.as_of for one in told.floors}
    restored = since.get(instance(Collection.MEMBERS, store), 0)
    for key, seq, live, digest_key, path in _rows(engine, store):
        column = tree.column(digest_key, key)
        if column in newer:
            found.renew.add(key)
            if live:
                _compare(found, key, newer[column])
        elif not live:
            continue
        elif column in kept:
            # Two histories: HQ wrote under the old generation after it was restored, and so did HQ before.
            if seq <= restored and kept[column] != seq:
                lower = min(kept[column], seq) - 1
                lowest = lower if lowest is None else min(lowest, lower)
        elif max(floors.get(path[:length], 0) for length in (0, 1, 2)) >= min(seq, restored):
            found.gone.add(key)  # the store was told everything up to there, and it is not there
            found.renew.add(key)
    ask_since = lowest if lowest is not None and lowest < told.since else None
    return replace(found, ask_since=ask_since, incarnation=told.incarnation)


def _named(engine: Engine, store: str, columns: frozenset[bytes]) -> list[bytes]:
    """The pseudonyms of these columns, of whoever HQ knows in this store."""
    with reading(engine) as connection:
        digest_key = _members(connection, store)[1]
        known = connection.scalars(select(audience.c.pseudonym).where(audience.c.store == store))
        return [one for one in known if tree.column(digest_key, one) in columns]


def _members(connection: Connection, store: str) -> tuple[int, bytes]:
    """The id and the digest key of the store's members."""
    wanted = select(instances).where(instances.c.name == instance(Collection.MEMBERS, store))
    members = records.from_row(connection.execute(wanted).one())
    return members.id, records.keys_of(connection, members).digest_key


def _held(packed: bytes) -> Iterator[tuple[bytes, int]]:
    for at in range(0, len(packed) - HELD_BYTES + 1, HELD_BYTES):
        one = packed[at : at + HELD_BYTES]
        yield one[: tree.DIGEST_BYTES], int.from_bytes(one[tree.DIGEST_BYTES :], "big")


def _rows(engine: Engine, store: str) -> list[tuple[bytes, int, bool, bytes, bytes]]:
    rows = record_rows
    with reading(engine) as connection:
        members, digest_key = _members(connection, store)
        live = rows.c.digest.is_not(None).label("live")
        wanted = select(rows.c.key, rows.c.seq, live, rows.c.path).where(rows.c.instance == members)
        return [(key, seq, bool(is_live), digest_key, path) for key, seq, is_live, path in
                connection.execute(wanted)]  # fmt: skip


def _compare(found: Judged, key: bytes, newer: Newer) -> None:
    if newer.member is None:
        found.gone.add(key)
        return
    try:
        found.said[key] = schema.decode(Member, newer.member)
    except WireError:
        found.said[key] = None


def erase(engine: Engine, keys: Keys, store: str, found: Judged, now_ms: int) -> int:
    """Erases whom this store had been ordered to erase, and has all their stores do so again; how many they were."""
    erased = 0
    for pseudonym in sorted(found.erased):
        with writing(engine) as connection:
            known = select(audience.c.member).where(audience.c.store == store, audience.c.pseudonym == pseudonym)
            locked = membership.lock(connection, keys.custody, connection.scalars(known).all())
            if locked:  # not by another store's word, or before this was broken off
                erasure.erase_locked(connection, keys, locked, now_ms)
                erased += 1
    return erased


def write(engine: Engine, keys: Keys, store: str, found: Judged, begun_ms: int, now_ms: int) -> int:
    """Writes withdrawals and mutes as consent events and gives new seqs; how many events. Again, it writes no more."""
    concerned = sorted(found.gone | found.said.keys() | found.denied.keys())
    written = 0
    for start in range(0, len(concerned), _MEMBERS_AT_ONCE):
        written += _withdraw(engine, keys, store, found, concerned[start : start + _MEMBERS_AT_ONCE], begun_ms, now_ms)
    name, listed = instance(Collection.MEMBERS, store), sorted(found.renew)
    for start in range(0, len(listed), _MEMBERS_AT_ONCE):
        with writing(engine) as connection:
            commit = records.begin(connection, [name])
            for key in listed[start : start + _MEMBERS_AT_ONCE]:
                commit.renew(name, key, records.body(connection, name, key))
            commit.write(now_ms)
    return written


def _withdraw(
    engine: Engine, keys: Keys, store: str, found: Judged, concerned: list[bytes], begun_ms: int, now_ms: int
) -> int:
    name = instance(Collection.MEMBERS, store)
    with writing(engine) as connection:
        known = connection.execute(
            select(audience).where(audience.c.store == store, audience.c.pseudonym.in_(concerned))
        ).all()
        locked = membership.lock(connection, keys.custody, [row.member for row in known])
        entries = []
        for row in known:
            if row.member not in locked:
                continue
            body = records.body(connection, name, row.pseudonym)
            hqs = None if body is None else schema.decode(Member, body)
            entries += [
                Entry(row.member, _event(store, row.pseudonym, choice, begun_ms, now_ms))
                for choice in _choices(found, row.pseudonym, hqs, store)
            ]
            _note_acts(connection, found, row)
        written = ledger.append(connection, entries, locked)
        publication.refresh(connection, keys, {one.member: locked[one.member] for one in entries}, now_ms)
    return written


def _note_acts(connection: Connection, found: Judged, row: Row[Any]) -> None:
    """The store may let its denials go: what they say is folded in, though HQ lost their events."""
    through = max((one.number for one in found.denied.get(row.pseudonym, ())), default=0)
    if through and (row.acts_incarnation != found.incarnation or row.acts_through < through):
        connection.execute(
            update(audience)
            .where(audience.c.store == row.store, audience.c.member == row.member)
            .values(acts_incarnation=found.incarnation, acts_through=through)
        )


def _choices(found: Judged, pseudonym: bytes, hqs: Member | None, store: str) -> Iterator[Choice]:
    """What is taken away so that HQ says no more than the store was told."""
    for one in found.denied.get(pseudonym, ()):
        if one.mute is not None:
            yield Choice(kind=EventKind.MUTE, mute=one.mute)
        else:
            yield door.check_withdrawal(None, None if one.scope is None else (one.scope,), (store,))
    said = found.said.get(pseudonym)
    if said is not None:
        known = set() if hqs is None else set(hqs.mutes or ())
        yield from (Choice(kind=EventKind.MUTE, mute=one) for one in said.mutes or () if one not in known)
    if hqs is None:
        return  # HQ says nothing of this member here, so that nothing can come back
    if pseudonym in found.gone or (said is None and pseudonym in found.said):
        yield door.check_withdrawal(None, None, None)
        return
    if said is None:
        return
    missing: dict[str, set[str]] = defaultdict(set)
    for purpose, scope, _ in sorted(_given(hqs) - _given(said)):
        missing[purpose].add(scope)
    for purpose, scopes in missing.items():
        yield door.check_withdrawal(purpose, None if "" in scopes else tuple(sorted(scopes)), None)
    if said.mode < hqs.mode:
        yield Choice(kind=EventKind.MODE, mode=Mode(said.mode))
    if said.name_choice < hqs.name_choice:
        yield Choice(kind=EventKind.NAME, name_choice=NameChoice(said.name_choice))


def _given(member: Member) -> set[tuple[str, str, bytes]]:
    """(purpose, scope, the event that proves it) of all that is granted; the scope empty for presence."""
    return {
        (one.purpose, scope, one.event)
        for one in member.statements
        if one.state is State.GIVEN
        for scope in (one.scopes or ("",))
    }


def _event(store: str, pseudonym: bytes, choice: Choice, begun_ms: int, now_ms: int) -> Event:
    stated: list[Any] = [METHOD.encode(), store.encode(), pseudonym, str(begun_ms).encode(), schema.encode(choice)]
    made = hashlib.sha256(b"\x00".join(stated)).digest()[:16]
    # Chosen no later than this: what a member chooses from now on counts again.
    return Event(made, METHOD, begun_ms // 1000, now_ms // 1000, choice)
