"""Wraps every key in HQ's database anew, under the wrapping key in use; broken off, it goes on where it was.

Each batch is one transaction; HQ serves meanwhile, as long as it was started with the old and the new wrapping key.

I/O: sqlalchemy.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, func, select, update

from hq.custody import MARK_BYTES, Custody, instance_owner, member_owner, purpose_owner, share_owner
from hq.custody_tables import member_keys, purpose_keys
from hq.database import reading, writing
from hq.order_tables import epoch_shares
from hq.tables import instances

_AT_ONCE = 1000

_SHARES = epoch_shares.c
# Each table with the columns that name a row, and whose its key is by these.
_KEPT: tuple[tuple[Table, tuple[Column[Any], ...], Callable[..., bytes]], ...] = (
    (purpose_keys, (purpose_keys.c.purpose,), purpose_owner),
    (instances, (instances.c.name,), instance_owner),
    (member_keys, (member_keys.c.member,), member_owner),
    (epoch_shares, (_SHARES.store, _SHARES.incarnation, _SHARES.epoch), share_owner),
)


def count_old(engine: Engine, custody: Custody) -> int:
    """How many keys are still wrapped under another wrapping key than the one in use."""
    with reading(engine) as connection:
        return sum(
            connection.scalar(select(func.count()).select_from(table).where(_is_old(table, custody))) or 0
            for table, _, _ in _KEPT
        )


def rewrap(engine: Engine, custody: Custody, progress: Callable[[int], None] = lambda count: None) -> int:
    """Wraps all of them anew; returns how many. `progress` is told the size of each batch.

    Raises:
        KeyMismatch: one was wrapped under a key that HQ was not started with; the batches before are done.
        DatabaseUnavailable: likewise.
    """
    changed = 0
    for table, named, owner in _KEPT:
        while True:
            with writing(engine) as connection:
                batch = _batch(connection, custody, table, named, owner)
            if not batch:
                break
            changed += batch
            progress(batch)
    return changed


def _batch(
    connection: Connection,
    custody: Custody,
    table: Table,
    named: tuple[Column[Any], ...],
    owner: Callable[..., bytes],
) -> int:
    old = select(*named, table.c.wrapped).where(_is_old(table, custody)).order_by(*named).limit(_AT_ONCE)
    rows = connection.execute(old.with_for_update()).all()
    for *whose, wrapped in rows:
        anew = custody.rewrap(wrapped, owner(*whose))
        of_it = [column == value for column, value in zip(named, whose, strict=True)]
        connection.execute(update(table).where(*of_it).values(wrapped=anew))
    return len(rows)


def _is_old(table: Table, custody: Custody) -> Any:
    return func.substr(table.c.wrapped, 1, MARK_BYTES) != custody.newest
