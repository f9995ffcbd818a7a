"""The queue of the state thread: questions and messages first, sightings after them and bounded.

I/O: threading, one lock.
"""

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_SIGHTINGS = 1024  # datagrams that wait; beyond it the newest is dropped and counted
_TURNS = 16  # so many questions in a row, then one datagram, so that neither starves the other


class Inbox(Generic[T]):
    """See the module. Every thread may put; the state thread takes."""

    def __init__(self) -> None:
        self._first: deque[T] = deque()
        self._sightings: deque[T] = deque()
        self._there = Condition()
        self._turns = 0

    def put(self, item: T) -> None:
        """A question, a message, a verdict."""
        with self._there:
            self._first.append(item)
            self._there.notify()

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
            if not self._first and not self._sightings and timeout_s > 0:
                self._there.wait(timeout_s)
            if self._first and (not self._sightings or self._turns < _TURNS):
                self._turns += 1
                return self._first.popleft()
            self._turns = 0
            return self._sightings.popleft() if self._sightings else None
