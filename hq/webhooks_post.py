"""Posts a message to a hook: HTTPS to a public address, with a certificate that is trusted, and no redirection.

A name is resolved once and the very address that was judged is connected to: whoever owns the name cannot lead HQ into
the retailer's own network, or to this machine.

I/O: sockets, ssl and http.client.
"""

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from hq.errors import HookNotTaken, Reason, Refused
from runtime.errors import ConfigError

_TIMEOUT_S = 10.0  # of each step of a conversation
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
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class HttpPost:
    """Posts. `private`: addresses of the retailer's own network are allowed; `ca`: whom to trust, None: the system's.

    Raises:
        ConfigError: the certificates cannot be read.
    """

    def __init__(self, *, private: bool, ca: Path | None) -> None:
        self._private = private
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
            line = self._connected(parts.hostname or "", parts.port, is_tls=parts.scheme == "https")
            try:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                line.request("POST", path, body, {**headers, "user-agent": "consentry-hq"})
                answer = line.getresponse()
                answer.read(_MOST_REPLY_BYTES)
            finally:
                line.close()
        except Refused:
            raise HookNotTaken("the address is not allowed", "private_address") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HookNotTaken("the hook did not answer", type(error).__name__) from None
        if not 200 <= answer.status < 300:
            raise HookNotTaken("the hook refused", f"status {answer.status}", gone=answer.status == 410)

    def _connected(self, host: str, port: int | None, *, is_tls: bool) -> http.client.HTTPConnection:
        number = port or (443 if is_tls else 80)
        plain = socket.create_connection((self._resolved(host, number), number), timeout=_TIMEOUT_S)
        line = http.client.HTTPConnection(host, number, timeout=_TIMEOUT_S)
        try:
            line.sock = self._trust.wrap_socket(plain, server_hostname=host) if is_tls else plain
        except BaseException:
            plain.close()
            raise
        return line

    def _resolved(self, host: str, port: int) -> str:
        """The address to connect to. Every one that the name has must be allowed: else it is no name to trust."""
        found = [row[4][0] for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        addresses = [ipaddress.ip_address(str(one).partition("%")[0]) for one in found]
        if not addresses or (not self._private and not all(map(is_public, addresses))):
            raise Refused(Reason.MALFORMED, "url", "a public address")
        return str(addresses[0])
