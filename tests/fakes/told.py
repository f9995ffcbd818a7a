"""Far ends for alarms: a mail server and a webhook on loopback, which keep what they were told and may refuse.

I/O: sockets on loopback.
"""

import base64
import datetime
import ipaddress
import json
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that is its own authority: its file, and a context that serves with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path, secret = folder / "loopback.pem", folder / "loopback.key"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return path, context


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Mailbox:
    """A mail server. `mails` holds the text of each; `refuses` makes it say no; `login` is what it saw last."""

    def __init__(self, context: ssl.SSLContext | None = None, *, implicit: bool = False) -> None:
        self.mails: list[str] = []
        self.refuses = False
        self.login: tuple[str, str] | None = None
        self.was_encrypted = False
        box = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.encrypted = implicit
                if implicit:
                    self._wrap()
                self._say("220 loopback")
                while line := self.rfile.readline().decode().strip():
                    if not self._answer(line):
                        return

            def _wrap(self) -> None:
                self.request = context.wrap_socket(self.request, server_side=True)
                self.rfile = self.request.makefile("rb")
                self.encrypted = True

            def _say(self, text: str) -> None:
                self.request.sendall(text.encode() + b"\r\n")

            def _answer(self, line: str) -> bool:
                verb = line.split()[0].upper()
                if verb == "EHLO":
                    offers = "250-AUTH PLAIN" if self.encrypted else "250-STARTTLS"
                    self._say(f"250-loopback\r\n{offers}\r\n250 8BITMIME")
                elif verb == "STARTTLS":
                    self._say("220 go on")
                    self._wrap()
                elif verb == "AUTH":
                    _, name, secret = base64.b64decode(line.split()[2]).decode().split("\0")
                    box.login = (name, secret)
                    self._say("235 known")
                elif verb == "RCPT" and box.refuses:
                    self._say("550 nobody here")
                elif verb == "DATA":
                    self._say("354 go on")
                    text = b""
                    while not text.endswith(b"\r\n.\r\n"):
                        text += self.rfile.readline()
                    box.mails.append(text.decode())
                    box.was_encrypted = self.encrypted
                    self._say("250 kept")
                elif verb == "QUIT":
                    self._say("221 bye")
                    return False
                else:
                    self._say("250 yes")
                return True

        self._server = _Server(("127.0.0.1", 0), Session)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


class Webhook:
    """A web server. `told` holds the JSON of each POST; `status` is what it answers; `token` is what it saw last."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.told: list[dict[str, Any]] = []
        self.status = 204
        self.token: str | None = None
        hook = self

        class Session(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.token = self.headers.get("Authorization")
                if 200 <= hook.status < 300:
                    hook.told.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
