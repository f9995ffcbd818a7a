"""A satellite's frame: what is said is heard, and nothing else is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import instances
from wire import cbor, satellite
from wire.errors import Reason, WireError
from wire.satellite import FRAME_BYTES, NUMBER_MAX, SatelliteFrame
from wire.sighting import DATAGRAM_BYTES

FRAME = SatelliteFrame(b"s" * 16, 7, 1_000, b"datagram")


@given(instances(SatelliteFrame))
def test_every_frame_comes_back(frame):
    """Round trip, within the size that a message may have."""
    payload = satellite.encode(frame)
    assert len(payload) <= FRAME_BYTES
    assert satellite.decode(payload) == frame


def test_the_largest_frame_fits():
    """A full datagram, and the greatest numbers."""
    assert len(satellite.encode(SatelliteFrame(bytes(16), NUMBER_MAX, NUMBER_MAX, bytes(DATAGRAM_BYTES)))) < FRAME_BYTES


@given(st.binary(max_size=256))
def test_noise_is_refused(payload):
    """Whatever comes, there is a frame that encodes to it, or one kind of error."""
    try:
        found = satellite.decode(payload)
    except WireError:
        return
    assert satellite.encode(found) == payload


@given(st.binary(min_size=1, max_size=6), st.integers(0, 40))
def test_a_frame_with_some_bytes_changed_is_read_as_it_stands_or_refused(noise, at):
    """Near misses too: no other exception, no lenient reading."""
    good = satellite.encode(FRAME)
    payload = good[:at] + noise + good[at + len(noise) :]
    try:
        found = satellite.decode(payload)
    except WireError:
        return
    assert satellite.encode(found) == payload


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [b"s" * 15, 1, 1, b"x"],
        [b"s" * 16, 0, 1, b"x"],
        [b"s" * 16, 1, -1, b"x"],
        [b"s" * 16, True, 1, b"x"],
        [b"s" * 16, 1, 1, b""],
        [b"s" * 16, 1, 1, bytes(DATAGRAM_BYTES + 1)],
        [b"s" * 16, 1, 1, "text"],
        [b"s" * 16, 1, 1, b"x", 1],
        [b"s" * 16, NUMBER_MAX + 1, 1, b"x"],
    ],
)
def test_what_is_out_of_its_bounds_is_refused(wrong):
    """Each part has its length or range."""
    with pytest.raises(WireError):
        satellite.decode(cbor.encode(wrong))


def test_what_is_too_long_is_refused_by_its_size():
    """Before it is read."""
    with pytest.raises(WireError) as caught:
        satellite.decode(bytes(FRAME_BYTES + 1))
    assert caught.value.reason is Reason.SIZE


def test_a_frame_in_a_log_does_not_show_what_was_heard():
    """The datagram holds tokens."""
    assert "datagram'" not in repr(FRAME)
