"""`docs/protocol.md` says what the code does: each rule, each bound, each kind, and the messages themselves."""

import re
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_gateway.core.skew import STALE_MS
from tests.strategies import instances, members
from tests.wire import cddl
from tests.wire.page import PAGE, STATED, TEXT, fits, plain, schema_of
from wire import cbor, envelope, keys, query, receivers, satellite, schema, sighting, sync
from wire.catalog import CatalogGroup, CatalogItem
from wire.errors import WireError
from wire.member import Member, Staff
from wire.orders import EraseResult, ExportResult, WipeResult
from wire.policy import MainPolicy, StorePolicy
from wire.recall import Recalled
from wire.sighting import Health, RadioReason, RadioState, Sighting

MESSAGES = [sync.SCHEMAS[kind] for kind in sync.Kind]
EVENT_BODIES = list(sync.EVENT_BODIES.values())
BODIES = [Member, Staff, MainPolicy, StorePolicy, CatalogItem, CatalogGroup]
RESULTS = [ExportResult, EraseResult, WipeResult, Recalled]
SATELLITE = [satellite.SatelliteFrame]
QUERIES = [*typing.get_args(query.Request), *typing.get_args(query.Reply)]
ALL = [envelope.Header, keys.KeySet, *MESSAGES, *EVENT_BODIES, sync.LogEntry, *BODIES, *RESULTS, *QUERIES, *SATELLITE]
REACHED = {cddl.name_of(one): one for one in cddl.reached(*ALL)}
NOT_DATACLASSES = {
    "payload", "envelope", "signed-key-set", "frame",
    "sightings", "sighting", "rssi-or-null", "rssi", "health", "radio-reason-or-null", "radio-reason",
    "node", "adapter",
}  # fmt: skip


@pytest.mark.parametrize("name", cddl.rules(*ALL))
def test_each_rule_states_the_bounds_of_the_code(name):
    """Shape, order, types, sizes, ranges and counts: the page and the code say the same, either way."""
    assert STATED.get(name) == plain(cddl.rules(*ALL)[name])


def test_the_page_states_nothing_else():
    """No rule of the page is without its dataclass, but for the frames around them."""
    assert set(STATED) == set(cddl.rules(*ALL)) | NOT_DATACLASSES


@pytest.mark.parametrize("name", REACHED)
def test_each_key_bears_the_name_of_its_field(name):
    """Behind each key of a map stands the field's name, so that two of one type are not exchanged."""
    if getattr(REACHED[name], "ROW", False) or not cddl.field_names(REACHED[name]):
        return
    (block,) = re.findall(rf"^{name} = {{\n(.*?)^}}", TEXT, re.M | re.S)
    named = re.findall(r"^  (?:\? )?(\d+): .*?; +(\w+)", block, re.M)
    assert named == [(str(number), field) for number, field in enumerate(cddl.field_names(REACHED[name]))]


def test_each_kind_stands_in_its_table():
    """Kinds of messages, of events and of queries are listed with their rules."""
    for kind, of in sync.SCHEMAS.items():
        assert f"| {kind.value} | `{cddl.name_of(of)}` |" in PAGE
    for kind, of in sync.EVENT_BODIES.items():
        assert f"| {kind.value} | `{cddl.name_of(of)}` |" in PAGE
    for of, kind in query._KINDS.items():
        assert f"| {kind.value} | `{cddl.name_of(of)}` |" in PAGE
    for collection in sync.Collection:
        assert f"| `{collection.name.lower()}` | {collection.value} |" in PAGE


def test_the_numbers_in_the_text_are_those_of_the_code():
    """Limits that stand in sentences are the constants."""
    assert f"at most {sync.MAX_PAYLOAD_BYTES:,} bytes" in PAGE
    assert f"at most {query.MAX_FRAME_BYTES // 1024} KiB" in PAGE
    assert f"at most {sighting.DATAGRAM_BYTES // 1024} KiB" in PAGE
    assert f"challenge of the last {sync.CHALLENGE_S} s" in PAGE
    assert f"its last {sync.LAST_NONCES} hellos" in PAGE
    assert f"at most {cbor.MAX_DEPTH} levels" in PAGE
    for topic in (sync.down("{store}"), sync.now("{store}"), sync.up("{store}")):
        assert f"| `{topic}` |" in PAGE
    assert f"`{receivers.satellite_topic('{store}', '{name}')}`" in PAGE
    assert f"more than {STALE_MS // 1000} s is late" in PAGE


@pytest.mark.parametrize("of", ALL, ids=cddl.name_of)
def test_generated_messages_fit_their_rule(of):
    """Whatever the code can say is what the page says, by the word of a CDDL tool."""
    validator = schema_of(cddl.name_of(of))

    @settings(max_examples=25)
    @given(members if of is Member else instances(of, most=2))
    def check(message):
        validator.validate_cbor(schema.encode(message))

    check()


def test_the_tool_can_say_no():
    """The validation is one: a wrong size, type, key or number does not pass the tool, nor the code."""
    good = schema.to_plain(sync.Challenge(b"c" * 16))
    assert fits("challenge", cbor.encode(good))
    for wrong in ({}, {0: b"c" * 15}, {0: 7}, {**good, 1: 0}, {1: b"c" * 16}, [], None):
        encoded = cbor.encode(wrong)
        assert not fits("challenge", encoded)
        with pytest.raises(WireError):
            schema.decode(sync.Challenge, encoded)


HEADER = envelope.Header(sync.HQ, "berlin-1", sync.Kind.LEASE, 1, b"b" * 16, b"", 1, 0)
LEASE = sync.Lease(120, 15, 1_795_000_000_000, (), (20_778,), 7, b"c" * 16)
STAFF = Staff("Anna", "associate", "", True)


@pytest.mark.parametrize(
    ("of", "key", "wrong"),
    [
        (HEADER, 0, ""), (HEADER, 0, "x" * 41), (HEADER, 2, 99), (HEADER, 4, b"b" * 17), (HEADER, 5, b"n" * 17),
        (HEADER, 6, 65_537), (HEADER, 3, -1), (LEASE, 0, 0), (LEASE, 0, 86_401), (LEASE, 1, 3_601), (LEASE, 5, None),
        (LEASE, 2, 2**53 + 1), (LEASE, 4, [1, 2, 3, 4, 5]), (LEASE, 4, ["1"]), (LEASE, 6, b"c" * 15), (STAFF, 0, ""),
        (STAFF, 1, "x" * 65), (STAFF, 3, 1), (STAFF, 2, "é" * 129), (STAFF, 4, True),
    ],
)  # fmt: skip
def test_what_the_page_forbids_the_code_refuses(of, key, wrong):
    """One value changed to what its rule does not allow: neither the tool nor the code takes it."""
    encoded = cbor.encode({**schema.to_plain(of), key: wrong})
    assert fits(cddl.name_of(type(of)), schema.encode(of))
    assert not fits(cddl.name_of(type(of)), encoded)
    with pytest.raises(WireError):
        schema.decode(type(of), encoded)


def test_envelopes_and_key_sets_fit_their_rules():
    """What goes to the broker is a payload as the page has it."""
    signer = keys.Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    recipient = keys.sealing_public(keys.sealing_public_bytes(bytes(96)))
    closed = envelope.close(HEADER, LEASE, signer, recipient)
    signed = keys.sign_key_set(signer, keys.KeySet(1, 0, (), ()))
    for encoded, rule in ((closed, "envelope"), (signed, "signed-key-set")):
        assert fits(rule, encoded)
        assert fits("payload", encoded)
    assert fits("header", envelope.parse(closed).header_bytes)
    assert fits("key-set", cbor.decode(signed)[1])
    assert not fits("payload", cbor.encode([2, b"", b"", b""]))
    assert not fits("payload", cbor.encode([1, b"", b"", b"", b""]))


@given(st.sampled_from(QUERIES).flatmap(instances))
@settings(max_examples=25)
def test_frames_fit_their_rule(message):
    """What the sockets of the tablets carry is a frame as the page has it."""
    schema_of("frame").validate_cbor(query.frame(7, message)[query.LENGTH_BYTES :])


@pytest.mark.parametrize("rssi_dbm", [-127, 0, 20, None])
@pytest.mark.parametrize("rows", [1, 190])
def test_sightings_fit_their_rule(rssi_dbm, rows):
    """What an edge sends is what the page says."""
    one = Sighting("door-1", b"t" * 16, rssi_dbm, 65_535, 0, 2**64 - 1)
    (datagram,) = sighting.encode_batch("door-1", [one] * rows)
    assert fits("sightings", datagram)
    assert not fits("health", datagram)


@pytest.mark.parametrize("adapter", ["AA:BB:CC:DD:EE:FF", sighting.REPLAY, sighting.NO_ADAPTER])
def test_health_fits_its_rule(adapter):
    """An edge's state too, in each of its forms."""
    for state in RadioState:
        for reason in (None, *RadioReason):
            counts = tuple((one, 2**64 - 1) for one in sorted(RadioReason))
            health = Health("door-1", adapter, state, reason, 0, 1, 2, 3, counts)
            assert fits("health", sighting.encode_health(health))
