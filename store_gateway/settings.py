"""The gateway's configuration file as one frozen dataclass.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime import addresses
from runtime.addresses import Address
from runtime.config import Form
from store_gateway.hook_settings import OnHelp
from wire.air import TEST_COMPANY
from wire.receivers import Receiver, check_all

_STORE = Form(pattern=r"[a-z0-9-]{1,40}", words="a store's id of 1 to 40 characters a-z, 0-9 and -")
_PORT = Form(low=1, high=65_535)
_NAME = Form(pattern=r"[A-Za-z0-9.:-]{1,253}", words="a DNS name or an IP address")
_MORE = Form(pattern=addresses.FORM, words=addresses.WORDS)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the MQTT broker is and how it is known. Plain TCP (`tls = false`) is for a demo on loopback only.

    `more_hosts` are the other nodes of a cluster, each HOST or HOST:PORT.
    """

    host: str
    certificate: Path | None  # of this store, PEM
    ca: Path | None  # PEM
    port: Annotated[int, _PORT] = 8883
    tls: bool = True
    more_hosts: tuple[Annotated[str, _MORE], ...] = ()

    def __post_init__(self) -> None:
        if self.tls and (self.ca is None or self.certificate is None):
            raise ValueError("with tls both ca and certificate are expected")
        if not self.tls and not all(one.is_loopback for one in self.addresses):
            raise ValueError("without tls the host must be on loopback")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All nodes; any of them will do. Raises: ValueError."""
        return addresses.all_of(self.host, self.port, self.more_hosts)


@dataclass(frozen=True, slots=True)
class Receivers:
    """The store's own broker, and who speaks on it; this store shows `certificate` with the key that HQ's broker knows.

    `company_id` is that of format F2 in what cheap receivers tell.
    """

    host: str
    ca: Path
    certificate: Path
    sources: tuple[Receiver, ...]
    port: Annotated[int, _PORT] = 8884
    company_id: Annotated[int, Form(low=0, high=0xFFFF)] = TEST_COMPANY

    def __post_init__(self) -> None:
        check_all(self.sources)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The one broker of the store."""
        return (Address(self.host, self.port),)


@dataclass(frozen=True, slots=True)
class Tablets:
    """How tablets call this box: its DNS names and addresses, and the authority (PEM) that signs for them.

    The authority's key is the credential `authority-key`.
    """

    names: tuple[Annotated[str, _NAME], ...]
    authority: Path

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("at least one name is expected in names")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set. Users are names or numeric ids as text; paths are absolute in production."""

    store: Annotated[str, _STORE]
    hq_root_key: Path  # 32 raw bytes, Ed25519 public
    hq_keys: Path  # the key set, signed by that root
    broker: Broker
    credentials_dir: Path | None  # None: the one that systemd names
    state_dir: Path = Path("/var/lib/consentry-gateway")
    runtime_dir: Path = Path("/run/consentry-gateway")
    edge_users: tuple[str, ...] = ("consentry-edge",)
    tablet_users: tuple[str, ...] = ("consentry-tablets",)
    operator_users: tuple[str, ...] = ("root",)
    probe_users: tuple[str, ...] = ()
    receivers: Receivers | None = None
    on_help: OnHelp | None = None
    tablets: Tablets | None = None
