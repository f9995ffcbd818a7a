"""The append-only table of consent events, chained by hash; nothing else writes or reads it.

The head's row lock puts the writers in line, so numbers have no gap and the chain no fork.

I/O: sqlalchemy.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from hq.state import Choice, Event
from hq.tables import chain_heads, consent_events
from wire import cbor, schema

ZERO_HASH = bytes(32)
_CHAIN = "consent_events"
_CONTEXT = b"consentry/consent-event/1"
_CHUNK = 500  # bound parameters of one statement


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One event of one member, to be appended."""

    member: str
    event: Event


def append(connection: Connection, entries: Iterable[Entry]) -> int:
    """Appends the events whose ids are not there yet, and returns how many that were.

    The caller holds the members' row locks. Part of the caller's transaction: all of it or nothing is written.
    """
    wanted = {one.event.id: one for one in entries}
    if not wanted:
        return 0
    number, previous = _lock_head(connection)
    ids = list(wanted)
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        for known in connection.scalars(select(consent_events.c.id).where(consent_events.c.id.in_(chunk))):
            del wanted[known]
    rows = []
    for entry in wanted.values():
        number += 1
        choice = schema.encode(entry.event.choice)
        digest = chained(previous, number, entry, choice)
        rows.append(
            {
                "number": number,
                "id": entry.event.id,
                "member": entry.member,
                "method": entry.event.method,
                "chosen_s": entry.event.chosen_s,
                "recorded_s": entry.event.recorded_s,
                "choice": choice,
                "previous_hash": previous,
                "hash": digest,
            }
        )
        previous = digest
    if rows:
        connection.execute(insert(consent_events), rows)
        connection.execute(
            update(chain_heads).where(chain_heads.c.name == _CHAIN).values(number=number, hash=previous)
        )  # fmt: skip
    return len(rows)


def chained(previous: bytes, number: int, entry: Entry, choice: bytes) -> bytes:
    """SHA-256 over the previous row's hash and this row."""
    event = entry.event
    stated = cbor.encode([number, event.id, entry.member, event.method, event.chosen_s, event.recorded_s, choice])
    return hashlib.sha256(_CONTEXT + previous + stated).digest()


def _lock_head(connection: Connection) -> tuple[int, bytes]:
    found = connection.execute(select(chain_heads).where(chain_heads.c.name == _CHAIN).with_for_update()).first()
    if found is not None:
        return found.number, found.hash
    connection.execute(insert(chain_heads).values(name=_CHAIN, number=0, hash=ZERO_HASH))
    return 0, ZERO_HASH


def of_members(connection: Connection, members: Collection[str]) -> dict[str, list[Event]]:
    """Each member's events; a member without any has an empty list."""
    found: dict[str, list[Event]] = defaultdict(list)
    names = sorted(members)
    for start in range(0, len(names), _CHUNK):
        chunk = names[start : start + _CHUNK]
        for row in connection.execute(select(consent_events).where(consent_events.c.member.in_(chunk))):
            found[row.member].append(_event(row))
    return found


def first_broken(connection: Connection) -> int | None:
    """The number of the first row that does not follow from the one before; None: the chain is whole up to its head."""
    previous, number = ZERO_HASH, 0
    for row in connection.execute(select(consent_events).order_by(consent_events.c.number)):
        number += 1
        entry = Entry(row.member, _event(row))
        if (row.number, row.previous_hash) != (number, previous):
            return number
        previous = chained(previous, number, entry, row.choice)
        if row.hash != previous:
            return number
    head = connection.execute(select(chain_heads).where(chain_heads.c.name == _CHAIN)).first()
    if head is not None and (head.number, head.hash) != (number, previous):
        return number + 1
    return None


def _event(row: Row[Any]) -> Event:
    return Event(
        id=row.id,
        method=row.method,
        chosen_s=row.chosen_s,
        recorded_s=row.recorded_s,
        choice=schema.decode(Choice, row.choice),
    )
