"""Serving: what some connections do does not delay others. Real sockets, from several loopback addresses."""

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from runtime.connections import MAX_PER_ADDRESS
from runtime.errors import ListenError, TlsError
from tablet_api import forms, server
from tablet_api.metrics import Metrics
from tablet_api.server import Server
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import Serve
from tests.tablet_api.floor_of import fill, visit


def trusting(certificate: Path) -> ssl.SSLContext:
    """A far end that trusts this certificate only."""
    return ssl.create_default_context(cafile=str(certificate))


def dial(port: int, address: str = "127.0.0.1") -> socket.socket:
    """A plain connection from one of loopback's addresses."""
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(address, 0))


def ask(port: int, context: ssl.SSLContext | None, path: str = "/healthz", address: str = "127.0.0.1") -> int:
    """The status of one request on a connection of its own."""
    if context is None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(address, 0))
    else:
        line = http.client.HTTPSConnection("localhost", port, timeout=20, source_address=(address, 0), context=context)
    with contextlib.closing(line):
        line.request("GET", path)
        answer = line.getresponse()
        answer.read()
        return answer.status


def said(line: socket.socket) -> bytes:
    """All that comes until the far end closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(65536):
            received += part
    return received


def test_silence_slow_headers_and_stuck_handshakes_delay_nobody(
    app: Flask, serve: Serve, authority: tuple[Path, Path]
) -> None:
    """Twenty silent connections, twenty half headers and a half handshake hang on; requests are answered meanwhile."""
    port = serve(app, True).port
    context = trusting(authority[0])
    with contextlib.ExitStack() as hanging:
        for number in range(20):
            hanging.enter_context(dial(port, f"127.0.1.{number % 2 + 1}"))
        slow = []
        for number in range(20):
            line = dial(port, f"127.0.2.{number % 2 + 1}")
            secured = hanging.enter_context(context.wrap_socket(line, server_hostname="localhost"))
            secured.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            slow.append(secured)
        stuck = hanging.enter_context(dial(port, "127.0.3.1"))
        stuck.sendall(b"\x16\x03\x01\x02\x00\x01")  # the first bytes of a ClientHello, and no more
        for _ in range(5):
            assert ask(port, context, address="127.0.4.1") == 200
        for secured in slow:  # they were not cut off either: each may still finish its header
            secured.sendall(b"no\r\n\r\n")
            assert secured.recv(15) == b"HTTP/1.1 200 OK"


def test_the_seventeenth_connection_of_an_address_is_refused(app: Flask, serve: Serve, metrics: Metrics) -> None:
    """It is closed unheard and counted; another address is served, and so is this one when one has left."""
    port = serve(app, False).port
    with contextlib.ExitStack() as open_lines:
        lines = [open_lines.enter_context(dial(port)) for _ in range(MAX_PER_ADDRESS)]
        for line in lines:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert line.recv(15) == b"HTTP/1.1 200 OK"
        extra = open_lines.enter_context(dial(port))
        assert said(extra) == b""
        assert ask(port, None, address="127.0.0.2") == 200
        assert 'consentry_connections_refused{kind="address-full"} 1' in metrics.text().splitlines()
        lines[0].shutdown(socket.SHUT_RDWR)
        lines[0].recv(65536)
        for _ in range(200):
            with contextlib.suppress(OSError, http.client.HTTPException):
                assert ask(port, None) == 200
                break
        else:
            pytest.fail("the place was never free again")


def test_forty_streams_starve_no_request(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """Every stream hears its roster, requests are answered beside them, and a change reaches all."""
    fill(gateway, visit(1))
    port = serve(app, False).port
    token = forms.to_text(gateway.sign_in())
    with contextlib.ExitStack() as streams:
        lines = []
        for number in range(40):
            line = streams.enter_context(dial(port, f"127.0.5.{number % 4 + 1}"))
            line.sendall(
                f"GET /api/v1/floor/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            lines.append(line.makefile("rb"))
        for reading in lines:
            while not reading.readline().startswith(b"event: roster"):
                pass
        assert gateway.watchers == 40
        for _ in range(5):
            assert ask(port, None) == 200
        gateway.show(visit(2), urgent=True)
        for reading in lines:
            while not reading.readline().startswith(b"event: change"):
                pass


def test_a_connection_is_used_again(app: Flask, serve: Serve, authority: tuple[Path, Path]) -> None:
    """Request after request on one connection, over TLS 1.2 at least, HTTP/1.1 agreed."""
    port = serve(app, True).port
    line = http.client.HTTPSConnection("localhost", port, timeout=20, context=trusting(authority[0]))
    with contextlib.closing(line):
        for _ in range(20):
            line.request("GET", "/healthz")
            answer = line.getresponse()
            assert json.loads(answer.read()) == {"status": "ok"}
        assert line.sock is not None
        assert line.sock.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(app: Flask, serve: Serve, authority: tuple[Path, Path]) -> None:
    """TLS 1.1 gets no connection, and plain HTTP on the TLS port none either; the server goes on."""
    port = serve(app, True).port
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)), dial(port) as line:
        old.wrap_socket(line)
    with dial(port) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not said(line).startswith(b"HTTP/1.1 200")
    assert ask(port, trusting(authority[0])) == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 413),
        (b"POST /api/v1/pairings HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /api/v1/pairings HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", 400),
        (b"POST /api/v1/pairings HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST /api/v1/pairings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 411),
        (b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x00\xff\xfe \x01 HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_requests_that_are_none(app: Flask, serve: Serve, request_bytes: bytes, status: int) -> None:
    """Each gets a problem document and the end of its connection; nothing of it is repeated."""
    port = serve(app, False).port
    with dial(port) as line:
        line.sendall(request_bytes)
        head, _, body = said(line).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head
    assert b"no-store" in head
    assert set(json.loads(body)) == {"type", "title", "status"}
    assert ask(port, None) == 200


def test_certificate_and_key_that_do_not_serve(
    authority: tuple[Path, Path], tmp_path: Path, needs: Callable[[str], str]
) -> None:
    """Another key, no PEM, an encrypted key, no file: each one line, none with a secret in it."""
    certificate, key = authority
    other = tmp_path / "other"
    subprocess.run([needs("openssl"), "genpkey", "-algorithm", "ed25519", "-out", str(other)], check=True)
    closed = tmp_path / "closed"
    command = ["pkey", "-aes256", "-passout", "pass:secret", "-in", str(other), "-out", str(closed)]
    subprocess.run([needs("openssl"), *command], check=True)
    noise = tmp_path / "noise"
    noise.write_bytes(b"\x00noise")
    for pair in (
        (certificate, other),
        (noise, key),
        (certificate, noise),
        (certificate, closed),
        (tmp_path / "x", key),
    ):
        with pytest.raises(TlsError) as raised:
            server.tls(*pair)
        assert raised.value.exit_code == 78
        assert "\n" not in raised.value.text


def test_a_renewed_certificate_serves_from_the_next_connection(
    app: Flask, serve: Serve, authority: tuple[Path, Path], tmp_path: Path, needs: Callable[[str], str]
) -> None:
    """The old one is not trusted any more, the new one is, and nothing was restarted."""
    serving = serve(app, True)
    assert ask(serving.port, trusting(authority[0])) == 200
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        [
            needs("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=renewed", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    serving.renew(server.tls(certificate, key))
    assert ask(serving.port, trusting(certificate)) == 200
    with pytest.raises(ssl.SSLError):
        ask(serving.port, trusting(authority[0]))


def test_a_port_that_is_taken(app: Flask, serve: Serve) -> None:
    """One line that names the port and what to do, exit 69."""
    port = serve(app, False).port
    with pytest.raises(ListenError) as raised:
        Server(app, ("127.0.0.1", port), None, lambda: 0.0, Metrics())
    assert str(port) in raised.value.text
    assert raised.value.exit_code == 69
