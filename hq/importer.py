"""Imports members from JSON lines in large transactions; takes what is good and reports what is refused.

The same file twice is the same as once: an event with a known time of choice has an id made of what it says, and a
phone's secret is known again. Nothing of a refused line is written. Values that the member deleted since, those of
somebody who is not old enough for a profile, and a withdrawal of a purpose that no policy ever declared, with the
line's grants, are left out, and the rest of their line is taken.

I/O: sqlalchemy, and the lines that it is given.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from sqlalchemy import Connection, Engine

from hq import addresses, door, jurisdictions, ledger, membership, notices_proof, profile_age, publication, regulation
from hq.database import writing
from hq.errors import Reason, Refused
from hq.import_line import Line, parse
from hq.keys import Keys
from hq.ledger import Entry
from hq.ledger_proof import Party
from hq.membership import About, Locked
from hq.named import Named
from hq.notices_history import History
from hq.office import all_policies, choices_of
from hq.state import CLOSING, PRESENCE, Choice, Event
from wire import schema
from wire.keyring import MAX_PHONES
from wire.member import Field, Mode, NameChoice

METHOD = "import"
LINES_AT_ONCE = 500
EVENT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused line: its number from 1, where in it, why, and what is expected. No value is repeated."""

    line: int
    field: str
    reason: Reason
    hint: str


@dataclass(frozen=True, slots=True)
class Report:
    """How an import went. `left_out`: values of lines that were taken without them; `doubts`: what was taken, and will
    not do what was meant."""

    taken: int
    refused: tuple[Problem, ...]
    left_out: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()


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
    left_out: list[Problem] = []
    doubts: list[Problem] = []
    for batch in _batches(enumerate(lines, 1)):
        good: list[tuple[int, Line]] = []
        for number, text in batch:
            try:
                if text.strip():
                    good.append((number, parse(text, now_ms // 1000)))
            except Refused as error:
                refused.append(_problem(number, error))
        done, more, without, doubtful = _take(engine, keys, good, now_ms)
        taken += done
        refused += more
        left_out += without
        doubts += doubtful
        progress(len(batch))
    return Report(taken, tuple(sorted(refused, key=lambda one: one.line)), tuple(left_out), tuple(doubts))


def _batches(numbered: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while batch := list(islice(numbered, LINES_AT_ONCE)):
        yield batch


def _problem(number: int, error: Refused) -> Problem:
    return Problem(number, error.field, error.reason, error.hint)


def _take(
    engine: Engine, keys: Keys, good: list[tuple[int, Line]], now_ms: int
) -> tuple[int, list[Problem], list[Problem], list[Problem]]:
    """One transaction: how many lines were taken, which not, what was left out of the others, and what is in doubt."""
    refused: list[Problem] = []
    left_out: list[Problem] = []
    doubts: list[Problem] = []
    with writing(engine) as connection:
        mails = {address: addresses.plain_or_none(address) for _, line in good for address in line.addresses}
        batch = _Batch(connection, keys, {line.member for _, line in good}, mails, now_ms)
        for number, line in good:
            try:
                left_out += [_problem(number, one) for one in batch.add(line)]
                doubts += [_problem(number, one) for one in batch.doubts(line)]
            except Refused as error:
                refused.append(_problem(number, error))
        locked = batch.write()
        notices_proof.record(connection, batch.entries, now_ms)
        notices_proof.vouch_presence(connection, batch.untold, METHOD, now_ms)
        ledger.append(connection, batch.entries, locked)
        publication.refresh(
            connection, keys, locked, now_ms, urgent=_closes(batch.entries), phones_changed=bool(batch.phones)
        )
    return len(good) - len(refused), refused, left_out, doubts


def _closes(entries: list[Entry]) -> bool:
    return any(
        one.event.choice.kind in CLOSING
        or one.event.choice.mode is Mode.QUIET
        or one.event.choice.name_choice is NameChoice.NEVER
        for one in entries
    )


class _Batch:
    """What the lines of one transaction write, judged line by line against what is there and what went before."""

    def __init__(
        self, connection: Connection, keys: Keys, names: set[str], mails: Mapping[str, str | None], now_ms: int
    ) -> None:
        self._connection = connection
        self._custody = keys.custody
        self._now_ms = now_ms
        self._policies = publication.Policies(connection)
        self._history = History(connection)
        self._named = Named(connection)
        self._mains = all_policies(connection)
        references, locked = membership.lock_named(connection, keys.custody, names)
        # An id that was merged into another one stands for that one.
        self._led = {name: locked[one].about.id for name, one in references.items() if one in locked}
        self._known = {one.about.id: one for one in locked.values()}
        self._about = {name: one.about for name, one in self._known.items()}
        self._secrets: dict[str, set[bytes]] = defaultdict(set)
        for reference, listed in membership.secrets(connection, locked).items():
            self._secrets[locked[reference].about.id].update(listed)
        self._profiles: dict[str, dict[str, Field]] = defaultdict(dict)
        for reference, fields in membership.fields(connection, locked).items():
            self._profiles[locked[reference].about.id] = {one.scope: one for one in fields}
        self._gone = {locked[one].about.id: found for one, found in membership.gone(connection, locked).items()}
        self._plain = mails
        holders = addresses.holders(connection, keys.custody, {one for one in mails.values() if one is not None})
        by_reference = {one.reference: one.about.id for one in locked.values()}
        self._holders = {address: by_reference.get(one, "") for address, one in holders.items()}
        held = addresses.counts(connection, locked) if mails else {}
        self._held = {by_reference[one]: count for one, count in held.items()}
        self.addresses: list[tuple[str, str]] = []
        self._sizes: dict[str, dict[str, int]] = defaultdict(dict)
        self._touched: set[str] = set()
        self._edited: set[str] = set()
        self._aged: set[str] = set()  # whose age was said, or where they are, which says what the age is worth
        self._choices: list[tuple[str, Choice, int | None]] = []
        self._presence = notices_proof.of_presence(connection)
        told = notices_proof.told(connection, locked, self._presence)
        self._told = {one.about.id for one in locked.values() if one.reference in told}
        self._texts: set[tuple[bytes, str | None, str | None]] = set()  # notices that pass, with brand and purpose
        self.untold: list[bytes] = []  # who brings a phone, and is told of presence by whoever imports
        self.entries: list[Entry] = []
        self.phones: list[tuple[str, bytes]] = []

    def add(self, line: Line) -> list[Refused]:
        """Takes a line; why values were left out of it. Raises: Refused, and then it changed nothing here."""
        member = self._led.get(line.member, line.member)
        grants = [
            (self._history.as_shown(one, grant.chosen_s) if grant.notice is None else one, grant.chosen_s, number)
            for number, (grant, frame) in enumerate(line.grants)
            for one in choices_of(self._policies, frame, grant.notice)
        ]
        self._check_notices(member, line, [choice for choice, _, _ in grants])
        mistyped = self._mistyped(line)
        closed = [
            (one, chosen_s)
            for number, (choice, chosen_s) in enumerate(line.choices)
            if number not in mistyped
            for one in door.for_brands(choice, self._policies.name)
        ]
        sized = {field.scope: door.check_field(field, self._mains) for field in line.fields}
        before = self._about.get(member, About(member, 0, ""))
        about = About(
            member,
            before.age_at_least if line.age_at_least is None else line.age_at_least,
            before.jurisdiction if line.jurisdiction is None else line.jurisdiction,
        )
        fields, left_out = self._kept(about, line)
        agreed, not_given = ([], _doubtful(line)) if mistyped else _of_age(about, grants)
        profile = self._profiles[member] | {field.scope: field for field in fields}
        sizes = self._sizes_of(member) | {field.scope: sized[field.scope] for field in fields}
        if sum(sizes.values()) > door.MAX_PROFILE_BYTES:
            raise Refused(Reason.TOO_LARGE, "profile", f"at most {door.MAX_PROFILE_BYTES} bytes in all")
        fresh = [secret for secret in dict.fromkeys(line.phones) if secret not in self._secrets[member]]
        if len(self._secrets[member]) + len(fresh) > MAX_PHONES:
            raise Refused(Reason.TOO_MANY, "phones", f"at most {MAX_PHONES} phones of a member")
        mails = self._fresh_addresses(member, line)
        if line.age_at_least is not None or (line.jurisdiction is not None and about.age_at_least):
            self._aged.add(member)
        self._about[member] = about
        self._touched.add(member)
        self._sizes[member] = sizes
        self._profiles[member] = profile
        if fields:
            self._edited.add(member)
        self._secrets[member].update(fresh)
        self.phones += [(member, secret) for secret in fresh]
        self.addresses += [(member, address) for address in mails]
        self._holders |= dict.fromkeys(mails, member)
        self._held[member] = self._held.get(member, 0) + len(mails)
        self._choices += [(member, choice, chosen_s) for choice, chosen_s in (*agreed, *closed)]
        return [*mistyped.values(), *not_given, *left_out]

    def doubts(self, line: Line) -> list[Refused]:
        """What of a line that was taken will not do what was meant."""
        found = jurisdictions.doubt(line.jurisdiction or "", self._mains)
        return [] if found is None else [found]

    def _mistyped(self, line: Line) -> dict[int, Refused]:
        """The withdrawals, by their place, whose purpose no policy ever declared: what they mean is not known."""
        found = {}
        for number, (choice, _) in enumerate(line.choices):  # the withdrawals stand first
            try:
                self._named.check(choice)
            except Refused as error:
                found[number] = Refused(error.reason, f"withdrawals[{number}].{error.field}", error.hint)
        return found

    def _kept(self, about: About, line: Line) -> tuple[list[Field], list[Refused]]:
        """The values that are taken, and why others are not."""
        try:
            if line.fields:
                profile_age.check(about, self._mains, "profile")
        except Refused as error:
            return [], [error]
        kept: list[Field] = []
        left_out: list[Refused] = []
        for number, field in enumerate(line.fields):
            if membership.is_deleted(field, self._gone.get(about.id, {})):
                expected = "what was collected after the member deleted it"
                left_out.append(Refused(Reason.DELETED, f"profile[{number}]", expected))
            else:
                kept.append(field)
        return kept, left_out

    def _fresh_addresses(self, member: str, line: Line) -> list[str]:
        """Those that the member has not yet. Raises: Refused, none, somebody else's, or too many."""
        fresh = []
        for number, said in enumerate(line.addresses):
            address = self._plain[said]
            if address is None:
                raise Refused(Reason.MALFORMED, f"addresses[{number}]", "an e-mail address")
            holder = self._holders.get(address)
            if holder not in (None, member):
                raise Refused(Reason.EXISTS, f"addresses[{number}]", "an address that no other member has")
            if holder is None and address not in fresh:
                fresh.append(address)
        if fresh and self._held.get(member, 0) + len(fresh) > addresses.MOST_OF_MEMBER:
            raise Refused(Reason.TOO_MANY, "addresses", f"at most {addresses.MOST_OF_MEMBER} addresses of a member")
        return fresh

    def _check_notices(self, member: str, line: Line, grants: list[Choice]) -> None:
        """Whoever imports says what was shown: it must be known, and clear of which policy a phone is told."""
        for one in grants:
            about = one.notice, one.brand, one.purpose
            if about not in self._texts:
                notices_proof.check_known(self._connection, one)
                self._texts.add(about)
        is_told = member in self._told or any(choice.purpose == PRESENCE for choice in grants)
        if line.phones and not is_told and len(self._presence) != 1:
            raise notices_proof.not_served()

    def _sizes_of(self, member: str) -> dict[str, int]:
        if member not in self._sizes:
            self._sizes[member] = {scope: len(schema.encode(one)) for scope, one in self._profiles[member].items()}
        return self._sizes[member]

    def write(self) -> dict[bytes, Locked]:
        """Writes members, profiles and phones, and returns them; the consent events are left to the ledger."""
        connection = self._connection
        new = [self._about[name] for name in sorted(self._touched - self._known.keys())]
        locked = membership.make(connection, self._custody, new, self._now_ms)
        changed = []
        for name in self._touched & self._known.keys():
            one = replace(self._known[name], about=self._about[name])
            locked[one.reference] = one
            if one.about != self._known[name].about:
                changed.append(one)
        membership.change(connection, changed)
        by_id = {one.about.id: one for one in locked.values()}
        edited = {by_id[name].reference: self._profiles[name].values() for name in self._edited}
        membership.put_fields(connection, locked, edited)
        aged = {by_id[name].reference: by_id[name] for name in self._aged}
        profile_age.clear(connection, aged, self._mains)
        membership.add_phones(connection, [(by_id[name], secret) for name, secret in self.phones], self._now_ms)
        added = [(by_id[name], address) for name, address in self.addresses]
        addresses.add_new(connection, self._custody, added, self._now_ms)
        present = {name for name, choice, _ in self._choices if choice.purpose == PRESENCE}
        new_phones = {name for name, _ in self.phones} - self._told - present
        self.untold = [by_id[name].reference for name in sorted(new_phones)]
        made = (_entry(by_id[name], choice, chosen_s, self._now_ms) for name, choice, chosen_s in self._choices)
        self.entries = self._history.proved(made, self._now_ms)
        return locked


def _of_age(
    about: About, grants: Iterable[tuple[Choice, int | None, int]]
) -> tuple[list[tuple[Choice, int | None]], list[Refused]]:  # fmt: skip
    """The grants that the member can make at their age, and why others are left out, each with its place."""
    kept, left_out = [], {}
    for choice, chosen_s, number in grants:
        try:
            regulation.check(choice, Party.MEMBER, about.age_at_least, about.jurisdiction)
            kept.append((choice, chosen_s))
        except Refused as error:
            left_out[number] = Refused(error.reason, f"grants[{number}]", error.hint)
    return kept, list(left_out.values())


def _doubtful(line: Line) -> list[Refused]:
    """Why none of a line's grants is taken: one of its withdrawals, which may mean any of them, says nothing known."""
    expected = "withdrawals in the same line whose purposes policies declare: one of them may end this grant"
    return [Refused(Reason.UNDECLARED_PURPOSE, f"grants[{number}]", expected) for number in range(len(line.grants))]


def _entry(one: Locked, choice: Choice, chosen_s: int | None, now_ms: int) -> Entry:
    stated = str(chosen_s).encode() + b"\x00" + schema.encode(choice)
    # Under the member's key: who reads the events' ids cannot try choices on them.
    made = os.urandom(EVENT_BYTES) if chosen_s is None else one.seal.name(stated)
    return Entry(one.reference, Event(made, METHOD, chosen_s, now_ms // 1000, choice))
