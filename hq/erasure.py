"""Erases a member: out of every store's audience, every store ordered to forget, and the member's key destroyed.

What HQ still needs afterwards is kept apart and is none of the member's: which stores were ordered, and until all have
done it what finds the erasure by the member's id. The consent events stay in their chain, and nobody can open them.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, insert, select, update

from hq import changes, door, ledger, ledger_facts, membership, notices, orders, publication
from hq.choosing_tables import OF_A_MEMBER
from hq.console_tables import looks, questions
from hq.contacts_tables import contacts
from hq.custody_tables import erasure_orders, erasures, member_keys
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.ledger import Entry
from hq.membership import Locked
from hq.order_tables import orders as order_rows
from hq.proposal_tables import proposals
from hq.purchases_tables import purchases
from hq.state import Event
from hq.systems_tables import merges
from hq.tables import audience, help_calls, members, phones, profiles
from hq.web_tables import OF_A_MEMBER as OF_SIGNING_IN
from wire.sync import Outcome, Verb

METHOD = "erasure"
REFERENCE_BYTES = 8


class Progress(StrEnum):
    """How far one store is."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"  # it said so, or it never answered in time


@dataclass(frozen=True, slots=True)
class StoreErasure:
    """One store's part of an erasure; `done_ms` Unix milliseconds UTC of HQ, None while it is open."""

    store: str
    progress: Progress
    done_ms: int | None


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure and how far it is. `reference` names it, 8 bytes; `asked_ms` Unix milliseconds UTC."""

    reference: bytes
    asked_ms: int
    stores: tuple[StoreErasure, ...]

    @property
    def is_done(self) -> bool:
        """Whether every store has done it."""
        return all(one.progress is Progress.DONE for one in self.stores)


def erase(engine: Engine, keys: Keys, member: str, now_ms: int) -> bytes:
    """Erases a member; the reference by which the erasure is found from now on, 8 bytes.

    In one transaction: the key is destroyed exactly when every store's order is written.

    Raises:
        Refused: no such member. DatabaseUnavailable: nothing was erased.
    """
    with writing(engine) as connection:
        locked = membership.lock_by_id(connection, keys.custody, [member])
        if not locked:
            raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
        return erase_locked(connection, keys, locked, now_ms)


def erase_locked(connection: Connection, keys: Keys, locked: Mapping[bytes, Locked], now_ms: int) -> bytes:
    """The same of the one member who is locked, in the caller's transaction."""
    ((whose, one),) = locked.items()
    withdrawal = door.check_withdrawal(None, None, None)
    event = Event(os.urandom(16), METHOD, now_ms // 1000, now_ms // 1000, withdrawal)
    ledger.append(connection, [Entry(whose, event)], locked)
    changes.note_gone(connection, keys.custody, event.id, one, now_ms)
    publication.refresh(connection, keys, locked, now_ms, urgent=True, phones_changed=True)
    reference = os.urandom(REFERENCE_BYTES)
    lookup = keys.custody.lookup(connection, [one.about.id])[one.about.id]
    connection.execute(insert(erasures).values(id=reference, lookup=lookup, asked_ms=now_ms))
    held = select(audience.c.store, audience.c.pseudonym).where(audience.c.member == whose)
    for row in connection.execute(held.order_by(audience.c.store)).all():
        order = orders.issue(connection, row.store, Verb.ERASE, now_ms, subject=row.pseudonym, urgent=True)
        connection.execute(
            insert(erasure_orders).values(erasure=reference, store=row.store, order_id=order)
        )  # fmt: skip
    ledger_facts.forget(connection, whose)
    notices.forget(connection, whose)
    for table in (*OF_A_MEMBER, *_OURS, phones, profiles, member_keys):
        connection.execute(delete(table).where(table.c.member == whose))
    # The row stays, empty: the chain's events refer to it.
    connection.execute(update(members).where(members.c.id == whose).values(lookup=None, content=None))
    # Whoever was merged into this one ends with it, as an erasure of its own.
    merged = connection.scalars(select(merges.c.member).where(merges.c.survivor == whose)).all()
    connection.execute(delete(merges).where((merges.c.survivor == whose) | (merges.c.member == whose)))
    for found, each in membership.lock(connection, keys.custody, merged).items():
        erase_locked(connection, keys, {found: each}, now_ms)
    return reference


def find(connection: Connection, keys: Keys, wanted: str) -> list[Erasure]:
    """The erasures of that reference (16 hex digits) or of that member's id while one of them is open, newest first."""
    found: ColumnElement[bool] = erasures.c.lookup.in_(keys.custody.lookup(connection, [wanted]).values())
    if len(wanted) == 2 * REFERENCE_BYTES and set(wanted) <= set("0123456789abcdef"):
        found = found | (erasures.c.id == bytes.fromhex(wanted))
    rows = connection.execute(select(erasures).where(found).order_by(erasures.c.asked_ms.desc())).all()
    return [Erasure(row.id, row.asked_ms, _stores(connection, row.id)) for row in rows]


def of_reference(connection: Connection, reference: bytes) -> Erasure | None:
    """The erasure of that reference, 8 bytes; None: there is none."""
    row = connection.execute(select(erasures).where(erasures.c.id == reference)).first()
    return None if row is None else Erasure(row.id, row.asked_ms, _stores(connection, row.id))


def _stores(connection: Connection, reference: bytes) -> tuple[StoreErasure, ...]:
    wanted = (
        select(erasure_orders.c.store, order_rows.c.outcome, order_rows.c.done_ms)
        .join(order_rows, order_rows.c.id == erasure_orders.c.order_id)
        .where(erasure_orders.c.erasure == reference)
        .order_by(erasure_orders.c.store)
    )
    return tuple(
        StoreErasure(row.store, _progress(row.outcome), row.done_ms) for row in connection.execute(wanted)
    )  # fmt: skip


_OURS = (audience, help_calls, proposals, questions, looks, purchases, contacts, *OF_SIGNING_IN)
_DONE = (int(Outcome.DONE), int(Outcome.NOTHING_TO_DO))


def _progress(outcome: int | None) -> Progress:
    if outcome is None:
        return Progress.WAITING
    return Progress.DONE if outcome in _DONE else Progress.FAILED


def forget(engine: Engine) -> int:
    """Of erasures that every store has done, deletes what finds them by the member's id; returns how many."""
    is_open = exists().where(
        erasure_orders.c.erasure == erasures.c.id,
        order_rows.c.id == erasure_orders.c.order_id,
        order_rows.c.outcome.is_(None) | order_rows.c.outcome.not_in(_DONE),
    )
    over = erasures.c.lookup.is_not(None) & ~is_open
    with reading(engine) as connection:
        if connection.execute(select(erasures.c.id).where(over).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        return connection.execute(update(erasures).where(over).values(lookup=None)).rowcount
