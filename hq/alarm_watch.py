"""Sees that a store has fallen silent: it had leases, and has not said hello for long.

Any HQ process may look, any number of times.

I/O: sqlalchemy.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Engine, select

from hq import alarms
from hq.alarms import Alarm
from hq.database import reading, writing
from hq.publication import Policies
from hq.tables import links
from wire.policy import StorePolicy

OPEN_SILENT_MS = 15 * 60_000  # while the store is open
SILENT_MS = 60 * 60_000  # where HQ does not know its hours
LOOK_MS = 30_000
_DAY_MIN = 24 * 60


class Watch:
    """See the module. Looks at most every 30 s, however often it is asked to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looked_ms = 0

    def tick(self, now_ms: int) -> None:
        """Raises and ends STORE_SILENT as it stands at `now_ms`.

        Raises:
            DatabaseUnavailable: the next look sees it.
        """
        if abs(now_ms - self._looked_ms) < LOOK_MS:
            return
        self._looked_ms = now_ms
        with reading(self._engine) as connection:
            told = {row.store for row in alarms.open_alarms(connection) if row.alarm == Alarm.STORE_SILENT}
            quiet = select(links.c.store, links.c.hello_ms).where(
                links.c.hello_ms <= now_ms - OPEN_SILENT_MS, links.c.lease_until_ms > 0
            )
            policies = Policies(connection)
            silent = {
                row.store
                for row in connection.execute(quiet)
                if row.store in told or _is_missed(policies, row.store, row.hello_ms, now_ms)
            }
        new, ended = sorted(silent - told), sorted(told - silent)
        if new or ended:
            with writing(self._engine) as connection:
                self._write(connection, new, ended, now_ms)

    @staticmethod
    def _write(connection: Connection, new: list[str], ended: list[str], now_ms: int) -> None:
        for store in new:
            alarms.raise_(connection, Alarm.STORE_SILENT, store, now_ms)
        for store in ended:
            alarms.clear(connection, Alarm.STORE_SILENT, store, now_ms)


def _is_missed(policies: Policies, store: str, hello_ms: int, now_ms: int) -> bool:
    """Whether the store should have spoken: it has been open all the while, or nobody knows when it is open."""
    policy = policies.of(store)
    if policy is None or not policy.store.hours:
        return hello_ms <= now_ms - SILENT_MS
    return is_open(policy.store, now_ms - OPEN_SILENT_MS) and is_open(policy.store, now_ms)


def is_open(policy: StorePolicy, at_ms: int) -> bool:
    """Whether the store's hours hold at that instant, in its own time zone; an unknown zone counts as UTC."""
    try:
        zone: ZoneInfo | None = ZoneInfo(policy.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = None
    local = datetime.fromtimestamp(at_ms / 1000, zone or UTC)
    minute = local.hour * 60 + local.minute
    return any(
        one.weekday == local.isoweekday() and one.from_min <= minute < min(one.until_min, _DAY_MIN)
        for one in policy.hours
    )
