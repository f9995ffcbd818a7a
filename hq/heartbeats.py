"""Notes of a store's hellos only how long the store is under a lease, for many stores in one transaction.

A hello that changes nothing is not worth a commit of its own: what is lost with the process is two seconds of it, which
the next hello of the store puts right.

I/O: sqlalchemy.
"""

import threading
from dataclasses import dataclass, replace

from sqlalchemy import Engine, bindparam, case, update

from hq.database import writing
from hq.tables import links

EVERY_MS = 2_000


@dataclass(frozen=True, slots=True)
class _Beat:
    boot: bytes
    first_ms: int
    last_ms: int
    until_ms: int


class Heartbeats:
    """The leases that were given and are not written yet. Safe in several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._beats: dict[str, _Beat] = {}
        self._written_ms = 0

    def note(self, store: str, boot: bytes, now_ms: int, until_ms: int) -> None:
        """A lease was given to the boot that holds the store's ticket.

        Raises:
            DatabaseUnavailable: what is noted is kept, and written with the next.
        """
        with self._lock:
            old = self._beats.get(store)
            if old is None or old.boot != boot:
                self._beats[store] = _Beat(boot, now_ms, now_ms, until_ms)
            else:
                self._beats[store] = replace(old, last_ms=now_ms, until_ms=until_ms)
            due = not 0 <= now_ms - self._written_ms < EVERY_MS
        if due:
            self.write(now_ms)

    def write(self, now_ms: int) -> None:
        """Writes what was noted. Raises: DatabaseUnavailable, and then it is written with the next."""
        with self._lock:
            beats, self._beats, self._written_ms = self._beats, {}, now_ms
        if not beats:
            return
        rows = [
            {"b_store": store, "b_boot": one.boot, "b_first": one.first_ms, "b_last": one.last_ms,
             "b_until": one.until_ms}
            for store, one in sorted(beats.items())  # in one order, so that two processes never wait for each other
        ]  # fmt: skip
        try:
            with writing(self._engine) as connection:
                connection.execute(_UPDATE, rows)
        except BaseException:
            with self._lock:
                self._beats = beats | self._beats
            raise


def dark_ms(until_ms: int, now_ms: int) -> int:
    """How long the store had no lease before the one that begins now; `until_ms` 0: it never had one."""
    return max(0, now_ms - until_ms) if until_ms else 0


_ended = links.c.lease_until_ms
_UPDATE = (
    update(links)
    .where(
        links.c.store == bindparam("b_store"),
        links.c.boot == bindparam("b_boot"),
        links.c.lease_until_ms <= bindparam("b_until"),
    )
    .values(
        hello_ms=bindparam("b_last"),
        lease_until_ms=bindparam("b_until"),
        dark_ms=links.c.dark_ms
        + case(((_ended > 0) & (_ended < bindparam("b_first")), bindparam("b_first") - _ended), else_=0),
    )
)
