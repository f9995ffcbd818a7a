"""The gateway's end of the edge's socket: what the edge said, read as the gateway reads it.

I/O: a Unix datagram socket, by asyncio.
"""

import asyncio
import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wire.sighting import Batch, Health, decode


@dataclass(frozen=True, slots=True)
class Told:
    """A health message and when it came, seconds of the boot clock."""

    at_s: float
    health: Health


class Listener:
    """Everything that the edge sent: sightings by node and token, health by node."""

    def __init__(self, path: Path, boot_s: Callable[[], float]) -> None:
        self._boot_s = boot_s
        self.heard: dict[str, dict[bytes, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.health: dict[str, list[Told]] = defaultdict(list)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(str(path))
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self) -> None:
        while True:
            try:
                datagram = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            match decode(datagram):
                case Batch(node, sightings):
                    for sighting in sightings:
                        self.heard[node][sighting.token].append(sighting.last_ms / 1000)
                case Health() as health:
                    self.health[health.node].append(Told(self._boot_s(), health))

    def last_advert_s(self, node: str) -> float:
        """When the radio of a node last heard anybody, as far as its edge has told."""
        told = self.health[node]
        return told[-1].health.last_advert_ms / 1000 if told else 0.0

    def told_between(self, node: str, from_s: float, to_s: float) -> list[Health]:
        """What was said of a node's health in a span of time."""
        return [told.health for told in self.health[node] if from_s <= told.at_s <= to_s]
