"""Frames between gateway and tablet API: requests are requests, replies are replies, nothing is larger than allowed."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import replies, requests
from wire import cbor, query, schema
from wire.errors import Reason, WireError
from wire.sighting import RadioReason
from wire.views import MOST_RADIOS

numbers = st.integers(0, 2**64 - 1)


def body(frame):
    """A frame without its length, which is right."""
    assert query.length(frame[:4]) == len(frame) - 4
    return frame[4:]


@given(numbers, requests)
def test_every_request_comes_back(number, request):
    """Any request that its schema allows is read to the same, and is no reply."""
    encoded = body(query.frame(number, request))
    assert query.read_request(encoded) == (number, request)
    with pytest.raises(WireError):
        query.read_reply(encoded)


@given(numbers, replies)
def test_every_reply_comes_back(number, reply):
    """Any reply that its schema allows is read to the same, and is no request."""
    encoded = body(query.frame(number, reply))
    assert query.read_reply(encoded) == (number, reply)
    with pytest.raises(WireError):
        query.read_request(encoded)


def test_every_request_and_reply_has_one_kind():
    """No message of either union is without a number, and no number has two."""
    messages = {*typing.get_args(query.Request), *typing.get_args(query.Reply)}
    assert set(query._KINDS) == messages
    assert sorted(query._KINDS.values()) == sorted(query.QueryKind)
    assert {query._KINDS[one] < 64 for one in typing.get_args(query.Request)} == {True}
    assert {query._KINDS[one] >= 64 for one in typing.get_args(query.Reply)} == {True}


@given(st.binary(max_size=80))
def test_noise_raises_only_wire_error(noise):
    """Bytes from anywhere are refused, never an accident."""
    for read in (query.read_request, query.read_reply):
        with pytest.raises(WireError):
            read(noise)


@given(numbers, requests | replies, st.integers(0, 3000), st.integers(1, 255))
def test_a_mangled_frame_is_refused_or_says_something_else(number, message, at, change):
    """What is read re-encodes to the very bytes that came."""
    mangled = bytearray(body(query.frame(number, message)))
    mangled[at % len(mangled)] ^= change
    for read in (query.read_request, query.read_reply):
        try:
            found = read(bytes(mangled))
        except WireError:
            continue
        assert body(query.frame(*found)) == bytes(mangled)
        assert found != (number, message)


@pytest.mark.parametrize(
    "plain", [[], [1, 11], [1, 11, {}, 0], [-1, 11, {}], [True, 11, {}], ["1", 11, {}], [1, True, {}], [1, 99, {}],
              [1, None, {}], {0: 1}, [1, 11, []], [1, 11, {0: 1}], [[1], 11, {}], None],
    ids=str,
)  # fmt: skip
def test_another_shape_is_no_request(plain):
    """A number, a known kind, and a body of that kind."""
    with pytest.raises(WireError) as caught:
        query.read_request(cbor.encode(plain))
    assert caught.value.reason is Reason.SHAPE


@pytest.mark.parametrize("prefix", [b"", b"\x00\x00\x01", bytes(4), b"\x00\x04\x00\x01", b"\xff" * 4, b"\x00" * 5])
def test_a_length_out_of_bounds_is_refused(prefix):
    """A frame has at least one byte and at most 256 KiB, so nobody can make us wait for 4 GiB."""
    with pytest.raises(WireError) as caught:
        query.length(prefix)
    assert caught.value.reason is Reason.SIZE
    assert query.length((256 * 1024).to_bytes(4, "big")) == 256 * 1024


def test_a_frame_that_is_too_large_is_not_sent():
    """A reply that would not be read is refused at its sender."""
    why = query.Why("assist", "x" * 512, 0, 0)
    entries = tuple(query.Entry("x" * 512, 0, None, False) for _ in range(128))
    line = query.Line("wishlist", "x" * 512, None, entries, why)
    card = query.Card(
        b"h" * 16, 0, 0, False, None, None, None, None, None, None, False, None, (), (), None, (line,) * 8
    )
    with pytest.raises(WireError) as caught:
        query.frame(1, card)
    assert caught.value.reason is Reason.SIZE


def test_a_full_floor_fits_a_frame():
    """The most visits that a roster may have, with usual labels, are sent in one frame."""
    lease = query.Lease(query.Light.LIVE, query.DarkReason.NONE, 100, 120, 1)
    visit = query.Visit(
        b"h" * 16, True, 1_795_000_000_000, False, "yellow", "07", "shoes", "Shoes", 1_795_000_000_000, "Anna", False
    )
    assert query.frame(1, query.Roster(1, 1_795_000_000_000, lease, (visit,) * 2048, True))


def test_a_full_status_fits_a_frame():
    """The most receivers that a status may have, each with the longest label and every reason, beside all counters."""
    lease = query.Lease(query.Light.LIVE, query.DarkReason.NONE, 100, 120, 1)
    most = 2**64 - 1
    restarts = tuple(query.Restarts(reason, most) for reason in RadioReason)
    radio = query.Radio(
        "n" * 64,
        "x" * 512,
        query.ReceiverState.NEVER_HEARD,
        RadioReason.NO_PERMISSION,
        most,
        most,
        most,
        most,
        restarts,
    )
    status = query.Status(
        "s" * 64, "x" * 512, lease, "s" * 64, most, most, most,
        (query.Counter("n" * 64, "x" * 64, most),) * 256, (radio,) * MOST_RADIOS,
    )  # fmt: skip
    assert query.frame(1, status)


@given(requests)
def test_no_request_shows_a_secret_in_a_log(request):
    """PINs, codes, secrets and handles are in no representation."""
    shown = repr(request)
    for part in schema.to_plain(request).values():
        if isinstance(part, bytes) or (isinstance(part, str) and len(part) > 12):
            assert repr(part)[1:-1] not in shown
