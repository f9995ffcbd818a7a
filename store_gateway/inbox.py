"""The queue of the state thread: what somebody waits for first, then HQ's backlog and sightings by turns.

HQ's backlog is bounded by holding the connection that brings it back; sightings are bounded by dropping the newest.

I/O: threading, one lock.
"""

from collections import deque
from threading import Condition, RLock
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_SIGHTINGS = 1024  # datagrams that wait
MOST_BACKLOG = 128  # payloads that wait: at most 8 MiB
HELD_S = 10.0  # so long at most; a keepalive has 30 s
_TURNS = 16  # so many urgent ones in a row, then one of the others, so that nothing starves


class Inbox(Generic[T]):
    """See the module. Every thread may put; the state thread takes."""

    def __init__(self) -> None:
        self._first: deque[T] = deque()
        self._backlog: deque[T] = deque()
        self._sightings: deque[T] = deque()
        lock = RLock()  # a signal may put while the state thread takes
        self._there = Condition(lock)
        self._room = Condition(lock)
        self._turns = 0
        self._hq_next = True

    def put(self, item: T) -> None:
        """A question, a verdict, HQ's fast lane."""
        with self._there:
            self._first.append(item)
            self._there.notify()

    def put_backlog(self, item: T, held_s: float = HELD_S) -> bool:
        """HQ's ordinary lane: waits `held_s` at most for room; False where it was dropped (it comes again)."""
        with self._there:
            if len(self._backlog) >= MOST_BACKLOG:
                self._room.wait_for(lambda: len(self._backlog) < MOST_BACKLOG, held_s)
            if len(self._backlog) >= MOST_BACKLOG:
                return False
            self._backlog.append(item)
            self._there.notify()
            return True

    def put_sightings(self, item: T) -> bool:
        """A datagram of an edge; False where it was dropped."""
        with self._there:
            if len(self._sightings) >= MOST_SIGHTINGS:
                return False
            self._sightings.append(item)
            self._there.notify()
            return True

    def take(self, timeout_s: float) -> T | None:
        """The next, or None after `timeout_s`."""
        with self._there:
            if timeout_s > 0 and not (self._first or self._backlog or self._sightings):
                self._there.wait(timeout_s)
            if self._first and (self._turns < _TURNS or not (self._backlog or self._sightings)):
                self._turns += 1
                return self._first.popleft()
            self._turns = 0
            from_hq = bool(self._backlog) and (self._hq_next or not self._sightings)
            self._hq_next = not from_hq
            if from_hq:
                self._room.notify()
                return self._backlog.popleft()
            return self._sightings.popleft() if self._sightings else None
