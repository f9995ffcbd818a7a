"""Keeps HQ's share of each cache's key, one for each epoch, in a place of their own that no backup of HQ holds.

An incarnation has one share, or two while a `roll` is open: the old one is deleted when the store's signed `done` says
that nothing in its cache needs it any more. A share that is lost is lost: the store begins a new cache. Each is wrapped
under the wrapping key, so that where the database is, no share is.

I/O: sqlalchemy, and the system's random generator.
"""

import secrets
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hq import custody
from hq.alarms import Alarm, raise_
from hq.custody import share_owner
from hq.log_tables import let_go
from hq.order_tables import SHARE_BYTES, epoch_shares
from hq.tables import incarnations, links
from wire.sync import EpochShare, Hello

FIRST_EPOCH = 1
AT_ONCE = 0  # as `roll_due_ms`: as soon as the roll that goes on is over
ROLL_MS = 24 * 3_600_000
_ROLL_EARLIER_MS = 2 * 3_600_000  # so that not all stores roll at once
MOST_UNSHOWN = 8  # caches of a store that are new
_KEEP_MS = 7 * 24 * 3_600_000  # the shares of a cache that another one has replaced


def next_roll_ms(now_ms: int) -> int:
    """When a cache that is new or was rolled now is to be rolled: in 22 to 24 hours."""
    return now_ms + ROLL_MS - secrets.randbelow(_ROLL_EARLIER_MS)


def make(connection: Connection, store: str, incarnation: bytes, epoch: int, now_ms: int) -> None:
    """The first share of a new cache, whose row in `incarnations` is there already.

    `epoch`: as the store's hello tells it. A cache that has had a share, of which HQ knows nothing, gets no other one.
    """
    if epoch > 0:
        return
    add(connection, store, incarnation, FIRST_EPOCH, now_ms)
    _note(connection, store, incarnation, epoch=FIRST_EPOCH, roll_due_ms=next_roll_ms(now_ms))


def add(connection: Connection, store: str, incarnation: bytes, epoch: int, now_ms: int) -> None:
    """A further share, of a roll that begins."""
    row = {"store": store, "incarnation": incarnation, "epoch": epoch, "made_ms": now_ms}
    whose = share_owner(store, incarnation, epoch)
    wrapped = custody.of(connection).wrap(secrets.token_bytes(SHARE_BYTES), whose)
    connection.execute(insert(epoch_shares).values(**row, wrapped=wrapped))
    _note(connection, store, incarnation, epoch=epoch)


def forget_unshown(connection: Connection, store: str) -> None:
    """Of a store's caches that never showed a ticket only the newest are remembered.

    Whoever has a box's identity could otherwise fill HQ's database with caches that there never were.
    """
    linked = select(links.c.incarnation).where(links.c.store == store)
    unshown = (
        select(incarnations.c.incarnation)
        .where(
            incarnations.c.store == store, incarnations.c.ticket.is_(None), incarnations.c.incarnation.not_in(linked)
        )
        .order_by(incarnations.c.made_ms.desc(), incarnations.c.incarnation)
        .offset(MOST_UNSHOWN)
        .limit(MOST_UNSHOWN)
    )
    for incarnation in connection.scalars(unshown).all():
        forget(connection, store, incarnation)
        for table in (let_go, incarnations):
            connection.execute(delete(table).where(table.c.store == store, table.c.incarnation == incarnation))


def of(connection: Connection, store: str, incarnation: bytes) -> tuple[EpochShare, ...]:
    """The shares of one cache, by epoch: one, two while it is rolled, none where they are lost.

    Raises:
        KeyMismatch, SealBroken: as `hq.custody.Custody.unwrap`.
    """
    wanted = select(epoch_shares).where(*_of(store, incarnation)).order_by(epoch_shares.c.epoch)
    rows = connection.execute(wanted).all()
    return tuple(
        EpochShare(row.epoch, custody.of(connection).unwrap(row.wrapped, share_owner(store, incarnation, row.epoch)))
        for row in rows
    )


def made_ms(connection: Connection, store: str, incarnation: bytes, epoch: int) -> int:
    """When a share was made; 0: it is lost."""
    wanted = select(epoch_shares.c.made_ms).where(*_of(store, incarnation), epoch_shares.c.epoch == epoch)
    return connection.scalar(wanted) or 0


def rolled(connection: Connection, store: str, incarnation: bytes, epoch: int, now_ms: int) -> bool:
    """The store has signed that nothing of this cache needs an epoch before this one: those shares are destroyed.

    Returns whether it is to be rolled again at once.
    """
    of_it = incarnations.c.store == store, incarnations.c.incarnation == incarnation
    again = connection.scalar(select(incarnations.c.roll_due_ms).where(*of_it)) == AT_ONCE
    connection.execute(delete(epoch_shares).where(*_of(store, incarnation), epoch_shares.c.epoch < epoch))
    replaced = epoch_shares.c.store == store, epoch_shares.c.incarnation != incarnation
    connection.execute(delete(epoch_shares).where(*replaced, epoch_shares.c.made_ms < now_ms - _KEEP_MS))
    _note(connection, store, incarnation, roll_due_ms=next_roll_ms(now_ms))
    return again


def forget(connection: Connection, store: str, incarnation: bytes) -> None:
    """The cache is no more: all its shares are destroyed."""
    connection.execute(delete(epoch_shares).where(*_of(store, incarnation)))


def lost(connection: Connection, store: str, incarnation: bytes, hello: Hello, now_ms: int) -> None:
    """HQ cannot open this cache any more: what it held and had not sent up is counted as lost, once."""
    forget(connection, store, incarnation)
    row = connection.execute(
        select(incarnations).where(incarnations.c.store == store, incarnations.c.incarnation == incarnation)
    ).first()
    missing = hello.last_event - (row.events_through if row is not None else 0)
    if missing > 0:
        raise_(connection, Alarm.EVENTS_LOST, store, now_ms, f"events={missing}; the share of its cache was lost")
    if row is not None and missing > 0:
        _note(connection, store, incarnation, events_through=hello.last_event, lost=row.lost + missing)


def doubled(connection: Connection) -> list[tuple[str, bytes, int]]:
    """(store, incarnation, newest epoch) of the caches that have two shares: those that roll, or did when HQ died."""
    columns = epoch_shares.c.store, epoch_shares.c.incarnation
    wanted = select(*columns, func.max(epoch_shares.c.epoch).label("epoch")).group_by(*columns)
    return [(row.store, row.incarnation, row.epoch) for row in connection.execute(wanted.having(func.count() > 1))]


def _of(store: str, incarnation: bytes) -> tuple[Any, Any]:
    return epoch_shares.c.store == store, epoch_shares.c.incarnation == incarnation


def _note(connection: Connection, store: str, incarnation: bytes, **values: int) -> None:
    of_it = incarnations.c.store == store, incarnations.c.incarnation == incarnation
    connection.execute(update(incarnations).where(*of_it).values(**values))
