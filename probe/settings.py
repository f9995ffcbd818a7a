"""What an operator can set of the probe: the form of `probe.toml`.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime.config import Form

DEFAULT_CONFIG = Path("/etc/consentry/probe.toml")


@dataclass(frozen=True, slots=True)
class Settings:
    """`probe.toml`. `name` is how tablets call the box, `host` and `port` where the tablet API listens.

    `ca`: the authority of the box's certificate. Without it there is no TLS, on loopback only.
    """

    name: str = "localhost"
    host: str = "127.0.0.1"
    port: Annotated[int, Form(low=1, high=65_535)] = 8443
    ca: Path | None = None
    gateway_dir: Path = Path("/run/consentry-gateway")

    def __post_init__(self) -> None:
        if self.ca is None and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("ca is expected where the host is not on loopback")
