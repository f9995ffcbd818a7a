"""Datagrams from the edge: what is sent is read back, and nothing else is read."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire import cbor, sighting
from wire.errors import Reason, WireError
from wire.sighting import Batch, Health, RadioReason, RadioState, Sighting

nodes = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)
uints = st.integers(0, 2**64 - 1)


@st.composite
def sightings_of(draw, node):
    """Any sighting of a node that may be sent."""
    first_ms, last_ms = sorted((draw(uints), draw(uints)))
    return Sighting(
        node,
        draw(st.binary(min_size=16, max_size=16)),
        draw(st.none() | st.integers(-127, 20)),
        draw(st.integers(1, 65535)),
        first_ms,
        last_ms,
    )


healths = st.builds(
    Health,
    nodes,
    st.sampled_from(["00:11:22:AA:BB:CC", "replay", "none"]),
    st.sampled_from(RadioState),
    st.none() | st.sampled_from(RadioReason),
    uints,
    uints,
    uints,
    uints,
    st.dictionaries(st.sampled_from(RadioReason), st.integers(1, 2**64 - 1)).map(
        lambda counts: tuple(sorted(counts.items()))
    ),
)
NODE = "till-1"
ONE = Sighting(NODE, bytes(16), -60, 3, 1000, 1400)
HEALTHY = Health(
    NODE,
    "00:11:22:AA:BB:CC",
    RadioState.HEARING,
    None,
    5,
    4,
    3,
    2,
    ((RadioReason.NO_BLUEZ, 1), (RadioReason.SILENT, 9)),
)


@given(nodes.flatmap(lambda node: st.tuples(st.just(node), st.lists(sightings_of(node), max_size=8))))
def test_sightings_round_trip(sent):
    """The gateway reads the sightings that the edge sent, and no datagram goes out for none."""
    node, heard = sent
    datagrams = sighting.encode_batch(node, heard)
    batches = [sighting.decode(datagram) for datagram in datagrams]
    assert [one for batch in batches for one in batch.sightings] == heard
    assert all(batch.node == node for batch in batches)
    assert datagrams or not heard


@given(st.integers(1, 1000))
@settings(max_examples=20)
def test_a_crowd_is_split_over_datagrams_that_fit(count):
    """However many sightings there are and however large their numbers, each datagram holds 8 KiB at most."""
    node = "n" * 40
    largest = Sighting(node, bytes(16), -100, 65535, 2**64 - 1, 2**64 - 1)
    datagrams = sighting.encode_batch(node, [largest] * count)
    assert all(len(datagram) <= sighting.DATAGRAM_BYTES for datagram in datagrams)
    assert sum(len(sighting.decode(datagram).sightings) for datagram in datagrams) == count
    assert len(datagrams) == -(-count // sighting.ROWS_MAX)


@given(healths)
def test_health_round_trips(health):
    """The gateway reads the health that the edge sent."""
    assert sighting.decode(sighting.encode_health(health)) == health


@given(nodes.flatmap(lambda node: st.lists(sightings_of(node), min_size=1, max_size=5)), healths, st.data())
def test_a_changed_byte_is_refused_or_reads_back_to_itself(heard, health, data):
    """Whatever decodes re-encodes to the very same bytes; everything else is a WireError."""
    datagram = data.draw(
        st.sampled_from([*sighting.encode_batch(heard[0].node, heard), sighting.encode_health(health)])
    )
    at = data.draw(st.integers(0, len(datagram) - 1))
    changed = datagram[:at] + bytes((data.draw(st.integers(0, 255)),)) + datagram[at + 1 :]
    _reads_back_or_is_refused(changed)
    _reads_back_or_is_refused(datagram[:at])
    _reads_back_or_is_refused(datagram + b"\x00")


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    """Random bytes raise a WireError and nothing else."""
    _reads_back_or_is_refused(noise)


def _reads_back_or_is_refused(datagram):
    try:
        read = sighting.decode(datagram)
    except WireError:
        return
    if isinstance(read, Batch):
        assert sighting.encode_batch(read.node, read.sightings) == [datagram]
    else:
        assert sighting.encode_health(read) == datagram


ROW = [bytes(16), -60, 1, 0, 0]


@pytest.mark.parametrize(
    "value",
    [
        [2, 1, NODE, [ROW]],
        [True, 1, NODE, [ROW]],
        [1, 3, NODE, [ROW]],
        [1, 1, "Till", [ROW]],
        [1, 1, "", [ROW]],
        [1, 1, "n" * 41, [ROW]],
        [1, 1, "till\n", [ROW]],
        [1, 1, NODE, []],
        [1, 1, NODE, [ROW], 0],
        [1, 1, NODE, [[bytes(15), -60, 1, 0, 0]]],
        [1, 1, NODE, [[bytes(16), -128, 1, 0, 0]]],
        [1, 1, NODE, [[bytes(16), 21, 1, 0, 0]]],
        [1, 1, NODE, [[bytes(16), False, 1, 0, 0]]],
        [1, 1, NODE, [[bytes(16), -60, 0, 0, 0]]],
        [1, 1, NODE, [[bytes(16), -60, 65536, 0, 0]]],
        [1, 1, NODE, [[bytes(16), -60, 1, 2, 1]]],
        [1, 1, NODE, [[bytes(16), -60, 1, -1, 0]]],
        [1, 1, NODE, [[bytes(16), -60, 1, 0]]],
        [1, 1, NODE, [[*ROW, 0]]],
        [1, 1, NODE, [ROW] * (sighting.ROWS_MAX + 1)],
        [1, 2, NODE, "hci0", 0, None, 0, 0, 0, 0, []],
        [1, 2, NODE, "00:11:22:aa:bb:cc", 0, None, 0, 0, 0, 0, []],
        [1, 2, NODE, "replay", 3, None, 0, 0, 0, 0, []],
        [1, 2, NODE, "replay", True, None, 0, 0, 0, 0, []],
        [1, 2, NODE, "replay", 0, "tired", 0, 0, 0, 0, []],
        [1, 2, NODE, "replay", 0, None, -1, 0, 0, 0, []],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, True, []],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0, 0],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0, [["silent"]]],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0, [["tired", 1]]],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0, [["silent", 0]]],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0, [["silent", True]]],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0, [["silent", 1], ["silent", 1]]],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0, [["silent", 1], ["busy", 1]]],
        [1, 2, NODE, "replay", 0, None, 0, 0, 0, 0],
        {1: 1},
        None,
    ],
)
def test_other_shapes_are_refused(value):
    """Well-formed CBOR of another shape, version or range is refused as such."""
    with pytest.raises(WireError) as raised:
        sighting.decode(cbor.encode(value))
    assert raised.value.reason is Reason.SHAPE


def test_a_huge_datagram_is_refused_before_it_is_read():
    """More than 8 KiB is refused for its size."""
    with pytest.raises(WireError) as raised:
        sighting.decode(bytes(sighting.DATAGRAM_BYTES + 1))
    assert raised.value.reason is Reason.SIZE


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ONE, node="till-2"),
        replace(ONE, token=bytes(17)),
        replace(ONE, rssi_dbm=-128),
        replace(ONE, count=0),
        replace(ONE, count=65536),
        replace(ONE, first_ms=1401),
        replace(ONE, last_ms=2**64),
    ],
)
def test_a_wrong_sighting_is_never_sent(wrong):
    """What the gateway would refuse the edge cannot encode."""
    with pytest.raises(WireError):
        sighting.encode_batch(NODE, [ONE, wrong])


@pytest.mark.parametrize(
    "wrong",
    [replace(HEALTHY, node="Till"), replace(HEALTHY, adapter="hci0"), replace(HEALTHY, drops=-1)],
)
def test_a_wrong_health_is_never_sent(wrong):
    """A node, adapter or counter out of its form cannot be encoded."""
    with pytest.raises(WireError):
        sighting.encode_health(wrong)


def test_a_sighting_does_not_show_its_token():
    """The token of a passer-by stays out of logs and errors that print a sighting."""
    token = bytes(range(16))
    shown = repr(replace(ONE, token=token))
    assert token.hex() not in shown
    assert repr(token) not in shown
