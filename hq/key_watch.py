"""Warns a month before HQ's key set ends: from then on every store is dark.

I/O: sqlalchemy.
"""

from sqlalchemy import Engine, select

from hq.alarm_tables import alarms as alarm_rows
from hq.alarms import Alarm, clear, raise_
from hq.database import reading, writing
from hq.keys import Keys

WARNED_MS = 30 * 86_400_000


def look(engine: Engine, keys: Keys, now_ms: int) -> None:
    """Raises or ends KEYS_END as it stands at `now_ms`, Unix milliseconds UTC. Raises: DatabaseUnavailable."""
    left_ms = keys.key_set_ends_s * 1000 - now_ms
    told = select(alarm_rows.c.id).where(alarm_rows.c.alarm == Alarm.KEYS_END.value, alarm_rows.c.over_ms.is_(None))
    with reading(engine) as connection:
        is_told = connection.scalar(told.limit(1)) is not None
    if is_told == (left_ms < WARNED_MS):
        return
    with writing(engine) as connection:
        if is_told:
            clear(connection, Alarm.KEYS_END, "", now_ms)
        else:
            raise_(
                connection, Alarm.KEYS_END, "", now_ms, f"version={keys.key_set_version} days={left_ms // 86_400_000}"
            )
