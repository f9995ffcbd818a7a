"""Who a request comes from, as the application is told. Real sockets."""

import socket
import threading
import time
from typing import Any

import pytest

from runtime.web_server import Server


class Counted:
    """Counts nothing."""

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Passed over."""


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("near", ["127.0.0.1", "127.0.0.2", "::1"])
def test_an_address_is_the_same_whichever_socket_it_reached(near: str) -> None:
    """Also where one socket listens for IPv6 and IPv4: who comes by IPv4 is told apart by an address of IPv4."""
    told = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        told.append((environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])))
        start("200 OK", [("Content-Length", "0")])
        return [b""]

    served = Server(app, ("::", 0), None, time.monotonic, Counted(), lambda status: ("", {}))
    thread = threading.Thread(target=served.run, args=(lambda: None,), daemon=True)
    thread.start()
    try:
        far = "::1" if ":" in near else "127.0.0.1"
        with socket.create_connection((far, served.port), timeout=20, source_address=(near, 0)) as line:
            port = line.getsockname()[1]
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert line.recv(12) == b"HTTP/1.1 200"
    finally:
        served.stop()
        thread.join(10)
    assert told == [(near, port)]
