"""What an operator can set of HQ: the form of `hq.toml`.

Pure: no I/O, no clock.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from hq.web_settings import MailServer, Web
from runtime import addresses
from runtime.addresses import Address
from runtime.config import Form

DEFAULT_CONFIG = Path("/etc/consentry/hq.toml")
_MORE = Form(pattern=addresses.FORM, words=addresses.WORDS)
_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[!-~]*)?")
_DOMAIN = Form(
    pattern=r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+",
    words="a DNS name in lower case",
)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Broker:
    """How the MQTT broker is reached. Plain TCP (`tls = false`) is for the demo on loopback only.

    `more_hosts` are the other nodes of a cluster, each HOST or HOST:PORT.
    """

    host: str
    port: Annotated[int, Form(low=1, high=65_535)] = 8883
    tls: bool = True
    ca: Path | None = None
    certificate: Path | None = None  # its private key is the credential `broker-key`
    more_hosts: tuple[Annotated[str, _MORE], ...] = ()

    def __post_init__(self) -> None:
        if self.tls and (self.ca is None or self.certificate is None):
            raise ValueError("ca and certificate are expected where tls is true")
        if not self.tls and not all(one.is_loopback for one in self.addresses):
            raise ValueError("tls = false is for a broker on loopback only")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All nodes; any of them will do. Raises: ValueError."""
        return addresses.all_of(self.host, self.port, self.more_hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail(MailServer):
    """Where alarms are mailed."""

    recipients: tuple[str, ...]

    def __post_init__(self) -> None:
        MailServer.__post_init__(self)
        if not self.recipients:
            raise ValueError("at least one address is expected in recipients")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alarms are posted as JSON. With `authorized` the credential `webhook-token` is sent as a bearer token."""

    url: Annotated[str, Form(pattern=_ADDRESS.pattern, words="an https:// address")]
    authorized: bool = False
    ca: Path | None = None  # None: those that the system trusts

    def __post_init__(self) -> None:
        found = _ADDRESS.fullmatch(self.url)
        if found is not None and found["scheme"] != "https" and found["host"].strip("[]") not in _LOOPBACK:
            raise ValueError("http:// is for an address on loopback only")


@dataclass(frozen=True, slots=True)
class Alarms:
    """Who is told when something is wrong. Without mail and webhook alarms stand in the log and in the list only."""

    mail: Mail | None = None
    webhook: Webhook | None = None
    synthetic_every_s: Annotated[int, Form(low=30, high=3600)] = 3600  # between two test grants at a store


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the certificates come from that stores show to their tablets; without any, from operators by hand.

    A store without a name of its own is called STORE.`domain`. `folder` holds STORE/fullchain.pem and privkey.pem;
    `hook` is a program that leaves them where it is told.
    """

    domain: Annotated[str, _DOMAIN] | None = None
    folder: Path | None = None
    hook: Path | None = None
    hook_timeout_s: Annotated[int, Form(low=1, high=3600)] = 300

    def __post_init__(self) -> None:
        if self.folder is not None and self.hook is not None:
            raise ValueError("either folder or hook is expected, not both")


@dataclass(frozen=True, slots=True)
class Hooks:
    """How other systems are called (`consentry-hq hook`). `private`: also at addresses that are not public."""

    private: bool = False
    ca: Path | None = None  # None: those that the system trusts


@dataclass(frozen=True, slots=True)
class Settings:
    """`hq.toml`. `database` is an SQLAlchemy URL; `keys` the root-signed key set."""

    database: str
    keys: Path
    broker: Broker
    credentials_dir: Path | None = None
    alarms: Alarms = field(default_factory=Alarms)
    certificates: Certificates = field(default_factory=Certificates)
    hooks: Hooks = field(default_factory=Hooks)
    web: Web | None = None  # of `consentry-hq web` alone
