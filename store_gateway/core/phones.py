"""Holds what the tokens of the audience are made from: a row a phone, in columns that a child process can be given.

A row bears the kinds that are recognised of its member and, for each UTC day held, one day key; sixteen zero bytes are
none. A row stays where it is while its phone is known, so a table made some minutes ago names it by number; what it
says is always what holds now. Per phone: 53 bytes, and 16 for a second day.

Pure: no I/O, no clock.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from mmap import mmap

from wire.keyring import DAY_KEY_BYTES, PSEUDONYM_BYTES
from wire.sync import bucket_key
from wire.token import Kind

PRESENCE_BIT = 1 << Kind.PRESENCE
HELP_BIT = 1 << Kind.HELP
MOST_ROWS = 1 << 22  # 64 MiB a day's column, of which only what is written takes memory

Entries = Iterable[tuple[bytes, tuple[bytes, ...]]]

_NO_KEY = bytes(DAY_KEY_BYTES)


@dataclass(frozen=True, slots=True, repr=False)
class Turned:
    """Which rows a change touched. `gained`: some tokens are theirs that were not; `lost`: some are theirs no more."""

    gained: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


class _Shard:
    """The members of one bucket of the keyring: found by a search through 4 KB, a microsecond, in a million."""

    __slots__ = ("ids", "rows")

    def __init__(self) -> None:
        self.ids = bytearray()
        self.rows = array("I")

    def places(self, pseudonym: bytes) -> list[int]:
        """Where the member's rows stand."""
        found, at = [], self.ids.find(pseudonym)
        while at >= 0:
            if at % PSEUDONYM_BYTES == 0:
                found.append(at // PSEUDONYM_BYTES)
            at = self.ids.find(pseudonym, at + 1)
        return found

    def remove(self, row: int) -> None:
        place, last = self.rows.index(row), len(self.rows) - 1
        end = PSEUDONYM_BYTES * last
        self.rows[place] = self.rows[last]
        self.ids[PSEUDONYM_BYTES * place : PSEUDONYM_BYTES * (place + 1)] = self.ids[end:]
        del self.rows[last]
        del self.ids[end:]


class Phones:
    """See the module.

    `allot(size)` gives zeroed memory that takes room only where it is written, `give_back` takes it.
    """

    __slots__ = ("_allot", "_days", "_free", "_give_back", "_ids", "_kinds", "_shards", "refused", "rows")

    def __init__(self, allot: Callable[[int], mmap], give_back: Callable[[mmap], None]) -> None:
        self._allot = allot
        self._give_back = give_back
        self._kinds = allot(MOST_ROWS)
        self._days: dict[int, mmap] = {}
        self._ids = bytearray()  # pseudonym by row
        self._shards: dict[int, _Shard] = {}
        self._free = array("I")
        self.rows = 0  # rows that were ever used; some of them may be free
        self.refused = 0  # phones beyond `MOST_ROWS`

    def __len__(self) -> int:
        """How many phones there are."""
        return self.rows - len(self._free)

    @property
    def kinds(self) -> mmap:
        """A byte a row: the kinds that are recognised, 0 none."""
        return self._kinds

    @property
    def days(self) -> Mapping[int, mmap]:
        """The columns of day keys, 16 bytes a row."""
        return self._days

    def pseudonym(self, row: int) -> bytes:
        """Whose row it is."""
        return bytes(self._ids[PSEUDONYM_BYTES * row : PSEUDONYM_BYTES * (row + 1)])

    def key(self, day: int, row: int) -> bytes | None:
        """The row's key of that day, 16 bytes."""
        column = self._days.get(day)
        if column is None:
            return None
        found = column[DAY_KEY_BYTES * row : DAY_KEY_BYTES * (row + 1)]
        return found if found != _NO_KEY else None

    def keys_of(self, day: int, pseudonym: bytes) -> tuple[bytes, ...]:
        """The keys of that day of all phones of a member."""
        shard = self._shard(pseudonym)
        found = (self.key(day, shard.rows[place]) for place in shard.places(pseudonym))
        return tuple(day_key for day_key in found if day_key is not None)

    # --- what changes ------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Nobody is known."""
        if not self.rows and not self._days:
            return
        for column in (self._kinds, *self._days.values()):
            self._give_back(column)
        self._kinds = self._allot(MOST_ROWS)
        self._days.clear()
        self._ids.clear()
        self._shards.clear()
        self._free = array("I")
        self.rows = 0

    def begin_day(self, day: int) -> None:
        """Keys of this day are taken from now on."""
        if day not in self._days:
            self._days[day] = self._allot(DAY_KEY_BYTES * MOST_ROWS)

    def drop_day(self, day: int) -> None:
        """The day's keys are gone, and their memory is given back."""
        if day in self._days:
            self._give_back(self._days.pop(day))  # a row that is bare now goes when a bucket does not name it

    def put_kinds(self, pseudonym: bytes, kinds: int) -> Turned:
        """Which kinds of token of this member are recognised."""
        turned, shard = Turned(), self._shard(pseudonym)
        rows = [shard.rows[place] for place in shard.places(pseudonym)]
        if not rows and kinds:
            self._add(shard, pseudonym, kinds)
        for row in rows:
            before = self._kinds[row]
            self._kinds[row] = kinds
            if before & ~kinds:
                turned.lost.append(row)
            if kinds & ~before:
                turned.gained.append(row)
            if not kinds and not self._has_key(row):
                self._remove(shard, row)
        return turned

    def put_keys(self, day: int, pseudonym: bytes, keys: Iterable[bytes]) -> Turned:
        """The day keys of all phones of this member."""
        turned, shard = Turned(), self._shard(pseudonym)
        self._put_keys(self._days[day], shard, pseudonym, keys, turned)
        return turned

    def put_bucket(self, day: int, bucket: int, entries: Entries) -> Turned:
        """All day keys of a bucket of the keyring (`wire.sync.bucket_key`); who is not named has none."""
        turned, column = Turned(), self._days[day]
        shard = self._shards.setdefault(bucket, _Shard())
        named = {pseudonym: keys for pseudonym, keys in entries if bucket_of(pseudonym) == bucket}
        for pseudonym in {self.pseudonym(row) for row in shard.rows}.difference(named):  # a member left
            self._put_keys(column, shard, pseudonym, (), turned)
        for pseudonym, keys in named.items():
            self._put_keys(column, shard, pseudonym, keys, turned)
        return turned

    def _put_keys(self, column: mmap, shard: _Shard, pseudonym: bytes, keys: Iterable[bytes], turned: Turned) -> None:
        rows = [shard.rows[place] for place in shard.places(pseudonym)]
        wanted = dict.fromkeys(keys)
        vacant = []
        for row in rows:
            held = column[DAY_KEY_BYTES * row : DAY_KEY_BYTES * (row + 1)]
            if held in wanted:
                del wanted[held]
            else:
                vacant.append((row, held))
        kinds = self._kinds[rows[0]] if rows else 0
        for key in wanted:
            row, held = vacant.pop(0) if vacant else (self._add(shard, pseudonym, kinds), _NO_KEY)
            if row < 0:
                continue
            column[DAY_KEY_BYTES * row : DAY_KEY_BYTES * (row + 1)] = key
            if kinds:
                turned.gained.append(row)
                if held != _NO_KEY:
                    turned.lost.append(row)
        others = len(rows)
        for row, held in vacant:
            if held != _NO_KEY:
                column[DAY_KEY_BYTES * row : DAY_KEY_BYTES * (row + 1)] = _NO_KEY
                turned.lost.append(row)
            if not self._has_key(row) and (not kinds or others > 1):
                self._remove(shard, row)  # of a member without a phone one row stays, which bears the kinds
                others -= 1

    # --- rows --------------------------------------------------------------------------------------------------------

    def _shard(self, pseudonym: bytes) -> _Shard:
        bucket = bucket_of(pseudonym)
        found = self._shards.get(bucket)
        if found is None:
            found = self._shards[bucket] = _Shard()
        return found

    def _has_key(self, row: int) -> bool:
        begin, end = DAY_KEY_BYTES * row, DAY_KEY_BYTES * (row + 1)
        return any(column[begin:end] != _NO_KEY for column in self._days.values())

    def _add(self, shard: _Shard, pseudonym: bytes, kinds: int) -> int:
        """A row for one more phone; -1 where there is no room."""
        if self._free:
            row = self._free.pop()
            self._ids[PSEUDONYM_BYTES * row : PSEUDONYM_BYTES * (row + 1)] = pseudonym
        elif self.rows < MOST_ROWS:
            row = self.rows
            self.rows += 1
            self._ids += pseudonym
        else:
            self.refused += 1
            return -1
        self._kinds[row] = kinds
        shard.ids += pseudonym
        shard.rows.append(row)
        return row

    def _remove(self, shard: _Shard, row: int) -> None:
        shard.remove(row)
        self._kinds[row] = 0
        self._ids[PSEUDONYM_BYTES * row : PSEUDONYM_BYTES * (row + 1)] = bytes(PSEUDONYM_BYTES)
        self._free.append(row)


def bucket_of(pseudonym: bytes) -> int:
    """The bucket of the keyring that holds a member: the first 12 bits."""
    return int.from_bytes(bucket_key(pseudonym), "big")
