"""Tokens, signs and leave codes are those of the golden vectors, and only the key's holder reads them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import token as wire_token
from wire.errors import Reason, WireError
from wire.token import Colour, Kind, Sign

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tokens.json").read_text())["vectors"]

keys = st.binary(min_size=16, max_size=16)
slots = st.integers(0, wire_token.SLOT_MAX)
kinds = st.sampled_from(Kind)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["unix_time"]))
def test_golden_vectors(vector):
    """Day, slot, day key, both tokens, sign and leave code equal the published vectors."""
    unix_s = vector["unix_time"]
    slot = wire_token.slot_of(unix_s)
    key = wire_token.day_key(bytes.fromhex(vector["presence_secret"]), wire_token.day_of(unix_s))
    assert (wire_token.day_of(unix_s), slot) == (vector["day"], vector["slot"])
    assert wire_token.day_of_slot(slot) == vector["day"]
    assert key.hex() == vector["day_key"]
    assert wire_token.token(key, Kind.PRESENCE, slot).hex() == vector["presence_token"]
    assert wire_token.token(key, Kind.HELP, slot).hex() == vector["help_token"]
    assert str(wire_token.sign(key, slot)) == vector["sign"]
    assert wire_token.leave_code(key, slot) == vector["leave_code"]


@given(keys, kinds, slots)
def test_a_token_is_read_by_its_own_key(key, kind, slot):
    """Whoever holds the day key reads kind and slot out of a token."""
    assert wire_token.read_token(key, wire_token.token(key, kind, slot)) == (kind, slot)


@given(keys, keys, kinds, slots)
def test_another_key_reads_nothing(key, other, kind, slot):
    """A store with another member's key, or yesterday's, reads nothing out of a token."""
    if key != other:
        assert wire_token.read_token(other, wire_token.token(key, kind, slot)) is None


@given(keys, st.binary(max_size=40))
def test_noise_reads_as_nothing(key, noise):
    """Bytes of any length are no token, or encode back to themselves."""
    found = wire_token.read_token(key, noise)
    assert found is None or wire_token.token(key, *found) == noise


@pytest.mark.parametrize(
    "plain",
    [
        bytes((2, 0)) + bytes(14),
        bytes((1, 2)) + bytes(14),
        bytes((1, 0)) + b"\x01" + bytes(13),
        bytes((1, 1)) + bytes(9) + b"\x80" + bytes(4),
    ],
    ids=["version", "kind", "first zero", "last zero"],
)
def test_a_block_of_another_form_is_no_token(plain):
    """A block made with the right key is refused for its version, its kind or one bit of its zeros."""
    key = bytes(range(16))
    (block,) = wire_token.encrypted([key], plain)
    assert wire_token.read_token(key, block) is None


@given(keys, kinds, st.lists(slots, max_size=20))
def test_many_slots_in_one_call_are_the_tokens_of_each(key, kind, wanted):
    """The table that a gateway builds ahead holds exactly what the phone sends."""
    assert wire_token.tokens(key, kind, wanted) == b"".join(wire_token.token(key, kind, slot) for slot in wanted)


@given(keys, slots)
def test_signs_and_codes_have_their_form(key, slot):
    """A sign is one of eight colours with two digits; a leave code has eight digits."""
    sign = wire_token.sign(key, slot)
    colour, digits = str(sign).split(" ")
    assert Colour(colour) is sign.colour
    assert len(digits) == 2
    assert int(digits) == sign.digits
    code = wire_token.leave_code(key, slot)
    assert len(code) == 8
    assert code.isdigit()


def test_a_sign_shows_two_digits_always():
    """Single digits are padded, as the phone shows them."""
    assert str(Sign(Colour.GREEN, 7)) == "green 07"


@pytest.mark.parametrize(
    "call",
    [
        lambda: wire_token.slot_of(-1),
        lambda: wire_token.slot_of(600 * 2**32),
        lambda: wire_token.day_of(-1),
        lambda: wire_token.day_key(bytes(31), 0),
        lambda: wire_token.day_key(bytes(32), -1),
        lambda: wire_token.day_key(bytes(32), 2**32),
        lambda: wire_token.token(bytes(15), Kind.HELP, 0),
        lambda: wire_token.token(bytes(16), Kind.HELP, -1),
        lambda: wire_token.token(bytes(16), Kind.HELP, 2**32),
        lambda: wire_token.read_token(bytes(24), bytes(16)),
        lambda: wire_token.sign(bytes(17), 0),
        lambda: wire_token.sign(bytes(16), 2**32),
        lambda: wire_token.leave_code(bytes(0), 0),
    ],
)
def test_wrong_lengths_and_ranges_are_refused(call):
    """A secret, key, day or slot of the wrong size raises a WireError that says what was expected."""
    with pytest.raises(WireError) as raised:
        call()
    assert raised.value.reason is Reason.TOKEN


def _command(*arguments):
    return subprocess.run([sys.executable, "-m", "wire.token", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("kind", ["presence", "help"])
def test_the_command_prints_the_token(kind):
    """A phone's author sees the token of a secret and a time, in hex, and nothing else."""
    vector = VECTORS[5]
    ran = _command(vector["presence_secret"], str(vector["unix_time"]), kind)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, vector[f"{kind}_token"] + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("zz", "0", "help"), "64 hex digits"),
        (("00" * 31, "0", "help"), "32 bytes"),
        (("00" * 32, "noon", "help"), "whole seconds"),
        (("00" * 32, "-1", "help"), "1970"),
        (("00" * 32, "99999999999999", "help"), "32-bit"),
        (("00" * 32, "0", "open"), "presence"),
        (("00" * 32,), "UNIX_TIME"),
    ],
)
def test_the_command_refuses_bad_input_in_one_line(arguments, said):
    """Bad input exits 2 with one line that names the form expected and does not repeat the secret."""
    ran = _command(*arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert said in ran.stderr
    assert arguments[0] not in ran.stderr
