"""Holds what stores said until it is answered: each store in turn, so that none keeps the others waiting.

Bounded for each store and in all. Where a store's place is full its oldest goes: what is newer makes it needless.

I/O: threading, one lock.
"""

import threading
from collections import OrderedDict, deque

MOST_OF_STORE = 16  # a gateway asks 8 nodes at a time, beside its hello and events
MOST = 4_000


class Heard:
    """See the module. Every thread may put and take."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[bytes]] = OrderedDict()
        self._there = threading.Condition()
        self._count = 0
        self.overflow = 0  # what was dropped

    def put(self, topic: str, payload: bytes) -> None:
        """What was heard on a topic."""
        with self._there:
            line = self._waiting.setdefault(topic, deque())
            if len(line) >= MOST_OF_STORE:
                line.popleft()
                self._count -= 1
                self.overflow += 1
            elif self._count >= MOST:
                self.overflow += 1
                if not line:
                    del self._waiting[topic]
                return
            line.append(payload)
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
            payload = line.popleft()
            self._count -= 1
            if line:
                self._waiting[topic] = line  # to the end of the row
            return payload
