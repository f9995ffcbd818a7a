"""Tells a member who looked: the disclosures that stores recorded, each with the proof that it is in the store's log.

A receipt names store, role, fields and reason, and nobody of the staff; nothing in it is about anyone else. That the
member said who they are is a disclosure too; that their help was handed over is told beside them, and is in no log. So
is a look of HQ's own staff (`hq.looks`).

I/O: sqlalchemy.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select

from hq import disclosure_log, event_bodies, looks, membership, store_events
from hq.disclosure_log import Place
from hq.errors import SealBroken
from hq.keys import Keys
from hq.log_tables import logs
from hq.tables import audience, stores
from hq.tables import store_events as event_rows
from wire import merkle, schema
from wire.errors import WireError
from wire.events import INTRODUCED, HandOverReason
from wire.sync import Attendance, Disclosure, Event, EventKind, HelpStep

T = TypeVar("T")
_INCARNATION_DIGITS = 8  # of an event's name: as many as tell a store's caches apart


@dataclass(frozen=True, slots=True, repr=False)
class Receipt:
    """One disclosure as its member may see it. `event` names it for `prove`; `reason` empty: the look was refused.

    words: what it was in plain words, where it was no look in a store.
    store: empty where HQ's own staff looked; `reason` is HQ then, `purposes` the `LookReason`, `scopes` the sections.
    """

    event: str
    at_ms: int
    store: str
    role: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    reason: str
    shown: bool
    roster: bool
    words: str = ""


_WHY = {
    HandOverReason.NEEDS_EXPERT: "an expert is needed",
    HandOverReason.OTHER_ZONE: "it belongs to another part of the store",
    HandOverReason.LANGUAGE: "somebody speaks the language better",
    HandOverReason.BREAK: "a break or the end of a shift",
    HandOverReason.OTHER: "another reason",
}


def of_member(connection: Connection, keys: Keys, member: bytes) -> list[Receipt]:
    """All of one member, by HQ's reference, the newest first."""
    found = []
    for row, said in _disclosures(connection, keys, member):
        reason = said.reason.name if said.reason is not None else ""
        words = "you said who you are: your name may be shown on this visit" if said.rule == INTRODUCED else ""
        found.append(
            Receipt(
                _name(row), row.at_ms, row.store, said.role, said.scopes, said.purposes, reason, said.shown,
                said.roster, words,
            )
        )  # fmt: skip
    for row, step in _told(connection, keys, member, EventKind.ATTENDANCE, Attendance):
        if step.action is HelpStep.HANDED_OVER and step.reason is not None:
            to = f"the role {step.to_role}" if step.to_role is not None else "a colleague"
            words = f"your help was handed over to {to}: {_WHY[step.reason]}"
            found.append(
                Receipt(_name(row), row.at_ms, row.store, step.role or "", (), (), "HELP", False, False, words)
            )
    for look in looks.of_member(connection, keys.custody, member):
        words = f"our own staff ({look.role}) looked at your page {looks.WORDS[look.reason]}: {look.words}"
        found.append(
            Receipt(look.event, look.at_ms, "", look.role, look.sections, (look.reason,), "HQ", True, False, words)
        )
    return sorted(found, key=lambda one: (one.at_ms, one.event), reverse=True)


def prove(connection: Connection, keys: Keys, member: bytes, event: str) -> dict[str, Any] | None:
    """The proof of one receipt as docs/protocol.md, section 8 has it; None: none such, or no signed head covers it yet.

    Raises: LookupError: rows of the log are missing at HQ.
    """
    for row, said in _disclosures(connection, keys, member):
        if _name(row) != event:
            continue
        place = Place(row.store, row.incarnation)
        proof = disclosure_log.prove(connection, place, row.number)
        if proof is None:
            return None
        entry = merkle.entry_of(row.number, row.at_ms, row.pseudonym, said)
        return {
            "store": row.store,
            "incarnation": row.incarnation.hex(),
            "event": row.number,
            "salt": said.salt.hex(),
            "entry": entry.hex(),
            "leaf_index": proof.index,
            "path": [one.hex() for one in proof.path],
            "head": {
                "size": proof.head.size,
                "root": proof.head.root.hex(),
                "at_ms": proof.head.at_ms,
                "signature": proof.head.signature.hex(),
            },
        }
    return None


def first_broken(connection: Connection, keys: Keys, store: str) -> str | None:
    """What is wrong with HQ's own rows of a store's logs; None: they amount to what the box signed."""
    identity = connection.scalar(select(stores.c.identity).where(stores.c.id == store))
    kept = select(logs.c.incarnation).where(logs.c.store == store)
    stored = select(event_rows.c.incarnation).where(
        event_rows.c.store == store, event_rows.c.kind == int(EventKind.DISCLOSURE)
    )
    for incarnation in connection.scalars(kept.union(stored)).all():
        try:
            leaves = _leaves(connection, keys, store, incarnation)
        except (SealBroken, WireError):
            return "an event is not what was stored"
        wrong = disclosure_log.verify(connection, Place(store, incarnation), identity or b"", leaves)
        if wrong is not None:
            return wrong
    return None


def _leaves(connection: Connection, keys: Keys, store: str, incarnation: bytes) -> dict[int, bytes | None]:
    """Number and leaf of each disclosure that is stored; None where its content was erased."""
    wanted = select(event_rows).where(
        event_rows.c.store == store,
        event_rows.c.incarnation == incarnation,
        event_rows.c.kind.in_([int(EventKind.DISCLOSURE), int(EventKind.ERASED)]),
    )
    rows = connection.execute(wanted.order_by(event_rows.c.number)).all()
    found: dict[int, bytes | None] = {}
    closed = set()
    for row, body in zip(rows, event_bodies.open_(connection, keys, rows), strict=True):
        if body is None:
            closed.add(row.pseudonym)
            found[row.number] = None
            continue
        leaf = store_events.leaf_of(Event(row.number, EventKind(row.kind), row.at_ms, row.pseudonym, body))
        if leaf is not None:  # an event of another kind that was erased has none
            found[row.number] = leaf
    if not closed <= event_bodies.erased(connection, store, {one for one in closed if one is not None}):
        raise SealBroken("an event of a member who was not erased does not open", "see whether rows were changed")
    return found


def _disclosures(connection: Connection, keys: Keys, member: bytes) -> list[tuple[Row[Any], Disclosure]]:
    return _told(connection, keys, member, EventKind.DISCLOSURE, Disclosure)


def _told(
    connection: Connection, keys: Keys, member: bytes, kind: EventKind, shape: type[T]
) -> list[tuple[Row[Any], T]]:
    """The events of one kind that stores told of a member, with what each says."""
    alike = membership.alike(connection, member)
    wanted = (
        select(event_rows)
        .join(audience, (audience.c.store == event_rows.c.store) & (audience.c.pseudonym == event_rows.c.pseudonym))
        .where(audience.c.member.in_(alike), event_rows.c.kind == int(kind))
    )
    rows = connection.execute(wanted).all()
    found = []
    for row, body in zip(rows, event_bodies.open_(connection, keys, rows), strict=True):
        try:
            if body is not None:
                found.append((row, schema.decode(shape, body)))
        except WireError:
            continue  # of a store that says nonsense; its log has told so
    return found


def _name(row: Row[Any]) -> str:
    return f"{row.store}/{row.incarnation.hex()[:_INCARNATION_DIGITS]}/{row.number}"
