"""What an operator may set for an edge.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime.config import Form
from wire.air import TEST_COMPANY

_ADDRESS = r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The keys of an edge's TOML file.

    `node` names this radio to the gateway, which places it in a zone; `gateway_socket` is the gateway's datagram
    socket; `company_id` that of format F2; `adapter` the address of the radio to use, or else the first that is
    powered (or, if none is, the first, which is then powered on).
    """

    node: Annotated[str, Form(words="1 to 40 characters a-z, 0-9 and -", pattern=r"[a-z0-9-]{1,40}")]
    gateway_socket: Path = Path("/run/consentry-gateway/sightings.sock")
    company_id: Annotated[int, Form(low=0, high=0xFFFF)] = TEST_COMPANY
    adapter: Annotated[str, Form(words="an address like 00:1A:7D:DA:71:13", pattern=_ADDRESS)] | None = None
