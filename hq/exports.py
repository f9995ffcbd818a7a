"""Gathers all that HQ and every store hold of a member, and the stores' signed proofs of an erasure.

An export is an order to each store; what they answer lies sealed to HQ until it is fetched, for 30 days. So nothing
runs meanwhile that a restart could lose, and a store that is off answers when it is back, within a week.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, delete, insert, select

from hq import choices, membership, orders, rights
from hq.choosing_tables import export_orders, exports
from hq.consent_export_record import UNNAMED, Controller
from hq.custody_tables import erasure_orders
from hq.database import reading, writing
from hq.erasure import Progress
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.order_tables import order_parts
from hq.order_tables import orders as order_rows
from hq.tables import audience, stores
from wire import envelope, schema
from wire.errors import WireError
from wire.member import Member
from wire.orders import ExportResult
from wire.sync import HQ, Done, Outcome, Verb

REFERENCE_BYTES = 8
KEPT_MS = 37 * 86_400_000  # a week for the stores to answer in, and 30 days to fetch it
MOST_OPEN = 3  # of a member: each asks every store
_LEAST = (Progress.WAITING, Progress.FAILED, Progress.DONE)
_DONE = (int(Outcome.DONE), int(Outcome.NOTHING_TO_DO))


@dataclass(frozen=True, slots=True)
class StoreExport:
    """One store's part; `done_ms` Unix milliseconds UTC of HQ, None while it is open."""

    store: str
    progress: Progress
    done_ms: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """An export and how far it is. `reference` names it, 8 bytes; times are Unix milliseconds UTC."""

    reference: bytes
    asked_ms: int
    until_ms: int
    stores: tuple[StoreExport, ...]

    @property
    def is_done(self) -> bool:
        """Whether nothing more can come: every store has answered, or did not in time."""
        return all(one.progress is not Progress.WAITING for one in self.stores)


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """What a store signed: the envelopes of its answer, each verifiable under the store's identity key (32 bytes)."""

    store: str
    progress: Progress
    done_ms: int | None
    identity: bytes
    envelopes: tuple[bytes, ...]


def ask(engine: Engine, keys: Keys, member: str, now_ms: int) -> bytes:
    """Asks every store that ever knew the member; the export's reference.

    Raises:
        Refused: no such member, or too many of them are open.
    """
    with writing(engine) as connection:
        locked = membership.lock_by_id(connection, keys.custody, [member])
        if not locked:
            raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
        (whose,) = locked
        if sum(not one.is_done for one in _of(connection, whose, now_ms)) >= MOST_OPEN:
            raise Refused(Reason.TOO_MANY, "export", "the ones before to be done first")
        made = os.urandom(REFERENCE_BYTES)
        for one in membership.alike(connection, whose):
            part = made if one == whose else os.urandom(REFERENCE_BYTES)
            _order(connection, part, made, one, now_ms, always=one == whose)
    return made


def _order(
    connection: Connection, export: bytes, whole: bytes, member: bytes, now_ms: int, *, always: bool
) -> None:  # fmt: skip
    """Asks every store that knew a member by this reference; nothing is written of one whom none knew."""
    wanted = select(audience.c.store, audience.c.pseudonym).where(audience.c.member == member)
    seats = connection.execute(wanted.order_by(audience.c.store)).all()
    if seats or always:
        connection.execute(insert(exports).values(id=export, whole=whole, member=member, asked_ms=now_ms))
    for row in seats:
        order = orders.issue(connection, row.store, Verb.EXPORT, now_ms, subject=row.pseudonym)
        values = {"export": export, "store": row.store, "member": member, "order_id": order}
        connection.execute(insert(export_orders).values(**values))


def of_member(connection: Connection, keys: Keys, member: str, now_ms: int) -> list[Export]:
    """The exports of one member that can still be fetched, the newest first. Raises: Refused."""
    return _of(connection, choices.opened(connection, keys, member).reference, now_ms)


def gather(
    connection: Connection, keys: Keys, member: str, reference: bytes, now_ms: int, controller: Controller = UNNAMED
) -> dict[str, Any] | None:
    """All of it as plain values for JSON, as far as it is there; None: no such export of this member.

    In a transaction that writes (hq.rights locks the member). HQ's part is as of now, each store's as of its answer.

    Raises:
        Refused: no such member.
    """
    found = next((one for one in of_member(connection, keys, member, now_ms) if one.reference == reference), None)
    if found is None:
        return None
    told: dict[str, dict[str, Any]] = {}
    parts = connection.scalars(select(exports.c.id).where(exports.c.whole == reference).order_by(exports.c.id)).all()
    parts = sorted(parts, key=lambda one: one != reference)
    for one in found.stores:
        answers = [] if one.progress is not Progress.DONE else _answers(connection, keys, parts, one.store)
        told[one.store] = {
            "progress": one.progress.value, "done": rights.instant(one.done_ms),
            "holds": answers[0] if answers else None,
        }  # fmt: skip
        if len(answers) > 1:  # of whoever was merged into this member
            told[one.store]["holds_too"] = answers[1:]
    whole = rights.export(connection, keys, member, now_ms, controller)
    return {"asked": rights.instant(found.asked_ms), "complete": found.is_done, "hq": whole, "stores": told}


def proofs(connection: Connection, erasure: bytes) -> list[Proof]:
    """What each store signed of an erasure, by its reference; of one that has not done it there are no envelopes."""
    wanted = (
        select(
            erasure_orders.c.order_id, order_rows.c.store, order_rows.c.outcome, order_rows.c.done_ms, stores.c.identity
        )
        .join(order_rows, order_rows.c.id == erasure_orders.c.order_id)
        .join(stores, stores.c.id == order_rows.c.store)
        .where(erasure_orders.c.erasure == erasure)
        .order_by(order_rows.c.store)
    )
    return [
        Proof(row.store, _progress(row.outcome), row.done_ms, row.identity, _parts(connection, row.order_id))
        for row in connection.execute(wanted)
    ]


def forget(engine: Engine, now_ms: int) -> int:
    """Deletes the exports that nobody can fetch any more; how many they were."""
    over = exports.c.asked_ms <= now_ms - KEPT_MS
    with reading(engine) as connection:
        if connection.execute(select(exports.c.id).where(over).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        of_them = select(exports.c.id).where(over)
        connection.execute(delete(export_orders).where(export_orders.c.export.in_(of_them)))
        return connection.execute(delete(exports).where(over)).rowcount


def _of(connection: Connection, whose: bytes, now_ms: int) -> list[Export]:
    alike = membership.alike(connection, whose)
    wanted = select(exports).where(exports.c.member.in_(alike), exports.c.asked_ms > now_ms - KEPT_MS)
    rows = connection.execute(wanted.order_by(exports.c.asked_ms.desc(), exports.c.id)).all()
    return [
        Export(row.id, row.asked_ms, row.asked_ms + KEPT_MS, _stores(connection, row.id))
        for row in rows
        if row.id == row.whole
    ]


def _stores(connection: Connection, whole: bytes) -> tuple[StoreExport, ...]:
    """Each store once: done where all is that it was asked for."""
    wanted = (
        select(export_orders.c.store, order_rows.c.outcome, order_rows.c.done_ms)
        .join(order_rows, order_rows.c.id == export_orders.c.order_id)
        .join(exports, exports.c.id == export_orders.c.export)
        .where(exports.c.whole == whole)
        .order_by(export_orders.c.store)
    )
    found: dict[str, StoreExport] = {}
    for row in connection.execute(wanted):
        one, before = StoreExport(row.store, _progress(row.outcome), row.done_ms), found.get(row.store)
        if before is None or _LEAST.index(one.progress) < _LEAST.index(before.progress):
            found[row.store] = one
    return tuple(found.values())


def _progress(outcome: int | None) -> Progress:
    if outcome is None:
        return Progress.WAITING
    return Progress.DONE if outcome in _DONE else Progress.FAILED


def _parts(connection: Connection, order: bytes) -> tuple[bytes, ...]:
    wanted = select(order_parts.c.payload).where(order_parts.c.order == order).order_by(order_parts.c.part)
    return tuple(connection.scalars(wanted))


def _answers(connection: Connection, keys: Keys, parts: list[bytes], store: str) -> list[dict[str, Any]]:
    """What the store holds of each reference that it knew; nothing of what is empty, or was fetched too late."""
    wanted = (
        select(export_orders.c.export, export_orders.c.order_id, stores.c.identity)
        .join(stores, stores.c.id == export_orders.c.store)
        .where(export_orders.c.export.in_(parts), export_orders.c.store == store)
    )
    rows = sorted(connection.execute(wanted), key=lambda row: parts.index(row.export))
    found = [_answer(connection, keys, row.order_id, row.identity) for row in rows]
    return [one for one in found if one is not None]


def _answer(connection: Connection, keys: Keys, order: bytes, identity: bytes) -> dict[str, Any] | None:
    """What the store holds, with the envelopes as it signed them; None: it is empty, or was fetched too late."""
    parts = _parts(connection, order)
    opened = b"".join(_open(keys, identity, part) for part in parts)
    if not opened:
        return None
    try:
        said = schema.decode(ExportResult, opened)
        record = None if said.record is None else schema.decode(Member, said.record)
    except WireError:
        return None  # of a store that says nonsense
    return {
        "record": None if record is None else rights.plain(record),
        "key_days": [rights.plain(one) for one in said.key_days],
        "denials": [rights.plain(one) for one in said.denials],
        "events": [
            {
                "kind": rights.kind_name(one.kind),
                "at": rights.instant(one.at_ms),
                "said": rights.said(one.kind, one.body),
            }
            for one in said.events
        ],
        "suggestions": [rights.plain(one) for one in said.memory.items] if said.memory is not None else [],
        "signed": [b64encode(part).decode() for part in parts],
    }


def _open(keys: Keys, identity: bytes, payload: bytes) -> bytes:
    """The result in one envelope, verified again; empty where it was sealed to a key that HQ has no more."""
    try:
        parsed = envelope.parse(payload)
        private = keys.sealing.get(parsed.header.sealed_to)
        if private is None:
            return b""
        said = envelope.open_(parsed, HQ, Ed25519PublicKey.from_public_bytes(identity), private)
    except WireError:
        return b""
    return said.result if isinstance(said, Done) else b""
