"""Brings HQ back after its database was restored from a backup: what stores know of withdrawals wins over it.

While a recovery goes on, every process refuses leases and answers no want (docs/decisions/0044). Each store is asked
by an order what it holds; `hq.recovered` works out what that takes away.

I/O: sqlalchemy.
"""

from enum import StrEnum

from sqlalchemy import Connection, update

from hq.recovery_tables import recovery_stores


class State(StrEnum):
    """How far a store is."""

    WAITING = "waiting"  # it has not answered
    ANSWERED = "answered"  # its answer waits to be taken
    TAKEN = "taken"
    LEFT_OUT = "left_out"  # the operator did not wait for it


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
