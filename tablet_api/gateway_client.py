"""Asks the gateway over its Unix stream socket: one question at a time on a pooled line, one line for each watch.

A line that failed is closed, never used again; the next question opens another, so that the gateway may come and go.

I/O: a Unix stream socket to the gateway.
"""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Final

from runtime.logs import Log
from tablet_api.errors import AwayReason, GatewayAwayError
from wire import query
from wire.errors import WireError
from wire.query import Reply, Request

ANSWER_TIMEOUT_S: Final = 10.0  # a sign-in waits for others' PINs to be verified, one at a time
IDLE_LINES: Final = 8
MOST_ASKING: Final = 32  # at once; the gateway answers one after the other anyway, and counts its lines
_CHUNK_BYTES: Final = 64 * 1024


def _away(error: OSError) -> GatewayAwayError:
    """The one place where what a socket raises gets our name."""
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            return GatewayAwayError(AwayReason.ABSENT)
        case PermissionError():
            return GatewayAwayError(AwayReason.DENIED)
        case TimeoutError() | BlockingIOError():
            return GatewayAwayError(AwayReason.SILENT)
        case _:
            return GatewayAwayError(AwayReason.BROKEN)


class _Line:
    """One connection to the gateway."""

    __slots__ = ("_buffer", "_number", "_socket")

    def __init__(self, path: Path) -> None:
        self._buffer = bytearray()
        self._number = 0
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        except OSError as error:
            raise _away(error) from error
        try:
            self._socket.settimeout(ANSWER_TIMEOUT_S)
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise _away(error) from error

    def send(self, request: Request) -> int:
        """Asks; the number that the replies will bear."""
        self._number += 1
        framed = query.frame(self._number, request)
        try:
            self._socket.settimeout(ANSWER_TIMEOUT_S)
            self._socket.sendall(framed)
        except OSError as error:
            raise _away(error) from error
        return self._number

    def receive(self, number: int, timeout_s: float) -> Reply | None:
        """The next reply to question `number`, or None where none came in time (0: none has been read yet)."""
        while True:
            encoded = self._next_frame()
            if encoded is not None:
                break
            if timeout_s <= 0:
                return None
            try:
                self._socket.settimeout(timeout_s)
                received = self._socket.recv(_CHUNK_BYTES)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise _away(error) from error
            if not received:
                raise GatewayAwayError(AwayReason.BROKEN)
            self._buffer += received
        try:
            answered, reply = query.read_reply(encoded)
        except WireError as error:
            raise GatewayAwayError(AwayReason.NONSENSE) from error
        if answered != number:
            raise GatewayAwayError(AwayReason.NONSENSE)
        return reply

    def _next_frame(self) -> bytes | None:
        if len(self._buffer) < query.LENGTH_BYTES:
            return None
        try:
            end = query.LENGTH_BYTES + query.length(bytes(self._buffer[: query.LENGTH_BYTES]))
        except WireError as error:
            raise GatewayAwayError(AwayReason.NONSENSE) from error
        if len(self._buffer) < end:
            return None
        encoded = bytes(self._buffer[query.LENGTH_BYTES : end])
        del self._buffer[:end]
        return encoded

    def is_stale(self) -> bool:
        """Whether the gateway has closed this idle line, or said something that nobody asked."""
        try:
            self._socket.settimeout(0.0)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def wake(self) -> None:
        """Ends a `receive` in another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the connection up."""
        self._socket.close()


class GatewayClient:
    """The far end of the gateway's socket. Any thread may ask.

    After any `GatewayAwayError` the next call tries again from the start; nothing has to be reset.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = Log("gateway_client")
        self._lock = threading.Lock()
        self._asking = threading.BoundedSemaphore(MOST_ASKING)
        self._idle: list[_Line] = []
        self._busy: set[_Line] = set()
        self._closed = False
        self._away: AwayReason | None = None
        self.failures = 0

    def ask(self, request: Request) -> Reply:
        """The gateway's one reply.

        Raises:
            GatewayAwayError: no reply; whether the gateway acted on the question is unknown.
            WireError: the request is outside of the bounds that `wire.query` declares.
        """
        if not self._asking.acquire(timeout=ANSWER_TIMEOUT_S):
            raise self._failed(GatewayAwayError(AwayReason.SILENT))
        try:
            return self._ask(request)
        finally:
            self._asking.release()

    def _ask(self, request: Request) -> Reply:
        line = self._take()
        kept = False
        try:
            reply = line.receive(line.send(request), ANSWER_TIMEOUT_S)
            if reply is None:
                raise GatewayAwayError(AwayReason.SILENT)
            kept = True
        except GatewayAwayError as error:
            raise self._failed(error) from error
        finally:
            self._give_back(line, kept)
        self._answers()
        return reply

    def watch(self, session: bytes) -> "Watching":
        """Follows the roster on a line of its own.

        Raises:
            GatewayAwayError: the question could not be asked.
        """
        line = self._take(fresh=True)
        try:
            number = line.send(query.Watch(session))
        except GatewayAwayError as error:
            self._give_back(line, False)
            raise self._failed(error) from error
        return Watching(self, line, number)

    def close(self) -> None:
        """Ends all questions and watches under way, and takes no more."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for line in self._busy:
                line.wake()
        for line in idle:
            line.close()

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    def _take(self, fresh: bool = False) -> _Line:
        while True:
            with self._lock:
                if self._closed:
                    raise GatewayAwayError(AwayReason.CLOSED)
                line = self._idle.pop() if self._idle and not fresh else None
                if line is not None:
                    self._busy.add(line)
            if line is None:
                break
            if not line.is_stale():
                return line
            self._give_back(line, False)
        try:
            line = _Line(self._path)
        except GatewayAwayError as error:
            raise self._failed(error) from error
        with self._lock:
            self._busy.add(line)
        return line

    def _give_back(self, line: _Line, kept: bool) -> None:
        with self._lock:
            self._busy.discard(line)
            if kept and not self._closed and len(self._idle) < IDLE_LINES:
                self._idle.append(line)
                return
        line.close()

    def _failed(self, error: GatewayAwayError) -> GatewayAwayError:
        with self._lock:
            self.failures += 1
            begins = self._away is None and not self._closed
            if begins:
                self._away = error.reason
        if begins:
            self._log.warning("gateway_away", error.hint, reason=error.reason.value)
        return error

    def _answers(self) -> None:
        if self._away is not None:
            with self._lock:
                self._away = None
            self._log.info("gateway_back")


class Watching:
    """A roster followed by one stream; used by one thread."""

    __slots__ = ("_gateway", "_line", "_number")

    def __init__(self, gateway: GatewayClient, line: _Line, number: int) -> None:
        self._gateway = gateway
        self._line = line
        self._number = number

    def receive(self, timeout_s: float) -> Reply | None:
        """The next reply, or None where none came within `timeout_s` (0: only what was read with the last one).

        Raises:
            GatewayAwayError: there will be no more.
        """
        try:
            reply = self._line.receive(self._number, timeout_s)
        except GatewayAwayError as error:
            raise self._gateway._failed(error) from error
        if reply is not None:
            self._gateway._answers()
        return reply

    def close(self) -> None:
        """Stops following."""
        self._gateway._give_back(self._line, False)
