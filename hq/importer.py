"""Imports members from JSON lines in large transactions; takes what is good and reports what is refused.

The same file twice is the same as once: an event with a known time of choice has an id made of what it says, and a
phone's secret is known again. Nothing of a refused line is written.

I/O: sqlalchemy, and the lines that it is given.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from hq import ledger, publication
from hq.database import writing
from hq.errors import Reason, Refused
from hq.import_line import Line, parse
from hq.keys import Keys
from hq.ledger import Entry
from hq.office import all_policies, choices_of, put_fields
from hq.state import Choice, Event, EventKind
from hq.tables import members, phones
from wire import schema
from wire.keyring import MAX_PHONES
from wire.member import Mode, NameChoice
from wire.policy import MainPolicy

METHOD = "import"
LINES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused line: its number from 1, where in it, why, and what is expected. No value is repeated."""

    line: int
    field: str
    reason: Reason
    hint: str


@dataclass(frozen=True, slots=True)
class Report:
    """How an import went."""

    taken: int
    refused: tuple[Problem, ...]


def run(
    engine: Engine,
    keys: Keys,
    lines: Iterable[bytes],
    now_ms: int,
    progress: Callable[[int], None] = lambda count: None,
) -> Report:
    """Imports all lines; empty ones are passed over. `progress` is told after each batch how many lines it had.

    Raises:
        DatabaseUnavailable: the batches before are in; import the file again.
    """
    taken = 0
    refused: list[Problem] = []
    for batch in _batches(enumerate(lines, 1)):
        good: list[tuple[int, Line]] = []
        for number, text in batch:
            try:
                if text.strip():
                    good.append((number, parse(text, now_ms // 1000)))
            except Refused as error:
                refused.append(_problem(number, error))
        done, more = _take(engine, keys, good, now_ms)
        taken += done
        refused += more
        progress(len(batch))
    return Report(taken, tuple(sorted(refused, key=lambda one: one.line)))


def _batches(numbered: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while batch := list(islice(numbered, LINES_AT_ONCE)):
        yield batch


def _problem(number: int, error: Refused) -> Problem:
    return Problem(number, error.field, error.reason, error.hint)


def _take(engine: Engine, keys: Keys, good: list[tuple[int, Line]], now_ms: int) -> tuple[int, list[Problem]]:
    """One transaction; each line of it is taken whole or not at all."""
    refused = []
    entries: list[Entry] = []
    names = set()
    with writing(engine) as connection:
        locked = publication.lock_members(connection, (line.member for _, line in good))
        policies = publication.Policies(connection)
        mains = all_policies(connection)
        for number, line in good:
            try:
                with connection.begin_nested():
                    entries += _take_line(connection, policies, mains, locked, line, now_ms)
                    names.add(line.member)
            except Refused as error:
                refused.append(_problem(number, error))
        # Read again: who is new, and whose age changed. A new member that was refused is not there.
        locked = publication.lock_members(connection, names)
        ledger.append(connection, entries)
        brings_phones = any(line.phones for _, line in good)
        publication.refresh(connection, keys, locked, now_ms, urgent=_closes(entries), phones_changed=brings_phones)
    return len(good) - len(refused), refused


def _closes(entries: list[Entry]) -> bool:
    return any(
        one.event.choice.kind is EventKind.WITHDRAWAL
        or one.event.choice.mode is Mode.QUIET
        or one.event.choice.name_choice is NameChoice.NEVER
        for one in entries
    )


def _take_line(
    connection: Connection,
    policies: publication.Policies,
    mains: list[MainPolicy],
    locked: dict[str, Row[Any]],
    line: Line,
    now_ms: int,
) -> list[Entry]:
    old = locked.get(line.member)
    known = old is not None or connection.scalar(select(members.c.id).where(members.c.id == line.member)) is not None
    values = {"age_at_least": line.age_at_least, "jurisdiction": line.jurisdiction}
    named = {name: value for name, value in values.items() if value is not None}
    if not known:
        row = {"id": line.member, "age_at_least": 0, "jurisdiction": "", "added_ms": now_ms} | named
        connection.execute(insert(members).values(**row))
    elif named:
        connection.execute(update(members).where(members.c.id == line.member).values(**named))
    events = []
    for grant, frame in line.grants:
        choices = choices_of(policies, frame, grant.notice)
        events += [_event(line.member, choice, grant.chosen_s, now_ms) for choice in choices]
    events += [_event(line.member, choice, chosen_s, now_ms) for choice, chosen_s in line.choices]
    if line.fields:
        put_fields(connection, line.member, line.fields, mains)
    if line.phones:
        _put_phones(connection, line, now_ms)
    return [Entry(line.member, one) for one in events]


def _put_phones(connection: Connection, line: Line, now_ms: int) -> None:
    known = set(connection.scalars(select(phones.c.secret).where(phones.c.member == line.member)))
    fresh = [secret for secret in dict.fromkeys(line.phones) if secret not in known]
    if len(known) + len(fresh) > MAX_PHONES:
        raise Refused(Reason.TOO_MANY, "phones", f"at most {MAX_PHONES} phones of a member")
    rows = [{"id": os.urandom(8), "member": line.member, "secret": one, "added_ms": now_ms} for one in fresh]
    if rows:
        connection.execute(insert(phones), rows)


def _event(member: str, choice: Choice, chosen_s: int | None, now_ms: int) -> Event:
    stated = member.encode() + b"\x00" + str(chosen_s).encode() + b"\x00" + schema.encode(choice)
    made = os.urandom(16) if chosen_s is None else hashlib.sha256(stated).digest()[:16]
    return Event(made, METHOD, chosen_s, now_ms // 1000, choice)
