"""Imports members from JSON lines in large transactions; takes what is good and reports what is refused.

The same file twice is the same as once: an event with a known time of choice has an id made of what it says, and a
phone's secret is known again. Nothing of a refused line is written.

I/O: sqlalchemy, and the lines that it is given.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from hq import door, ledger, publication
from hq.database import writing
from hq.errors import Reason, Refused
from hq.import_line import Line, parse
from hq.keys import Keys
from hq.ledger import Entry
from hq.office import all_policies, choices_of
from hq.state import Choice, Event, EventKind
from hq.tables import members, phones, profiles
from wire import schema
from wire.keyring import MAX_PHONES
from wire.member import Mode, NameChoice

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
    with writing(engine) as connection:
        batch = _Batch(connection, {line.member for _, line in good}, now_ms)
        for number, line in good:
            try:
                batch.add(line)
            except Refused as error:
                refused.append(_problem(number, error))
        batch.write()
        # Read again: who is new, and whose age changed.
        locked = publication.lock_members(connection, batch.touched)
        ledger.append(connection, batch.entries)
        publication.refresh(
            connection, keys, locked, now_ms, urgent=_closes(batch.entries), phones_changed=bool(batch.phones)
        )
    return len(good) - len(refused), refused


def _closes(entries: list[Entry]) -> bool:
    return any(
        one.event.choice.kind is EventKind.WITHDRAWAL
        or one.event.choice.mode is Mode.QUIET
        or one.event.choice.name_choice is NameChoice.NEVER
        for one in entries
    )


class _Batch:
    """What the lines of one transaction write, judged line by line against what is there and what went before."""

    def __init__(self, connection: Connection, names: set[str], now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._policies = publication.Policies(connection)
        self._mains = all_policies(connection)
        locked = publication.lock_members(connection, names)
        self._known = set(locked)
        self._rows = {name: (row.age_at_least, row.jurisdiction) for name, row in locked.items()}
        self._secrets: dict[str, set[bytes]] = defaultdict(set)
        for row in connection.execute(select(phones.c.member, phones.c.secret).where(phones.c.member.in_(locked))):
            self._secrets[row.member].add(row.secret)
        self._sizes: dict[str, dict[str, int]] = defaultdict(dict)
        size = func.length(profiles.c.field).label("size_bytes")
        for sized in connection.execute(
            select(profiles.c.member, profiles.c.scope, size).where(profiles.c.member.in_(locked))
        ):
            self._sizes[sized.member][sized.scope] = sized.size_bytes
        self.touched: set[str] = set()
        self.entries: list[Entry] = []
        self.phones: list[tuple[str, bytes]] = []
        self._fields: dict[tuple[str, str], bytes] = {}

    def add(self, line: Line) -> None:
        """Takes a line. Raises: Refused, and then it changed nothing here."""
        events = [
            _event(line.member, choice, grant.chosen_s, self._now_ms)
            for grant, frame in line.grants
            for choice in choices_of(self._policies, frame, grant.notice)
        ]
        events += [_event(line.member, choice, chosen_s, self._now_ms) for choice, chosen_s in line.choices]
        fields = {}
        for field in line.fields:
            door.check_field(field, self._mains)
            fields[field.scope] = schema.encode(field)
        sizes = self._sizes[line.member] | {scope: len(encoded) for scope, encoded in fields.items()}
        if sum(sizes.values()) > door.MAX_PROFILE_BYTES:
            raise Refused(Reason.TOO_LARGE, "profile", f"at most {door.MAX_PROFILE_BYTES} bytes in all")
        fresh = [secret for secret in dict.fromkeys(line.phones) if secret not in self._secrets[line.member]]
        if len(self._secrets[line.member]) + len(fresh) > MAX_PHONES:
            raise Refused(Reason.TOO_MANY, "phones", f"at most {MAX_PHONES} phones of a member")
        age, jurisdiction = self._rows.get(line.member, (0, ""))
        self._rows[line.member] = (
            age if line.age_at_least is None else line.age_at_least,
            jurisdiction if line.jurisdiction is None else line.jurisdiction,
        )
        self.touched.add(line.member)
        self._sizes[line.member] = sizes
        self._secrets[line.member].update(fresh)
        self._fields.update({(line.member, scope): encoded for scope, encoded in fields.items()})
        self.phones += [(line.member, secret) for secret in fresh]
        self.entries += [Entry(line.member, one) for one in events]

    def write(self) -> None:
        """Writes members, profiles and phones; the consent events are left to the ledger."""
        new, changed = [], []
        for name in sorted(self.touched):
            age, jurisdiction = self._rows[name]
            if name in self._known:
                changed.append({"b_id": name, "age_at_least": age, "jurisdiction": jurisdiction})
            else:
                row = {"id": name, "age_at_least": age, "jurisdiction": jurisdiction, "added_ms": self._now_ms}
                new.append(row)
        places = [{"b_member": member, "b_scope": scope} for member, scope in self._fields if member in self._known]
        fields = [{"member": name, "scope": scope, "field": one} for (name, scope), one in self._fields.items()]
        secrets = [
            {"id": os.urandom(8), "member": member, "secret": secret, "added_ms": self._now_ms}
            for member, secret in self.phones
        ]
        for statement, rows in (
            (insert(members), new),
            (update(members).where(members.c.id == bindparam("b_id")), changed),
            (_FORGET, places),
            (insert(profiles), fields),
            (insert(phones), secrets),
        ):
            if rows:
                self._connection.execute(statement, rows)


_FORGET = delete(profiles).where(profiles.c.member == bindparam("b_member"), profiles.c.scope == bindparam("b_scope"))


def _event(member: str, choice: Choice, chosen_s: int | None, now_ms: int) -> Event:
    stated = member.encode() + b"\x00" + str(chosen_s).encode() + b"\x00" + schema.encode(choice)
    made = os.urandom(16) if chosen_s is None else hashlib.sha256(stated).digest()[:16]
    return Event(made, METHOD, chosen_s, now_ms // 1000, choice)
