"""Which names a certificate has, and whether a request's Host is one of them.

A page of another site that makes its own name point to the box (DNS rebinding) would ask by that name. A browser
refuses it the connection, since the certificate is for another; here it is refused again.

I/O: none but `ssl` shaking hands with itself in memory; no clock.
"""

import ipaddress
import re
import ssl
from typing import Any, Final

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Za-z.-]{1,253}))(?::[0-9]{1,5})?")
_KINDS: Final = frozenset({"DNS", "IP Address"})
_TURNS: Final = 8  # of a handshake in memory: TLS 1.2 takes four


def host_of(header: str) -> str | None:
    """The name or address in a Host header (RFC 9110 7.2), lower case, without brackets and port; None: it is none."""
    found = _HOST.fullmatch(header)
    if found is None:
        return None
    if found[1] is None:
        return found[2].lower().removesuffix(".")
    try:
        return str(ipaddress.IPv6Address(found[1]))
    except ValueError:
        return None


def fits(host: str, names: frozenset[str]) -> bool:
    """Whether the certificate is for this name; a `*` stands for one whole first label (RFC 9525 6.3)."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def of_context(context: ssl.SSLContext) -> frozenset[str]:
    """The DNS names and addresses of the certificate that a server with this context shows; empty where it has none.

    Raises:
        ssl.SSLError: the context serves nobody, or its certificate's time is over.
    """
    shown = _met(context, None).getpeercert(True) or b""
    certificate: Any = _met(context, ssl.DER_cert_to_PEM_cert(shown)).getpeercert() or {}
    return frozenset(_canonical(*one) for one in certificate.get("subjectAltName", ()) if one[0] in _KINDS)


def _canonical(kind: str, name: str) -> str:
    return name.lower() if kind == "DNS" else str(ipaddress.ip_address(name.strip()))


def _met(context: ssl.SSLContext, trusted: str | None) -> ssl.SSLObject:
    """A client's end of a handshake with this context, in memory; `ssl` reads a certificate only once it is trusted."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.check_hostname = False
    if trusted is None:
        ours.verify_mode = ssl.CERT_NONE
    else:
        ours.load_verify_locations(cadata=trusted)
        ours.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = ours.wrap_bio(to_client, to_server)
    far = context.wrap_bio(to_server, to_client, server_side=True)
    ended = [False, False]
    for _ in range(_TURNS):
        for at, end in enumerate((near, far)):
            try:
                if not ended[at]:
                    end.do_handshake()
                ended[at] = True
            except ssl.SSLWantReadError:
                continue
        if all(ended):
            return near
    raise ssl.SSLError("no handshake in memory")
