"""Writes and reads the body of a stored event: what it says of a member goes through here and nowhere else.

A body is sealed under the key of the member whom it names, and ends with that key; what names no member, or one whom HQ
does not know, under a key of HQ's. What comes late of a member who was erased is not kept. Which key it was is the
first byte.

I/O: sqlalchemy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from hq.custody import Place, Purpose, bound
from hq.custody_tables import member_keys
from hq.keys import Keys
from hq.order_tables import orders
from hq.tables import audience
from wire.sync import Event, Verb

_HQS, _MEMBERS = b"\x00", b"\x01"
_CHUNK = 500


def close(
    connection: Connection, keys: Keys, store: str, incarnation: bytes, events: Sequence[Event],
    known: Mapping[bytes, bytes],
) -> list[bytes]:  # fmt: skip
    """The bodies as they are stored, in the order of the events; `known`: pseudonym to HQ's reference of the member."""
    if not events:
        return []
    named = {one.pseudonym for one in events if one.pseudonym is not None}
    seals = keys.custody.of_members(connection, [known[one] for one in named if one in known])
    gone = erased(connection, store, named - known.keys())
    general = keys.custody.to_seal(connection, Purpose.EVENTS)
    found = []
    for one in events:
        place = _bound(store, incarnation, one.number, int(one.kind))
        seal = seals.get(known.get(one.pseudonym or b"", b""))
        if seal is not None:
            found.append(_MEMBERS + seal.close(one.body, place))
        elif one.pseudonym in gone or one.pseudonym in known:  # known and without a key: erased this very moment
            found.append(_MEMBERS)
        else:
            found.append(_HQS + general.close(one.body, place))
    return found


def open_(connection: Connection, keys: Keys, rows: Sequence[Row[Any]]) -> list[bytes | None]:
    """The bodies of rows of `store_events`, in their order; None: it was erased with its member. Raises: SealBroken."""
    wanted = {(row.store, row.pseudonym) for row in rows if row.body[:1] == _MEMBERS and row.pseudonym is not None}
    seals = {}
    for store in {store for store, _ in wanted}:
        listed = sorted(known_as for at, known_as in wanted if at == store)
        for start in range(0, len(listed), _CHUNK):
            chosen = (
                select(audience.c.pseudonym, member_keys)
                .join(member_keys, member_keys.c.member == audience.c.member)
                .where(audience.c.store == store, audience.c.pseudonym.in_(listed[start : start + _CHUNK]))
            )
            for row in connection.execute(chosen):
                seals[store, row.pseudonym] = keys.custody.member(row.member, row.wrapped)
    needs_hqs = any(row.body[:1] == _HQS for row in rows)
    general = keys.custody.to_open(connection, Purpose.EVENTS) if needs_hqs else None
    found: list[bytes | None] = []
    for row in rows:
        seal = general if row.body[:1] == _HQS else seals.get((row.store, row.pseudonym))
        place = _bound(row.store, row.incarnation, row.number, row.kind)
        found.append(None if seal is None or len(row.body) == 1 else seal.open(row.body[1:], place))
    return found


def erased(connection: Connection, store: str, unknown: set[bytes]) -> set[bytes]:
    """Those of these pseudonyms whose members the store was ordered to erase."""
    found: set[bytes] = set()
    listed = sorted(unknown)
    for start in range(0, len(listed), _CHUNK):
        chosen = select(orders.c.subject).where(
            orders.c.store == store,
            orders.c.verb == int(Verb.ERASE),
            orders.c.subject.in_(listed[start : start + _CHUNK]),
        )
        found.update(row for row in connection.scalars(chosen) if row is not None)
    return found


def _bound(store: str, incarnation: bytes, number: int, kind: int) -> bytes:
    return bound(Place.EVENT, store.encode(), incarnation, number.to_bytes(8, "big"), bytes([kind]))
