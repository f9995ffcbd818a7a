"""Says which HQ processes live and who of them has a duty that one does for all: rows with leases.

A process that ends takes its row away; one that is killed is counted out when its lease ends. Each judges leases by its
own clock: clocks that differ let two processes answer for one store, which is harmless, and never none.

I/O: sqlalchemy.
"""

from enum import StrEnum

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hq.process_tables import duties, processes

LEASE_MS = 30_000
RENEW_S = 5.0
_FORGOTTEN_MS = 24 * 3600 * 1000  # rows of the killed


class Duty(StrEnum):
    """What one process at a time does for all."""

    CLOCK = "clock"  # the clock job, and what is swept away
    ALARMS = "alarms"  # telling people
    CERTIFICATES = "certificates"  # asking issuers
    HOOKS = "hooks"  # telling other systems
    FIGURES = "figures"  # releasing what is due
    TRAINING = "training"  # models for suggestions


def renew(connection: Connection, own: bytes, now_ms: int) -> tuple[bytes, ...]:
    """Holds this process's row for another lease; returns all that live now, itself among them, ascending."""
    _put(connection, own, now_ms + LEASE_MS)
    connection.execute(delete(processes).where(processes.c.until_ms < now_ms - _FORGOTTEN_MS))
    living = select(processes.c.id).where(processes.c.until_ms > now_ms).order_by(processes.c.id)
    return tuple(connection.scalars(living))


def leave(connection: Connection, own: bytes) -> None:
    """This process ends: its stores and its duties are free at once."""
    connection.execute(delete(processes).where(processes.c.id == own))
    connection.execute(update(duties).where(duties.c.holder == own).values(until_ms=0))


def hold(connection: Connection, duty: Duty, own: bytes, now_ms: int) -> bool:
    """Takes or keeps a duty for another lease; False: another process has it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    held = {"holder": own, "until_ms": now_ms + LEASE_MS}
    taken = connection.execute(
        dialect.insert(duties)
        .values(name=duty.value, **held)
        .on_conflict_do_update(
            index_elements=[duties.c.name],
            set_=held,
            where=(duties.c.holder == own) | (duties.c.until_ms <= now_ms),
        )
        .returning(duties.c.name)
    )
    return taken.first() is not None


def _put(connection: Connection, own: bytes, until_ms: int) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(processes).values(id=own, until_ms=until_ms)
    connection.execute(row.on_conflict_do_update(index_elements=[processes.c.id], set_={"until_ms": until_ms}))
