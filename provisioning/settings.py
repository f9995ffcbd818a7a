"""What an operator may choose for HQ and for each store, as it stands in the folder's `settings.toml` files.

Pure: no I/O, no clock.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from provisioning import toml
from runtime import addresses
from wire.receivers import Receiver, ReceiverKind, check_all

STORE_FORM: Final = "1 to 40 characters a-z, 0-9 and -"
_STORE: Final = re.compile(r"[a-z0-9-]{1,40}")
RADIO_FORM: Final = f"NODE or NODE=ADDRESS: {STORE_FORM}, and an address like 00:1A:7D:DA:71:13"
_RADIO: Final = re.compile(rf"{_STORE.pattern}(=([0-9A-Fa-f]{{2}}:){{5}}[0-9A-Fa-f]{{2}})?")
_DNS: Final = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_WEB: Final = re.compile(r"https://[a-z0-9.-]+(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
HOST_FORM: Final = "a DNS name or an IP address"


@dataclass(frozen=True, slots=True)
class HqSettings:
    """HQ and its broker.

    `broker_names` are further names and addresses of the broker in its certificate; `broker_more_hosts` the other
    nodes where it is a cluster, each HOST or HOST:PORT, which stores and HQ try in turn. `broker_tls` is only false in
    a demo, on loopback, whose broker speaks no TLS. With `in_place` everything runs from the folder itself, without
    systemd and its credentials: for a test or a demo, where `state_dir` (default: in the folder) is where HQ keeps its
    database, and `unix_user` runs all (named to the gateway as the peer on its sockets, and to mosquitto).
    `web_url` is how phones reach HQ's web; with it `hq.toml` has its table. `web_certificate` is a chain of a public
    authority on HQ's machine; without it HQ's web listens on loopback, behind a proxy.
    """

    broker_host: str
    broker_port: int = 8883
    broker_listen: str = "0.0.0.0"  # stores call from elsewhere; certificates decide who may
    broker_names: tuple[str, ...] = ()
    broker_more_hosts: tuple[str, ...] = ()
    broker_tls: bool = True
    database: str | None = None
    web_url: str | None = None
    web_name: str = ""
    web_port: int = 8444
    web_certificate: Path | None = None
    state_dir: Path | None = None
    in_place: bool = False
    unix_user: str | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError, where a name is none."""
        for name in (*self.node_names, *self.broker_names):
            _check_host("broker", name)
        _check_port(self.broker_port)
        _check_port(self.web_port)
        if self.web_url is not None and not _WEB.fullmatch(self.web_url):
            raise ValueError("web-url: https://NAME or https://NAME:PORT")
        if not self.broker_tls and self.broker_host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("without TLS the broker is on loopback")

    @property
    def node_names(self) -> tuple[str, ...]:
        """The host of the broker, or of each node. Raises: ValueError."""
        found = addresses.all_of(self.broker_host, self.broker_port, self.broker_more_hosts)
        return tuple(dict.fromkeys(one.host for one in found))


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """A satellite or a cheap receiver of a store.

    `radios` are as the store's own; a cheap receiver has one, without an address.
    """

    kind: ReceiverKind
    name: str
    radios: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises: ValueError, where it cannot be."""
        _check_radios(self.radios)
        if self.kind is not ReceiverKind.SATELLITE and "=" in "".join(self.radios):
            raise ValueError("the radio of a receiver that is no satellite is named without an address")
        self.receiver()

    def receiver(self) -> Receiver:
        """What the gateway has to know of it."""
        return Receiver(self.kind, self.name, tuple(split_radio(one)[0] for one in self.radios))


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """One store's box.

    `radios` are those of the box itself, each "NODE" or "NODE=ADDRESS"; with several each has its address.
    `tablet_names` are the names and addresses by which tablets call it (they stand in its certificate). With HQ's
    `in_place`, `state_dir` and `runtime_dir` say where state and sockets are (default: in the folder). `receivers` are
    its satellites and cheap receivers: with any, the box gets a broker of its own, with one port for certificates and
    one for cheap receivers' passwords. `on_help_…` say what rings when help waits; empty: nothing does.
    """

    radios: tuple[str, ...] = ("edge-1",)
    company_id: int | None = None
    tablet_names: tuple[str, ...] = ()
    tablet_listen: str = "0.0.0.0"  # tablets call from the store's network
    tablet_port: int = 8443
    demo_http: bool = False
    state_dir: Path | None = None
    runtime_dir: Path | None = None
    receivers: tuple[ReceiverSettings, ...] = ()
    receivers_listen: str = "0.0.0.0"  # satellites call from the store's network
    receivers_port: int = 8884
    passwords_port: int = 8885
    on_help_role: str = "associate"
    on_help_webhook: str = ""
    on_help_broker: str = ""
    on_help_ca: Path | None = None
    on_help_login: str | None = None
    on_help_topic: str | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError, where a name is none."""
        if self.on_help_webhook and not self.on_help_webhook.startswith(("http://", "https://")):
            raise ValueError("a webhook is an http:// or https:// address")
        if self.on_help_broker:
            addresses.all_of("", 8883, (self.on_help_broker,))
            if self.on_help_ca is None:
                raise ValueError("a broker for bells needs on-help-ca, the authority of its certificate")
        for name in self.tablet_names:
            _check_host("tablet", name)
        for port in (self.tablet_port, self.receivers_port, self.passwords_port):
            _check_port(port)
        _check_radios(self.radios)
        there = [one.receiver() for one in self.receivers]
        check_all(there)
        own = {split_radio(one)[0] for one in self.radios}
        if own & {node for one in there for node in one.nodes}:
            raise ValueError("a node belongs to the box's own radio or to one receiver")
        if self.company_id is not None and not 0 <= self.company_id <= 0xFFFF:
            raise ValueError("a company id is a number from 0 to 0xFFFF")


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate whose time was ended by hand: its serial number, whose it was, and its key's fingerprint."""

    serial: str
    owner: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RevokedList:
    """The file `authority/revoked.toml`."""

    revoked: tuple[Revoked, ...] = ()


@dataclass(frozen=True, slots=True)
class Estate:
    """All that one folder provides for: HQ, its stores by id, and what was revoked."""

    hq: HqSettings
    stores: Mapping[str, StoreSettings] = field(default_factory=dict)
    revoked: tuple[Revoked, ...] = ()

    def __post_init__(self) -> None:
        """Raises: ValueError, where a store's id is none."""
        for store in self.stores:
            check_store(store)


def _check_radios(radios: tuple[str, ...]) -> None:
    for radio in radios:
        if _RADIO.fullmatch(radio) is None:
            raise ValueError(f"a radio is {RADIO_FORM}")
    if not radios:
        raise ValueError("at least one radio is needed")
    nodes, addresses = zip(*(split_radio(one) for one in radios), strict=True)
    known = [one for one in addresses if one is not None]
    if len(radios) > 1 and len(known) < len(radios):
        raise ValueError("with several radios each has its address: NODE=ADDRESS")
    if len(set(nodes)) < len(nodes) or len({one.upper() for one in known}) < len(known):
        raise ValueError("every radio has a name and an address of its own")


def split_radio(radio: str) -> tuple[str, str | None]:
    """The node and the address of "NODE=ADDRESS"; without an address None."""
    node, _, address = radio.partition("=")
    return node, address or None


def tablet_names(store: str, chosen: StoreSettings) -> tuple[str, ...]:
    """The names by which tablets and satellites call a store's box: those chosen, then the one that needs no DNS."""
    return tuple(dict.fromkeys((*chosen.tablet_names, local_name(store))))


def local_name(store: str) -> str:
    """A box's name by mDNS, which no issuer but the store's own authority signs."""
    return f"{store}.local"


def check_store(store: str) -> None:
    """Raises: ValueError, where `store` is not the id of a store."""
    if _STORE.fullmatch(store) is None:
        raise ValueError(f"a store's id is {STORE_FORM}")


def text(settings: HqSettings | StoreSettings) -> bytes:
    """The settings as TOML; what was not chosen is left out."""
    table: dict[str, Any] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if one.name == "receivers":
            value = [{"kind": each.kind.value, "name": each.name, "radios": each.radios} for each in value] or None
        table[one.name] = str(value) if isinstance(value, Path) else value
    return toml.dumps(table, "Written by consentry-provision; change it by its options.").encode()


def revoked_text(revoked: tuple[Revoked, ...]) -> bytes:
    """The list of revocations as TOML."""
    rows = [
        "\n[[revoked]]\n" + toml.dumps({one.name: getattr(row, one.name) for one in fields(row)}) for row in revoked
    ]
    comment = "# Written by consentry-provision. Certificates that are refused before their time.\n"
    return (comment + "".join(rows)).encode()


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise ValueError("a port is a number from 1 to 65535")


def _check_host(whose: str, name: str) -> None:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if _DNS.fullmatch(name) is None:
            raise ValueError(f"a {whose} name is {HOST_FORM}") from None
