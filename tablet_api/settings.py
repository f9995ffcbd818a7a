"""The configuration of the tablet API, `tablets.toml`.

Pure: no I/O, no clock.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime.config import Form


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, and where the gateway is.

    listen: the address to listen on.
    port: the TCP port.
    gateway_socket: the gateway's Unix stream socket for tablets.
    certificate: the PEM chain for TLS, the store's own first; its key is the credential `tls-key`.
    credentials_dir: where the credential is, if systemd does not say.
    trust_port: the TCP port of the page by which tablets come to trust this box, over plain HTTP.
    demo_http: plain HTTP with plain cookies and a link that signs a browser in; on loopback only.
    """

    listen: Annotated[str, Form(words="an IP address")] = "0.0.0.0"
    port: Annotated[int, Form(low=0, high=65535)] = 8443
    gateway_socket: Path = Path("/run/consentry-gateway/tablets.sock")
    certificate: Path | None = None
    credentials_dir: Path | None = None
    trust_port: Annotated[int, Form(low=0, high=65535)] | None = None
    demo_http: bool = False

    def __post_init__(self) -> None:
        try:
            address = ipaddress.ip_address(self.listen)
        except ValueError as error:
            raise ValueError("listen: an IP address is expected") from error
        if self.demo_http and not address.is_loopback:
            raise ValueError("demo_http: only with listen on a loopback address, such as 127.0.0.1")
        if not self.demo_http and self.certificate is None:
            raise ValueError("certificate is missing: the path of a PEM chain is expected")
