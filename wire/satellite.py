"""What a satellite says over the store's MQTT: datagrams of an edge, numbered, each with when it was sent.

One frame a message, QoS 0. `session` is random and new at each start; `number` counts every datagram that the satellite
had to send, those too that it could not, so that what is missing can be counted; `sent_ms` lets the gateway find those
that come late, though the two boxes' clocks know nothing of each other.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass, field
from typing import Annotated, Final

from wire import schema
from wire.errors import Reason, WireError
from wire.schema import Range, Size, exactly
from wire.sighting import DATAGRAM_BYTES

SESSION_BYTES: Final = 16
NUMBER_MAX: Final = 2**53
FRAME_BYTES: Final = DATAGRAM_BYTES + 64


@dataclass(frozen=True, slots=True)
class SatelliteFrame:
    """One datagram (see `wire.sighting`) on its way; `sent_ms` is boot-clock milliseconds of the satellite."""

    ROW = True
    session: Annotated[bytes, exactly(SESSION_BYTES)]
    number: Annotated[int, Range(1, NUMBER_MAX)]
    sent_ms: Annotated[int, Range(0, NUMBER_MAX)]
    datagram: Annotated[bytes, Size(1, DATAGRAM_BYTES)] = field(repr=False)


def encode(frame: SatelliteFrame) -> bytes:
    """The payload of one message, at most `FRAME_BYTES`.

    Raises: WireError where a part is out of its range.
    """
    return schema.encode(frame)


def decode(payload: bytes) -> SatelliteFrame:
    """The frame; its datagram is not read yet.

    Raises: WireError for anything that `encode` would not have made.
    """
    if len(payload) > FRAME_BYTES:
        raise WireError(Reason.SIZE, f"at most {FRAME_BYTES} bytes")
    return schema.decode(SatelliteFrame, payload)
