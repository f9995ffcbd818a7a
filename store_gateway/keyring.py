"""Keeps the directory's table of tokens ahead of the time, made by a child process from the replica's day keys.

The state thread gathers the order in slices and adopts the table; a thread feeds the child and waits for it. A table
holds four slots, so a new one is due at each slot's border and has ten minutes to come.

I/O: subprocess and memfd; the only importer of subprocess in this package.
"""

import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from consent.visit import Denied
from store_gateway.build_table import MEMBER_BYTES, ORDER_HEAD, PHONE_BYTES
from store_gateway.core.directory import Directory
from store_gateway.core.table import HELP_BIT, PRESENCE_BIT, SLOTS, Table
from wire.member import Mode
from wire.token import day_of_slot

_SLICE = 256  # rows gathered between two looks at the inbox: 1 to 3 ms
_RETRY_S = 5.0
_CALM_S = 2.0
_REST_S_EACH = 1e-4  # 10 s of rest after a table of 100,000 phones
_CHILD_S = 180.0  # a build of 100,000 members takes 2 to 10 s
_KINDS = {Mode.QUIET: 0, Mode.HELP: HELP_BIT, Mode.OPEN: HELP_BIT | PRESENCE_BIT}


class Source(Protocol):
    """What is needed of the replica."""

    def denied(self, pseudonym: bytes) -> Denied: ...
    def key_days(self) -> tuple[int, ...]: ...
    def keyring(self, day: int) -> Iterator[tuple[bytes, tuple[bytes, ...]]]: ...
    def modes(self) -> Iterator[tuple[bytes, Mode]]: ...
    def failed(self) -> bool: ...


def kinds_of(mode: Mode, denied: Denied) -> int:
    """Which kinds of token are recognised: bits of `core.table`."""
    return 0 if denied.everything else _KINDS[mode]


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """What the child gets. `number`: the directory's last change that is in it."""

    number: int
    head: bytes
    members: bytearray
    phones: bytearray


@dataclass(frozen=True, slots=True, repr=False)
class Built:
    """What became of an order; no table: the child failed."""

    number: int
    table: Table | None


class Keyring:
    """The state thread's part. `start` hands an order to a `TableMaker`."""

    __slots__ = ("_directory", "_gathering", "_making", "_not_before_mono_s", "_source", "_stale", "_start", "failures")

    def __init__(self, source: Source, directory: Directory, start: Callable[[Order], None]) -> None:
        self._source = source
        self._directory = directory
        self._start = start
        self._stale = True
        self._gathering: Iterator[Order | None] | None = None
        self._making = False
        self._not_before_mono_s = 0.0
        self.failures = 0

    def outdated(self) -> None:
        """Keys or modes are others than those of the table, and not laid over it one by one."""
        self._stale = True

    def work(self, now_slot: int | None, now_mono_s: float) -> bool:
        """Goes on gathering for a slice of 1 to 3 ms where a table is due; whether there is more to do at once."""
        if now_slot is None or self._making:
            return False
        if self._gathering is None:
            if not self._stale and self._directory.first_slot == now_slot - 1:
                return False
            if now_mono_s < self._not_before_mono_s:
                return False
            self._stale = False
            self._gathering = self._gather(now_slot)
        order = next(self._gathering)
        if order is None:
            return True
        self._gathering = None
        if self._source.failed():  # what it gave may not be all
            self._again(now_mono_s)
            return False
        self._making = True
        # A large table is not made over and over while HQ publishes: what changed is laid over it meanwhile.
        self._not_before_mono_s = now_mono_s + len(order.phones) / PHONE_BYTES * _REST_S_EACH
        self._start(order)
        return False

    def built(self, built: Built, now_mono_s: float) -> None:
        """The child is done."""
        self._making = False
        if built.table is None:
            self._again(now_mono_s)
        elif not self._directory.adopt(built.table, built.number):
            # HQ publishes in bulk: the next one would come too late as well.
            self._stale = True
            self._not_before_mono_s = max(self._not_before_mono_s, now_mono_s + _CALM_S)

    def _again(self, now_mono_s: float) -> None:
        self.failures += 1
        self._stale = True
        self._not_before_mono_s = now_mono_s + _RETRY_S

    def _gather(self, now_slot: int) -> Iterator[Order | None]:
        """None after each slice, at last the order."""
        number = self._directory.begin()
        first_slot = max(0, now_slot - 1)
        members, phones = bytearray(), bytearray()
        for count, (pseudonym, mode) in enumerate(self._source.modes(), 1):
            kinds = kinds_of(mode, self._source.denied(pseudonym))
            if kinds:
                members += pseudonym + bytes([kinds])
            if count % _SLICE == 0:
                yield None
        wanted = {day_of_slot(slot) for slot in range(first_slot, first_slot + SLOTS)}
        for day in sorted(wanted.intersection(self._source.key_days())):
            prefix = day.to_bytes(4, "little")
            for count, (pseudonym, day_keys) in enumerate(self._source.keyring(day), 1):
                for day_key in day_keys:
                    phones += prefix + pseudonym + day_key
                if count % _SLICE == 0:
                    yield None
        yield Order(
            number,
            ORDER_HEAD.pack(first_slot, len(members) // MEMBER_BYTES, len(phones) // PHONE_BYTES),
            members,
            phones,
        )


class TableMaker:
    """Runs the child, one at a time, and tells `on_built` from a thread of its own."""

    def __init__(self, on_built: Callable[[Built], None]) -> None:
        self._on_built = on_built
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def start(self, order: Order) -> None:
        """Begins; at most one order at a time."""
        threading.Thread(target=self._make, args=(order,), name="table", daemon=True).start()

    def stop(self) -> None:
        """Ends a child that is at work."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.kill()

    def _make(self, order: Order) -> None:
        table = None
        try:
            block = os.memfd_create("tokens", os.MFD_CLOEXEC)
        except OSError:
            block = -1
        try:
            if block >= 0 and self._run(order, block):
                # The mapping outlives the descriptor, and ends with the last view into it.
                table = Table(memoryview(mmap.mmap(block, 0, prot=mmap.PROT_READ)))
        except (OSError, ValueError, subprocess.SubprocessError):
            table = None
        finally:
            if block >= 0:
                os.close(block)
            for part in (order.members, order.phones):
                part[:] = bytes(len(part))  # day keys do not wait for the allocator
        if not self._stopped:
            self._on_built(Built(order.number, table))

    def _run(self, order: Order, block: int) -> bool:
        with subprocess.Popen(
            [sys.executable, "-m", "store_gateway.build_table", str(block)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(block,),
        ) as child:
            self._child = child
            try:
                if self._stopped or child.stdin is None:
                    child.kill()
                    return False
                for part in (order.head, order.members, order.phones):
                    child.stdin.write(part)
                child.stdin.close()
                return child.wait(_CHILD_S) == 0
            except (OSError, subprocess.TimeoutExpired):
                child.kill()
                return False
            finally:
                self._child = None
