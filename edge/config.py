"""What an operator may set for an edge.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime.config import Form
from wire.air import TEST_COMPANY
from wire.receivers import NODE_FORM

_ADDRESS = r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"


@dataclass(frozen=True, slots=True)
class RadioConfig:
    """The keys of one `[[radios]]` table.

    `node` names this radio to the gateway, which places it in a zone; `adapter` is the address of the radio to use.
    Where there is one radio only it may be left out, for the first that is powered (or, if none is, the first, which
    is then powered on).
    """

    node: Annotated[str, Form(words="1 to 40 characters a-z, 0-9 and -", pattern=r"[a-z0-9-]{1,40}")]
    adapter: Annotated[str, Form(words="an address like 00:1A:7D:DA:71:13", pattern=_ADDRESS)] | None = None


@dataclass(frozen=True, slots=True)
class SatelliteConfig:
    """The keys of the table `[satellite]`: this box is not the gateway's, and sends over the store's MQTT.

    `host` and `port` are the store's broker, `ca` its authority, `certificate` this satellite's (its key is the
    credential `satellite-key`), `store` the store's id, `name` the satellite's.
    """

    host: str
    store: Annotated[str, Form(words="1 to 40 characters a-z, 0-9 and -", pattern=NODE_FORM)]
    name: Annotated[str, Form(words="1 to 40 characters a-z, 0-9 and -", pattern=NODE_FORM)]
    ca: Path
    certificate: Path
    credentials_dir: Path | None
    port: Annotated[int, Form(low=1, high=65_535)] = 8884


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The keys of an edge's TOML file.

    `radios` are those of this box, each a node of its own; `gateway_socket` is the gateway's datagram socket;
    `company_id` that of format F2. With `satellite` everything goes over the store's MQTT instead.
    """

    radios: Annotated[tuple[RadioConfig, ...], Form(words="a [[radios]] table with `node` for each radio")]
    gateway_socket: Path = Path("/run/consentry-gateway/sightings.sock")
    company_id: Annotated[int, Form(low=0, high=0xFFFF)] = TEST_COMPANY
    satellite: SatelliteConfig | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError, where the radios cannot be told apart."""
        if not self.radios:
            raise ValueError("radios: at least one [[radios]] table is expected")
        if len(self.radios) > 1:
            for n, radio in enumerate(self.radios):
                if radio.adapter is None:
                    raise ValueError(f"radios[{n}].adapter: is missing: with several radios each is named by address")
        if (again := _repeated(radio.node for radio in self.radios)) is not None:
            raise ValueError(f"radios[{again}].node: is taken by a radio above; each is a node of its own")
        if (again := _repeated((radio.adapter or "").upper() for radio in self.radios)) is not None:
            raise ValueError(f"radios[{again}].adapter: is taken by a radio above; each has its own address")


def _repeated(names: Iterable[str]) -> int | None:
    """The place of the first name that came before, None where all are different."""
    seen: set[str] = set()
    for n, name in enumerate(names):
        if name in seen:
            return n
        seen.add(name)
    return None
