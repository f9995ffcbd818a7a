"""Wakes whoever empties the outbox at each commit that put something in.

PostgreSQL tells of it. SQLite is asked every 10 ms whether another connection has committed, which costs some 10 µs.
While neither can be had, the outbox is looked at every 50 ms.

I/O: sqlalchemy, and the PostgreSQL driver's notifications.
"""

import threading
from collections.abc import Iterable

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from hq.process_tables import CHANNEL
from runtime.logs import Log

POLL_S = 0.05  # while nobody wakes us
ASKING_S = 0.01  # between two questions to SQLite
LISTENING_S = 0.5  # while somebody does; for what a process that broke off left behind
_TURN_S = 1.0
_RETRY_S = 2.0

_LOG = Log("waking")


class Waking:
    """One thread's line to the database, and an event for each lane. `run` in a thread of its own."""

    def __init__(self, engine: Engine, lanes: Iterable[str]) -> None:
        self._engine = engine
        self._woken = {lane: threading.Event() for lane in lanes}
        self._hears = False

    def wait(self, lane: str) -> bool:
        """Returns when there may be something on this lane (True), or it is time to look."""
        woken = self._woken[lane].wait(LISTENING_S if self._hears else POLL_S)
        self._woken[lane].clear()
        return woken

    def wake(self) -> None:
        """Something was put into the outbox, or this ends."""
        for woken in self._woken.values():
            woken.set()

    def run(self, stop: threading.Event) -> None:
        """Listens until `stop`, and again after a while where the line breaks."""
        listen = self._listen if self._engine.dialect.name == "postgresql" else self._watch
        while not stop.is_set():
            try:
                listen(stop)
            except (DBAPIError, self._engine.dialect.loaded_dbapi.Error) as error:
                _LOG.warning("not_woken", reason=type(error).__name__, remedy="see that the database can be reached")
            self._hears = False
            stop.wait(_RETRY_S)

    def _watch(self, stop: threading.Event) -> None:
        """SQLite: its data version is another as soon as any other connection has committed."""
        line = self._engine.raw_connection()  # without a transaction of its own, which would keep the log from ending
        try:
            cursor, seen = line.cursor(), None
            self._hears = True
            while not stop.wait(ASKING_S):
                cursor.execute("PRAGMA data_version")
                version = cursor.fetchone()
                if version != seen:
                    seen = version
                    self.wake()
        finally:
            line.close()

    def _listen(self, stop: threading.Event) -> None:
        with self._engine.connect() as pooled:
            line = pooled.execution_options(isolation_level="AUTOCOMMIT")
            line.exec_driver_sql(f"LISTEN {CHANNEL}")
            driver = line.connection.driver_connection
            assert driver is not None
            line.detach()  # it listens for as long as it lives: it must not go back into the pool
            self._hears = True
            self.wake()  # what came before
            while not stop.is_set():
                for _ in driver.notifies(timeout=_TURN_S, stop_after=1):
                    self.wake()
