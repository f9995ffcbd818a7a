"""kill -9 at every step: what was said to be kept is kept, and what was not is not there by half."""

import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from store_gateway.cache import Cache
from store_gateway.replica import Replica
from tests.fakes.hq import STORE, FakeHQ, Line, a_member
from wire import sync
from wire.sync import EventKind

ADA = b"\xad" * 16
WITHDRAWAL = sync.Withdrawal(None, "ada", "tablet-1")
PAIRING = (EventKind.PAIRING, None, sync.Pairing("tablet-1", True))
FORKED = multiprocessing.get_context("fork")  # the child has HQ's keys, and is a process of its own


def die() -> None:
    """kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(method: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
    """The method, but the process dies just before or just after it did its work."""

    def instead(*args: Any, **named: Any) -> Any:
        if not first:
            method(*args, **named)
        die()

    return instead


def in_child(work: Callable[[Connection], None]) -> list[Any]:
    """Runs `work` in a process that ends by SIGKILL; what it said before."""
    ours, theirs = FORKED.Pipe(duplex=False)
    child = FORKED.Process(target=work, args=(theirs,))
    child.start()
    theirs.close()
    said = []
    try:
        while True:
            said.append(ours.recv())
    except EOFError:
        pass
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    return said


def opened(hq: FakeHQ, cache_file: Path) -> Line:
    """The store, unlocked and live."""
    line = Line(Replica(STORE, cache_file, hq.box(), "test/1"), hq)
    line.up()
    assert line.live()
    return line


@pytest.fixture
def known(hq: FakeHQ, cache_file: Path) -> FakeHQ:
    """An HQ that has made this cache's share and filled it."""
    hq.member(ADA, a_member())
    opened(hq, cache_file).replica.close()
    return hq


POINTS = [  # method of the cache, before or after it, whether the deny or apply is then kept
    ("put_local", True, False),
    ("put_local", False, False),
    ("put_header", True, False),
    ("put_header", False, False),
    (None, False, True),
]


@pytest.mark.parametrize(("method", "first", "kept"), POINTS)
def test_a_denial_is_whole_or_not_at_all(
    known: FakeHQ, cache_file: Path, method: str | None, first: bool, kept: bool
) -> None:
    """Denial and event together; once the call returned, both are there for ever."""

    def work(pipe: Connection) -> None:
        line = opened(known, cache_file)
        if method is not None:
            setattr(Cache, method, dying(getattr(Cache, method), first=first))
        line.replica.deny(ADA, None, WITHDRAWAL, line.now_s)
        die()

    in_child(work)
    line = opened(known, cache_file)
    assert line.replica.denied(ADA).everything is kept
    line.run(40)
    assert len(known.events) == (1 if kept else 0)
    line.replica.close()


@pytest.mark.parametrize(
    ("method", "first"), [("put_rows", False), ("put_instance", True), ("put_instance", False), (None, False)]
)
def test_rows_and_roots_are_one(known: FakeHQ, cache_file: Path, method: str | None, first: bool) -> None:
    """A record is there with its root or not at all, so the cache opens and HQ's repair does the rest."""

    def work(pipe: Connection) -> None:
        line = opened(known, cache_file)
        if method is not None:
            setattr(Cache, method, dying(getattr(Cache, method), first=first))
        line.tell(known.member(ADA, None))
        die()

    in_child(work)
    known.member(ADA, None)  # the child's HQ is gone with it: this one commits it too
    line = Line(Replica(STORE, cache_file, known.box(), "test/1"), known)
    line.up()
    assert not line.replica.failed(), "each root is the sum of its rows"
    line.run(40)
    assert line.live()
    assert line.replica.member(ADA) is None
    line.replica.close()


def test_no_event_that_was_recorded_is_lost(known: FakeHQ, cache_file: Path) -> None:
    """Killed at any moment: every number that the caller was told is there, and none twice."""

    def work(pipe: Connection) -> None:
        line = opened(known, cache_file)
        chance = random.Random()
        for _ in range(200):
            pipe.send(line.replica.record(line.now_s, PAIRING, PAIRING))
            if chance.random() < 0.02:
                break
        signal.setitimer(signal.ITIMER_REAL, 0.001 + chance.random() * 0.02)
        signal.signal(signal.SIGALRM, lambda number, frame: die())
        while True:
            pipe.send(line.replica.record(line.now_s, PAIRING, PAIRING))

    told = 0
    for _ in range(4):
        said = in_child(work)
        assert said == list(range(said[0], said[0] + 2 * len(said), 2))
        assert said[0] > told
        told = said[-1]
    line = opened(known, cache_file)
    line.run(90)
    numbers = [number for _, number in known.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= told
    assert len(numbers) % 2 == 0, "both of one call or none"
    line.replica.close()
