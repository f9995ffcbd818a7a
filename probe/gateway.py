"""The probe's two ways to the gateway: what it asks and tells, and what its receiver hears.

I/O: the gateway's Unix sockets.
"""

import contextlib
import socket
from pathlib import Path

from probe.errors import Reason, Unseen
from wire import query, sighting, synthetic
from wire.errors import WireError
from wire.query import Accepted, ProbeKit, Seen
from wire.token import SLOT_S, Kind, day_key, day_of_slot, token

_ANSWER_S = 5.0
_RSSI_DBM = 0  # beside the receiver: no policy asks for more


class Gateway:
    """See the module; `folder` holds the sockets."""

    def __init__(self, folder: Path) -> None:
        self._door = folder / "probe.sock"
        self._sightings = folder / "sightings.sock"

    def kit(self) -> ProbeKit:
        """What the probe needs, with a new pairing code.

        Raises:
            Unseen: no answer, or not yet.
        """
        reply = self._ask(query.AskProbe())
        if not isinstance(reply, ProbeKit):
            raise Unseen(Reason.NOT_YET)
        return reply

    def tell(self, seen: Seen) -> bool:
        """Whether the gateway took it; what is not taken is told again."""
        try:
            return isinstance(self._ask(query.TellProbe(seen)), Accepted)
        except Unseen:
            return False

    def heard(self, secret: bytes, now_ms: int, boot_ms: int) -> None:
        """The phone with this presence secret was heard now. What cannot be sent is lost, as an edge's would be."""
        slot = now_ms // (SLOT_S * 1000)
        own = token(day_key(secret, day_of_slot(slot)), Kind.PRESENCE, slot)
        row = sighting.Sighting(synthetic.NODE, own, _RSSI_DBM, 1, boot_ms, boot_ms)
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line,
        ):
            line.setblocking(False)
            for datagram in sighting.encode_batch(synthetic.NODE, [row]):
                line.sendto(datagram, str(self._sightings))

    def _ask(self, request: query.Request) -> query.Reply:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(_ANSWER_S)
                line.connect(str(self._door))
                line.sendall(query.frame(1, request))
                size = query.length(_exactly(line, query.LENGTH_BYTES))
                return query.read_reply(_exactly(line, size))[1]
        except (OSError, EOFError, WireError):
            raise Unseen(Reason.NO_GATEWAY) from None


def _exactly(line: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = line.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return bytes(received)
