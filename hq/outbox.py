"""Empties the transactional outbox of one lane: seals each message to the store's newest boot and has it sent.

A row goes when the broker acknowledged it, or when it is so old that the store's next fill has brought it. On
PostgreSQL a batch stays locked until it is sent and its rows are gone with it: of several processes each takes other
rows (`SKIP LOCKED`), and what a killed one had in hand is free at once. SQLite has no row locks: there a process takes
the rows of its own stores, and others' only after they have lain for two seconds.

I/O: sqlalchemy.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, delete, select

from hq import custody
from hq.custody import Purpose, Seal
from hq.database import reading, writing
from hq.errors import SealBroken
from hq.records import NOW, posted
from hq.sealer import Peer, Sealer
from hq.tables import links, outbox
from runtime.logs import Log
from wire.errors import WireError
from wire.sync import Kind, down, now

Send = Callable[[Sequence[tuple[str, bytes]]], list[bool]]
AT_ONCE = 64
KEEP_MS = 10 * 60_000  # a lease long disagreed by then, and the store has filled
OTHERS_MS = 2_000
_SEEN = 512  # of SQLite: rows looked at, of which those of others are left
_SWEPT = 5_000  # rows in one transaction

_LOG = Log("outbox")


class Outbox:
    """One lane, "down" or "now". Several may run; that a row is sent twice is harmless, and ends with the row."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        lane: str,
        send: Send,
        is_own: Callable[[str], bool] = lambda store: True,
    ) -> None:
        """`send` is given (topic, payload) and says of each whether the broker acknowledged it."""
        self._engine = engine
        self._sealer = sealer
        self._lane = lane
        self._topic = now if lane == NOW else down
        self._send = send
        self._is_own = is_own
        self._locks = engine.dialect.name == "postgresql"

    def drain(self, now_ms: int) -> tuple[int, int]:
        """Sends one batch: how many were waiting in it, how many are done with.

        Raises:
            DatabaseUnavailable: what was sent is sent again later.
        """
        if self._locks:
            with writing(self._engine) as connection:
                waiting = connection.execute(self._wanted(AT_ONCE).with_for_update(of=outbox, skip_locked=True)).all()
                gone = self._deliver(_seal(connection, waiting), waiting, now_ms)
                _delete(connection, gone)
            return len(waiting), len(gone)
        with reading(self._engine) as connection:
            listed = connection.execute(self._wanted(_SEEN)).all()
            seal = _seal(connection, listed)
        waiting = [row for row in listed if self._is_own(row.store) or row.made_ms <= now_ms - OTHERS_MS][:AT_ONCE]
        gone = self._deliver(seal, waiting, now_ms)
        if gone:
            with writing(self._engine) as connection:
                _delete(connection, gone)
        return len(waiting), len(gone)

    def _wanted(self, most: int) -> Select[Any]:
        return (
            select(outbox, links.c.boot, links.c.sealing_key, links.c.key_set_version)
            .outerjoin(links, links.c.store == outbox.c.store)
            .where(outbox.c.lane == self._lane)
            .order_by(outbox.c.id)
            .limit(most)
        )

    def _deliver(self, seal: Seal | None, waiting: Sequence[Row[Any]], now_ms: int) -> list[int]:
        """Has these rows sent; returns which are done with."""
        done, sealed = [], []
        for row in waiting:
            if seal is None or row.boot is None or row.made_ms <= now_ms - KEEP_MS:
                done.append(row.id)
                continue
            try:
                peer = Peer(row.store, row.boot, row.sealing_key, row.key_set_version)
                payload = self._sealer.close_encoded(peer, Kind(row.kind), posted(seal, row))
            except (WireError, SealBroken) as error:
                # One row that nobody can read must not stop those behind it; the store's next fill brings what it said.
                reason = error.reason.value if isinstance(error, WireError) else "seal_broken"
                _LOG.error("not_sealed", store=row.store, reason=reason, remedy="report this line")
                done.append(row.id)
                continue
            sealed.append((row.id, (self._topic(row.store), payload)))
        sent = self._send([one for _, one in sealed]) if sealed else []
        return done + [number for (number, _), is_sent in zip(sealed, sent, strict=True) if is_sent]


def _seal(connection: Connection, rows: Sequence[Row[Any]]) -> Seal | None:
    return custody.of(connection).to_open(connection, Purpose.OUTBOX) if rows else None


def sweep(engine: Engine, now_ms: int) -> int:
    """Takes away what is old on both lanes, even while no broker can be reached; returns how many rows that was.

    Raises:
        DatabaseUnavailable: the next sweep takes them.
    """
    swept = 0
    while True:
        with writing(engine) as connection:
            old = select(outbox.c.id).where(outbox.c.made_ms <= now_ms - KEEP_MS).order_by(outbox.c.id).limit(_SWEPT)
            listed = connection.scalars(old.with_for_update(skip_locked=True)).all()
            _delete(connection, listed)
        swept += len(listed)
        if len(listed) < _SWEPT:
            return swept


def _delete(connection: Connection, rows: Iterable[int]) -> None:
    listed = sorted(rows)
    for start in range(0, len(listed), 500):
        connection.execute(delete(outbox).where(outbox.c.id.in_(listed[start : start + 500])))
