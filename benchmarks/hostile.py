"""What an associate waits for while somebody attacks the box's network: a fresh connection, and the floor over it.

A scripted gateway with 200 members, the tablet API before it over TLS; the attacker's connections come from other
loopback addresses and stay for as long as it is measured.

I/O: clocks, loopback.
"""

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator

from benchmarks.report import Row, median, percentile
from benchmarks.tablet_page import PRESENT, served
from tablet_api import forms

_ALL_PLACES, _ADDRESSES = 512, 32
_HALF_HELLO = bytes.fromhex("160301020001000000fc0303")[:11]
_ATTACKS: dict[str, tuple[int, int, bytes]] = {  # how many connections, from how many addresses, each after sending
    "1,000 silent connections of one address": (1000, 1, b""),
    "1,000 half handshakes of one address": (1000, 1, _HALF_HELLO),
    "all 512 places silent, of 32 addresses": (_ALL_PLACES, _ADDRESSES, b""),
    "300 connections that speak no TLS": (300, 1, b"GET / HTTP/1.1\r\nX: "),
}


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 20 members, three asks each."""
    present, asks = (20, 3) if quick else (PRESENT, 200)
    rows = []
    with served(present) as (gateway, base):
        port = int(base.rsplit(":", 1)[1])
        cookies = f"__Host-consentry-tablet={forms.to_text(gateway.pair())}"
        cookies += f"; __Host-consentry-session={forms.to_text(gateway.sign_in())}"
        quiet = _times(port, cookies, asks)
        rows.append(Row("in peace, median and longest", f"{median(quiet):.1f} and {max(quiet):.1f} ms"))
        for what, (count, addresses, sent) in _ATTACKS.items():
            with _many(port, count, addresses, sent):
                found = _times(port, cookies, asks)
            figure = f"{median(found):.1f}, {percentile(found, 0.99):.1f}, {max(found):.1f} ms"
            peace = f"{percentile(quiet, 0.99):.1f} ms in peace"
            ratio = percentile(found, 0.99) / percentile(quiet, 0.99)
            rows.append(Row(f"{what}: median, p99, longest of {asks}", figure, peace, ratio))
    return rows


def _times(port: int, cookies: str, asks: int) -> list[float]:
    """Milliseconds from the first packet of a connection to the last byte of the floor."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    found = []
    for _ in range(asks):
        began = time.perf_counter()
        line = http.client.HTTPSConnection(
            "localhost", port, timeout=30, context=context, source_address=("127.0.4.1", 0)
        )
        line.request("GET", "/api/v1/floor", headers={"Cookie": cookies})
        answer = line.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        line.close()
        found.append((time.perf_counter() - began) * 1000)
    return found


@contextlib.contextmanager
def _many(port: int, count: int, addresses: int, sent: bytes) -> Iterator[None]:
    with contextlib.ExitStack() as lines:
        for number in range(count):
            address = (f"127.0.9.{1 + number % addresses}", 0)
            line = lines.enter_context(socket.create_connection(("127.0.0.1", port), 10, address))
            with contextlib.suppress(OSError):  # refused, and closed already
                line.sendall(sent)
        yield
