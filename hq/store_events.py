"""Stores what happened in a store, each event once, in order; folds in withdrawals and the steps of calls for help.

A batch that begins after a gap is left for the store to send again, unless the store said that it dropped as many.
So `acts_through` never says more than what was folded in.

I/O: sqlalchemy.
"""

import hashlib
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from hq import door, help_state, ledger, membership, publication, synthetic_reports
from hq.errors import Refused
from hq.keys import Keys
from hq.ledger import Entry
from hq.membership import Locked
from hq.state import Event as ConsentEvent
from hq.tables import audience, incarnations, store_events
from wire import schema
from wire.errors import WireError
from wire.sync import Event, EventKind, Events, Withdrawal

METHOD = "in-store"
_FOLDED = frozenset({EventKind.WITHDRAWAL, EventKind.ATTENDANCE})


def take(connection: Connection, keys: Keys, store: str, batch: Events, now_ms: int) -> int:
    """Stores the events of a batch that are not stored yet; returns how many that were.

    After it the incarnation's `events_through` is what the next lease will say.
    """
    row = _lock(connection, store, batch.incarnation)
    if row is None or not batch.events:
        return 0
    numbers = [one.number for one in batch.events]
    if numbers != sorted(set(numbers)):
        return 0
    missing = max(0, numbers[0] - row.events_through - 1)
    if missing > max(0, row.let_go - row.lost):
        return 0
    fresh = [one for one in batch.events if one.number > row.events_through]
    if not fresh:
        return 0
    lost = fresh[-1].number - row.events_through - len(fresh)
    told = [one for one in fresh if one.kind in _FOLDED]
    known = _members(connection, store, {one.pseudonym for one in told if one.pseudonym is not None})
    locked = membership.lock(connection, keys.custody, known.values())
    withdrawals = [one for one in told if one.kind is EventKind.WITHDRAWAL]
    _fold(connection, keys, store, batch.incarnation, withdrawals, known, locked, now_ms)
    help_state.take(connection, store, known, told, now_ms)
    synthetic_reports.take(connection, store, fresh)
    connection.execute(
        insert(store_events),
        [
            {
                "store": store,
                "incarnation": batch.incarnation,
                "number": one.number,
                "kind": int(one.kind),
                "at_ms": one.at_ms,
                "pseudonym": one.pseudonym,
                "body": one.body,
                "received_ms": now_ms,
            }
            for one in fresh
        ],
    )
    connection.execute(
        update(incarnations)
        .where(incarnations.c.store == store, incarnations.c.incarnation == batch.incarnation)
        .values(events_through=fresh[-1].number, lost=row.lost + lost)
    )
    return len(fresh)


def _lock(connection: Connection, store: str, incarnation: bytes) -> Row[Any] | None:
    wanted = select(incarnations).where(incarnations.c.store == store, incarnations.c.incarnation == incarnation)
    return connection.execute(wanted.with_for_update()).first()


def _fold(
    connection: Connection,
    keys: Keys,
    store: str,
    incarnation: bytes,
    withdrawals: list[Event],
    known: dict[bytes, bytes],
    locked: dict[bytes, Locked],
    now_ms: int,
) -> None:
    """Each withdrawal as a consent event, and the members' records published with how far that goes."""
    entries = []
    through: dict[bytes, int] = {}
    for one in withdrawals:
        member = known.get(one.pseudonym or b"")
        if member is None:
            continue
        through[member] = one.number
        try:
            said = schema.decode(Withdrawal, one.body)
            choice = door.check_withdrawal(None, None if said.scope is None else (said.scope,), (store,))
        except (WireError, Refused):
            choice = door.check_withdrawal(None, None, (store,))  # unreadable: everything, never less than was meant
        stated = store.encode() + b"\x00" + incarnation + one.number.to_bytes(8, "big")
        # A store that had no trusted time says 0: then it was no later than now.
        chosen_s = (one.at_ms or now_ms) // 1000
        event = ConsentEvent(hashlib.sha256(stated).digest()[:16], METHOD, chosen_s, now_ms // 1000, choice)
        entries.append(Entry(member, event))
    ledger.append(connection, entries, locked)
    for member, number in through.items():
        connection.execute(
            update(audience)
            .where(audience.c.store == store, audience.c.member == member)
            .values(acts_incarnation=incarnation, acts_through=number)
        )
    concerned = {member: locked[member] for member in through}
    publication.refresh(connection, keys, concerned, now_ms, urgent=True)


def _members(connection: Connection, store: str, pseudonyms: set[bytes]) -> dict[bytes, bytes]:
    wanted = select(audience.c.pseudonym, audience.c.member).where(
        audience.c.store == store, audience.c.pseudonym.in_(sorted(pseudonyms))
    )
    return {row.pseudonym: row.member for row in connection.execute(wanted)}
