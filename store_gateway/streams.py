"""Serves the stream sockets: reads frames of `wire.query`, hands requests on, writes replies, never waits for anybody.

One thread with a selector: a far end that is silent, slow or talks nonsense costs its own connection and nobody else's.

I/O: socket and selectors.
"""

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto

from store_gateway.counts import Counts
from store_gateway.sockets import peer_uid
from wire import query
from wire.errors import WireError
from wire.query import LENGTH_BYTES, Refused, RefusedReason

MOST_CONNECTIONS = 320  # of tablets' APIs: a line for each of 256 streams, and some for what is asked beside them
MOST_OPERATORS = 8  # besides: an operator gets in while all the others are taken
MOST_PROBES = 2
MOST_IN_FLIGHT = 32  # requests of one connection that are not answered yet
MOST_CARDS = 64  # cards of which a stream was not told yet
_AT_A_TIME = 16  # lines to which news is written before others are listened to
_READ_BYTES = 64 * 1024
_MALFORMED = Refused(RefusedReason.MALFORMED)
_BUSY = Refused(RefusedReason.BUSY, 1)


class Door(Enum):
    """On which socket somebody came."""

    TABLETS = auto()
    OPERATOR = auto()
    PROBE = auto()


_MOST = {Door.TABLETS: MOST_CONNECTIONS, Door.OPERATOR: MOST_OPERATORS, Door.PROBE: MOST_PROBES}


class Line:
    """One connection. `reply`, `push` and `finish` may be called by any thread and never block."""

    __slots__ = (
        "_cards", "_lock", "_replies", "_roster", "_streams", "_watch",
        "blocked", "closing", "door", "in_flight", "inbound", "outbound", "socket",
    )  # fmt: skip

    def __init__(self, streams: "Streams", connection: socket.socket, door: Door) -> None:
        self.socket = connection
        self.door = door
        self.inbound = bytearray()
        self.outbound = bytearray()
        self.in_flight = 0
        self.blocked = False  # the far end does not read: nothing is read from it either
        self.closing = False  # after what is to be sent
        self._streams = streams
        self._lock = threading.Lock()
        self._replies: deque[tuple[int, query.Reply, bool]] = deque()
        self._watch = 0  # the number of the watch, to which what is pushed belongs
        self._roster: query.Roster | None = None
        self._cards: dict[bytes, query.CardChanged] = {}

    def reply(self, number: int, reply: query.Reply) -> None:
        """The answer to a request."""
        with self._lock:
            self._replies.append((number, reply, False))
        self._streams.wake(self)

    def watched(self, number: int) -> None:
        """What is pushed from now on bears this number; what was for another watch is not sent under it."""
        with self._lock:
            self._watch = number
            self._roster = None
            self._cards.clear()

    def push(self, reply: query.Reply) -> None:
        """The newest state of a watch; what was not sent yet is replaced. A call for help in it stays urgent."""
        with self._lock:
            if isinstance(reply, query.Roster):
                self._roster = reply
            elif isinstance(reply, query.CardChanged):
                self._cards[reply.handle] = reply
                while len(self._cards) > MOST_CARDS:  # a far end that reads nothing blanks by itself
                    self._cards.pop(next(iter(self._cards)))
        self._streams.wake(self)

    def finish(self, reply: query.Reply) -> None:
        """The last word of a watch."""
        with self._lock:
            self._roster = None
            self._cards.clear()
            self._replies.append((self._watch, reply, True))
        self._streams.wake(self)

    def next(self) -> tuple[int, query.Reply, bool] | None:
        """What to send next: (number, reply, whether to close after it). Answers go before news."""
        with self._lock:
            if self._replies:
                self.in_flight = max(0, self.in_flight - 1)
                return self._replies.popleft()
            if self._roster is not None:
                roster, self._roster = self._roster, None
                return self._watch, roster, False
            if self._cards:
                return self._watch, self._cards.pop(next(iter(self._cards))), False
        return None


class Streams:
    """See the module. `on_request(line, number, request)` and `on_gone(line)` are called from its thread."""

    def __init__(
        self,
        listeners: list[tuple[socket.socket, frozenset[int], Door]],
        on_request: Callable[[Line, int, query.Request], None],
        on_gone: Callable[[Line], None],
        counts: Counts,
    ) -> None:
        self._on_request = on_request
        self._on_gone = on_gone
        self._counts = counts
        self._selector = selectors.DefaultSelector()
        self._lines: set[Line] = set()
        self._woken: set[Line] = set()
        self._lock = threading.Lock()
        self._waker, self._woke = socket.socketpair()
        self._stopping = False
        for end in (self._waker, self._woke):
            end.setblocking(False)
        self._selector.register(self._woke, selectors.EVENT_READ, None)
        for listener, allowed, door in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, (listener, allowed, door))
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Closes every connection and ends the thread."""
        self._stopping = True
        self.wake(None)
        self._thread.join(timeout=5)

    def wake(self, line: Line | None) -> None:
        """Something is to be sent on a line. Of many one wakes the thread: each call lets another thread take over."""
        with self._lock:
            awake = bool(self._woken) and line is not None
            if line is not None:
                self._woken.add(line)
        if not awake:
            with suppress(OSError):  # full: it is awake already
                self._waker.send(b"\0")

    def _run(self) -> None:
        while not self._stopping:
            for key, events in self._selector.select():
                if isinstance(key.data, Line):
                    if events & selectors.EVENT_READ:
                        self._read(key.data)
                    if events & selectors.EVENT_WRITE:
                        self._write(key.data)
                elif key.data is None:
                    self._drain()
                else:
                    self._accept(*key.data)
        for line in list(self._lines):
            self._close(line)
        self._selector.close()
        self._waker.close()
        self._woke.close()

    def _drain(self) -> None:
        with suppress(OSError):
            while self._woke.recv(4096):
                pass
        with self._lock:
            # Answers first, and news to some at a time: who asks meanwhile waits for these alone.
            woken = sorted(self._woken, key=lambda line: line.in_flight == 0)[:_AT_A_TIME]
            self._woken.difference_update(woken)
            more = bool(self._woken)
        for line in woken:
            if line in self._lines:
                self._write(line)
        if more:
            self.wake(None)

    def _accept(self, listener: socket.socket, allowed: frozenset[int], door: Door) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        try:
            connection.setblocking(False)
            welcome = peer_uid(connection) in allowed
        except OSError:
            connection.close()
            return
        if not welcome or sum(line.door is door for line in self._lines) >= _MOST[door]:
            if welcome:
                self._counts.refused += 1
            else:
                self._counts.strangers += 1
            connection.close()
            return
        line = Line(self, connection, door)
        self._lines.add(line)
        self._selector.register(connection, selectors.EVENT_READ, line)

    def _read(self, line: Line) -> None:
        if line.closing:
            return
        try:
            received = line.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._close(line)
            return
        line.inbound += received
        while (frame := self._frame(line)) is not None:
            self._take(line, frame)

    def _frame(self, line: Line) -> bytes | None:
        """The next whole frame that was received."""
        if line.closing or len(line.inbound) < LENGTH_BYTES:
            return None
        try:
            size = query.length(bytes(line.inbound[:LENGTH_BYTES]))
        except WireError:
            self._malformed(line)
            return None
        end = LENGTH_BYTES + size
        if len(line.inbound) < end:
            return None
        frame = bytes(line.inbound[LENGTH_BYTES:end])
        del line.inbound[:end]
        return frame

    def _take(self, line: Line, frame: bytes) -> None:
        try:
            number, request = query.read_request(frame)
        except WireError:
            self._malformed(line)
            return
        line.in_flight += 1
        if line.in_flight > MOST_IN_FLIGHT:
            line.reply(number, _BUSY)
            return
        self._on_request(line, number, request)

    def _malformed(self, line: Line) -> None:
        self._counts.malformed += 1
        line.inbound.clear()
        line.closing = True
        line.outbound += query.frame(0, _MALFORMED)
        self._write(line)

    def _write(self, line: Line) -> None:
        while True:
            if not line.outbound and not self._fill(line):
                break
            try:
                sent = line.socket.send(line.outbound)
            except BlockingIOError:
                break
            except OSError:
                self._close(line)
                return
            del line.outbound[:sent]
        if not line.outbound and line.closing:
            self._close(line)
        elif bool(line.outbound) != line.blocked:
            line.blocked = bool(line.outbound)
            self._selector.modify(line.socket, selectors.EVENT_WRITE if line.blocked else selectors.EVENT_READ, line)

    def _fill(self, line: Line) -> bool:
        """Takes the next thing to send; False where there is none."""
        if line.closing:
            return False
        waiting = line.next()
        if waiting is None:
            return False
        number, reply, last = waiting
        try:
            line.outbound += query.frame(number, reply)
        except WireError:  # out of a bound that our own types did not know: the asker must not wait for ever
            self._counts.malformed += 1
            line.outbound += query.frame(number, _BUSY)
        line.closing = last
        return True

    def _close(self, line: Line) -> None:
        if line in self._lines:
            self._lines.discard(line)
            with suppress(KeyError, ValueError):
                self._selector.unregister(line.socket)
            line.socket.close()
            self._on_gone(line)
