"""Tells which member a token belongs to: a table for each slot, made ahead, and over it what changed since.

A hit counts only if the phone's row, as it is now, bears the kind and the day key that made the token; so a withdrawal
needs no new table. What a change adds is laid over the tables: for whoever is present at once. Nothing resolves without
trusted time (the caller has no slot then). A token that does not resolve leaves no trace.

Pure: no I/O, no clock.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from mmap import mmap

from store_gateway.core.phones import Entries, Phones, Turned
from store_gateway.core.table import FINGERPRINT_BYTES, Table
from wire.token import TOKEN_BYTES, Kind, contents, day_of_slot, encrypted, read_token, sign

MOST_LAID = 4096  # phones laid over the tables; of more, those who are not present wait for the next tables
_MOST_HEARD = 8192  # tokens resolved already: about four a phone of two thousand
_LATE_SLOTS = 1  # a day's keys go 20 minutes after its end, as at HQ: slot `now-1` needs 10, and time may step back


@dataclass(frozen=True, slots=True, repr=False)
class Resolved:
    """Whose token it is, and what it says. `sign`: colour and two digits, of a help token only.

    phone: 4 bytes, the same for one phone through one UTC day, so that two phones of a member can be told apart.
    """

    pseudonym: bytes
    kind: Kind
    slot: int
    sign: tuple[str, str] | None
    phone: bytes = b""


@dataclass(frozen=True, slots=True)
class Due:
    """Slots whose table is to be made, those that are accepted now first: there is none, or it lacks somebody."""

    missing: tuple[int, ...]
    stale: tuple[int, ...]


class _Slot:
    """One slot: its table, made from a state as of change `number`, and the rows of tokens laid over it."""

    __slots__ = ("day", "laid", "laid_last", "number", "since", "table", "unlaid")

    def __init__(self, slot: int, since: int) -> None:
        self.day = day_of_slot(slot)
        self.since = since  # changes before it were not laid over
        self.table: Table | None = None
        self.number = 0
        self.laid: dict[bytes, tuple[int, int]] = {}  # token -> its row, the change since which it counts
        self.laid_last = 0  # the greatest of these
        self.unlaid = 0  # the last change that added tokens which were not laid over


class Directory:
    """See the module. Changes are numbered, so that a table made from an older state is known as such.

    `allot(size)` gives memory, as `core.phones` wants it; `give_back` takes it, and the blocks of old tables.
    """

    __slots__ = ("_due", "_give_back", "_heard", "_here", "_here_before", "_number", "_slots", "phones")

    def __init__(self, allot: Callable[[int], mmap], give_back: Callable[[object], None]) -> None:
        self.phones = Phones(allot, give_back)
        self._give_back = give_back
        self._number = 0
        self._slots: dict[int, _Slot] = {}
        self._due: dict[int, tuple[int, ...] | None] = {}  # row -> slots in which it is to be laid over; None: all
        self._heard: dict[bytes, Resolved] = {}
        self._here: dict[int, list[bytes]] = {}  # rows of phones heard lately -> their tokens in `_heard`
        self._here_before: set[int] = set()

    @property
    def number(self) -> int:
        """The number of the last change; what is read from now on includes it."""
        return self._number

    @property
    def tokens(self) -> int:
        """How many tokens the tables hold."""
        return sum(len(held.table) for held in self._slots.values() if held.table is not None)

    @property
    def size_bytes(self) -> int:
        """How large the tables are."""
        return sum(held.table.size_bytes for held in self._slots.values() if held.table is not None)

    # --- who is it ---------------------------------------------------------------------------------------------------

    def resolve(self, token: bytes, now_slot: int) -> Resolved | None:
        """Whose token it is, in the slots before, of and after `now_slot`; None where it is nobody's."""
        found = self._heard.get(token)
        if found is None:
            found = self._look_up(token, now_slot)
            if found is None:
                return None
        return found if -1 <= found.slot - now_slot <= 1 else None

    def _look_up(self, token: bytes, now_slot: int) -> Resolved | None:
        fingerprint = int.from_bytes(token[:FINGERPRINT_BYTES], "big")
        for slot in (now_slot, now_slot - 1, now_slot + 1):
            held = self._slots.get(slot)
            if held is None:
                continue
            laid = held.laid.get(token)
            if laid is not None:
                found = self._verified(laid[0], token, held.day, slot)
                if found is not None:
                    return found
            if held.table is not None:
                for row in held.table.rows(fingerprint):
                    found = self._verified(row, token, held.day, slot)
                    if found is not None:
                        return found
        return None

    def _verified(self, row: int, token: bytes, day: int, slot: int) -> Resolved | None:
        day_key = self.phones.key(day, row)
        if day_key is None:
            return None
        read = read_token(day_key, token)
        if read is None or read[1] != slot or not self.phones.kinds[row] >> read[0] & 1:
            return None
        found = Resolved(
            self.phones.pseudonym(row), read[0], slot, _sign(day_key, read[0], slot), row.to_bytes(4, "big")
        )
        if len(self._heard) >= _MOST_HEARD:
            self.turn_over()
        self._heard[token] = found
        self._here.setdefault(row, []).append(token)
        return found

    def turn_over(self) -> None:
        """Phones that were not heard since the last call are no longer taken to be present."""
        self._here_before = set(self._here)
        self._here.clear()
        self._heard.clear()

    # --- what changes ------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Nobody is known any more."""
        self._number += 1
        for held in self._slots.values():
            self._discard(held.table)
        self._slots.clear()
        self._due.clear()
        self._heard.clear()
        self._here.clear()
        self._here_before.clear()
        self.phones.clear()

    def put_kinds(self, pseudonym: bytes, kinds: int) -> None:
        """From now on these kinds of token of the member are recognised; what is added, after `lay`."""
        self._turn(self.phones.put_kinds(pseudonym, kinds), self.phones.days)

    def put_keys(self, day: int, pseudonym: bytes, keys: Iterable[bytes]) -> None:
        """The day keys of all phones of the member; the day has begun."""
        self._turn(self.phones.put_keys(day, pseudonym, keys), (day,))

    def put_bucket(self, day: int, bucket: int, entries: Entries) -> None:
        """All day keys of a bucket of the keyring; the day has begun."""
        self._turn(self.phones.put_bucket(day, bucket, entries), (day,))

    def drop_day(self, day: int) -> None:
        """The day's keys are gone."""
        self._number += 1
        self.phones.drop_day(day)
        self._heard.clear()
        for tokens in self._here.values():
            tokens.clear()

    def _turn(self, turned: Turned, days: Iterable[int]) -> None:
        self._number += 1
        for row in turned.lost:
            tokens = self._here.get(row)
            while tokens:
                self._heard.pop(tokens.pop(), None)
            if not self.phones.kinds[row]:
                self._here.pop(row, None)
                self._here_before.discard(row)
        if not turned.gained:
            return
        concerned = [slot for slot, held in self._slots.items() if held.day in days]
        if not concerned:
            return
        for row in turned.gained:
            if row in self._here or row in self._here_before:
                self._lay(row, concerned)
            elif len(self._due) < MOST_LAID:
                self._due[row] = None
            else:
                self._await_table(concerned)

    def _await_table(self, slots: Iterable[int]) -> None:
        for slot in slots:
            self._slots[slot].unlaid = self._number

    def lay(self, most: int) -> bool:
        """Lays over what is due, of at most so many phones, 10 to 20 microseconds each; whether more is due."""
        for row in list(itertools.islice(self._due, most)):
            slots = self._due.pop(row)
            wanted = [slot for slot in (self._slots if slots is None else slots) if slot in self._slots]
            if slots is None and any(len(self._slots[slot].laid) >= 2 * MOST_LAID for slot in wanted):
                self._await_table(wanted)
            else:
                self._lay(row, wanted)
        return bool(self._due)

    def _lay(self, row: int, slots: list[int]) -> None:
        said = [kind for kind in Kind if self.phones.kinds[row] >> kind & 1]
        for day in {self._slots[slot].day for slot in slots} if said else ():
            day_key = self.phones.key(day, row)
            if day_key is None:
                continue
            its_slots = [slot for slot in slots if self._slots[slot].day == day]
            made = encrypted([day_key], b"".join(contents(kind, its_slots) for kind in said))[0]
            for at in range(0, len(made), TOKEN_BYTES):
                slot = its_slots[at // TOKEN_BYTES % len(its_slots)]
                self._slots[slot].laid[made[at : at + TOKEN_BYTES]] = row, self._number
                self._slots[slot].laid_last = self._number

    # --- time and tables ---------------------------------------------------------------------------------------------

    def roll(self, now_slot: int) -> Due:
        """Holds the slots before, of and after `now_slot` and the next, and no other; what tables are due.

        Whoever is present is laid over a slot that begins to be held, with the next calls of `lay`: so neither a
        corrected clock nor a table that comes late makes them unknown.
        """
        wanted = tuple(slot for slot in (now_slot, now_slot + 1, now_slot - 1, now_slot + 2) if slot >= 0)
        if set(wanted) != self._slots.keys():
            self._hold(wanted)
        return Due(
            tuple(slot for slot in wanted if self._slots[slot].table is None),
            tuple(
                slot
                for slot in wanted
                if self._slots[slot].table is not None and self._slots[slot].unlaid > self._slots[slot].number
            ),
        )

    def _hold(self, wanted: tuple[int, ...]) -> None:
        for slot in self._slots.keys() - set(wanted):
            self._discard(self._slots.pop(slot).table)
        begun = tuple(slot for slot in wanted if slot not in self._slots)
        for slot in begun:
            self._slots[slot] = _Slot(slot, self._number)
        last_day = day_of_slot(max(0, min(wanted) - _LATE_SLOTS))
        for day in [day for day in self.phones.days if day < last_day]:
            self.drop_day(day)
        first: dict[int, tuple[int, ...] | None] = {}
        for row in itertools.chain(self._here, self._here_before):
            slots = self._due.pop(row, ())
            first[row] = None if slots is None else (*slots, *begun)
        self._due = first | self._due

    def adopt(self, slot: int, table: Table, number: int) -> None:
        """Puts a table in force that was made as of change `number`, unless its slot was not held all the while."""
        held = self._slots.get(slot)
        if held is None or number < held.since:
            self._discard(table)
            return
        self._discard(held.table)
        held.table, held.number = table, number
        if held.laid_last <= number:
            held.laid = {}
        else:
            held.laid = {token: one for token, one in held.laid.items() if one[1] > number}

    def _discard(self, table: Table | None) -> None:
        if table is not None:
            self._give_back(table.release())


def _sign(day_key: bytes, kind: Kind, slot: int) -> tuple[str, str] | None:
    if kind is not Kind.HELP:
        return None
    shown = sign(day_key, slot)
    return shown.colour.value, f"{shown.digits:02d}"
