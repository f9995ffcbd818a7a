"""The append-only table of consent events, chained by hash; nothing else writes or reads it.

The head's row lock puts the writers in line, so numbers have no gap and the chain no fork.

I/O: sqlalchemy.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, bindparam, insert, select, update

from hq import ledger_facts, synthetic_choices
from hq.custody import Place, Seal, bound
from hq.ledger_proof import Proof
from hq.membership import Locked
from hq.state import CLOSING, Choice, Event, EventKind, grant_time, is_closing
from hq.synthetic_choices import is_synthetic
from hq.tables import chain_heads, consent_events
from wire import cbor, schema

ZERO_HASH = bytes(32)
CHAIN = "consent_events"
_CONTEXT = b"consentry/consent-event/1"
_CHUNK = 500  # bound parameters of one statement
_SKEW_S = 300  # a clock elsewhere may be ahead by so much


@dataclass(frozen=True, slots=True, repr=False)
class Said:
    """What stands sealed in an event's row."""

    choice: Choice
    proof: Proof


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One event of one member, to be appended."""

    member: bytes
    event: Event


def append(connection: Connection, entries: Iterable[Entry], locked: Mapping[bytes, Locked]) -> int:
    """Appends the events whose ids are not there yet, and returns how many that were.

    `locked`: their members, whose row locks the caller holds; the choices are sealed under their keys. It is part of
    the caller's transaction: all of it or nothing is written. What was chosen by a clock that is ahead was chosen now.
    """
    listed = list(entries)
    nobodys = {one for one, found in locked.items() if is_synthetic(found.about.id)}
    apart = [(one.member, one.event) for one in listed if one.member in nobodys]
    kept = synthetic_choices.keep(connection, apart) if apart else 0
    wanted = {one.event.id: one for one in listed if one.member not in nobodys}
    if not wanted:
        return kept
    number, previous = _lock_head(connection)
    ids = list(wanted)
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        for known in connection.scalars(select(consent_events.c.id).where(consent_events.c.id.in_(chunk))):
            del wanted[known]
    wanted = {one.event.id: one for one in _on_time(connection, list(wanted.values()), locked)}
    rows = []
    for entry in wanted.values():
        number += 1
        said = Said(entry.event.choice, entry.event.proof)
        choice = locked[entry.member].seal.close(schema.encode(said), _bound(entry.member, entry.event.id))
        row = {
            "number": number,
            "id": entry.event.id,
            "member": entry.member,
            "method": entry.event.method,
            "chosen_s": entry.event.chosen_s,
            "recorded_s": entry.event.recorded_s,
            "choice": choice,
        }
        digest = _chained(previous, row)
        rows.append({**row, "previous_hash": previous, "hash": digest})
        previous = digest
    if rows:
        connection.execute(insert(consent_events), rows)
        connection.execute(
            update(chain_heads).where(chain_heads.c.name == CHAIN).values(number=number, hash=previous)
        )  # fmt: skip
        first = number - len(rows) + 1
        ledger_facts.note(connection, enumerate(((one.member, one.event) for one in wanted.values()), first))
    return kept + len(rows)


def _on_time(connection: Connection, entries: list[Entry], locked: Mapping[bytes, Locked]) -> list[Entry]:
    """These, with the times of choice that hold.

    What closes something was chosen now at the latest. Where it was chosen now it is no earlier than what it ends, even
    if that was written by a clock ahead of this one. What opens something may be a little ahead of now, and is now.
    """
    found = [Entry(one.member, _not_ahead(one.event)) for one in entries]
    now = [one for one in found if is_closing(one.event.choice) and one.event.chosen_s == one.event.recorded_s]
    later: set[bytes] = set()
    for start in range(0, len(now), _CHUNK):
        chunk = now[start : start + _CHUNK]
        since_s = min(one.event.recorded_s for one in chunk)
        wanted = select(consent_events.c.member).where(
            consent_events.c.member.in_({one.member for one in chunk}), consent_events.c.chosen_s > since_s
        )
        later.update(connection.scalars(wanted))
    if not later:
        return found
    before = of_members(connection, {one: locked[one] for one in later})
    late = {one.event.id for one in now if one.member in later}
    return [
        replace(one, event=_no_earlier(one.event, before[one.member])) if one.event.id in late else one for one in found
    ]


def _not_ahead(event: Event) -> Event:
    now_s, chosen_s = event.recorded_s, event.chosen_s
    if chosen_s is None or chosen_s <= now_s or (not is_closing(event.choice) and chosen_s > now_s + _SKEW_S):
        return event
    choice = event.choice
    if choice.kind is EventKind.GRANT and now_s < choice.from_s <= chosen_s:
        choice = replace(choice, from_s=now_s)
    return replace(event, chosen_s=now_s, choice=choice)


def _no_earlier(event: Event, before: Iterable[Event]) -> Event:
    opens = EventKind.GRANT if event.choice.kind in CLOSING else event.choice.kind
    opens = EventKind.UNMUTE if opens is EventKind.MUTE else opens
    latest_s = max((grant_time(one) for one in before if one.choice.kind is opens), default=event.recorded_s)
    return replace(event, chosen_s=max(event.recorded_s, latest_s))


_HASHED = ("number", "id", "member", "method", "chosen_s", "recorded_s", "choice")


def _chained(previous: bytes, row: Mapping[str, Any] | RowMapping) -> bytes:
    """SHA-256 over the previous row's hash and this row, its choice as it is sealed."""
    stated = [row[name] for name in _HASHED]
    return hashlib.sha256(_CONTEXT + previous + cbor.encode(stated)).digest()


def _lock_head(connection: Connection) -> tuple[int, bytes]:
    found = connection.execute(select(chain_heads).where(chain_heads.c.name == CHAIN).with_for_update()).first()
    if found is not None:
        return found.number, found.hash
    connection.execute(insert(chain_heads).values(name=CHAIN, number=0, hash=ZERO_HASH))
    return 0, ZERO_HASH


def of_members(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, list[Event]]:
    """Each member's events; a member without any has an empty list."""
    found: dict[bytes, list[Event]] = defaultdict(list)
    for member, listed in numbered(connection, locked).items():
        found[member] = [event for _, event in listed]
    return found


def numbered(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, list[tuple[int, Event]]]:
    """Each member's events with their numbers in the chain, ascending; those of synthetic members have number 0."""
    found: dict[bytes, list[tuple[int, Event]]] = defaultdict(list)
    listed = sorted(locked)
    for start in range(0, len(listed), _CHUNK):
        for number, *row in connection.execute(_OF_MEMBERS, {"members": listed[start : start + _CHUNK]}):
            found[row[1]].append((number, _opened(locked[row[1]].seal, *row)))
    for member in listed:
        if is_synthetic(locked[member].about.id):
            found[member] = [(0, one) for one in synthetic_choices.of_member(connection, member)]
    return found


_OF_MEMBERS = (
    select(*(consent_events.c[name] for name in _HASHED))
    .where(consent_events.c.member.in_(bindparam("members", expanding=True)))
    .order_by(consent_events.c.number)
)


def first_broken(connection: Connection) -> int | None:
    """The number of the first row that does not follow from the one before; None: the chain is whole up to its head.

    It hashes what is sealed, so nothing is opened, and it holds after an erasure as it did before.
    """
    listed = select(consent_events).order_by(consent_events.c.number).execution_options(yield_per=2000)
    number, previous, broken = _follow(connection.execute(listed), 0, ZERO_HASH)
    return broken if broken is not None or _ends(connection, number, previous) else number + 1


@dataclass(frozen=True, slots=True)
class Link:
    """How far a chain was followed: the number and the hash of the last row that held. `broken`: of the one that
    did not; `is_end`: all was followed.
    """

    number: int = 0
    hash: bytes = ZERO_HASH
    broken: int | None = None
    is_end: bool = False


def follow(connection: Connection, link: Link, most: int) -> Link:
    """Goes on from where it was left, over at most so many rows: a chain too long for one transaction."""
    rows = since(connection, link.number, most)
    number, previous, broken = _follow(rows, link.number, link.hash)
    is_end = broken is None and len(rows) < most
    if is_end and not _ends(connection, number, previous):
        broken = number + 1
    return Link(number, previous, broken, is_end)


def _follow(rows: Iterable[Row[Any]], number: int, previous: bytes) -> tuple[int, bytes, int | None]:
    for row in rows:
        if (row.number, row.previous_hash) != (number + 1, previous):
            return number, previous, number + 1
        following = _chained(previous, row._mapping)
        if row.hash != following:
            return number, previous, number + 1
        number, previous = number + 1, following
    return number, previous, None


def _ends(connection: Connection, number: int, previous: bytes) -> bool:
    head = connection.execute(select(chain_heads).where(chain_heads.c.name == CHAIN)).first()
    return ((0, ZERO_HASH) if head is None else (head.number, head.hash)) == (number, previous)


def since(connection: Connection, number: int, most: int) -> list[Row[Any]]:
    """The rows of at most so many events after that number, ascending, still sealed. None is passed over: see CHAIN."""
    wanted = select(consent_events).where(consent_events.c.number > number)
    return list(connection.execute(wanted.order_by(consent_events.c.number).limit(most)))


def event_of(row: Row[Any], seal: Seal) -> Event:
    """The event of a row, opened under its member's key. Raises: SealBroken."""
    return _opened(seal, row.id, row.member, row.method, row.chosen_s, row.recorded_s, row.choice)


def _bound(member: bytes, event: bytes) -> bytes:
    return bound(Place.CHOICE, member, event)


def _opened(
    seal: Seal, event: bytes, member: bytes, method: str, chosen_s: int | None, recorded_s: int, choice: bytes
) -> Event:
    said = schema.decode(Said, seal.open(choice, _bound(member, event)))
    return Event(event, method, chosen_s, recorded_s, said.choice, said.proof)
