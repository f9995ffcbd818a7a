"""What an operator can set of HQ: the form of `hq.toml`.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime.config import Form

DEFAULT_CONFIG = Path("/etc/consentry/hq.toml")


@dataclass(frozen=True, slots=True)
class Broker:
    """How the MQTT broker is reached. Plain TCP (`tls = false`) is for the demo on loopback only."""

    host: str
    port: Annotated[int, Form(low=1, high=65_535)] = 8883
    tls: bool = True
    ca: Path | None = None
    certificate: Path | None = None  # its private key is the credential `broker-key`

    def __post_init__(self) -> None:
        if self.tls and (self.ca is None or self.certificate is None):
            raise ValueError("ca and certificate are expected where tls is true")
        if not self.tls and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("tls = false is for a broker on loopback only")


@dataclass(frozen=True, slots=True)
class Settings:
    """`hq.toml`. `database` is an SQLAlchemy URL; `keys` the root-signed key set."""

    database: str
    keys: Path
    broker: Broker
    credentials_dir: Path | None = None
