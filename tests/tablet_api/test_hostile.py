"""Hostile networks: whatever is sent to the box is refused and counted, and the others are served meanwhile.

Real sockets, from several loopback addresses.
"""

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from runtime import connections
from runtime.connections import MAX_CONNECTIONS, MAX_PER_ADDRESS, Step
from tablet_api.metrics import Metrics
from tests.tablet_api.conftest import Serve
from tests.tablet_api.test_server import ask, dial, said, trusting

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/pairings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
END = b"Connection: close\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)  # how a ClientHello of 512 bytes begins
SERVED_S = 10.0  # far more than the second that is aimed at: test machines do other things (docs/benchmarks.md has it)


def statuses(answered: bytes) -> list[int]:
    """The statuses of all answers on a connection."""
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3})", answered)]


def counted(metrics: Metrics, name: str, kind: str) -> int:
    """What `/metrics` says of one kind of refusal."""
    found = re.search(rf'^consentry_{name}{{kind="{kind}"}} (\d+)$', metrics.text(), re.M)
    return int(found[1]) if found else 0


def eventually(metrics: Metrics, name: str, kind: str, least: int) -> None:
    """Waits until so many are counted: a connection's own thread does it after the far end knows."""
    end = time.monotonic() + SERVED_S
    while counted(metrics, name, kind) < least:
        assert time.monotonic() < end, f"{name} {kind}: {counted(metrics, name, kind)} of {least}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("request_bytes", "status", "kind"),
    [
        # Two lengths, or a length that another reader may take otherwise.
        (
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + END,
            411,
            "length-required",
        ),
        (
            POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + GET + END,
            411,
            "length-required",
        ),
        (POST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}" + GET + END, 501, "unsupported"),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + GET + END, 501, "unsupported"),
        (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + GET + END, 400, "bad-request"),
        (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + GET + END, 400, "bad-request"),
        (POST + b"Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + END, 400, "bad-request"),
        (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + GET + END, 400, "bad-request"),
        (POST + b"Content-Length: 2\r\nContent-Length: 99\r\n\r\n{}" + GET + END, 400, "bad-request"),
        (POST + b"Content-Length: 2, 2\r\n\r\n{}" + GET + END, 400, "bad-request"),
        (POST + b"Content-Length : 2\r\n\r\n{}" + GET + END, 400, "bad-request"),
        (POST + b"Content_Length: 2\r\n\r\n{}" + GET + END, 400, "bad-request"),
        (POST + b"Content-Length: 0x2\r\n\r\n{}" + GET + END, 400, "bad-request"),
        (POST + b"Content-Length: \xc2\xb2\r\n\r\n{}" + GET + END, 400, "bad-request"),
        # Lines that end elsewhere for another reader.
        (GET + b"X: a\nContent-Length: 5\r\n\r\n", 400, "bad-request"),
        (GET + b"X: a\rContent-Length: 5\r\n\r\n", 400, "bad-request"),
        (GET + b"X: a\r\n b\r\n\r\n", 400, "bad-request"),
        (GET + b"X: a\0b\r\n\r\n", 400, "bad-request"),
        (GET + b"no colon\r\n\r\n", 400, "bad-request"),
        (GET + b": no name\r\n\r\n", 400, "bad-request"),
        (GET + b"X: 1\r\n" * 101 + b"\r\n", 400, "bad-request"),
        # For whom, and what, and in which language.
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad-request"),
        (GET + b"Host: elsewhere\r\n\r\n", 400, "bad-request"),
        (b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad-request"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost/..\r\n\r\n", 400, "bad-request"),
        (b"GET /heal\tthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad-request"),
        (b"GET /h\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad-request"),
        (b"GET //elsewhere/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad-request"),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad-request"),
        (b"OPTIONS http://elsewhere/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad-request"),
        (b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method-not-allowed"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 505, "version"),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\r\n\r\n", 400, "bad-request"),  # TLS where there is none
        (GET[:-2], 400, "bad-request"),  # half a header, then half-closed
    ],
)
def test_what_two_readers_could_take_differently_is_refused(
    app: Flask, serve: Serve, metrics: Metrics, request_bytes: bytes, status: int, kind: str
) -> None:
    """One problem document, counted by its kind, and the end: what was smuggled behind it gets no answer."""
    port = serve(app, False).port
    with dial(port) as line:
        line.sendall(request_bytes)
        line.shutdown(socket.SHUT_WR)
        answered = said(line)
    assert statuses(answered) == [status]
    assert b'"type": "urn:consentry:problem:' + kind.encode() in answered
    assert f'"status": {status}'.encode() in answered
    assert b"elsewhere" not in answered
    eventually(metrics, "requests_refused", kind, 1)


@pytest.mark.parametrize(
    ("request_bytes", "found"),
    [
        (b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n" + END, [200]),
        (b"OPTIONS /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: https://elsewhere\r\n" + END, [200]),
        (b"TRACE /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: a=secret\r\n" + END, [405]),
        (GET + b"Range: bytes=0-0,1-1,2-2\r\n" + END, [200]),  # the whole: there is nothing to multiply
        (GET + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n" + END, [200]),  # goes on in HTTP/1.1
        (GET + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n" + END, [200]),
        (POST + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n" + END + b"\x1f\x8b\x08\0", [400]),
        (POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n" + END + b"{}", [100, 422]),
        (GET + b"Content-Length: 5\r\n" + END + b"hello", [200]),
        (GET + b"\r\n" + GET + b"\r\n" + GET + END, [200, 200, 200]),
        (b"GET /static/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n" + END, [404]),
        (b"GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n" + END, [404]),
        (b"GET /static/..%5c..%5cetc HTTP/1.1\r\nHost: localhost\r\n" + END, [404]),
        (b"GET /healthz%00.html HTTP/1.1\r\nHost: localhost\r\n" + END, [404]),
        (b"GET /%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\n" + END, [404]),
        (b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n" + END, [404]),
        (b"GET /api/v1/floor/../../../metrics HTTP/1.1\r\nHost: localhost\r\n" + END, [404]),
    ],
)
def test_what_is_asked_in_odd_ways_gets_an_ordinary_answer(
    app: Flask, serve: Serve, request_bytes: bytes, found: list[int]
) -> None:
    """Methods, ranges, upgrades, encodings and paths: an answer as to anybody, and nothing of the request in it."""
    port = serve(app, False).port
    with dial(port) as line:
        line.sendall(request_bytes)
        answered = said(line)
    if b"websocket" in request_bytes:
        assert statuses(answered)[0] in (200, 400)
    else:
        assert statuses(answered) == found
    for never in (b"secret", b"Set-Cookie", b"Access-Control", b"multipart", b"Upgrade:", b"root:"):
        assert never not in answered


def test_only_the_certificates_names_are_answered_to(
    app: Flask, serve: Serve, authority: tuple[Path, Path], metrics: Metrics
) -> None:
    """A Host that the certificate has not (a name that was made to point here) gets 421 and is counted."""
    port = serve(app, True).port
    context = trusting(authority[0])
    for host, status in (
        ("localhost", 200),
        (f"LOCALHOST:{port}", 200),
        (f"127.0.0.1:{port}", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.7", 421),
    ):
        with context.wrap_socket(dial(port), server_hostname="localhost") as line:
            line.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert statuses(said(line)) == [status], host
    eventually(metrics, "requests_refused", "other-name", 3)


@contextlib.contextmanager
def many(port: int, count: int, addresses: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections from so many loopback addresses, each after sending `sent`."""
    with contextlib.ExitStack() as open_lines:
        lines = []
        for number in range(count):
            line = open_lines.enter_context(dial(port, f"127.0.9.{1 + number % addresses}"))
            with contextlib.suppress(OSError):  # refused, and closed already
                line.sendall(sent)
            lines.append(line)
        yield lines


@pytest.mark.parametrize(
    "sent",
    [b"", HELLO[:11], b"GET / HTTP/1.1\r\nX: "],
    ids=["silent", "half-handshakes", "no-tls"],
)
def test_a_thousand_connections_of_one_address_delay_nobody(
    app: Flask, serve: Serve, authority: tuple[Path, Path], metrics: Metrics, sent: bytes
) -> None:
    """Sixteen of them are kept at a time, the others refused and counted; another address is answered meanwhile."""
    port = serve(app, True).port
    context = trusting(authority[0])
    with many(port, 300 if sent.startswith(b"GET") else 1000, 1, sent):
        began = time.monotonic()
        for _ in range(3):
            assert ask(port, context, address="127.0.4.1") == 200
        assert time.monotonic() - began < SERVED_S
        if sent.startswith(b"GET"):  # each of these frees its place at once: it is no handshake
            eventually(metrics, "connections_refused", "no-tls", MAX_PER_ADDRESS)
        else:
            eventually(metrics, "connections_refused", "address-full", 1000 - MAX_PER_ADDRESS)


def test_where_all_places_are_taken_by_silence_the_next_is_served_at_once(
    app: Flask, serve: Serve, metrics: Metrics
) -> None:
    """All 512 places belong to the silent connections of 32 addresses; somebody else is answered, and they give way."""
    port = serve(app, False).port
    with many(port, MAX_CONNECTIONS, 32):
        began = time.monotonic()
        for _ in range(3):
            assert ask(port, None, address="127.0.4.1") == 200
        assert time.monotonic() - began < SERVED_S
    assert counted(metrics, "connections_refused", "gave-way") >= 1
    assert counted(metrics, "connections_refused", "all-full") == 0


@pytest.mark.parametrize(
    ("step", "began"),
    [
        (Step.HANDSHAKE, None),
        (Step.HEADER, b"GET /healthz HTTP/1.1\r\nX: "),
        (Step.REQUEST, POST + b"Content-Length: 1000\r\n\r\n"),
        (Step.IDLE, b""),
    ],
)
def test_who_drips_is_ended(
    app: Flask,
    serve: Serve,
    authority: tuple[Path, Path],
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    step: Step,
    began: bytes | None,
) -> None:
    """A byte now and then keeps no step open beyond its deadline; it is counted, and others are answered meanwhile."""
    monkeypatch.setitem(connections.LIMITS_S, step, 0.7)
    port = serve(app, True).port
    context = trusting(authority[0])
    line = dial(port)
    if began is not None:
        line = context.wrap_socket(line, server_hostname="localhost")
        line.sendall(began)
    with line:
        ended = False
        for number in range(int(SERVED_S / 0.1)):
            try:
                if step is not Step.IDLE:
                    line.sendall(b"a" if began is not None else HELLO[number : number + 1])
                line.settimeout(0.1)
                ended = line.recv(1) == b""
            except TimeoutError:
                continue
            except (ssl.SSLError, OSError):
                ended = True
            if ended:
                break
        assert ended
    assert ask(port, context, address="127.0.4.1") == 200
    eventually(metrics, "connections_refused", "too-slow", 1)


def test_a_half_closed_connection_still_gets_its_answer(app: Flask, serve: Serve) -> None:
    """Who sends no more may still read: a whole request is answered, half a body is refused, and both are over then."""
    port = serve(app, False).port
    for sent, status in ((GET + b"\r\n", 200), (POST + b"Content-Length: 50\r\n\r\n{", 400)):
        with dial(port) as line:
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
            assert statuses(said(line))[0] in (status, 422)
