"""Stores what happened in a store, each event once, in order; folds in withdrawals, mutes and the steps of calls.

A batch says of which numbers it holds all that is left. One that begins later than what is stored waits for the one
before; so `acts_through` never says more than what was folded in. What a batch lacks was let go, or is lost for good.

I/O: sqlalchemy.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from hq import (
    disclosure_log,
    door,
    event_bodies,
    help_state,
    ledger,
    membership,
    outcomes,
    proposals,
    publication,
    staff,
    synthetic_reports,
)
from hq.alarms import Alarm, raise_
from hq.errors import Refused
from hq.keys import Keys
from hq.ledger import Entry
from hq.log_tables import event_gaps, let_go, withdrawals_applied
from hq.membership import Locked
from hq.notices_history import History
from hq.state import PRESENCE, Choice
from hq.state import Event as ConsentEvent
from hq.state import EventKind as ChoiceKind
from hq.tables import audience, incarnations, store_events
from wire import merkle, schema
from wire.errors import WireError
from wire.member import Muted
from wire.sync import Applied, Disclosure, Erased, Event, EventKind, Events, LetGo, LogHead, Mute, Withdrawal

METHOD = "in-store"
METHOD_CODE = "leave-code"  # on a tablet or on HQ's public page
_ACTS = frozenset({EventKind.WITHDRAWAL, EventKind.MUTE})  # of the member, denied in the store until they are folded in
_FOLDED = _ACTS | {EventKind.ATTENDANCE, EventKind.PROPOSAL}


def take(connection: Connection, keys: Keys, store: str, batch: Events, now_ms: int) -> int:
    """Stores the events of a batch that are not stored yet; returns how many that were.

    After it the incarnation's `events_through` is what the next lease will say.
    """
    row = _lock(connection, store, batch.incarnation)
    if row is None or not _is_sound(batch):
        return 0
    begun = max(row.events_through, batch.freed)  # what lies below, the store has no more
    if batch.after > begun:
        return 0  # the batch before this one is missing
    log = disclosure_log.Log(connection, store, batch.incarnation, now_ms)
    _check_again(log, [one for one in batch.events if one.number <= row.events_through], now_ms)
    if max(batch.through, begun) <= row.events_through:
        return 0
    fresh = [one for one in batch.events if one.number > begun]
    passed, lost = _note_gaps(connection, row, batch, begun, fresh, now_ms)
    told = [one for one in fresh if one.kind in _FOLDED]
    known = _members(connection, store, {one.pseudonym for one in fresh if one.pseudonym is not None})
    concerned = {known[one.pseudonym] for one in told if one.pseudonym in known}
    survivors, locked = membership.lock_with_survivors(connection, keys.custody, concerned)
    acts = [one for one in told if one.kind in _ACTS]
    _fold(connection, keys, store, batch.incarnation, acts, known, survivors, locked, now_ms)
    help_state.take(connection, store, known, told, now_ms)
    synthetic_reports.take(connection, store, fresh)
    staff.take_pins(connection, store, fresh, now_ms)
    _log(log, fresh, now_ms)
    _note_applied(connection, store, batch.incarnation, fresh)
    _insert(connection, keys, store, batch.incarnation, fresh, known, now_ms)
    whose = {known_as: survivors.get(member, member) for known_as, member in known.items()}
    proposals.take(connection, store, batch.incarnation, whose, told, now_ms)
    outcomes.take(connection, store, fresh, known, now_ms)
    connection.execute(
        update(incarnations)
        .where(incarnations.c.store == store, incarnations.c.incarnation == batch.incarnation)
        .values(
            events_through=max(batch.through, begun),
            through_ms=now_ms,
            passed_over=row.passed_over + passed,
            lost=row.lost + lost,
        )
    )
    return len(fresh)


def _is_sound(batch: Events) -> bool:
    numbers = [one.number for one in batch.events]
    ordered = numbers == sorted(set(numbers)) and batch.freed <= batch.after <= batch.through
    return ordered and (not numbers or (batch.after < numbers[0] and numbers[-1] <= batch.through))


def _note_gaps(
    connection: Connection, row: Row[Any], batch: Events, begun: int, fresh: list[Event], now_ms: int
) -> tuple[int, int]:
    """Books the numbers that are missing: how many the store let go, how many are lost for good."""
    gaps: list[tuple[int, int, bool]] = []
    if begun > row.events_through:
        gaps.append((row.events_through + 1, begun, True))
    allowed = batch.let_go - row.passed_over
    passed, before = 0, begun
    for number in [*(one.number for one in fresh), batch.through + 1]:
        count = number - before - 1
        if count > 0:
            is_lost = passed + count > allowed
            gaps.append((before + 1, number - 1, is_lost))
            passed += 0 if is_lost else count
        before = max(before, number)
    lost = sum(last - first + 1 for first, last, is_lost in gaps if is_lost)
    if gaps:
        place = {"store": row.store, "incarnation": row.incarnation, "noticed_ms": now_ms}
        rows = [{**place, "first": first, "last": last, "lost": int(is_lost)} for first, last, is_lost in gaps]
        connection.execute(insert(event_gaps), rows)
    if lost:
        raise_(connection, Alarm.EVENTS_LOST, row.store, now_ms, f"{lost} events")
    return passed, lost


def _log(log: disclosure_log.Log, fresh: list[Event], now_ms: int) -> None:
    """Grows the log by the disclosures of a batch, and holds its heads against it, in order."""
    for one in fresh:
        try:
            if one.kind is EventKind.LOG_HEAD:
                log.check(schema.decode(LogHead, one.body), one.at_ms, now_ms)
            elif (leaf := leaf_of(one)) is not None:
                log.append(one.number, leaf)
        except WireError:
            log.broken(now_ms, f"event {one.number} cannot be read")
    log.save()


def _check_again(log: disclosure_log.Log, repeated: list[Event], now_ms: int) -> None:
    """What comes again must be what came before: else the box's disk was put back and wrote the numbers anew."""
    for one in repeated:
        with suppress(WireError):
            leaf = leaf_of(one) if one.kind is EventKind.DISCLOSURE else None
            if leaf is not None and log.differs(one.number, leaf):
                log.broken(now_ms, f"event {one.number} came again as another")


def leaf_of(event: Event) -> bytes | None:
    """The hash of the leaf that an event is in the log; None: it is none. Raises: WireError."""
    if event.kind is EventKind.DISCLOSURE:
        said = schema.decode(Disclosure, event.body)
        return merkle.leaf_of(event.number, event.at_ms, event.pseudonym, said)
    return schema.decode(Erased, event.body).leaf if event.kind is EventKind.ERASED else None


def _note_applied(connection: Connection, store: str, incarnation: bytes, fresh: list[Event]) -> None:
    rows = []
    for one in fresh:
        if one.kind is EventKind.APPLIED:
            with suppress(WireError):
                said = schema.decode(Applied, one.body)
                told = {name: getattr(said, name) for name in ("seq", "delay_ms", "acknowledged", "open")}
                place = {"store": store, "incarnation": incarnation, "number": one.number, "at_ms": one.at_ms}
                rows.append({**place, **told})
    if rows:
        connection.execute(insert(withdrawals_applied), rows)


def _insert(
    connection: Connection, keys: Keys, store: str, incarnation: bytes, fresh: list[Event], known: dict[bytes, bytes],
    now_ms: int,
) -> None:  # fmt: skip
    # The heads stand in a table of their own.
    kept = [staff.without_verifier(one) for one in fresh if one.kind is not EventKind.LOG_HEAD]
    bodies = event_bodies.close(connection, keys, store, incarnation, kept, known)
    place = {"store": store, "incarnation": incarnation, "received_ms": now_ms}
    rows = [
        {
            **place, "number": one.number, "kind": int(one.kind), "at_ms": one.at_ms, "pseudonym": one.pseudonym,
            "body": body,
        }
        for one, body in zip(kept, bodies, strict=True)
    ]  # fmt: skip
    if rows:
        connection.execute(insert(store_events), rows)


def note_let_go(connection: Connection, store: str, incarnation: bytes, told: Iterable[LetGo]) -> None:
    """What a hello says that the store let go, by kind."""
    connection.execute(delete(let_go).where(let_go.c.store == store, let_go.c.incarnation == incarnation))
    counts = {one.kind: one.count for one in told}  # of a kind that is named twice, the last word
    place = {"store": store, "incarnation": incarnation}
    rows = [{**place, "kind": kind, "count": count} for kind, count in counts.items()]
    if rows:
        connection.execute(insert(let_go), rows)


def check_last(connection: Connection, row: Row[Any], last_event: int, said_after_ms: int, now_ms: int) -> None:
    """A hello that was surely said after HQ stored an event must know it: else the box's disk was put back.

    said_after_ms: when HQ made the challenge that the hello echoes. row: of `incarnations`.
    """
    if last_event < row.events_through and said_after_ms > row.through_ms:
        detail = f"the store knows {last_event} of {row.events_through} events that HQ has of it"
        raise_(connection, Alarm.LOG_BROKEN, row.store, now_ms, detail)


def _lock(connection: Connection, store: str, incarnation: bytes) -> Row[Any] | None:
    wanted = select(incarnations).where(incarnations.c.store == store, incarnations.c.incarnation == incarnation)
    return connection.execute(wanted.with_for_update()).first()


def _fold(
    connection: Connection,
    keys: Keys,
    store: str,
    incarnation: bytes,
    acts: list[Event],
    known: dict[bytes, bytes],
    survivors: dict[bytes, bytes],
    locked: dict[bytes, Locked],
    now_ms: int,
) -> None:
    """Each withdrawal and mute as a consent event, and the members' records published with how far that goes."""
    entries = []
    through: dict[bytes, int] = {}
    for one in acts:
        member = known.get(one.pseudonym or b"")
        if member is None:
            continue
        method, choice = _choice(store, one)
        if choice is None:
            continue
        through[member] = one.number
        stated = store.encode() + b"\x00" + incarnation + one.number.to_bytes(8, "big")
        # A store that had no trusted time says 0: then it was no later than now.
        chosen_s = (one.at_ms or now_ms) // 1000
        event = ConsentEvent(hashlib.sha256(stated).digest()[:16], method, chosen_s, now_ms // 1000, choice)
        entries.append(Entry(member, event))
        if member in survivors:  # the store had not heard of the merge, or told late
            again = hashlib.sha256(stated + b"\x00survivor").digest()[:16]
            entries.append(Entry(survivors[member], replace(event, id=again)))
    ledger.append(connection, History(connection).proved(entries, now_ms), locked)
    for member, number in through.items():
        connection.execute(
            update(audience)
            .where(audience.c.store == store, audience.c.member == member)
            .values(acts_incarnation=incarnation, acts_through=number)
        )
    concerned = {one: locked[one] for member in through for one in (member, survivors.get(member, member))}
    publication.refresh(connection, keys, concerned, now_ms, urgent=True)


def _choice(store: str, act: Event) -> tuple[str, Choice | None]:
    """How and what the member chose in the store; None: a mute that cannot be read, which the store keeps denied."""
    try:
        if act.kind is EventKind.MUTE:
            muted = schema.decode(Mute, act.body)
            return METHOD, Choice(kind=ChoiceKind.MUTE, mute=Muted(muted.what, muted.id))
        said = schema.decode(Withdrawal, act.body)
        if said.by_code is not None:
            return METHOD_CODE, door.check_withdrawal(PRESENCE, None, (store,))
        return METHOD, door.check_withdrawal(None, None if said.scope is None else (said.scope,), (store,))
    except (WireError, Refused):
        if act.kind is EventKind.MUTE:
            return METHOD, None
        return METHOD, door.check_withdrawal(None, None, (store,))  # unreadable: everything, never less than was meant


def _members(connection: Connection, store: str, pseudonyms: set[bytes]) -> dict[bytes, bytes]:
    wanted = select(audience.c.pseudonym, audience.c.member).where(
        audience.c.store == store, audience.c.pseudonym.in_(sorted(pseudonyms))
    )
    return {row.pseudonym: row.member for row in connection.execute(wanted)}
