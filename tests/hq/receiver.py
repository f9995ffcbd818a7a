"""Another system's end of a hook, on this machine.

I/O: listens on loopback.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Another system's end: keeps what it hears, and answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.drips = threading.Event()  # set: it answers byte by byte, and never ends
        super().__init__(("127.0.0.1", 0), _Answering)

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keeps the message."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if self.server.drips.is_set():
            self.wfile.write(b"HTTP/1.0 200 OK\r\nx-drop: ")
            with suppress(OSError):  # the other end has had enough
                while self.server.drips.is_set():
                    self.wfile.write(b"x")
                    time.sleep(0.02)
            return
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def listening() -> Iterator[Receiver]:
    """It listens while the block runs."""
    with Receiver() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield found
        finally:
            found.drips.clear()
            found.shutdown()
            thread.join()
