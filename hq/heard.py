"""Holds what stores said until it is answered: each store in turn, so that none keeps the others waiting.

Bounded for each store and in all. Where a store's place is full its oldest goes: what is newer makes it needless. Not
so of events, which are taken in their order alone: of them the newest go, so that the first are stored and the next
round begins behind them.

I/O: threading, one lock.
"""

import threading
from collections import OrderedDict, deque

from wire import envelope
from wire.errors import WireError
from wire.sync import Kind

MOST_OF_STORE = 16  # a gateway sends 8 batches of events and asks 4 spans of nodes at a time, beside its hello
MOST = 4_000


class _Said:
    """One payload."""

    __slots__ = ("_kind", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._kind: Kind | None = None

    def holds_events(self) -> bool:
        """Whether its header says so; nothing of it is checked yet. Asked, and read once, where there is no room."""
        if self._kind is None:
            try:
                self._kind = envelope.parse(self.payload).header.kind
            except WireError:
                self._kind = Kind.HELLO  # it is dropped as one is
        return self._kind is Kind.EVENTS


class Heard:
    """See the module. Every thread may put and take."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[_Said]] = OrderedDict()
        self._there = threading.Condition()
        self._count = 0
        self.overflow = 0  # what was dropped

    def put(self, topic: str, payload: bytes) -> None:
        """What was heard on a topic."""
        said = _Said(payload)
        with self._there:
            line = self._waiting.setdefault(topic, deque())
            if len(line) >= MOST_OF_STORE:
                self.overflow += 1
                if said.holds_events():
                    return
                _make_room(line)
                self._count -= 1
            elif self._count >= MOST:
                self.overflow += 1
                if not line:
                    del self._waiting[topic]
                return
            line.append(said)
            self._count += 1
            self._there.notify()

    def take(self, timeout_s: float) -> bytes | None:
        """The oldest of the store whose turn it is; None: nothing came in that time."""
        with self._there:
            if not self._waiting:
                self._there.wait(timeout_s)
            if not self._waiting:
                return None
            topic, line = self._waiting.popitem(last=False)
            said = line.popleft()
            self._count -= 1
            if line:
                self._waiting[topic] = line  # to the end of the row
            return said.payload


def _make_room(line: deque[_Said]) -> None:
    """Drops the oldest that are no events; where all are, the newest."""
    for at, said in enumerate(line):
        if not said.holds_events():
            del line[at]
            return
    line.pop()
