"""Writes associates into the staff of their stores, and takes over PINs that they set in one of them.

An associate's id is one person's in the whole chain: a PIN that was set in one store holds in all where they work. Of
two PINs the one that was set later holds; whoever is not active has none.

I/O: sqlalchemy.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Connection, delete, insert, select

from hq import records
from hq.errors import Reason, Refused
from hq.tables import staff
from wire import schema, synthetic
from wire.errors import WireError
from wire.member import Staff
from wire.sync import Collection, Event, EventKind, PinSet, instance

_AHEAD_MS = 60_000  # a box that says it lives in the future must not hold its PIN for ever


def put(connection: Connection, associate: str, found: Mapping[str, Staff], now_ms: int) -> None:
    """Writes one associate's record in each of these stores. A deactivation goes ahead of everything.

    Raises: Refused, where the name is out of bounds.
    """
    try:
        bodies = {store: schema.encode(one) for store, one in found.items()}
    except WireError as error:
        raise Refused(Reason.MALFORMED, "name", error.hint) from error
    commit = records.begin(connection, [_title(store) for store in found])
    for store, one in found.items():
        connection.execute(delete(staff).where(staff.c.store == store, staff.c.id == associate))
        connection.execute(insert(staff).values(store=store, id=associate, role=one.role, active=one.active))
        commit.put(_title(store), associate.encode(), bodies[store])
    commit.write(now_ms, urgent=any(not one.active for one in found.values()))


def of(connection: Connection, associate: str, store: str) -> Staff | None:
    """The record that a store has of an associate, locked: a PIN that comes meanwhile waits until it is written."""
    records.begin(connection, [_title(store)])
    body = records.body(connection, _title(store), associate.encode())
    return None if body is None else schema.decode(Staff, body)


def take_pins(connection: Connection, store: str, events: Sequence[Event], now_ms: int) -> None:
    """Takes over the PINs that associates set in a store, in the transaction that stores the events."""
    for one in events:
        if one.kind is EventKind.PIN_SET:
            with suppress(WireError):
                said = schema.decode(PinSet, one.body)
                if said.verifier and said.associate != synthetic.ASSOCIATE:
                    _take_pin(connection, store, said, now_ms)


def _take_pin(connection: Connection, store: str, said: PinSet, now_ms: int) -> None:
    works_in = connection.scalars(
        select(staff.c.store).where(staff.c.id == said.associate, staff.c.active).order_by(staff.c.store)
    ).all()
    if store not in works_in:
        return  # deactivated or gone meanwhile, or never of this store's staff: it cannot speak for others
    commit = records.begin(connection, [_title(one) for one in works_in])
    for title in (_title(one) for one in works_in):
        body = records.body(connection, title, said.associate.encode())
        held = schema.decode(Staff, body) if body is not None else None
        set_ms = min(said.set_ms, now_ms + _AHEAD_MS)
        if held is not None and held.active and set_ms > (held.pin_set_ms or 0):
            changed = dataclasses.replace(held, pin_verifier=said.verifier, pin_set_ms=set_ms)
            commit.put(title, said.associate.encode(), schema.encode(changed))
    commit.write(now_ms)


def without_verifier(event: Event) -> Event:
    """The event as HQ keeps it: who set a PIN when, and by whose code. A verifier lies nowhere but in the record."""
    if event.kind is not EventKind.PIN_SET:
        return event
    try:
        said = schema.decode(PinSet, event.body)
    except WireError:
        return dataclasses.replace(event, body=b"")
    return dataclasses.replace(event, body=schema.encode(dataclasses.replace(said, verifier="")))


def _title(store: str) -> str:
    return instance(Collection.STAFF, store)
