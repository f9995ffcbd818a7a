"""This process's place among the HQ processes that live: the stores that it answers for, and its duties.

I/O: sqlalchemy.
"""

import os

from sqlalchemy import Engine, select

from hq import processes
from hq.database import reading, writing
from hq.processes import LEASE_MS, Duty
from hq.rendezvous import ID_BYTES, owned
from hq.tables import stores
from runtime.logs import Log

_LOG = Log("place")


class Place:
    """See the module. `tick` on one thread; every thread may ask."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.own_id = os.urandom(ID_BYTES)
        self._live: tuple[bytes, ...] = ()
        self._listed: tuple[str, ...] = ()
        self._duties: dict[Duty, int] = {}  # until when, Unix milliseconds
        self.stores: frozenset[str] = frozenset()
        self.followed: frozenset[str] = frozenset()  # with those that were ours until the last tick

    def tick(self, now_ms: int) -> None:
        """Renews the lease and looks who else lives; to be called every `RENEW_S`.

        A store that goes to another process is followed until the next tick: that one may not hear it yet.

        Raises:
            DatabaseUnavailable: all stays as it was.
        """
        with writing(self._engine) as connection:
            live = processes.renew(connection, self.own_id, now_ms)
            kept = [duty for duty in Duty if processes.hold(connection, duty, self.own_id, now_ms)]
        with reading(self._engine) as connection:
            listed = tuple(connection.scalars(select(stores.c.id).order_by(stores.c.id)))
        self._duties = dict.fromkeys(kept, now_ms + LEASE_MS)
        before = self.stores
        if (live, listed) != (self._live, self._listed):
            self._live, self._listed = live, listed
            self.stores = owned(self.own_id, live, listed)
            _LOG.info("place", id=self.own_id.hex(), processes=len(live), stores=len(self.stores), of=len(listed))
        self.followed = self.stores | before

    def has(self, duty: Duty, now_ms: int) -> bool:
        """Whether this process is the one that does it now."""
        return now_ms < self._duties.get(duty, 0)

    def leave(self) -> None:
        """This process ends.

        Raises:
            DatabaseUnavailable: the others notice when the lease ends.
        """
        with writing(self._engine) as connection:
            processes.leave(connection, self.own_id)
