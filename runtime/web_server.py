"""Serves the application: one thread accepts and never waits for a peer, each connection has a thread of its own.

cheroot reads requests and writes answers; its accept loop and its pool are not used, since one silent connection stalls
the first and twenty slow headers hold the second. The TLS handshake happens in the connection's thread.

What the requests of a store's tablets and of HQ's callers have in common is here; what differs is an argument.

I/O: cheroot; its only importer.
"""

import ipaddress
import json
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from wsgiref.types import WSGIApplication

from cheroot import wsgi
from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection, HTTPRequest

from runtime import names, strict
from runtime.connections import MAX_PER_ADDRESS, Connection, Connections, Refusal, Step
from runtime.errors import ListenError, TlsError

HEADER_BYTES: Final = 16 * 1024
BODY_BYTES: Final = 64 * 1024
WRITE_TIMEOUT_S: Final = 10.0
UNBOUNDED: Final = "consentry.unbounded"  # in the WSGI environment: called by an answer that never ends
_TICK_S: Final = 0.5
_BACKLOG: Final = 128


Context = ssl.SSLContext
# Of an HTTP status at which cheroot refuses a request: a word for it to count, and its problem document.
Told = Callable[[int], tuple[str, Mapping[str, object]]]


class Counts(Protocol):
    """Where it is counted what was served and refused."""

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Adds `amount` to a figure."""


def tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or later with this chain and key.

    Raises:
        TlsError: they cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # RFC 9325 section 4.2: only forward secrecy and authenticated encryption below TLS 1.3.
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    # Else OpenSSL offers X448 and P-521 too. ssl can name one group; our certificates are on this one (decision 0082).
    context.set_ecdh_curve("prime256v1")
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")  # else OpenSSL asks the terminal
    except ssl.SSLError as error:
        reason = "belongs to another key" if "MISMATCH" in str(error.reason) else "with its tls-key is no PEM pair"
        raise TlsError(certificate, "certificate", reason) from error
    except (OSError, ValueError) as error:
        raise TlsError(certificate, "certificate", "or its tls-key cannot be read") from error
    return context


class _Request(HTTPRequest):
    """cheroot's reading of a request, stricter, with problem documents for what it refuses."""

    @staticmethod
    def header_reader(rfile: Any, fields: dict[bytes, bytes]) -> None:
        """Called by cheroot for the header's lines. Raises: ValueError, answered with 400."""
        fields.update(strict.read(rfile))

    def read_request_headers(self) -> bool:
        """Refuses what cheroot takes but nobody here sends: chunked bodies, lengths that are no plain numbers."""
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        refusal = self._refusal()
        if refusal is not None:
            self.simple_response(refusal)
        return refusal is None

    def _refusal(self) -> str | None:
        length = self.inheaders.get(b"Content-Length", b"0")
        if self.chunked_read:
            return "411 Length Required"
        if not (length.isdigit() and strict.is_target(self.uri)):
            return "400 Bad Request"
        host = self.inheaders.get(b"Host")
        if host is None:
            return "400 Bad Request" if self.response_protocol == "HTTP/1.1" else None
        name = names.host_of(host.decode("latin-1"))
        if name is None:
            return "400 Bad Request"
        return None if self.server.is_ours(name) else "421 Misdirected Request"

    def respond(self) -> None:
        """The request's header is here: from now on its answer has its own deadline."""
        self.conn.begin(Step.REQUEST)
        super().respond()

    def simple_response(self, status: str, msg: str = "") -> None:
        """cheroot's own refusals, told as every other problem, without its sentence."""
        self.close_connection = True
        word, document = self.server.told(int(str(status)[:3]))
        self.server.counts.add("requests_refused", word)
        body = json.dumps(document).encode()
        head = (
            f"{self.server.protocol} {status}\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        self.conn.wfile.write(head.encode("latin-1") + body)


class _Gateway(wsgi.Gateway_10):
    """Tells the application how to say that an answer never ends."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]
        """The WSGI environment."""
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        environ[UNBOUNDED] = lambda: self.req.conn.begin(Step.STREAM)
        return environ


class _Conversation(HTTPConnection):
    """The requests of one connection."""

    RequestHandlerClass = _Request

    def __init__(
        self, http: "_Http", connection: Connection, clock: Callable[[], float], request_s: float | None
    ) -> None:
        super().__init__(http, connection.sock, MakeFile)
        self._connection = connection
        self._clock = clock
        self._request_s = request_s

    def begin(self, step: Step) -> None:
        """The next step and its deadline."""
        now_mono_s = self._clock()
        self._connection.begin(step, now_mono_s)
        if step is Step.REQUEST and self._request_s is not None:
            self._connection.deadline_mono_s = now_mono_s + self._request_s

    def run(self) -> None:
        """Request after request until either side has enough."""
        while self._readable():
            self.begin(Step.HEADER)
            if not self.communicate():  # type: ignore[no-untyped-call]
                return

    def _readable(self) -> bool:
        """Waits, as an idle connection, for the first byte of the next request (or its end)."""
        self.begin(Step.IDLE)
        if self.rfile.has_data() or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
            return True
        try:
            with selectors.PollSelector() as selector:
                selector.register(self.socket, selectors.EVENT_READ)
                selector.select()  # the deadline of the step ends it
        except (OSError, ValueError):
            return False
        return True


class _Http(wsgi.Server):
    """What cheroot's requests ask of their server; neither its accept loop nor its threads are started."""

    max_request_header_size = HEADER_BYTES
    can_add_keepalive_connection = True

    def __init__(
        self,
        app: WSGIApplication,
        address: tuple[str, int],
        secure: bool,
        counts: Counts,
        told: Told,
        most_body_bytes: int,
    ) -> None:
        super().__init__(address, app, server_name="consentry")
        self.max_request_body_size = most_body_bytes
        self.gateway = _Gateway
        self.software = "consentry"
        self.ssl_adapter = object() if secure else None  # only asked whether it is there, for the scheme
        self.counts = counts
        self.told = told
        self.names: frozenset[str] = frozenset()

    def is_ours(self, host: str) -> bool:
        """Whether the certificate is for this name. The box itself may say localhost; without TLS any name serves."""
        return not self.names or names.fits(host, self.names) or host in names.LOOPBACK

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Counted; the message is not written, since it could hold an address."""
        self.counts.add("connection_errors")


class Server:
    """The listening socket and its threads. `run` in the main thread; `stop` from a signal."""

    def __init__(
        self,
        app: WSGIApplication,
        address: tuple[str, int],
        context: ssl.SSLContext | None,
        clock: Callable[[], float],
        counts: Counts,
        told: Told,
        *,
        most_body_bytes: int = BODY_BYTES,
        most_per_address: int = MAX_PER_ADDRESS,
        request_s: float | None = None,
    ) -> None:
        """`clock` gives boot-clock seconds; `request_s` is how long a request may take at most, if not the usual."""
        self._clock = clock
        self._counts = counts
        self._context = context
        self._connections = Connections(most_per_address)
        self._request_s = request_s
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            self._listening = socket.create_server(
                address, family=family, backlog=_BACKLOG, dualstack_ipv6=address[0] == "::"
            )
        except OSError as error:
            raise ListenError(
                f"cannot listen on port {address[1]}: {error.strerror}",
                "choose another listen or port, or end what uses it",
            ) from error
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._http = _Http(app, (address[0], self.port), context is not None, counts, told, most_body_bytes)
        if context is not None:
            self.renew(context)

    def renew(self, context: ssl.SSLContext, *others: ssl.SSLContext) -> None:
        """Connections from now on get this certificate, and requests from now on ask by one of its names.

        `others` are those that `context` chooses for other names.
        """
        self._context = context
        try:
            self._http.names = frozenset().union(*map(names.of_context, (context, *others)))
        except (ssl.SSLError, ValueError):  # its time is over: browsers refuse it, and so no name is refused here
            self._http.names = frozenset()

    def run(self, tick: Callable[[], None]) -> None:
        """Serves until `stop`; calls `tick` at least twice a second."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                if any(key.fileobj is self._listening for key, _ in selector.select(_TICK_S)):
                    self._accept_some()
                self._count(Refusal.TOO_SLOW, self._connections.expire(self._clock()))
                tick()
        self._listening.close()
        self._connections.end_all()

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()
        self._wake.send(b"\0")

    def _accept_some(self) -> None:
        """Of a flood many at once, so that whoever stands behind it in the queue does not wait long."""
        for _ in range(_BACKLOG):
            try:
                self._admit(*self._listening.accept())
            except BlockingIOError:
                return
            except OSError:
                # Out of descriptors, most likely: the peer waits in the queue until some are free.
                self._counts.add("accept_errors")
                self._stopping.wait(0.05)
                return

    def _admit(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        connection = Connection(sock, _address(str(peer[0])))
        refusal, gave_way = self._connections.admit(connection, self._clock())
        self._count(Refusal.GAVE_WAY, int(gave_way))
        if refusal is None:
            try:
                threading.Thread(target=self._serve, args=(connection, peer[1]), daemon=True).start()
                self._counts.add("connections")
                return
            except RuntimeError:  # no thread to be had
                self._connections.leave(connection)
                refusal = Refusal.NO_THREAD
        self._count(refusal, 1)
        sock.close()

    def _shake_hands(self, secured: ssl.SSLSocket) -> None:
        try:
            secured.do_handshake()
        except ssl.SSLError:
            self._count(Refusal.NO_TLS, 1)
            raise

    def _count(self, refusal: Refusal, times: int) -> None:
        if times:
            self._counts.add("connections_refused", refusal.value, times)

    def _serve(self, connection: Connection, port: int) -> None:
        """One connection, from handshake to close, in its own thread."""
        conversation = None
        try:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock.settimeout(WRITE_TIMEOUT_S)
            if self._context is not None:
                secured = self._context.wrap_socket(
                    connection.sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
                )
                connection.become(secured)
                self._shake_hands(secured)
            conversation = _Conversation(self._http, connection, self._clock, self._request_s)
            conversation.remote_addr, conversation.remote_port = connection.address, port
            conversation.run()
        except (OSError, ValueError):  # the peer is gone, or its handshake is none; ValueError: closed under a write
            self._counts.add("connection_errors")
        finally:
            if conversation is not None:
                conversation.linger = True  # the closing is ours, below
                conversation.close()
            connection.end()
            connection.close()
            self._connections.leave(connection)


def _address(told: str) -> str:
    """A peer's address; that of IPv4 where an IPv6 socket was reached by it (RFC 4291 section 2.5.5.2).

    So it is the same peer on either socket, and whoever counts by networks of IPv6 does not count all of IPv4 as one.
    """
    address = ipaddress.ip_address(told)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return told if mapped is None else str(mapped)
