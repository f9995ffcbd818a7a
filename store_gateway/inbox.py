"""The queue of the state thread: questions and HQ's fast lane first, then HQ's backlog and sightings, each by turns.

What the broker brings is bounded by holding back the connection that brings it; sightings are bounded by dropping the
newest.

I/O: threading, one lock.
"""

from collections import deque
from threading import Condition, RLock
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_SIGHTINGS = 1024  # datagrams that wait
MOST_FAST = 32  # payloads of the fast lane that wait
MOST_BACKLOG = 128  # payloads that wait: at most 8 MiB
HELD_S = 10.0  # so long at most; a keepalive has 30 s
_TURNS = 16  # so many urgent ones in a row, then one of the others, so that nothing starves


class Inbox(Generic[T]):
    """See the module. Every thread may put; the state thread takes."""

    def __init__(self) -> None:
        self._first: deque[T] = deque()
        self._fast: deque[T] = deque()
        self._backlog: deque[T] = deque()
        self._sightings: deque[T] = deque()
        lock = RLock()  # a signal may put while the state thread takes
        self._there = Condition(lock)
        self._room = Condition(lock)
        self._turns = 0
        self._fast_next = True
        self._hq_next = True

    def put(self, item: T) -> None:
        """A question or a verdict."""
        with self._there:
            self._first.append(item)
            self._there.notify()

    def put_fast(self, item: T, held_s: float = HELD_S) -> bool:
        """HQ's fast lane: waits `held_s` at most for room; False where it was dropped (it comes on `down` too)."""
        return self._put_bounded(self._fast, MOST_FAST, item, held_s)

    def put_backlog(self, item: T, held_s: float = HELD_S) -> bool:
        """HQ's ordinary lane: waits `held_s` at most for room; False where it was dropped (it comes again)."""
        return self._put_bounded(self._backlog, MOST_BACKLOG, item, held_s)

    def _put_bounded(self, lane: deque[T], most: int, item: T, held_s: float) -> bool:
        with self._there:
            if len(lane) >= most:
                self._room.wait_for(lambda: len(lane) < most, held_s)
            if len(lane) >= most:
                return False
            lane.append(item)
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
            urgent, rest = bool(self._first or self._fast), bool(self._backlog or self._sightings)
            if timeout_s > 0 and not (urgent or rest):
                self._there.wait(timeout_s)
                urgent, rest = bool(self._first or self._fast), bool(self._backlog or self._sightings)
            if urgent and (self._turns < _TURNS or not rest):
                self._turns += 1
                fast = bool(self._fast) and (self._fast_next or not self._first)
                self._fast_next = not fast
                return self._taken(self._fast) if fast else self._first.popleft()
            self._turns = 0
            from_hq = bool(self._backlog) and (self._hq_next or not self._sightings)
            self._hq_next = not from_hq
            if from_hq:
                return self._taken(self._backlog)
            return self._sightings.popleft() if self._sightings else None

    def _taken(self, lane: deque[T]) -> T:
        self._room.notify_all()
        return lane.popleft()
