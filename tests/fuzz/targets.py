"""What is fuzzed: one function a reader, which takes any bytes and asserts what must hold whatever they are."""

from collections.abc import Callable

from edge.recording import Head, flagged, read_line, tokens_of
from tests.wire import air_oracle
from wire import air, raw_adverts, satellite, sighting
from wire.errors import WireError
from wire.sighting import Health


def candidates(noise: bytes) -> None:
    """Raw AD structures, after two bytes for the company of F2: the tokens are those of the second reading."""
    company_id, raw = int.from_bytes(noise[:2], "little"), noise[2:]
    found = air.candidates(raw, company_id)
    assert found == air_oracle.candidates(raw, company_id)
    assert all(len(token) == 16 for token in found)
    assert air.has_overflow(raw, company_id % 128) == air_oracle.has_overflow(raw, company_id % 128)


def overflow(noise: bytes) -> None:
    """The value of one Apple structure, after a byte for the bit: it is read as the second reading does."""
    bit, value = (noise[0] % 128, noise[1:]) if noise else (0, b"")
    assert air.apple_has_overflow(value, bit) == air_oracle.apple_has_overflow(value, bit)


def properties(noise: bytes) -> None:
    """What BlueZ tells, cut out of the bytes: a value of a company, and a UUID's text of any characters."""
    company_id, company = int.from_bytes(noise[:2], "little"), int.from_bytes(noise[2:4], "little")
    value, _, text = noise[4:].partition(b"\n")
    found = air.candidates_of_properties({company: value}, [text.decode("latin-1")], company_id)
    assert all(len(token) == 16 for token in found)
    whole = bytes((min(len(value) + 3, 255), 0xFF)) + company.to_bytes(2, "little") + value
    assert len(value) > 252 or set(air_oracle.candidates(whole, company_id)) <= set(found)


def datagram(noise: bytes) -> None:
    """A datagram from an edge: refused with a WireError, or it encodes to the very same bytes again."""
    try:
        said = sighting.decode(noise)
    except WireError:
        return
    again = (
        sighting.encode_health(said)
        if isinstance(said, Health)
        else b"".join(sighting.encode_batch(said.node, said.sightings))
    )
    assert again == noise


def line(noise: bytes) -> None:
    """A line of a recording: None, or an advert whose tokens have 16 bytes; never an exception."""
    said = read_line(noise)
    if said is None or isinstance(said, Head):
        return
    assert all(len(token) == 16 for token in tokens_of(said, air.TEST_COMPANY, bytes(16)))
    if said.at_ms is not None and said.rssi_dbm is not None:
        assert read_line(flagged(said.at_ms, said.rssi_dbm, True)) is not None


def raw_advert(noise: bytes) -> None:
    """A message of a cheap receiver: refused with a WireError, or tokens and a signal that a radio gives."""
    try:
        said = raw_adverts.read(noise, air.TEST_COMPANY)
    except WireError:
        return
    if said is not None:
        assert all(len(token) == 16 for token in said.tokens)
        assert len(set(said.tokens)) == len(said.tokens)
        assert said.rssi_dbm is None or -127 < said.rssi_dbm <= 20


def satellite_frame(noise: bytes) -> None:
    """A message of a satellite: refused with a WireError, or it encodes to the very same bytes again."""
    try:
        frame = satellite.decode(noise)
    except WireError:
        return
    assert satellite.encode(frame) == noise


TARGETS: dict[str, Callable[[bytes], None]] = {
    "candidates": candidates,
    "datagram": datagram,
    "line": line,
    "overflow": overflow,
    "properties": properties,
    "raw_advert": raw_advert,
    "satellite_frame": satellite_frame,
}
