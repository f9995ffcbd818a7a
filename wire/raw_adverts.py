"""What OpenMQTTGateway and Theengs Gateway say of an advert: JSON to candidate tokens and a signal.

Both publish one object an advert, below `home/NAME/BTtoMQTT` (their documentation: OpenMQTTGateway `docs/use/ble.md`,
`pubadvdata`; Theengs Gateway `docs/use/use.md`, `--publish_advdata`). Of it are read:

    rssi              the signal in dBm
    manufacturerdata  hex: the company id, little endian, then its value (the first such structure of the advert)
    uuid              hex: what their decoder took out of an iBeacon, where `manufacturerdata` is not published

Neither publishes lists of service UUIDs, so F3 cannot be heard through them, and neither reads a characteristic for us,
so F4 cannot either. Addresses, names and all else are not looked at.

Pure: no I/O, no clock.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from wire.air import TOKEN_BYTES, candidates_of_properties
from wire.errors import Reason, WireError
from wire.sighting import RSSI_MAX_DBM, RSSI_MIN_DBM

ADVERT_BYTES: Final = 4096  # a decoded advert with all its extra fields has less than 1 KiB
_HEX_MOST: Final = 512  # the longest extended advertisement
_BEACON: Final = "IBEACON"  # their decoder's `model_id`


@dataclass(frozen=True, slots=True)
class RawAdvert:
    """One advert: candidate tokens of 16 bytes, each once, and the signal, None where not known."""

    tokens: tuple[bytes, ...] = field(repr=False)
    rssi_dbm: int | None


def read(payload: bytes, company_id: int) -> RawAdvert | None:
    """The advert of one message; None where it is no advert but a word of their decoder (`presence`, `state`).

    Raises: WireError for what neither program says.
    """
    if len(payload) > ADVERT_BYTES:
        raise WireError(Reason.SIZE, f"at most {ADVERT_BYTES} bytes")
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        raise WireError(Reason.SHAPE, "JSON") from None
    if not isinstance(said, dict):
        raise WireError(Reason.SHAPE, "an object")
    if "rssi" not in said:
        return None
    return RawAdvert(_tokens(said, company_id), _signal(said["rssi"]))


def _signal(rssi: object) -> int | None:
    if isinstance(rssi, bool) or not isinstance(rssi, int):
        raise WireError(Reason.SHAPE, "a whole number of dBm")
    # As from BlueZ, the lowest number means "not known" (docs/radio.md).
    return rssi if RSSI_MIN_DBM < rssi <= RSSI_MAX_DBM else None


def _tokens(said: dict[str, object], company_id: int) -> tuple[bytes, ...]:
    if "manufacturerdata" in said:
        value = _bytes(said["manufacturerdata"])
        if len(value) < 2:
            return ()
        return candidates_of_properties({int.from_bytes(value[:2], "little"): value[2:]}, (), company_id)
    if said.get("model_id") == _BEACON and "uuid" in said:
        token = _bytes(said["uuid"])
        return (token,) if len(token) == TOKEN_BYTES else ()
    return ()


def _bytes(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > _HEX_MOST or not text.isascii():
        raise WireError(Reason.SHAPE, "bytes in hex")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise WireError(Reason.SHAPE, "bytes in hex") from None
