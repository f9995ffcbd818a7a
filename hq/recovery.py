"""What is known of a recovery, the answers of stores as they come in (docs/decisions/0044), and what stays in doubt.

No store can be asked about contacts. So from the beginning of a recovery on a yes to them from before is in doubt, for
as long as the alarm is open that says so (docs/decisions/0131): until an operator knows that other systems have sent
again what they knew to be withdrawn.

I/O: sqlalchemy.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Engine, select, update

from hq.alarm_tables import alarms as alarm_rows
from hq.alarms import Alarm, clear, raise_
from hq.database import reading
from hq.recovery_tables import recoveries, recovery_stores
from hq.tables import incarnations


class State(StrEnum):
    """How far a store is."""

    WAITING = "waiting"  # it has not answered
    ANSWERED = "answered"  # its answer waits to be taken
    TAKEN = "taken"
    LEFT_OUT = "left out"  # the operator did not wait for it


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one store is. `seen`: HQ knows a cache of it, so that it may hold what HQ lost."""

    store: str
    state: State
    seen: bool
    withdrawals: int  # with mutes
    renewed: int
    erased: int


def under_way(connection: Connection) -> int | None:
    """The recovery that goes on, by its number."""
    return connection.scalar(select(recoveries.c.id).where(recoveries.c.ended_ms.is_(None)))


def doubt_contacts(connection: Connection, now_ms: int) -> None:
    """Puts every yes to contacts that is recorded until now in doubt, in the caller's transaction."""
    raise_(connection, Alarm.CONTACTS_IN_DOUBT, "", now_ms)


def contacts_in_doubt_s(connection: Connection) -> int | None:
    """Up to when, in Unix seconds, a recorded yes to contacts is in doubt; None: none is."""
    wanted = select(alarm_rows.c.last_ms).where(
        alarm_rows.c.alarm == Alarm.CONTACTS_IN_DOUBT.value, alarm_rows.c.over_ms.is_(None)
    )
    found = connection.scalar(wanted)
    return None if found is None else int(found) // 1000


def contacts_known(connection: Connection, now_ms: int) -> bool:
    """Ends the doubt: every system has sent its withdrawals again. Whether there was one."""
    return clear(connection, Alarm.CONTACTS_IN_DOUBT, "", now_ms)


def take(connection: Connection, store: str, order_id: bytes, result: bytes, now_ms: int) -> None:
    """Keeps a store's answer to a RECALL, in the caller's transaction; one that nobody waits for is left alone."""
    connection.execute(
        update(recovery_stores)
        .where(
            recovery_stores.c.store == store,
            recovery_stores.c.order_id == order_id,
            recovery_stores.c.state == State.WAITING.value,
        )
        .values(state=State.ANSWERED.value, result=result, answered_ms=now_ms)
    )


def progress(engine: Engine, number: int) -> list[Progress]:
    """How far each store is, in the order of their ids."""
    seen = select(incarnations.c.store).where(incarnations.c.store == recovery_stores.c.store).exists()
    columns = recovery_stores.c
    wanted = select(
        columns.store, columns.state, columns.withdrawals, columns.renewed, columns.erased, seen.label("seen")
    )
    with reading(engine) as connection:
        rows = connection.execute(wanted.where(columns.recovery == number).order_by(columns.store)).all()
    return [Progress(row.store, State(row.state), row.seen, row.withdrawals, row.renewed, row.erased) for row in rows]
