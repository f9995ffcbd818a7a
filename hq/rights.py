"""Tells all that HQ holds of a member, opened, as plain values for JSON: what a member may ask for.

Instants are ISO 8601 in UTC; bytes are hex. A phone's presence secret is named and not told: who reads it could play
the phone.

I/O: sqlalchemy.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, select

from hq import (
    addresses,
    choices,
    consent_export,
    contacts,
    event_bodies,
    felt,
    help_state,
    ledger,
    looks,
    membership,
    notices,
    purchases,
    questions,
    records,
    sessions,
)
from hq.consent_export_record import UNNAMED, Controller
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.membership import Locked
from hq.tables import audience, members, phones, store_events
from wire import cbor, schema
from wire.errors import WireError
from wire.items import Mute, Proposal, SuggestionOutcome
from wire.member import Member
from wire.sync import Attendance, Collection, Disclosure, EventKind, Withdrawal, instance


def export(
    connection: Connection, keys: Keys, member: str, now_ms: int, controller: Controller = UNNAMED
) -> dict[str, Any]:  # fmt: skip
    """Everything, in a transaction that writes (it locks the member's row).

    `controller`: who answers for what is done, as the consent records name it.

    Raises:
        Refused: no such member. SealBroken: a row was changed outside of HQ.
    """
    locked = membership.lock_by_id(connection, keys.custody, [member])
    if not locked:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    ((whose, one),) = locked.items()
    added_ms = connection.scalar(select(members.c.added_ms).where(members.c.id == whose))
    call = help_state.of_member(connection, whose, now_ms)
    held = select(phones.c.id, phones.c.added_ms).where(phones.c.member == whose).order_by(phones.c.id)
    return {
        "member": one.about.id,
        "age_at_least": one.about.age_at_least or None,
        "jurisdiction": one.about.jurisdiction or None,
        "added": instant(added_ms),
        "phones": [
            {"id": row.id.hex(), "added": instant(row.added_ms), "presence_secret": "held, not told"}
            for row in connection.execute(held)
        ],
        "addresses": addresses.of_member(connection, keys.custody, whose),
        "signed_in": [plain(found) for found in sessions.of_member(connection, keys.custody, whose, now_ms)],
        "profile": [plain(field) for field in membership.fields(connection, locked).get(whose, ())],
        "deleted": [
            {"scope": scope, "item": item or None, "at": instant(at_s * 1000)}
            for (scope, item), at_s in sorted(membership.gone(connection, locked)[whose].items())
        ],
        "consent": consent_export.of_locked(connection, keys, locked, controller, now_ms),
        "choices": [plain(event) for event in ledger.of_members(connection, locked).get(whose, ())],
        "notices": [plain(shown) for shown in notices.of_member(connection, whose)],
        "help": None if call is None else plain(call),
        "questions": [plain(asked) for asked in questions.of_member(connection, keys.custody, whose)],
        "looks": [plain(look) for look in looks.of_member(connection, keys.custody, whose)],
        "purchases": [plain(bought) for bought in purchases.of_members(connection, locked)[whose]],
        "purchases_deleted": [plain(bought.said) for bought in purchases.deleted(connection, locked)[whose]],
        "contacts": [{"at": instant(at_ms), **plain(found)} for at_ms, found in contacts.of_member(connection, one)],
        "stores_added": {store: instant(at_ms) for store, at_ms in sorted(choices.added(connection, whose).items())},
        "felt_creepy": [plain(noted) for noted in felt.of_member(connection, keys, member)],
        "stores": [_store(connection, keys, row) for row in _seats(connection, one)],
        "merged": [
            {
                "member": other.about.id,
                "choices": [plain(event) for event in ledger.of_members(connection, {reference: other})[reference]],
                "consent": consent_export.of_locked(connection, keys, {reference: other}, controller, now_ms),
            }
            for reference, other in _merged(connection, keys, whose).items()
        ],
    }


def _merged(connection: Connection, keys: Keys, whose: bytes) -> dict[bytes, Locked]:
    """The accounts that became this one: what was chosen there stays proved."""
    others = set(membership.alike(connection, whose)) - {whose}
    return membership.lock(connection, keys.custody, others)


def _seats(connection: Connection, one: Locked) -> list[Any]:
    wanted = select(audience).where(audience.c.member.in_(membership.alike(connection, one.reference)))
    return list(connection.execute(wanted.order_by(audience.c.store)).all())


def _store(connection: Connection, keys: Keys, row: Any) -> dict[str, Any]:
    body = records.body(connection, instance(Collection.MEMBERS, row.store), row.pseudonym)
    wanted = (
        select(store_events)
        .where(store_events.c.store == row.store, store_events.c.pseudonym == row.pseudonym)
        .order_by(store_events.c.incarnation, store_events.c.number)
    )
    rows = connection.execute(wanted).all()
    bodies = event_bodies.open_(connection, keys, rows)
    return {
        "store": row.store,
        "known_there_as": row.pseudonym.hex(),
        "recognised": row.present,
        "record": None if body is None else plain(schema.decode(Member, body)),
        "events": [
            {
                "kind": kind_name(found.kind),
                "at": instant(found.at_ms),
                "said": None if body is None else said(found.kind, body),
            }
            for found, body in zip(rows, bodies, strict=True)
        ],
    }


def kind_name(number: int) -> str:
    """What an event of a store is called."""
    try:
        return EventKind(number).name.lower()
    except ValueError:
        return str(number)  # of a later version


_SHAPES: dict[int, type[Any]] = {
    EventKind.DISCLOSURE: Disclosure,
    EventKind.WITHDRAWAL: Withdrawal,
    EventKind.MUTE: Mute,
    EventKind.OUTCOME: SuggestionOutcome,
    EventKind.ATTENDANCE: Attendance,
    EventKind.PROPOSAL: Proposal,
}
_STAFF = frozenset({"associate", "tablet"})  # who of the staff it was is not the member's


def said(kind: int, body: bytes) -> Any:
    """What an event says, by name; nobody of the staff is named. What HQ cannot read as hex."""
    try:
        if kind not in _SHAPES:
            return plain(cbor.decode(body))
        found = schema.decode(_SHAPES[kind], body)
    except WireError:
        return body.hex()
    hidden = _STAFF | ({"to"} if isinstance(found, Attendance) else set())
    return {name: one for name, one in plain(found).items() if name not in hidden}


def instant(at_ms: int | None) -> str | None:
    """As people read it; None of none."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds") if at_ms else None


def plain(value: Any) -> Any:
    """A value of ours as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return {name: _dated(name, one) for name, one in named.items()}
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return value


def _dated(name: str, value: Any) -> Any:
    """An instant as people read it; 0 is none."""
    if not isinstance(value, int) or not name.endswith(("_s", "_ms")):
        return value
    return instant(value if name.endswith("_ms") else value * 1000)
