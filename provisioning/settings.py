"""What an operator may choose for HQ and for each store, as it stands in the folder's `settings.toml` files.

Pure: no I/O, no clock.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from provisioning import toml

STORE_FORM: Final = "1 to 40 characters a-z, 0-9 and -"
_STORE: Final = re.compile(r"[a-z0-9-]{1,40}")
RADIO_FORM: Final = f"NODE or NODE=ADDRESS: {STORE_FORM}, and an address like 00:1A:7D:DA:71:13"
_RADIO: Final = re.compile(rf"{_STORE.pattern}(=([0-9A-Fa-f]{{2}}:){{5}}[0-9A-Fa-f]{{2}})?")
_DNS: Final = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
HOST_FORM: Final = "a DNS name or an IP address"


@dataclass(frozen=True, slots=True)
class HqSettings:
    """HQ and its broker.

    `broker_names` are further names and addresses of the broker in its certificate. `broker_tls` is only false in a
    demo, on loopback, whose broker speaks no TLS. With `in_place` everything runs from the folder itself, without
    systemd and its credentials: for a test or a demo, where `state_dir` (default: in the folder) is where HQ keeps its
    database, and `unix_user` runs all (named to the gateway as the peer on its sockets, and to mosquitto).
    """

    broker_host: str
    broker_port: int = 8883
    broker_listen: str = "0.0.0.0"  # stores call from elsewhere; certificates decide who may
    broker_names: tuple[str, ...] = ()
    broker_tls: bool = True
    database: str | None = None
    state_dir: Path | None = None
    in_place: bool = False
    unix_user: str | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError, where a name is none."""
        for name in (self.broker_host, *self.broker_names):
            _check_host("broker", name)
        _check_port(self.broker_port)
        if not self.broker_tls and self.broker_host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("without TLS the broker is on loopback")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """One store's box.

    `radios` are those of the box itself, each "NODE" or "NODE=ADDRESS"; with several each has its address.
    `tablet_names` are the names and addresses by which tablets call it (they stand in its certificate). With HQ's
    `in_place`, `state_dir` and `runtime_dir` say where state and sockets are (default: in the folder).
    """

    radios: tuple[str, ...] = ("edge-1",)
    company_id: int | None = None
    tablet_names: tuple[str, ...] = ()
    tablet_listen: str = "0.0.0.0"  # tablets call from the store's network
    tablet_port: int = 8443
    demo_http: bool = False
    state_dir: Path | None = None
    runtime_dir: Path | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError, where a name is none."""
        for name in self.tablet_names:
            _check_host("tablet", name)
        _check_port(self.tablet_port)
        for radio in self.radios:
            if _RADIO.fullmatch(radio) is None:
                raise ValueError(f"a radio is {RADIO_FORM}")
        nodes, addresses = zip(*(split_radio(one) for one in self.radios), strict=True)
        known = [one for one in addresses if one is not None]
        if len(self.radios) > 1 and len(known) < len(self.radios):
            raise ValueError("with several radios each has its address: NODE=ADDRESS")
        if len(set(nodes)) < len(nodes) or len({one.upper() for one in known}) < len(known):
            raise ValueError("every radio has a name and an address of its own")
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


def split_radio(radio: str) -> tuple[str, str | None]:
    """The node and the address of "NODE=ADDRESS"; without an address None."""
    node, _, address = radio.partition("=")
    return node, address or None


def check_store(store: str) -> None:
    """Raises: ValueError, where `store` is not the id of a store."""
    if _STORE.fullmatch(store) is None:
        raise ValueError(f"a store's id is {STORE_FORM}")


def text(settings: HqSettings | StoreSettings) -> bytes:
    """The settings as TOML; what was not chosen is left out."""
    table: dict[str, toml.Scalar | tuple[str, ...] | None] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
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
