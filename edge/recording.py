"""The lines of a recording: what is kept of an advert, and what a replay understands.

A recording is JSON lines (docs/radio.md, Recordings). The first says what the others hold:

    {"consentry_recording": 1, "site_survey": false}
    {"at_ms": 1240, "rssi": -61, "candidate": true}

With `site_survey` the rest of a line is what BlueZ told of the advert, manufacturer values by company id:

    {"at_ms": 1240, "rssi": -61, "manufacturer": {"76": "0215…"}, "uuids": ["…"]}

A line with raw AD structures, with or without a time, is read too; `address` is not looked at:

    {"address": "C0:FF:EE:00:00:01", "rssi": -60, "raw": "02011a1aff4c000215…"}

`at_ms` counts from the beginning of the recording; `rssi` in dBm may be null or absent: not known.

Pure: no I/O, no clock.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wire.air import candidates, candidates_of_properties
from wire.sighting import RSSI_MIN_DBM

VERSION: Final = 1
LINE_BYTES: Final = 65_536  # UUIDs of one address gather in BlueZ (docs/radio.md): room for 1,600
LONGEST_S: Final = 86_400  # of a recording
_HEAD: Final = "consentry_recording"


@dataclass(frozen=True, slots=True)
class Head:
    """The first line: the version of the form, and whether what strangers said is in it."""

    version: int
    site_survey: bool


@dataclass(frozen=True, slots=True)
class Flagged:
    """That an advert was heard, and whether it held a candidate token; `rssi_dbm` None where not known."""

    at_ms: int
    rssi_dbm: int | None
    candidate: bool


@dataclass(frozen=True, slots=True)
class Told:
    """An advert as BlueZ splits it: manufacturer values by company id, service UUIDs as text."""

    at_ms: int
    rssi_dbm: int | None
    manufacturer: Mapping[int, bytes]
    service_uuids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An advert's raw AD structures; `at_ms` None where it is heard when the line comes."""

    raw: bytes
    rssi_dbm: int | None
    at_ms: int | None = None


Advert = Flagged | Told | Recorded
"""What one line says of one advert."""


def head(site_survey: bool) -> bytes:
    """The first line of a recording, its end included."""
    return _line({_HEAD: VERSION, "site_survey": site_survey})


def flagged(at_ms: int, rssi_dbm: int, candidate: bool) -> bytes:
    """The line of one advert of which nothing but time, signal (-127: not known) and flag is kept."""
    return _line({"at_ms": at_ms, "rssi": _known(rssi_dbm), "candidate": candidate})


def told(at_ms: int, rssi_dbm: int, manufacturer: Mapping[int, bytes], service_uuids: Sequence[str]) -> bytes:
    """The line of one advert with all that BlueZ told of it: personal data of whoever passed by."""
    values = {str(company): value.hex() for company, value in manufacturer.items()}
    return _line({"at_ms": at_ms, "rssi": _known(rssi_dbm), "manufacturer": values, "uuids": list(service_uuids)})


def read_line(line: bytes) -> Advert | Head | None:
    """What one line says; None where it is malformed. Never raises."""
    try:
        value = json.loads(line)
        return _read(value) if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        return None


def tokens_of(advert: Advert, company_id: int, made_up: bytes) -> tuple[bytes, ...]:
    """The candidate tokens of an advert; `made_up` (16 bytes) where only the flag of one was kept."""
    match advert:
        case Flagged(candidate=candidate):
            return (made_up,) if candidate else ()
        case Told(manufacturer=manufacturer, service_uuids=service_uuids):
            return candidates_of_properties(manufacturer, service_uuids, company_id)
        case Recorded(raw=raw):
            return candidates(raw, company_id)


def _read(value: dict[str, Any]) -> Advert | Head | None:
    """Raises: ValueError for hex that is none."""
    if _HEAD in value:
        version, site_survey = value[_HEAD], value.get("site_survey")
        return Head(version, site_survey) if _whole(version) and isinstance(site_survey, bool) else None
    at_ms, rssi_dbm = value.get("at_ms"), value.get("rssi")
    if at_ms is not None and not (_whole(at_ms) and 0 <= at_ms <= LONGEST_S * 1000):
        return None
    if rssi_dbm is not None and not _whole(rssi_dbm):
        return None
    match value:
        case {"raw": str(raw)}:
            return Recorded(bytes.fromhex(raw), rssi_dbm, at_ms)
        case {"candidate": bool(candidate)} if at_ms is not None:
            return Flagged(at_ms, rssi_dbm, candidate)
        case {"manufacturer": dict(values), "uuids": list(uuids)} if at_ms is not None:
            if not all(isinstance(one, str) for one in [*values.values(), *uuids]):
                return None
            manufacturer = {int(company): bytes.fromhex(one) for company, one in values.items()}
            if not all(0 <= company <= 0xFFFF for company in manufacturer):
                return None
            return Told(at_ms, rssi_dbm, manufacturer, tuple(uuids))
        case _:
            return None


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _known(rssi_dbm: int) -> int | None:
    return rssi_dbm if rssi_dbm != RSSI_MIN_DBM else None


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"
