"""Knows which phones of members were heard in the last minutes, and finds the one that shows a leave code.

Every phone counts that is recognised, whether its member stands on a roster or not: not yet arrived, in a blind zone,
outside opening hours, after a call in mode `help`. In mode `quiet`, and after a withdrawal, none is.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Iterator

from store_gateway.core.directory import Resolved
from store_gateway.core.phones import Phones
from wire.token import day_of_slot, leave_code

HEARD_S = 300.0  # longer than any phone may be silent and its visit go on, but where a radio is ill
_SLOTS = (0, -1, 1)  # beside the one in which it was asked; as for tokens


class Earshot:
    """See the module. `stays(pseudonym)`: presence still counts the member as there, though nothing was heard."""

    __slots__ = ("_heard", "_phones", "_stays")

    def __init__(self, phones: Phones, stays: Callable[[bytes], bool]) -> None:
        self._phones = phones
        self._stays = stays
        self._heard: dict[int, tuple[bytes, int, float]] = {}  # row -> whose it was, on which day, when

    def __len__(self) -> int:
        """How many phones are kept."""
        return len(self._heard)

    def heard(self, who: Resolved, now_mono_s: float) -> None:
        """A member's phone was heard."""
        self._heard[int.from_bytes(who.phone, "big")] = (who.pseudonym, day_of_slot(who.slot), now_mono_s)

    def forget_old(self, now_mono_s: float) -> None:
        """Lets go of whoever is out of earshot."""
        for row, (pseudonym, _, at_mono_s) in list(self._heard.items()):
            if now_mono_s - at_mono_s > HEARD_S and not self._stays(pseudonym):
                del self._heard[row]

    def search(self, now_slot: int, now_mono_s: float) -> "Search":
        """Looks through everybody who is in earshot now; a member who left meanwhile is not found."""
        self.forget_old(now_mono_s)
        return Search(self, now_slot, list(self._heard))

    def keys(self, row: int, now_slot: int) -> Iterator[tuple[int, bytes]]:
        """(slot, day key) for each slot that counts, of a phone that was heard and is still recognised."""
        pseudonym, day, _ = self._heard.get(row, (b"", 0, 0.0))
        if not pseudonym or self._phones.pseudonym(row) != pseudonym or not self._phones.kinds[row]:
            return
        for slot in (now_slot + step for step in _SLOTS if now_slot + step >= 0):
            if day_of_slot(slot) == day:
                day_key = self._phones.key(day, row)
                if day_key is not None:
                    yield slot, day_key
            else:  # over midnight the member's phones may have changed rows
                for day_key in self._phones.keys_of(day_of_slot(slot), pseudonym):
                    yield slot, day_key

    def whose(self, row: int) -> bytes:
        """The pseudonym of a phone that was heard."""
        return self._heard[row][0]


class Search:
    """One code's way through the phones, in slices. The work is the same whatever the code is."""

    __slots__ = ("_earshot", "_found", "_rows", "_slot")

    def __init__(self, earshot: Earshot, slot: int, rows: list[int]) -> None:
        self._earshot = earshot
        self._slot = slot
        self._rows = rows
        self._found: dict[bytes, bytes] = {}  # day key -> pseudonym

    def step(self, code: str, most: int) -> bool:
        """Tries at most so many phones, each with three codes; whether all were tried."""
        rows, self._rows = self._rows[:most], self._rows[most:]
        for row in rows:
            for slot, day_key in self._earshot.keys(row, self._slot):
                if leave_code(day_key, slot) == code:
                    self._found[day_key] = self._earshot.whose(row)
        return not self._rows

    def found(self) -> bytes | None:
        """The pseudonym of the one phone that shows the code; None: no phone does, or more than one."""
        return next(iter(self._found.values())) if len(self._found) == 1 else None
