"""Empties the transactional outbox of one lane: seals each message to the store's newest boot and has it sent.

A row goes when the broker acknowledged it, or when it is so old that the store's next fill has brought it.

I/O: sqlalchemy.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Engine, delete, select

from hq.answers import Peer, Sealer
from hq.database import reading, writing
from hq.records import NOW
from hq.tables import links, outbox
from wire import schema
from wire.sync import Records, down, now

Send = Callable[[Sequence[tuple[str, bytes]]], list[bool]]
_AT_ONCE = 64
_KEEP_MS = 10 * 60_000  # a lease long disagreed by then, and the store has filled


class Outbox:
    """One lane, "down" or "now". Several may run: sending twice is harmless."""

    def __init__(self, engine: Engine, sealer: Sealer, lane: str, send: Send) -> None:
        self._engine = engine
        self._sealer = sealer
        self._lane = lane
        self._topic = now if lane == NOW else down
        self._send = send

    def drain(self, now_ms: int) -> tuple[int, int]:
        """Sends one batch: how many were waiting in it, how many are done with.

        Raises:
            DatabaseUnavailable: what was sent is sent again later.
        """
        with reading(self._engine) as connection:
            waiting = connection.execute(
                select(outbox, links.c.boot, links.c.sealing_key)
                .outerjoin(links, links.c.store == outbox.c.store)
                .where(outbox.c.lane == self._lane)
                .order_by(outbox.c.id)
                .limit(_AT_ONCE)
            ).all()
        if not waiting:
            return 0, 0
        fresh = [row for row in waiting if row.boot is not None and row.made_ms > now_ms - _KEEP_MS]
        messages = []
        for row in fresh:
            peer = Peer(row.store, row.boot, row.sealing_key)
            payload = self._sealer.close(peer, schema.decode(Records, row.message))
            messages.append((self._topic(row.store), payload))
        sent = self._send(messages) if messages else []
        gone = {row.id for row in waiting} - {row.id for row, done in zip(fresh, sent, strict=True) if not done}
        if gone:
            with writing(self._engine) as connection:
                connection.execute(delete(outbox).where(outbox.c.id.in_(sorted(gone))))
        return len(waiting), len(gone)
