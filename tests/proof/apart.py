"""A store's box in a process of its own, which can be killed at any of its system calls.

The child is forked, so it has the keys; it is told by a pipe what to do, and what it answered is what it acknowledged.

I/O: processes, strace.
"""

import multiprocessing
import os
import secrets
import signal
import subprocess
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from store_gateway.keys import BoxKeys
from store_gateway.replica import Tablet
from tests.proof.broker import Parcel
from tests.proof.chain import Box, Chain
from wire import sync

CALLS = ("pwrite64", "fdatasync", "ftruncate", "unlink", "openat")  # those by which SQLite changes a disk
_FORKED = multiprocessing.get_context("fork")


class Killed(Exception):
    """The child ended before it answered: it was killed, or its traceback is above."""


class Inner(Box):
    """The box in the child: what else it can be asked for."""

    def denies(self, pseudonym: bytes, scope: str | None) -> None:
        """A withdrawal in the store."""
        self.replica.deny(pseudonym, scope, sync.Withdrawal(scope, "nina", "tablet-1"), self.now_s)

    def is_denied(self, pseudonym: bytes) -> bool:
        """Whether everything of this member is withdrawn here, or the member is gone."""
        return self.replica.denied(pseudonym).everything or self.replica.member(pseudonym) is None

    def events(self, count: int) -> None:
        """So many things happen, each kept by itself."""
        for number in range(count):
            entry = (sync.EventKind.PAIRING, None, sync.Pairing(f"tablet-{number}", True))
            self.replica.record(self.now_s, entry, entry)

    def pairs(self) -> str:
        """A tablet is paired; its id."""
        tablet = Tablet("tablet-" + secrets.token_hex(4), secrets.token_bytes(32), "label", "browser", 0)
        self.replica.add_tablet(tablet)
        return tablet.id

    def tablets(self) -> list[str]:
        """All that are paired."""
        return [one.id for one in self.replica.tablets()]

    def waiting_numbers(self) -> tuple[int, list[int]]:
        """The last number that was given, and those of the events in the file that wait for HQ."""
        cache = self.replica._hq.cache
        assert cache is not None
        return cache.header.last_event, [row["number"] for row in cache.local("outbox")]

    def ticket(self) -> bytes:
        """The newest that came."""
        assert self.replica._hq.cache is not None
        return self.replica._hq.cache.header.ticket

    def unlocked(self) -> bool:
        """Whether the cache is open."""
        return self.replica._hq.vault is not None


class Apart:
    """A `Box` at the other end of a pipe. Every method of it can be asked for by `ask`."""

    def __init__(self, chain: Chain, store: str, keys: BoxKeys, file: Path) -> None:
        self.chain = chain
        self.store = store
        self.keys = keys
        self.file = file
        self.kept: list[tuple[int, sync.EventKind]] = []
        self.told: list[int] = []  # after each answer of this process, how much was kept
        self.linked = False
        self._child: Any = None
        self._pipe: Connection | None = None
        self._strace: subprocess.Popen[bytes] | None = None

    # --- life --------------------------------------------------------------------------------------------------------

    def fork(self) -> int:
        """A process for it, which has not opened the file yet; its id."""
        self.told = []
        ours, theirs = _FORKED.Pipe()
        self._child = _FORKED.Process(target=self._serve, args=(theirs, ours), daemon=True)
        self._child.start()
        theirs.close()
        self._pipe = ours
        return int(self._child.pid)

    def kill_at(self, call: str, number: int, strace: str) -> None:
        """From now on the child is killed instead of doing its `number`-th such system call."""
        self._trace(strace, ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"], os.devnull)

    def write_down(self, strace: str, log: Path) -> None:
        """From now on every change of a file is written down with its bytes."""
        calls = ",".join((*CALLS, "write", "close", "rename", "fsync"))
        self._trace(strace, ["-xx", "-y", "-s", "1000000", "-e", f"trace={calls}", "-e", "signal=none"], str(log))

    def _trace(self, strace: str, options: list[str], log: str) -> None:
        self._strace = subprocess.Popen(
            [strace, "-p", str(self._child.pid), "-o", log, *options], stderr=subprocess.PIPE, start_new_session=True
        )
        assert self._strace.stderr is not None
        told = self._strace.stderr.readline()
        assert b"attached" in told, told

    def begin(self) -> None:
        """The program begins on its file."""
        self.ask("start")
        self.linked = False

    def end(self) -> bool:
        """The process is ended, if it was not killed yet; whether it lived."""
        assert self._pipe is not None
        lived = self._child.is_alive()
        if lived:
            os.kill(self._child.pid, signal.SIGKILL)
        self._child.join(30)
        self._pipe.close()
        if self._strace is not None:
            self._strace.communicate(timeout=30)
            self._strace = None
        return lived

    close = end

    # --- the pipe ----------------------------------------------------------------------------------------------------

    def ask(self, name: str, *args: object) -> Any:
        """What the box's method answers. Raises: Killed."""
        assert self._pipe is not None
        try:
            self._pipe.send((self.chain.hq.now_ms, name, args))
            kept, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise Killed from error
        self.kept += kept
        self.told.append(len(self.kept))
        return answer

    def _serve(self, pipe: Connection, theirs: Connection) -> None:
        theirs.close()
        box = Inner.__new__(Inner)
        box.prepare(self.chain, self.store, self.keys, self.file)
        told = 0
        while True:
            try:
                self.chain.hq.now_ms, name, args = pipe.recv()
            except EOFError:
                os._exit(0)
            found: Callable[..., Any] | object = getattr(box, name)
            answer = found(*args) if callable(found) else found
            pipe.send((box.kept[told:], answer))
            told = len(box.kept)

    # --- as a Box ----------------------------------------------------------------------------------------------------

    def link(self, up: bool) -> None:
        """The connection to the broker comes or goes."""
        self.linked = up
        self.ask("link", up)

    def take(self, parcel: Parcel) -> None:
        """A payload of the broker."""
        self.ask("take", parcel)

    def tick(self) -> None:
        """Time passed."""
        self.ask("tick")

    def outgoing(self) -> list[bytes]:
        """What goes up now."""
        return self.ask("outgoing")  # type: ignore[no-any-return]

    def live(self) -> bool:
        """Whether the store may disclose."""
        return bool(self.ask("live"))

    def held(self) -> dict[str, tuple[bytes, int]]:
        """Roots and counts."""
        return self.ask("held")  # type: ignore[no-any-return]

    def check_shown(self) -> None:
        """Nothing: the witness sits in the other process."""

    def __getattr__(self, name: str) -> Any:
        """Whatever else a box can tell."""
        if name in ("light", "counters", "waiting", "member", "check_tree", "calls", "sees"):
            return lambda *args: self.ask(name, *args)
        if name in ("boot", "incarnation"):
            return self.ask(name)
        raise AttributeError(name)
