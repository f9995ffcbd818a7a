"""Gives stores orders, sends each again until it is done or too late, and keeps the stores' signed results.

An order goes out at once and then with the answers to the store's hellos, so any HQ process may send it, and it is
always sealed to the boot that asks. All within the caller's transaction.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from hq import records, recovery, shares
from hq.alarms import Alarm, clear, raise_
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.leave_tables import leave_tries
from hq.order_tables import order_parts, orders
from hq.tables import incarnations, links, stores
from wire.sync import Done, Order, Outcome, Verb

ID_BYTES = 16
EPOCH_BYTES = 4
AGAIN_MS = 20_000  # so long after an order went out it goes again
GRACE_MS = 3_600_000  # a `done` may be on its way when its order ends
_DAY_MS = 24 * 3_600_000
LEAVE_MS = 600_000  # a code is good in its slot and the next: what is older than ten minutes may be another's by now
_LASTS_MS = {
    Verb.EXPORT: 7 * _DAY_MS, Verb.RECALL: _DAY_MS, Verb.ROLL: 7 * _DAY_MS, Verb.LEAVE: LEAVE_MS,
}  # fmt: skip
_LONGEST_MS = 90 * _DAY_MS  # what only takes away waits long for a store that is off
_KEEP_ROLLS_MS = 30 * _DAY_MS  # after their end
_KEEP_RESULTS_MS = 30 * _DAY_MS  # of exports: whoever asked has fetched it
_AT_ONCE = 50

# These are about one cache file; any other order is about the store, and follows it to a new cache.
PINNED = frozenset({Verb.WIPE, Verb.ROLL})
_WITH_SUBJECT = frozenset({Verb.EXPORT, Verb.ERASE, Verb.UNPAIR, Verb.RECALL})
_FAILURES = frozenset({Outcome.TOO_LATE, Outcome.FAILED})


def issue(
    connection: Connection,
    store: str,
    verb: Verb,
    now_ms: int,
    *,
    subject: bytes | None = None,
    code: str | None = None,
    urgent: bool = False,
) -> bytes:
    """Gives an order to a store; its id, 16 bytes. `subject`: a pseudonym or a tablet's id, as the verb needs.

    `urgent`: on the fast lane too. A lockdown holds from this transaction on: HQ refuses the store until it is lifted.

    Raises:
        Refused: no such store, or the subject is not what the verb needs.
    """
    if (subject is not None) != (verb in _WITH_SUBJECT) and verb is not Verb.ROLL:
        raise Refused(Reason.MALFORMED, "subject", f"`{verb.name.lower()}` with what it is about, and nothing else")
    if (code is not None) != (verb is Verb.LEAVE):
        raise Refused(Reason.MALFORMED, "code", "a code with `leave`, and with nothing else")
    found = lock(connection, store)
    link = connection.execute(select(links.c.incarnation).where(links.c.store == store)).first()
    if verb is Verb.ROLL:
        subject = _next_epoch(connection, store, link.incarnation if link is not None else None, now_ms)
    if verb is Verb.ERASE:
        _forget_results(connection, store, subject)
    row: dict[str, Any] = {
        "id": os.urandom(ID_BYTES), "store": store, "verb": int(verb), "subject": subject, "code": code,
        "incarnation": link.incarnation if link is not None else None, "urgent": urgent, "issued_ms": now_ms,
        "not_after_ms": now_ms + _LASTS_MS.get(verb, _LONGEST_MS), "sent_ms": now_ms if link is not None else 0,
    }  # fmt: skip
    connection.execute(insert(orders).values(**row))
    more: dict[str, int] = {"lockdown_ms": now_ms} if verb is Verb.LOCKDOWN and found.lockdown_ms is None else {}
    connection.execute(
        update(stores).where(stores.c.id == store).values(orders_open=stores.c.orders_open + 1, **more)
    )  # fmt: skip
    if link is not None:
        _post(connection, _message(row), store, now_ms, urgent=urgent)
    return bytes(row["id"])


def lock(connection: Connection, store: str) -> Row[Any]:
    """The store's row, locked: orders of one store are given and closed one after the other.

    Raises:
        Refused: no such store.
    """
    found = connection.execute(select(stores).where(stores.c.id == store).with_for_update()).first()
    if found is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "a store that was added")
    return found


def due(connection: Connection, store: str, incarnation: bytes, now_ms: int) -> list[Order]:
    """The open orders that this boot is to be told now, within a transaction that writes. Oldest first."""
    wanted = select(orders).where(
        orders.c.store == store, orders.c.outcome.is_(None), orders.c.sent_ms <= now_ms - AGAIN_MS,
        orders.c.not_after_ms > now_ms,
    )  # fmt: skip
    found = []
    for row in connection.execute(wanted.order_by(orders.c.issued_ms).limit(_AT_ONCE)).all():
        moves = row.incarnation is None or (row.incarnation != incarnation and Verb(row.verb) not in PINNED)
        meant = incarnation if moves else row.incarnation
        connection.execute(update(orders).where(orders.c.id == row.id).values(sent_ms=now_ms, incarnation=meant))
        found.append(_message({**row._mapping, "incarnation": meant}))
    return found


def done(connection: Connection, store: str, done: Done, now_ms: int, payload: bytes) -> bool:
    """Keeps one part of a store's answer with its signature; True where the order is closed by it.

    `payload`: the envelope in which it came, whose every check held.
    """
    lock(connection, store)
    row = connection.execute(select(orders).where(orders.c.id == done.order, orders.c.store == store)).first()
    if row is None or row.outcome is not None or done.part > done.parts:
        return False
    of_it = order_parts.c.order == done.order
    # Another number of parts is another answer: what came before belongs to none.
    other = (order_parts.c.parts != done.parts) | (order_parts.c.outcome != int(done.outcome))
    connection.execute(delete(order_parts).where(of_it, other | (order_parts.c.part == done.part)))
    connection.execute(
        insert(order_parts).values(
            order=done.order, part=done.part, parts=done.parts, outcome=int(done.outcome), received_ms=now_ms,
            payload=payload, opened=done.result if row.verb == Verb.RECALL else None,
        )
    )  # fmt: skip
    if connection.scalar(select(func.count()).select_from(order_parts).where(of_it)) != done.parts:
        return False
    if row.verb == Verb.RECALL and done.outcome is Outcome.DONE:
        pieces = connection.scalars(select(order_parts.c.opened).where(of_it).order_by(order_parts.c.part)).all()
        recovery.take(connection, store, done.order, b"".join(piece or b"" for piece in pieces), now_ms)
        connection.execute(update(order_parts).where(of_it).values(opened=None))
    _close(connection, row, done.outcome, now_ms)
    return True


def lift(connection: Connection, store: str) -> bool:
    """Ends a lockdown; False where there is none. Orders to lock down that are still open are closed with it."""
    found = lock(connection, store)
    if found.lockdown_ms is None:
        return False
    connection.execute(update(stores).where(stores.c.id == store).values(lockdown_ms=None))
    still = orders.c.store == store, orders.c.verb == int(Verb.LOCKDOWN), orders.c.outcome.is_(None)
    for row in connection.execute(select(orders).where(*still)).all():
        _end(connection, row, Outcome.NOTHING_TO_DO, 0)
    return True


def tick(engine: Engine, now_ms: int) -> int:
    """What only time does: closes orders that came too late, and has each store roll once a day.

    Returns how many orders were closed or given. Several processes may run it at once.
    """
    with reading(engine) as connection:
        late = connection.execute(
            select(orders).where(orders.c.outcome.is_(None), orders.c.not_after_ms < now_ms - GRACE_MS).limit(_AT_ONCE)
        ).all()
        rolls = connection.execute(_rolls_due(now_ms)).all()
        doubled = shares.doubled(connection)
    for row in late:
        with writing(engine) as connection:
            lock(connection, row.store)
            current = connection.execute(select(orders).where(orders.c.id == row.id)).one()
            if current.outcome is None:
                _close(connection, current, Outcome.TOO_LATE, now_ms)
    given = 0
    for row in rolls:
        with writing(engine) as connection:
            given += roll(connection, row.store, now_ms)
    _forget(engine, now_ms)
    for store, incarnation, epoch in doubled:
        with writing(engine) as connection:
            _end_rolled(connection, store, incarnation, epoch, now_ms)
    return len(late) + given


def _forget(engine: Engine, now_ms: int) -> None:
    """Deletes what nobody looks at any more.

    Old rolls, of which each store has one a day; exports' results; leavings as soon as no store takes them any more.
    """
    old_rolls = (
        select(orders.c.id)
        .where(
            orders.c.outcome.is_not(None), orders.c.not_after_ms < now_ms - _KEEP_ROLLS_MS,
            orders.c.verb == int(Verb.ROLL),
        )
        .limit(_AT_ONCE)
    )  # fmt: skip
    old_results = (
        select(order_parts.c.order)
        .join(orders, orders.c.id == order_parts.c.order)
        .where(orders.c.verb == int(Verb.EXPORT), order_parts.c.received_ms < now_ms - _KEEP_RESULTS_MS)
        .limit(_AT_ONCE)
    )
    old_leavings = (
        select(orders.c.id)
        .where(orders.c.outcome.is_not(None), orders.c.not_after_ms < now_ms, orders.c.verb == int(Verb.LEAVE))
        .limit(_AT_ONCE)
    )
    with reading(engine) as connection:
        rolls, results = connection.scalars(old_rolls).all(), connection.scalars(old_results).all()
        leavings = connection.scalars(old_leavings).all()
        tried = connection.scalar(select(leave_tries.c.store).where(leave_tries.c.full_ms <= now_ms).limit(1))
    if rolls or results or leavings or tried is not None:
        with writing(engine) as connection:
            connection.execute(delete(order_parts).where(order_parts.c.order.in_([*rolls, *results, *leavings])))
            connection.execute(delete(orders).where(orders.c.id.in_([*rolls, *leavings])))
            connection.execute(delete(leave_tries).where(leave_tries.c.full_ms <= now_ms))


def roll(connection: Connection, store: str, now_ms: int) -> bool:
    """Has the store begin a new epoch; where it does so already, once more after it: False."""
    lock(connection, store)
    open_ = orders.c.store == store, orders.c.verb == int(Verb.ROLL), orders.c.outcome.is_(None)
    link = connection.execute(select(links.c.incarnation).where(links.c.store == store)).first()
    if link is None:
        return False
    if connection.scalar(select(orders.c.id).where(*open_, orders.c.incarnation == link.incarnation).limit(1)):
        of_it = incarnations.c.store == store, incarnations.c.incarnation == link.incarnation
        connection.execute(update(incarnations).where(*of_it).values(roll_due_ms=shares.AT_ONCE))
        return False
    issue(connection, store, Verb.ROLL, now_ms)
    return True


# --- inside -----------------------------------------------------------------------------------------------------------


def _rolls_due(now_ms: int) -> Any:
    rolling = (
        select(orders.c.id)
        .where(
            orders.c.store == incarnations.c.store, orders.c.incarnation == incarnations.c.incarnation,
            orders.c.verb == int(Verb.ROLL), orders.c.outcome.is_(None),
        )
        .exists()
    )  # fmt: skip
    return (
        select(incarnations.c.store)
        .join(links, (links.c.store == incarnations.c.store) & (links.c.incarnation == incarnations.c.incarnation))
        .where(incarnations.c.roll_due_ms <= now_ms, ~rolling)
        .limit(_AT_ONCE)
    )


def _next_epoch(connection: Connection, store: str, incarnation: bytes | None, now_ms: int) -> bytes:
    """Makes the share of the next epoch; its number as the order names it, u32be.

    An epoch that was begun and never came to its end is gone on with: there are never more than two shares.
    """
    of_it = incarnations.c.store == store, incarnations.c.incarnation == (incarnation or b"")
    present = connection.scalar(select(incarnations.c.epoch).where(*of_it))
    if present is None or incarnation is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "a store that has said hello")
    held = shares.of(connection, store, incarnation)
    # Shares are in no backup: where HQ was restored, the cache may be some epochs further than its row says.
    newest = max([present, *(one.epoch for one in held)])
    number = newest if len(held) > 1 else newest + 1
    if len(held) < 2:
        shares.add(connection, store, incarnation, number, now_ms)
    return int(number).to_bytes(EPOCH_BYTES, "big")


def _end_rolled(connection: Connection, store: str, incarnation: bytes, epoch: int, now_ms: int) -> None:
    """HQ died after it had kept the store's word that an epoch is over, and before the share of it was destroyed."""
    lock(connection, store)
    said = (
        orders.c.store == store, orders.c.incarnation == incarnation, orders.c.verb == int(Verb.ROLL),
        orders.c.subject == epoch.to_bytes(EPOCH_BYTES, "big"), orders.c.outcome == int(Outcome.DONE),
    )  # fmt: skip
    if connection.scalar(select(orders.c.id).where(*said).limit(1)) is not None:
        shares.rolled(connection, store, incarnation, epoch, now_ms)


def _message(row: Any) -> Order:
    return Order(
        id=row["id"], verb=Verb(row["verb"]), incarnation=row["incarnation"], not_after_ms=row["not_after_ms"],
        subject=row["subject"], code=row["code"],
    )  # fmt: skip


def _post(connection: Connection, order: Order, store: str, now_ms: int, *, urgent: bool) -> None:
    records.post(connection, [(store, order)], now_ms, urgent=urgent)


def _close(connection: Connection, row: Row[Any], outcome: Outcome, now_ms: int) -> None:
    """The order has ended: what follows from it."""
    _end(connection, row, outcome, now_ms)
    if row.verb == Verb.LEAVE:  # anybody may ask for one: it alarms nobody, and its code is kept no longer
        connection.execute(update(orders).where(orders.c.id == row.id).values(code=None))
        return
    verb, is_done = Verb(row.verb), outcome in (Outcome.DONE, Outcome.NOTHING_TO_DO)
    if outcome in _FAILURES:
        name = verb.name.lower()
        raise_(connection, Alarm.ORDER_FAILED, row.store, now_ms, f"{name} {row.id.hex()} {outcome.name.lower()}")
    elif verb is not Verb.ROLL or outcome is Outcome.DONE:
        clear(connection, Alarm.ORDER_FAILED, row.store, now_ms)  # it does orders again
    if verb is Verb.ROLL:
        if outcome is Outcome.DONE:
            # A copy from before an erasure may need this very share, where that is older than the order or the erasure
            # came while it was open: then once more.
            epoch = int.from_bytes(row.subject, "big")
            is_older = shares.made_ms(connection, row.store, row.incarnation, epoch) < row.issued_ms
            if shares.rolled(connection, row.store, row.incarnation, epoch, now_ms) or is_older:
                roll(connection, row.store, now_ms)
    elif verb is Verb.WIPE and is_done and row.incarnation is not None:
        shares.forget(connection, row.store, row.incarnation)
    elif verb is Verb.ERASE and outcome is Outcome.DONE:
        roll(connection, row.store, now_ms)  # the keys that opened what was erased end with this epoch


def _end(connection: Connection, row: Row[Any], outcome: Outcome, now_ms: int) -> None:
    connection.execute(update(orders).where(orders.c.id == row.id).values(outcome=int(outcome), done_ms=now_ms or None))
    connection.execute(update(stores).where(stores.c.id == row.store).values(orders_open=stores.c.orders_open - 1))


def _forget_results(connection: Connection, store: str, subject: bytes | None) -> None:
    """Whoever is to be erased is erased from the results of exports too."""
    of_them = select(orders.c.id).where(
        orders.c.store == store, orders.c.verb == int(Verb.EXPORT), orders.c.subject == subject
    )
    connection.execute(delete(order_parts).where(order_parts.c.order.in_(of_them)))
