"""Who is told that help waits: the table `on_help` of the gateway's configuration.

Pure: no I/O, no clock.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime.addresses import Address
from runtime.config import Form
from wire import synthetic

_URL = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?(/[!-~]*)?")
_URL_FORM = Form(pattern=_URL.pattern, words="an address such as https://bells.example.com/help")
_TOPIC = Form(pattern=r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,7}", words="a topic such as store/help, without # and +")
_INSIDE = (".local", ".lan", ".home.arpa", ".internal")  # names that only a store's own network knows


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that gets a signed POST. `ca` None: the authorities that the system trusts.

    Plain HTTP is for an address in the store's own network: whoever listens there reads that help waits, and no more.
    """

    url: Annotated[str, _URL_FORM]
    ca: Path | None

    def __post_init__(self) -> None:
        found = _URL.fullmatch(self.url)
        if found is not None and found["scheme"] == "http" and not _is_inside(found["host"].strip("[]")):
            raise ValueError("http:// is for an address in the store's own network; elsewhere https:// is expected")
        if found is not None and not 0 < int(found["port"] or 443) <= 65_535:
            raise ValueError("a port from 1 to 65535 is expected in url")


@dataclass(frozen=True, slots=True)
class HelpBroker:
    """An MQTT broker in the store, and the topic below which is told. Plain TCP is for one on loopback only.

    The gateway is known there by `certificate` (its key is the credential `broker-key`) or by `login` (its password
    is the credential `help-broker-password`). With `retain` each zone's state is kept by the broker.
    """

    host: str
    ca: Path | None
    certificate: Path | None
    login: Annotated[str, Form(pattern=r"[!-~]{1,64}", words="a name of 1 to 64 characters")] | None
    topic: Annotated[str, _TOPIC] = "consentry/help"
    port: Annotated[int, Form(low=1, high=65_535)] = 8883
    retain: bool = True
    tls: bool = True

    def __post_init__(self) -> None:
        if self.tls and self.ca is None:
            raise ValueError("with tls ca is expected")
        if not self.tls and not all(one.is_loopback for one in self.addresses):
            raise ValueError("without tls the host must be on loopback")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The one broker."""
        return (Address(self.host, self.port),)


@dataclass(frozen=True, slots=True)
class OnHelp:
    """Whom a call for help rings. `role`: the staff role whose roster is told of, and no other call."""

    webhook: Webhook | None
    mqtt: HelpBroker | None
    role: Annotated[str, Form(pattern=r".{1,64}", words="the id of a role of the policy")] = "associate"

    def __post_init__(self) -> None:
        if self.webhook is None and self.mqtt is None:
            raise ValueError("at least one of webhook and mqtt is expected")
        if self.role == synthetic.ROLE:
            raise ValueError("the role of a person is expected: that one is the synthetic member's")


def _is_inside(host: str) -> bool:
    try:
        return is_inside(host)
    except ValueError:
        return host == "localhost" or host.lower().endswith(_INSIDE)


def is_inside(address: str) -> bool:
    """Whether an IP address is of a network of one's own. Raises: ValueError, where it is none."""
    found = ipaddress.ip_address(address)
    return found.is_private or found.is_loopback or found.is_link_local
