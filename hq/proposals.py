"""Keeps what associates propose for a member's basket or wish list until the member confirms it, or 7 days.

Nothing of the member's is changed by a proposal. The newest ones count, so that nobody can fill a member's app.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, delete, insert, select

from hq import event_bodies, records
from hq.database import reading, writing
from hq.keys import Keys
from hq.proposal_tables import proposals
from hq.tables import store_events
from wire import schema
from wire.catalog import CatalogItem
from wire.errors import WireError
from wire.items import ItemList, Proposal
from wire.sync import Collection, Event, EventKind

STANDS_MS = 7 * 86_400_000
MOST_SHOWN = 50
_MOST_DIGITS = 18  # of an event's number


@dataclass(frozen=True, slots=True, repr=False)
class Proposed:
    """One proposal as its member may see it: nobody of the staff is named. Times are Unix milliseconds UTC.

    `ref` names it for `confirm` and `decline`. `label`: what the catalogs call the item; where none does, its id.
    """

    ref: str
    label: str
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
    rows = connection.execute(_STANDING, {"member": member, "now_ms": now_ms}).all()
    found = []
    for row, body in zip(rows, event_bodies.open_(connection, keys, rows), strict=True):
        try:
            said = schema.decode(Proposal, body) if body is not None else None
        except WireError:
            continue  # of a store that says nonsense
        if said is not None:
            at_ms = row.until_ms - STANDS_MS
            label = _label(connection, row.store, said.item)
            found.append(
                Proposed(name(row), label, row.store, said.role, said.to, said.item, said.quantity, at_ms, row.until_ms)
            )
    return found


_STANDING = (
    select(store_events, proposals.c.until_ms)
    .join(
        proposals,
        (proposals.c.store == store_events.c.store)
        & (proposals.c.incarnation == store_events.c.incarnation)
        & (proposals.c.number == store_events.c.number),
    )
    .where(proposals.c.member == bindparam("member"), proposals.c.until_ms > bindparam("now_ms"))
    .order_by(proposals.c.until_ms.desc(), proposals.c.number.desc())
    .limit(MOST_SHOWN)
)


def name(row: Row[Any]) -> str:
    """What a proposal is called between HQ and its member."""
    return f"{row.store}/{row.incarnation.hex()}/{row.number}"


def take_off(connection: Connection, member: bytes, ref: str) -> bool:
    """Takes a proposal off the member's list; False: there was none such. The member is locked."""
    store, _, rest = ref.partition("/")
    incarnation, _, number = rest.partition("/")
    try:
        of_it = (
            proposals.c.store == store,
            proposals.c.incarnation == bytes.fromhex(incarnation),
            proposals.c.number == int(number[:_MOST_DIGITS]),
        )
    except ValueError:
        return False
    return connection.execute(delete(proposals).where(proposals.c.member == member, *of_it)).rowcount == 1


def _label(connection: Connection, store: str, item: str) -> str:
    """What the first of the store's catalogs that knows the item calls it; else its id."""
    for found in records.of_store(connection, store):
        if found.collection is Collection.CATALOG:
            body = records.body(connection, found.name, item.encode())
            if body is not None:
                return schema.decode(CatalogItem, body).name
    return item


def forget(engine: Engine, now_ms: int) -> int:
    """Lets go what nobody confirmed in time; how many that were."""
    over = proposals.c.until_ms <= now_ms
    with reading(engine) as connection:
        if connection.execute(select(proposals.c.number).where(over).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        return connection.execute(delete(proposals).where(over)).rowcount
