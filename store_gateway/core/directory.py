"""Tells which member a token belongs to: a table made ahead, and over it what changed since.

Nothing resolves without trusted time (the caller has no slot then), without a table that covers the slot, or after
the member's keys or mode took the token away. A token that does not resolve leaves no trace.

Pure: no I/O, no clock.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from store_gateway.core.table import SLOTS, Table
from wire.token import Kind, day_of_slot, sign, tokens

MOST_CHANGED = 4096  # members laid over a table; beyond it the table is set aside and made anew
_MOST_REPEATS = 8192  # tokens resolved already: about four a phone of two thousand


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


class Directory:
    """See the module. Changes are numbered, so that a table made from an older state is known as such."""

    __slots__ = ("_changed", "_extra", "_least", "_number", "_reading", "_repeats", "_table", "_tokens_of")

    def __init__(self) -> None:
        self._table: Table | None = None
        self._number = 0
        self._reading = False  # somebody reads what the next table is made from
        self._least = 0  # a table made from a state before this number is of no use
        self._changed: dict[bytes, int] = {}  # pseudonym -> number of its last change: the table's word is void
        self._extra: dict[bytes, Resolved] = {}  # the tokens that count instead
        self._tokens_of: dict[bytes, tuple[bytes, ...]] = {}  # pseudonym -> its tokens in there
        self._repeats: dict[bytes, Resolved] = {}

    @property
    def number(self) -> int:
        """The number of the last change; what is read from now on includes it."""
        return self._number

    def begin(self) -> int:
        """Somebody begins to read what the next table is made from; the number of the last change, for `adopt`."""
        self._reading = True
        return self._number

    @property
    def changed(self) -> int:
        """How many members are laid over the table."""
        return len(self._changed)

    @property
    def first_slot(self) -> int | None:
        """The first of the four slots that the table holds; None without a table."""
        return self._table.first_slot if self._table is not None else None

    @property
    def tokens(self) -> int:
        """How many tokens the table holds."""
        return len(self._table) if self._table is not None else 0

    def resolve(self, token: bytes, now_slot: int) -> Resolved | None:
        """Whose token it is, in the slots before, of and after `now_slot`; None where it is nobody's."""
        found = self._repeats.get(token)
        if found is None:
            found = self._look_up(token)
            if found is None:
                return None
            if len(self._repeats) >= _MOST_REPEATS:
                del self._repeats[next(iter(self._repeats))]
            self._repeats[token] = found
        return found if -1 <= found.slot - now_slot <= 1 else None

    def _look_up(self, token: bytes) -> Resolved | None:
        instead = self._extra.get(token)
        if instead is not None or self._table is None:
            return instead
        found = self._table.find(token)
        if found is None or found[0] in self._changed:
            return None
        pseudonym, day_key, kind, slot = found
        return Resolved(pseudonym, kind, slot, _sign(day_key, kind, slot), _phone(day_key))

    def change(
        self, pseudonym: bytes, kinds: int, day_keys: Iterable[tuple[int, tuple[bytes, ...]]], now_slot: int | None
    ) -> None:
        """From now on the member has these (day, keys of the phones that day) and kinds; none of both: unknown.

        Without a slot (no trusted time) the member is unknown until the next table.
        """
        self._number += 1
        if self._table is None and not self._reading:
            return  # the first table is read after this
        self._repeats.clear()
        self._uncover(pseudonym)
        self._changed[pseudonym] = self._number
        if len(self._changed) > MOST_CHANGED:
            self.set_aside()
            return
        instead: dict[bytes, Resolved] = {}
        if now_slot is not None and kinds:
            slots = range(max(0, now_slot - 1), now_slot - 1 + SLOTS)
            for day, keys in day_keys:
                for day_key in keys:
                    instead.update(_tokens(pseudonym, kinds, day_key, [s for s in slots if day_of_slot(s) == day]))
        if instead:
            self._extra.update(instead)
            self._tokens_of[pseudonym] = tuple(instead)

    def set_aside(self) -> None:
        """Too much changed: nothing resolves until a table is adopted that was read after this."""
        self._number += 1
        self._least = self._number
        self._drop_table()
        self._changed.clear()
        self._extra.clear()
        self._tokens_of.clear()
        self._repeats.clear()

    def adopt(self, table: Table, number: int) -> bool:
        """Puts a table in force that was read when `number` was the last change; False where it came too late."""
        self._reading = False
        if number < self._least:
            table.release()
            return False
        self._drop_table()
        self._table = table
        for pseudonym in [one for one, last in self._changed.items() if last <= number]:
            del self._changed[pseudonym]
            self._uncover(pseudonym)
        self._repeats.clear()
        return True

    def _drop_table(self) -> None:
        if self._table is not None:
            self._table.release()
            self._table = None

    def _uncover(self, pseudonym: bytes) -> None:
        for token in self._tokens_of.pop(pseudonym, ()):
            self._extra.pop(token, None)


def _tokens(pseudonym: bytes, kinds: int, day_key: bytes, slots: list[int]) -> dict[bytes, Resolved]:
    found = {}
    for kind in Kind:
        if kinds >> kind & 1:
            made = tokens(day_key, kind, slots)
            for place, slot in enumerate(slots):
                token = made[16 * place : 16 * place + 16]
                found[token] = Resolved(pseudonym, kind, slot, _sign(day_key, kind, slot), _phone(day_key))
    return found


def _phone(day_key: bytes) -> bytes:
    return hashlib.blake2b(day_key, digest_size=4, person=b"phone").digest()


def _sign(day_key: bytes, kind: Kind, slot: int) -> tuple[str, str] | None:
    if kind is not Kind.HELP:
        return None
    shown = sign(day_key, slot)
    return shown.colour.value, f"{shown.digits:02d}"
