"""Keeps the directory's tables ahead of the time, made by a child process from the columns of `core.phones`.

The state thread reads the replica once, in slices, and after that only what changed. Each slot has a table of its own;
the one after the next is made while three are in force, so a new one is due at each slot's border and has ten minutes
to come. The child maps the columns themselves: nothing is gathered for it and nothing is sent.

I/O: subprocess and memfd; the only importer of subprocess in this package.
"""

import mmap
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from consent.visit import Denied
from store_gateway.core.directory import Directory
from store_gateway.core.phones import HELP_BIT, PRESENCE_BIT, Entries, bucket_of
from store_gateway.core.table import Table
from wire.member import Mode
from wire.token import day_of_slot

_SLICE = 64  # members read between two looks at the inbox: 1 to 3 ms
_LAID = 64  # phones laid over between two looks: 1 ms
_RETRY_S = 5.0
_CALM_S = 1.0  # HQ publishes in bulk: the next table comes once it paused for so long,
_PATIENCE_S = 10.0  # or after this
_REST = 2.0  # and so many times as long as the last such build took after it
_TURN_S = 1200.0  # a phone says a new token every ten minutes: who said none for two of these is not present
_CHILD_S = 600.0  # a million members take 10 s of one core, but whatever else runs goes first; the next slot is as far
_KINDS = {Mode.QUIET: 0, Mode.HELP: HELP_BIT, Mode.OPEN: HELP_BIT | PRESENCE_BIT}


class Source(Protocol):
    """What is needed of the replica."""

    def denied(self, pseudonym: bytes) -> Denied: ...
    def key_days(self) -> tuple[int, ...]: ...
    def keyring(self, day: int) -> Iterator[tuple[bytes, tuple[bytes, ...]]]: ...
    def modes(self) -> Iterator[tuple[bytes, Mode]]: ...
    def failed(self) -> bool: ...


def kinds_of(mode: Mode | None, denied: Denied) -> int:
    """Which kinds of token are recognised: bits of `core.phones`."""
    return 0 if mode is None or denied.everything else _KINDS[mode]


class Nameless(mmap.mmap):
    """Shared memory without a name, that a child can be given as `fd`; it ends with its last holder."""

    fd: int

    @classmethod
    def of(cls, fd: int, prot: int) -> "Nameless":
        """Takes the descriptor over."""
        block = cls(fd, 0, prot=prot)
        block.fd = fd
        weakref.finalize(block, os.close, fd)
        return block

    def empty(self) -> None:
        """Gives the memory back, 10 ms for 25 MB; the only step that the interpreter's lock is not held for."""
        os.ftruncate(self.fd, 0)
        self.close()


def nameless(size: int) -> Nameless:
    """So many zero bytes, which take room only where they are written. Raises: OSError."""
    fd = os.memfd_create("phones", os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    return Nameless.of(fd, mmap.PROT_READ | mmap.PROT_WRITE)


def give_back(block: object) -> None:
    """Has the memory given back by a thread, so that nobody waits for it."""
    if isinstance(block, Nameless):
        threading.Thread(target=block.empty, name="memory", daemon=True).start()


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """What the child gets: these slots' tables, from the columns. `number`: the directory's last change in them."""

    number: int
    slots: tuple[int, ...]
    rows: int
    kinds: mmap.mmap
    days: Mapping[int, mmap.mmap]


@dataclass(frozen=True, slots=True, repr=False)
class Built:
    """What became of an order, by slot; no tables: the child failed."""

    number: int
    tables: Mapping[int, Table]


class Keyring:
    """The state thread's part. `start` hands an order to a `TableMaker`."""

    def __init__(self, source: Source, directory: Directory, start: Callable[[Order], None]) -> None:
        self._source = source
        self._directory = directory
        self._start = start
        self._reading: Iterator[None] | None = self._read()
        self._overtaken: set[bytes | tuple[int, int]] = set()  # changed while it is read: newer
        self._making_since_mono_s: float | None = None
        self._not_before_mono_s = 0.0  # for whatever failed
        self._rests = False  # after this build
        self._rest_until_mono_s = 0.0  # for what can wait
        self._coming: list[tuple[int, Table, int]] = []  # slots whose table is made and not yet in force
        self._stale: tuple[int, float, float] | None = None  # at which change, since when, last grown when
        self._turned_mono_s: float | None = None
        self.failures = 0

    @property
    def reading(self) -> bool:
        """Whether the replica was not read to its end yet."""
        return self._reading is not None

    # --- what changes ------------------------------------------------------------------------------------------------

    def outdated(self) -> None:
        """All is to be read again: the replica holds something else than what it told piece by piece."""
        self._reading = self._read()

    def put_kinds(self, pseudonym: bytes, kinds: int) -> None:
        """From now on these kinds of token of the member are recognised; what is added, after `lay`."""
        if self._reading is not None:
            self._overtaken.add(pseudonym)
        self._directory.put_kinds(pseudonym, kinds)

    def put_bucket(self, day: int, bucket: int, entries: Entries) -> None:
        """All day keys of a bucket of the keyring."""
        if self._reading is not None:
            self._overtaken.add((day, bucket))
        self._directory.phones.begin_day(day)
        self._directory.put_bucket(day, bucket, entries)

    def drop_day(self, day: int) -> None:
        """HQ names the day no more, or began it again."""
        self._directory.drop_day(day)

    def lay(self) -> None:
        """Lays over what was put just now, if it is not much; `work` does the rest."""
        self._directory.lay(_LAID)

    # --- what time does ----------------------------------------------------------------------------------------------

    def work(self, now_slot: int | None, now_mono_s: float) -> bool:
        """Goes on for a slice of 1 to 3 ms; whether there is more to do at once."""
        if now_slot is None:
            return self._read_on(now_mono_s)
        self._turn_over(now_mono_s)
        due = self._directory.roll(now_slot)
        if self._coming:
            slot, table, number = self._coming.pop()
            self._directory.adopt(slot, table, number)
            return True
        if self._directory.lay(_LAID):
            return True
        if self._reading is not None:
            return self._read_on(now_mono_s)
        missing_day = self._missing_day(now_slot)
        if missing_day is not None:
            self._reading = self._read_days((missing_day,))
            return True
        if self._making_since_mono_s is not None or now_mono_s < self._not_before_mono_s:
            return False
        stale = due.stale if self._worth_it(due.stale, now_mono_s) else ()
        slots = due.missing + stale
        if slots:
            self._making_since_mono_s = now_mono_s
            self._rests = bool(stale)
            self._stale = None
            phones = self._directory.phones
            days = {day: phones.days[day] for day in map(day_of_slot, slots) if day in phones.days}
            self._start(Order(self._directory.number, slots, phones.rows, phones.kinds, days))
        return False

    def built(self, built: Built, now_mono_s: float) -> None:
        """The child is done; its tables are put in force by `work`."""
        if self._rests and self._making_since_mono_s is not None:
            self._rest_until_mono_s = now_mono_s + _REST * (now_mono_s - self._making_since_mono_s)
        self._making_since_mono_s = None
        self._coming += [(slot, table, built.number) for slot, table in built.tables.items()]
        if not built.tables:
            self._again(now_mono_s)

    def _again(self, now_mono_s: float) -> None:
        self.failures += 1
        self._not_before_mono_s = now_mono_s + _RETRY_S

    def _turn_over(self, now_mono_s: float) -> None:
        if self._turned_mono_s is None or now_mono_s - self._turned_mono_s >= _TURN_S:
            self._turned_mono_s = now_mono_s
            self._directory.turn_over()

    def _worth_it(self, stale: tuple[int, ...], now_mono_s: float) -> bool:
        """Whether the tables lack somebody, and no more are added just now."""
        if not stale:
            self._stale = None
            return False
        number = self._directory.number
        if self._stale is None:
            self._stale = number, now_mono_s, now_mono_s
        elif self._stale[0] != number:
            self._stale = number, self._stale[1], now_mono_s
        _, since_mono_s, grown_mono_s = self._stale
        ripe = now_mono_s - grown_mono_s >= _CALM_S or now_mono_s - since_mono_s >= _PATIENCE_S
        return ripe and now_mono_s >= self._rest_until_mono_s

    # --- reading the replica -----------------------------------------------------------------------------------------

    def _missing_day(self, now_slot: int) -> int | None:
        """A day that some slot needs, and the replica holds, and we do not: time stepped back over midnight."""
        wanted = {day_of_slot(slot) for slot in range(max(0, now_slot - 1), now_slot + 3)}
        lacking = wanted.difference(self._directory.phones.days)
        return min(lacking.intersection(self._source.key_days()), default=None) if lacking else None

    def _read_on(self, now_mono_s: float) -> bool:
        if now_mono_s < self._not_before_mono_s or self._reading is None:
            return False
        for _ in self._reading:
            return True
        self._reading = None
        self._overtaken.clear()
        if self._source.failed():  # what it gave may not be all
            self._reading = self._read()
            self._again(now_mono_s)
            return False
        return True

    def _read(self) -> Iterator[None]:
        """Everything, a slice at a time."""
        self._overtaken.clear()
        self._directory.clear()
        for count, (pseudonym, mode) in enumerate(self._source.modes(), 1):
            if pseudonym not in self._overtaken:
                self._directory.put_kinds(pseudonym, kinds_of(mode, self._source.denied(pseudonym)))
            if count % _SLICE == 0:
                yield
        yield from self._read_days(self._source.key_days())

    def _read_days(self, days: tuple[int, ...]) -> Iterator[None]:
        for day in days:
            self._directory.phones.begin_day(day)
            for count, (pseudonym, day_keys) in enumerate(self._source.keyring(day), 1):
                if (day, bucket_of(pseudonym)) not in self._overtaken:
                    self._directory.put_keys(day, pseudonym, day_keys)
                if count % _SLICE == 0:
                    yield
                    if day not in self._directory.phones.days:
                        break  # it ended meanwhile


class TableMaker:
    """Runs the child, one at a time, and tells `on_built` from a thread of its own."""

    def __init__(self, on_built: Callable[[Built], None]) -> None:
        self._on_built = on_built
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def start(self, order: Order) -> None:
        """Begins; at most one order at a time."""
        threading.Thread(target=self._make, args=(order,), name="table", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The child's that is at work."""
        child = self._child
        return child.pid if child is not None else None

    def stop(self) -> None:
        """Ends a child that is at work."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.kill()

    def _make(self, order: Order) -> None:
        tables: dict[int, Table] = {}
        blocks: dict[int, int] = {}
        try:
            for slot in order.slots:
                blocks[slot] = os.memfd_create("tokens", os.MFD_CLOEXEC)
            if self._run(order, blocks):
                # To look a block through is also to map it: the state thread meets no page fault later.
                while blocks:
                    slot, block = blocks.popitem()
                    tables[slot] = _table(slot, block)
        except (OSError, ValueError, subprocess.SubprocessError):
            tables = {}
        finally:
            for block in blocks.values():
                os.close(block)
        if not self._stopped:
            self._on_built(Built(order.number, tables))

    def _run(self, order: Order, blocks: Mapping[int, int]) -> bool:
        columns = {day: column.fd for day, column in order.days.items() if isinstance(column, Nameless)}
        if not isinstance(order.kinds, Nameless) or len(columns) != len(order.days):
            raise ValueError("columns that a child cannot be given")
        with subprocess.Popen(
            [sys.executable, "-m", "store_gateway.build_table", str(order.rows), str(order.kinds.fd)]
            + [",".join(f"{number}:{fd}" for number, fd in one.items()) for one in (columns, blocks)],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy's, which are never used
            stdin=subprocess.PIPE,  # never written to: it tells the child that we are still here
            stdout=subprocess.DEVNULL,
            pass_fds=(order.kinds.fd, *columns.values(), *blocks.values()),
        ) as child:
            self._child = child
            try:
                if self._stopped:
                    child.kill()
                return child.wait(_CHILD_S) == 0
            except (OSError, subprocess.TimeoutExpired):
                child.kill()
                return False
            finally:
                self._child = None


def _table(slot: int, fd: int) -> Table:
    table = Table(memoryview(Nameless.of(fd, mmap.PROT_READ)))
    if table.slot != slot:
        raise ValueError("a table of another slot")
    return table
