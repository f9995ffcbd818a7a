"""Posts a message to a hook: HTTPS to a public address, with a certificate that is trusted, and no redirection.

A name is resolved once and the very address that was judged is connected to: whoever owns the name cannot lead HQ into
the retailer's own network, or to this machine. All of one call ends within 10 seconds: whoever answers byte by byte
holds up nobody else.

I/O: sockets, ssl, threads and http.client.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from hq.errors import HookNotTaken, Reason, Refused
from runtime.errors import ConfigError

DEADLINE_S = 10.0  # of all of one call
_MOST_REPLY_BYTES = 64 * 1024
_URL = re.compile(r"https?://(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[!-~]*)?")
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")


def check_url(url: str, *, private: bool) -> str:
    """Passes an address that may be a hook's. `private`: the operator allowed those of the retailer's own network.

    Raises:
        Refused: another form, no HTTPS, or an address within.
    """
    found = _URL.fullmatch(url) if len(url) <= 512 else None
    if found is None or urlsplit(url).username is not None:
        raise Refused(Reason.MALFORMED, "url", "https://NAME/PATH")
    if not url.startswith("https://") and not (private and found[1] in _LOOPBACK):
        raise Refused(Reason.MALFORMED, "url", "https://")
    try:
        literal = ipaddress.ip_address(found[1].strip("[]"))
    except ValueError:
        return url
    if not private and not is_public(literal):
        raise Refused(Reason.MALFORMED, "url", "a public address, or `private = true` in [hooks] of hq.toml")
    return url


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is out in the Internet, also behind the forms in which IPv6 carries one of IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        # All else that is allotted to the Internet lies there: not the translations of a network of one's own
        # (64:ff9b:1::/48), nor the old forms that carry IPv4 (::/96, ::ffff:0:0:0/96), nor site-local ones.
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")


class HttpPost:
    """Posts. `private`: addresses of the retailer's own network are allowed; `ca`: whom to trust, None: the system's;
    `deadline_s`: how long one call may take in all.

    Raises:
        ConfigError: the certificates cannot be read.
    """

    def __init__(self, *, private: bool, ca: Path | None, deadline_s: float = DEADLINE_S) -> None:
        self._private = private
        self._deadline_s = deadline_s
        try:
            self._trust = ssl.create_default_context(cafile=None if ca is None else str(ca))
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(ca or Path("ca"), "", "certificates in PEM are expected") from error

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """One POST.

        Raises:
            HookNotTaken: no answer of 200 to 299.
        """
        parts = urlsplit(url)
        try:
            check_url(url, private=self._private)
            with _Deadline(self._deadline_s) as deadline:
                line = self._connected(deadline, parts.hostname or "", parts.port, is_tls=parts.scheme == "https")
                try:
                    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                    line.request("POST", path, body, {**headers, "user-agent": "consentry-hq"})
                    answer = line.getresponse()
                    answer.read(_MOST_REPLY_BYTES)
                finally:
                    line.close()
                deadline.check()  # what was cut looks like an answer without length that has ended
        except Refused:
            raise HookNotTaken("the address is not allowed", "private_address") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HookNotTaken("the hook did not answer", type(error).__name__) from None
        if not 200 <= answer.status < 300:
            raise HookNotTaken("the hook refused", f"status {answer.status}", gone=answer.status == 410)

    def _connected(
        self, deadline: "_Deadline", host: str, port: int | None, *, is_tls: bool
    ) -> http.client.HTTPConnection:
        number = port or (443 if is_tls else 80)
        address = self._resolved(host, number)
        found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            found.settimeout(self._deadline_s)
            deadline.watch(found)
            found.connect((address, number))
            if is_tls:
                found = self._trust.wrap_socket(found, server_hostname=host, do_handshake_on_connect=False)
                deadline.watch(found)
                found.do_handshake()
        except BaseException:
            found.close()
            raise
        line = http.client.HTTPConnection(host, number, timeout=self._deadline_s)
        line.sock = found
        return line

    def _resolved(self, host: str, port: int) -> str:
        """The address to connect to. Every one that the name has must be allowed: else it is no name to trust."""
        found: list[str] = []

        def ask() -> None:
            with suppress(OSError, UnicodeError):  # no name: nothing is found
                found.extend(str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))

        # The system's resolver takes no deadline; it ends by itself, and nobody waits for it.
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(self._deadline_s)
        if asking.is_alive() or not found:
            raise TimeoutError if asking.is_alive() else OSError
        addresses = [ipaddress.ip_address(one.partition("%")[0]) for one in found]
        if not addresses or (not self._private and not all(map(is_public, addresses))):
            raise Refused(Reason.MALFORMED, "url", "a public address")
        return str(addresses[0])


class _Deadline:
    """Cuts the line that it watches when the time of a call is over, in whichever step it is."""

    def __init__(self, after_s: float) -> None:
        self._timer = threading.Timer(after_s, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def watch(self, line: socket.socket) -> None:
        """From now on this is the line to cut. Raises: TimeoutError."""
        self.check()
        with self._lock:
            self._line = line
            if self._is_over:  # it rang since
                self._shut()

    def check(self) -> None:
        """Passes while there is time. Raises: TimeoutError."""
        if self._is_over:
            raise TimeoutError

    def _cut(self) -> None:
        with self._lock:
            self._is_over = True
            self._shut()

    def _shut(self) -> None:
        if self._line is not None:
            with suppress(OSError):  # closed meanwhile, or not connected yet
                # Not the method of the line itself: one with TLS would go on in the clear until it is shut.
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)
