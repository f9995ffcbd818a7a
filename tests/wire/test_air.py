"""Advertisements give exactly the candidates of the golden vectors, and noise gives none of its own."""

import json
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import air
from wire.errors import Reason, WireError

FOLDER = Path(__file__).parents[1] / "vectors"
ADVERTS = json.loads((FOLDER / "adverts.json").read_text())["vectors"]
OVERFLOW = json.loads((FOLDER / "overflow.json").read_text())["vectors"]
FLAGS = bytes.fromhex("02011a")

tokens = st.binary(min_size=16, max_size=16)
companies = st.integers(0, 0xFFFF)
# Structures of strangers: any type and value that is not one of our three forms.
stranger = st.builds(
    lambda kind, value: bytes((len(value) + 1, kind)) + value,
    st.sampled_from([0x01, 0x03, 0x09, 0x0A, 0x16, 0x21]),
    st.binary(max_size=20),
)


@pytest.mark.parametrize("vector", ADVERTS, ids=lambda vector: vector["name"])
def test_golden_adverts(vector):
    """Each real advertisement yields exactly the published candidates."""
    raw = bytes.fromhex(vector["raw"])
    assert [token.hex() for token in air.candidates(raw, air.TEST_COMPANY)] == vector["tokens"]


@pytest.mark.parametrize("vector", OVERFLOW, ids=lambda vector: vector["note"])
def test_golden_overflow_bits(vector):
    """A service's overflow bit and its place in the mask are the published ones."""
    bit = air.overflow_bit(UUID(vector["service_uuid"]))
    assert bit == vector["bit"]
    mask = bytes.fromhex(vector["mask"])
    assert air.apple_has_overflow(b"\x01" + mask, bit)
    assert not any(air.apple_has_overflow(b"\x01" + mask, other) for other in range(128) if other != bit)


def test_our_overflow_bit_is_found_beside_others():
    """Our bit is seen though other bits are set and other Apple values come before it."""
    ours = air.overflow_bit(air.SERVICE_UUID)
    area = bytes.fromhex("14ff4c0001000000000000ff400000000000000000")
    after_nearby = bytes.fromhex("19ff4c001003020b0001000000000000ff400000000000000000")
    assert air.has_overflow(FLAGS + area, ours)
    assert air.has_overflow(FLAGS + after_nearby, ours)
    assert not air.has_overflow(bytes.fromhex(ADVERTS[13]["raw"]), ours)
    assert air.has_overflow(bytes.fromhex(ADVERTS[14]["raw"]), ours)


@given(st.binary(max_size=air.APPLE_LEAST_BYTES - 1), st.integers(0, 127))
def test_a_short_apple_value_holds_neither_overflow_area_nor_beacon(value, bit):
    """What is shorter than the shortest of both need not be looked at."""
    assert not air.apple_has_overflow(value, bit)
    assert not air.is_beacon(value)


@given(st.binary(max_size=80), st.integers(0, 127))
def test_noise_has_no_overflow_error(noise, bit):
    """Any bytes are searched for the overflow area without an error."""
    assert air.has_overflow(noise, bit) in (True, False)
    assert air.apple_has_overflow(noise, bit) in (True, False)


@given(tokens, st.binary(min_size=5, max_size=5), companies, st.integers(-127, 127))
def test_what_a_phone_sends_is_heard(token, rest, company_id, tx):
    """Each format, with or without flags before it, gives back its one token."""
    for raw in (air.f1(token, rest), air.f2(token, company_id, tx), air.f3(token)):
        assert air.candidates(raw, company_id) == (token,)
        assert air.candidates(FLAGS + raw, company_id) == (token,)
        assert len(raw) <= air.LEGACY_BYTES


@given(st.lists(tokens, max_size=4), st.lists(stranger, max_size=4), st.randoms())
def test_candidates_keep_their_order_and_come_once(sent, strangers, random):
    """Structures of strangers between ours change nothing; repeated tokens are told once, in order."""
    ours = [random.choice([air.f1(token, bytes(5)), air.f2(token, 0xFFFF, 0), air.f3(token)]) for token in sent]
    parts = list(ours)
    for part in strangers:
        parts.insert(random.randint(0, len(parts)), part)
    assert air.candidates(b"".join(parts + ours), 0xFFFF) == tuple(dict.fromkeys(sent))


@given(st.binary(max_size=80), companies)
def test_noise_is_read_without_error(noise, company_id):
    """Any bytes at all give structures that lie inside them and candidates of 16 bytes."""
    found = air.structures(noise)
    joined = b"".join(bytes((len(value) + 1, kind)) + value for kind, value in found)
    assert noise.startswith(joined)
    assert all(len(token) == 16 for token in air.candidates(noise, company_id))


def test_a_shortened_structure_is_dropped():
    """A token is never taken from a structure of ours that is a byte short or long."""
    token = bytes(range(16))
    for raw in (air.f1(token, bytes(5)), air.f2(token, 0xFFFF, 0), air.f3(token)):
        shorter = bytes((raw[0] - 1,)) + raw[1:-1]
        longer = bytes((raw[0] + 1,)) + raw[1:] + b"\x00"
        assert air.candidates(shorter, 0xFFFF) == ()
        assert air.candidates(longer, 0xFFFF) == ()


def test_a_list_of_two_uuids_gives_two_candidates():
    """An extended advertisement may list several services; each may be a token."""
    first, second = bytes(range(16)), bytes(range(16, 32))
    assert air.candidates(b"\x21\x07" + first[::-1] + second[::-1], 0xFFFF) == (first, second)


@given(tokens, companies)
def test_bluez_properties_give_the_same_candidates(token, company_id):
    """What BlueZ splits an advertisement into yields what its raw bytes yield."""
    beacon = air.f1(token, b"\x01\x02\x03\x04\xc5")[4:]
    assert air.candidates_of_properties({air.APPLE: beacon}, [], company_id) == (token,)
    ours = air.f2(token, company_id, -12)[4:]
    assert air.candidates_of_properties({company_id: ours}, [], company_id) == (token,)
    uuid = str(UUID(bytes=token))
    if not uuid.endswith("-0000-1000-8000-00805f9b34fb"):
        assert air.candidates_of_properties({}, [uuid], company_id) == (token,)
        assert air.candidates_of_properties({air.APPLE: beacon}, [uuid], company_id) == (token,)


@given(st.dictionaries(companies, st.binary(max_size=30)), st.lists(st.text(max_size=40)), companies)
def test_odd_properties_are_read_without_error(manufacturer, service_uuids, company_id):
    """Whatever BlueZ reports gives candidates of 16 bytes or none."""
    found = air.candidates_of_properties(manufacturer, service_uuids, company_id)
    assert all(len(token) == 16 for token in found)


def test_sixteen_bit_services_are_no_candidates():
    """Exposure notifications and their like, which BlueZ spells out to 128 bits, are dropped at once."""
    assert air.candidates_of_properties({}, ["0000fd6f-0000-1000-8000-00805f9b34fb"], 0xFFFF) == ()


@pytest.mark.parametrize(
    "call",
    [
        lambda: air.f1(bytes(15), bytes(5)),
        lambda: air.f1(bytes(16), bytes(4)),
        lambda: air.f2(bytes(17), 0xFFFF, 0),
        lambda: air.f2(bytes(16), 0x10000, 0),
        lambda: air.f2(bytes(16), -1, 0),
        lambda: air.f2(bytes(16), 0, 128),
        lambda: air.f3(b""),
    ],
)
def test_encoders_refuse_wrong_sizes(call):
    """A token, company or power that does not fit its field raises a WireError."""
    with pytest.raises(WireError) as raised:
        call()
    assert raised.value.reason is Reason.AIR


def _command(*arguments):
    return subprocess.run([sys.executable, "-m", "wire.air", *arguments], capture_output=True, text=True)


def test_the_command_prints_candidates_one_a_line():
    """A phone's author sees which tokens the edge takes from an advertisement, and none for none."""
    first, second = bytes(range(16)), bytes(range(16, 32))
    raw = FLAGS + air.f2(first, 0x0123, 0) + air.f3(second)
    ran = _command(raw.hex(), "--company", "0x0123")
    assert (ran.returncode, ran.stdout) == (0, f"{first.hex()}\n{second.hex()}\n")
    assert _command(raw.hex()).stdout == f"{second.hex()}\n"
    ran = _command("")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("0g",), "HEX"),
        (("020",), "HEX"),
        (("02011a", "--company", "0x10000"), "0xFFFF"),
        (("02011a", "--company", "apple"), "0xFFFF"),
        ((), "HEX"),
    ],
)
def test_the_command_refuses_bad_input_in_one_line(arguments, said):
    """Bad input exits 2 with one line that names the form expected."""
    ran = _command(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1
    assert said in ran.stderr
