"""Keeps what associates propose for a member's basket or wish list until the member confirms it, or 7 days.

Nothing of the member's is changed by a proposal. The newest ones count, so that nobody can fill a member's app.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, insert, select

from hq import event_bodies
from hq.database import reading, writing
from hq.keys import Keys
from hq.proposal_tables import proposals
from hq.tables import store_events
from wire import schema
from wire.errors import WireError
from wire.items import ItemList, Proposal
from wire.sync import Event, EventKind

STANDS_MS = 7 * 86_400_000
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True, repr=False)
class Proposed:
    """One proposal as its member may see it: nobody of the staff is named. Times are Unix milliseconds UTC."""

    store: str
    role: str
    to: ItemList
    item: str
    quantity: int
    at_ms: int
    until_ms: int


def take(
    connection: Connection, store: str, incarnation: bytes, known: Mapping[bytes, bytes], events: Iterable[Event],
    now_ms: int,
) -> None:  # fmt: skip
    """Notes a batch of a store's events; `known`: pseudonym to member, each of them locked."""
    rows = []
    for one in events:
        member = known.get(one.pseudonym or b"")
        if one.kind is EventKind.PROPOSAL and member is not None:
            # A store that had no trusted time says 0: then it was no later than now.
            until_ms = min(one.at_ms or now_ms, now_ms) + STANDS_MS
            rows.append(
                {
                    "store": store, "incarnation": incarnation, "number": one.number, "member": member,
                    "until_ms": until_ms,
                }
            )  # fmt: skip
    if rows:
        connection.execute(insert(proposals), rows)


def of_member(connection: Connection, keys: Keys, member: bytes, now_ms: int) -> list[Proposed]:
    """What stands for one member, by HQ's reference, the newest first."""
    wanted = (
        select(store_events, proposals.c.until_ms)
        .join(
            proposals,
            (proposals.c.store == store_events.c.store)
            & (proposals.c.incarnation == store_events.c.incarnation)
            & (proposals.c.number == store_events.c.number),
        )
        .where(proposals.c.member == member, proposals.c.until_ms > now_ms)
        .order_by(proposals.c.until_ms.desc(), proposals.c.number.desc())
        .limit(MOST_SHOWN)
    )
    rows = connection.execute(wanted).all()
    found = []
    for row, body in zip(rows, event_bodies.open_(connection, keys, rows), strict=True):
        try:
            said = schema.decode(Proposal, body) if body is not None else None
        except WireError:
            continue  # of a store that says nonsense
        if said is not None:
            at_ms = row.until_ms - STANDS_MS
            found.append(Proposed(row.store, said.role, said.to, said.item, said.quantity, at_ms, row.until_ms))
    return found


def forget(engine: Engine, now_ms: int) -> int:
    """Lets go what nobody confirmed in time; how many that were."""
    over = proposals.c.until_ms <= now_ms
    with reading(engine) as connection:
        if connection.execute(select(proposals.c.number).where(over).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        return connection.execute(delete(proposals).where(over)).rowcount
