"""Takes what a store's probe saw of the synthetic member, and notes it in the store's round.

I/O: sqlalchemy.
"""

from collections.abc import Iterable
from enum import IntEnum

from sqlalchemy import Connection, select, update

from hq.synthetic_tables import synthetic_rounds
from wire import schema
from wire.errors import WireError
from wire.events import Event, EventKind, Seen, Synthetic

SLACK_MS = 2_000  # between the clocks of several HQ processes


class Phase(IntEnum):
    """Where a store's round is."""

    REST = 0
    GRANTED = 1
    WITHDRAWN = 2


def take(connection: Connection, store: str, events: Iterable[Event]) -> None:
    """Notes what a store's probe saw, in the transaction that stores the events."""
    told = [one for one in events if one.kind is EventKind.SYNTHETIC]
    if not told:
        return
    here = synthetic_rounds.c.store == store
    row = connection.execute(select(synthetic_rounds).where(here).with_for_update()).first()
    if row is None:
        return
    seen_ms, gone_ms = row.seen_ms, row.gone_ms
    for one in told:
        try:
            body = schema.decode(Synthetic, one.body)
        except WireError:
            continue
        if body.seen is Seen.SHOWN:
            if seen_ms is None and one.at_ms >= row.granted_ms - SLACK_MS:
                seen_ms = one.at_ms
            gone_ms = None  # it is there again
        elif gone_ms is None and row.phase == Phase.WITHDRAWN and one.at_ms >= row.withdrawn_ms - SLACK_MS:
            gone_ms = one.at_ms
    connection.execute(update(synthetic_rounds).where(here).values(seen_ms=seen_ms, gone_ms=gone_ms))
