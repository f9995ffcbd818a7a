"""Deterministic CBOR: one form for each value, and nothing but a refusal for anything else."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import cbor
from wire.errors import Reason, WireError

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 23), inner, max_size=4).map(lambda found: dict(sorted(found.items())))
    ),
    max_leaves=12,
)


def shared(levels: int, each: int) -> bytes:
    """Arrays of shared references, each level to the one before: `each ** levels` values in some hundred bytes."""
    references = [(b"\xd8\x1d" + bytes([level])) * each for level in range(levels)]
    parts = [b"\xd8\x1c\x80", *(b"\xd8\x1c" + bytes([0x80 + each]) + below for below in references)]
    return bytes([0x80 + len(parts)]) + b"".join(parts)


REFUSED = {
    "shared references": shared(10, 20),
    "regular expression": b"\xd8\x23\x63[[a",
    "tag that nobody knows": b"\xda\x00\x98\x96\x80\x00",
    "nothing": b"",
    "float": b"\xf9\x3c\x00",
    "double": b"\xfb" + bytes(8),
    "tag": b"\xc0\x00",
    "big number": b"\xc2\x49\x01" + bytes(8),
    "undefined": b"\xf7",
    "simple value": b"\xf0",
    "break": b"\xff",
    "endless bytes": b"\x5f\x41\x00\xff",
    "endless text": b"\x7f\x61a\xff",
    "endless array": b"\x9f\x00\xff",
    "endless map": b"\xbf\x00\x00\xff",
    "number in two bytes that fits one": b"\x18\x17",
    "length in two bytes that fits one": b"\x58\x01\x00",
    "keys descending": b"\xa2\x01\x00\x00\x00",
    "key twice": b"\xa2\x00\x00\x00\x01",
    "key of text": b"\xa1\x61a\x00",
    "key below zero": b"\xa1\x20\x00",
    "key of two bytes": b"\xa1\x18\x18\x00",
    "key that is true": b"\xa1\xf5\x00",
    "text that is not UTF-8": b"\x61\xff",
    "a lone surrogate": b"\x63\xed\xa0\x80",
    "something behind": b"\x00\x00",
    "cut off": b"\x82\x00",
    "array of 2^60": b"\x9b\x10" + bytes(7),
    "map of 2^60": b"\xbb\x10" + bytes(7),
    "bytes of 2^60": b"\x5b\x10" + bytes(7),
    "text of 2^40": b"\x7b\x00\x00\x01" + bytes(5),
    "nested 13 deep": b"\x81" * 13 + b"\x00",
    "nested a hundred thousand deep": b"\x81" * 100_000 + b"\x00",
}


@given(plain)
def test_what_is_encoded_decodes_to_itself(value):
    """Every value that has a form comes back, in type too."""
    again = cbor.decode(cbor.encode(value))
    assert again == value
    assert cbor.encode(again) == cbor.encode(value)  # so that 1 has not become true


@given(st.binary(max_size=60) | plain.map(cbor2.dumps))
def test_what_decodes_re_encodes_to_the_same_bytes(encoded):
    """Noise is refused with the reason, or is the one encoding of what it says."""
    try:
        value = cbor.decode(encoded)
    except WireError as error:
        assert error.reason is Reason.CBOR
    else:
        assert cbor.encode(value) == encoded


@given(plain, st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_means_something_else(value, at, change):
    """No two encodings mean the same."""
    encoded = bytearray(cbor.encode(value))
    encoded[at % len(encoded)] ^= change
    try:
        other = cbor.decode(bytes(encoded))
    except WireError:
        return
    assert cbor.encode(other) != cbor.encode(value)


@pytest.mark.parametrize("name", REFUSED)
def test_each_other_form_is_refused(name):
    """What is no deterministic encoding of ours is refused, however large it claims to be."""
    with pytest.raises(WireError) as caught:
        cbor.decode(REFUSED[name])
    assert caught.value.reason is Reason.CBOR


@pytest.mark.parametrize(
    "value", [1.5, 2**64, -(2**63) - 1, (1, 2), {"a": 1}, {24: 1}, {-1: 1}, {True: 1}, object(), bytearray(b"x")]
)
def test_what_has_no_form_is_not_encoded(value):
    """Floats, tuples, other keys and larger numbers are refused on the way out too."""
    with pytest.raises(WireError):
        cbor.encode(value)


def test_nesting_ends_at_twelve():
    """Twelve levels are read, the thirteenth is refused, on the way out too."""
    deep = 0
    for _ in range(cbor.MAX_DEPTH):
        deep = [deep]
    assert cbor.decode(cbor.encode(deep)) == deep
    with pytest.raises(WireError):
        cbor.encode([deep])
