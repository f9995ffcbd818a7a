"""Who is connected: at most so many an address, and each only as long as its present step may take.

A step (handshake, header, request, idle) has a deadline as a whole, so that nobody holds a thread by dripping bytes. An
answer that never ends has none; there each write must be taken in time.

I/O: shuts down the sockets that it is given.
"""

import contextlib
import socket
import threading
from enum import StrEnum
from typing import Final

MAX_CONNECTIONS: Final = 512
MAX_PER_ADDRESS: Final = 16


class Step(StrEnum):
    """What a connection is doing."""

    HANDSHAKE = "handshake"
    HEADER = "header"
    REQUEST = "request"
    IDLE = "idle"
    STREAM = "stream"


# Seconds for the whole step; None: no end. A page's own idle connections are opened again without a sign of it.
LIMITS_S: Final[dict[Step, float | None]] = {
    Step.HANDSHAKE: 10.0,
    Step.HEADER: 10.0,
    Step.REQUEST: 30.0,
    Step.IDLE: 20.0,
    Step.STREAM: None,
}
_YIELDS: Final = {Step.HANDSHAKE: 0, Step.HEADER: 1, Step.IDLE: 2, Step.REQUEST: 3}  # who gives way first


class Refusal(StrEnum):
    """Why a connection was not taken or was ended; the name under which it is counted."""

    ADDRESS_FULL = "address-full"
    ALL_FULL = "all-full"
    NO_THREAD = "no-thread"
    TOO_SLOW = "too-slow"
    GAVE_WAY = "gave-way"
    NO_TLS = "no-tls"


class Connection:
    """One connection; its own thread reads and writes, `Connections` may end it."""

    __slots__ = ("_lock", "address", "deadline_mono_s", "sock", "step")

    def __init__(self, sock: socket.socket, address: str) -> None:
        self._lock = threading.Lock()
        self.sock = sock
        self.address = address
        self.step = Step.HANDSHAKE
        self.deadline_mono_s: float | None = None

    def begin(self, step: Step, now_mono_s: float) -> None:
        """The next step and its deadline."""
        limit_s = LIMITS_S[step]
        self.step = step
        self.deadline_mono_s = None if limit_s is None else now_mono_s + limit_s

    def become(self, sock: socket.socket) -> None:
        """The same connection as TLS: the plain socket object has given its descriptor away."""
        with self._lock:
            self.sock = sock

    def end(self) -> None:
        """Ends whatever its thread waits for; that thread closes it."""
        with self._lock, contextlib.suppress(OSError):
            # The plain socket's own call: TLS objects must not be touched from a second thread.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """By its own thread, at the end."""
        with self._lock, contextlib.suppress(OSError):
            self.sock.close()


class Connections:
    """All that are open."""

    def __init__(self, most_per_address: int = MAX_PER_ADDRESS) -> None:
        self._most_per_address = most_per_address
        self._lock = threading.Lock()
        self._open: set[Connection] = set()
        self._per_address: dict[str, int] = {}

    def admit(self, connection: Connection, now_mono_s: float) -> tuple[Refusal | None, bool]:
        """Takes it, or says why not; and whether another had to give way.

        Where all places are taken, of those whose step says least about them (a handshake, then a header, then idling,
        then a body) the one that waits longest gives way: silence never keeps anybody out.
        """
        with self._lock:
            if self._per_address.get(connection.address, 0) >= self._most_per_address:
                return Refusal.ADDRESS_FULL, False
            full = len(self._open) >= MAX_CONNECTIONS
            if full:
                waiting = [one for one in self._open if one.step in _YIELDS and one.deadline_mono_s is not None]
                if not waiting:
                    return Refusal.ALL_FULL, False
                self._drop(min(waiting, key=lambda one: (_YIELDS.get(one.step, 9), one.deadline_mono_s or 0.0)))
            connection.begin(Step.HANDSHAKE, now_mono_s)
            self._open.add(connection)
            self._per_address[connection.address] = self._per_address.get(connection.address, 0) + 1
        return None, full

    def _drop(self, connection: Connection) -> None:
        """Ends one that is open; its place is free at once, though its thread still winds up."""
        connection.end()
        self._forget(connection)

    def leave(self, connection: Connection) -> None:
        """It is closed."""
        with self._lock:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection not in self._open:
            return
        self._open.discard(connection)
        left = self._per_address[connection.address] - 1
        if left:
            self._per_address[connection.address] = left
        else:
            del self._per_address[connection.address]

    def expire(self, now_mono_s: float) -> int:
        """Ends those whose step took too long; how many."""
        with self._lock:
            late = [one for one in self._open if one.deadline_mono_s is not None and one.deadline_mono_s < now_mono_s]
        for one in late:
            one.deadline_mono_s = None
            one.end()
        return len(late)

    def end_all(self) -> None:
        """Ends every one."""
        with self._lock:
            for one in self._open:
                one.end()

    def __len__(self) -> int:
        return len(self._open)
