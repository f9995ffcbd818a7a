"""A dataclass is its schema: what it allows comes back, and nothing outside of its bounds passes either way."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum, StrEnum
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import instances
from wire import cbor, schema
from wire.errors import Reason, WireError
from wire.schema import Count, Packed, Range, Size, exactly


class Number(IntEnum):
    """By number."""

    ONE = 1
    TWO = 2


class Word(StrEnum):
    """By text."""

    A = "a"


@dataclass(frozen=True, slots=True)
class Row:
    """An array on the wire."""

    ROW = True
    key: Annotated[bytes, exactly(2)]
    word: Word | None


@dataclass(frozen=True, slots=True)
class Thing:
    """One field of every form."""

    yes: bool
    small: Annotated[int, Range(-3, 3)]
    large: int
    text: Annotated[str, Size(1, 4)]
    raw: Annotated[bytes, Size(0, 3)] | None
    number: Number
    rows: Annotated[tuple[Row, ...], Count(2)]
    inner: Row | None
    texts: Annotated[tuple[Annotated[str, Size(0, 2)], ...], Count(3)] | None


THING = Thing(True, 3, 2**64 - 1, "é", b"", Number.TWO, (Row(b"xy", Word.A), Row(b"ab", None)), None, ("", "ab"))


@given(instances(Thing))
def test_any_instance_comes_back(thing):
    """Encoding and decoding give the same instance and the same bytes."""
    encoded = schema.encode(thing)
    assert schema.decode(Thing, encoded) == thing
    assert schema.encode(schema.decode(Thing, encoded)) == encoded


def test_the_form_is_fixed():
    """Field n is key n; an absent field has no key; rows are arrays with null for what is absent."""
    assert schema.to_plain(THING) == {
        0: True, 1: 3, 2: 2**64 - 1, 3: "é", 4: b"", 5: 2, 6: [[b"xy", "a"], [b"ab", None]], 8: ["", "ab"],
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crate:
    """Rows that are packed."""

    rows: Annotated[tuple[Row, ...], Packed(2)]


def test_packed_elements_are_encoded_one_by_one():
    """Each is a byte string, and so is the array; what was seen before is the very same object when it is read."""
    row, other = Row(b"xy", Word.A), Row(b"ab", None)
    packed = [schema.encode(row), schema.encode(other)]
    assert schema.to_plain(Crate((row, other))) == {0: cbor.encode(packed)}
    first = schema.from_plain(Crate, {0: cbor.encode(packed)}).rows
    assert first == (row, other)
    assert schema.from_plain(Crate, {0: cbor.encode(packed)}).rows is first
    turned = schema.from_plain(Crate, {0: cbor.encode(packed[::-1])}).rows
    assert (turned[1] is first[0], turned[0] is first[1]) == (True, True)


@pytest.mark.parametrize(
    "value", [[["xy", "a"]], [b""], [b"\xff"], [cbor.encode([b"xyz", None])], [cbor.encode([b"xy", None])] * 3, b"xy"]
)
def test_packed_bytes_out_of_bounds_are_not_decoded(value):
    """An element that is no bytes, no CBOR or of another shape is refused, again and again, and so are too many."""
    for plain in ({0: cbor.encode(value)}, {0: value}, {0: b"\xff"}):
        for _ in range(2):
            with pytest.raises(WireError):
                schema.from_plain(Crate, plain)


def test_what_is_kept_is_bounded_and_changes_nothing():
    """After more arrays and elements than are kept, each is still encoded and decoded as it is."""
    for number in range(5_000):
        crate = Crate((Row(number.to_bytes(2, "big"), None),))
        assert schema.decode(Crate, schema.encode(crate)) == crate


WRONG = [
    ("yes", 1), ("yes", None), ("small", 4), ("small", -4), ("small", True), ("large", -1), ("large", "1"),
    ("text", ""), ("text", "abcde"), ("text", "ééé"), ("text", b"a"), ("text", "\ud800"), ("raw", b"abcd"),
    ("raw", "abc"), ("number", 2), ("number", Word.A), ("rows", [THING.rows[0]]), ("rows", THING.rows * 2),
    ("rows", None), ("inner", b"xy"), ("texts", ("abc",)), ("texts", ("a",) * 4),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_instance_out_of_bounds_is_not_encoded(name, value):
    """Types, lengths, ranges and counts are checked before anything leaves."""
    with pytest.raises(WireError) as caught:
        schema.encode(replace(THING, **{name: value}))
    assert caught.value.reason is Reason.SHAPE


PLAIN_WRONG = [
    (0, 1), (1, 4), (1, True), (2, -1), (3, ""), (3, "abcde"), (3, b"a"), (4, b"abcd"), (4, None), (5, 3), (5, "1"),
    (5, True), (6, [[b"xy", "b"]]), (6, [[b"xy"]]), (6, [[b"xy", "a", 0]]), (6, [{0: b"xy"}]), (6, [[b"xyz", None]]),
    (6, [[b"xy", None]] * 3), (6, None), (7, {0: b"xy"}), (8, "ab"), (9, 0), (23, 0),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), PLAIN_WRONG)
def test_bytes_out_of_bounds_are_not_decoded(key, value):
    """What a stranger sends is held to the same bounds, unknown keys and wrong arity included."""
    with pytest.raises(WireError) as caught:
        schema.decode(Thing, cbor.encode(dict(sorted({**schema.to_plain(THING), key: value}.items()))))
    assert caught.value.reason is Reason.SHAPE


@pytest.mark.parametrize("number", range(len(fields(Thing))))
def test_only_an_optional_field_may_be_missing(number):
    """A missing key is refused unless the field may be absent."""
    plain = schema.to_plain(THING)
    plain.pop(number, None)
    if fields(Thing)[number].name in {"raw", "inner", "texts"}:
        assert schema.from_plain(Thing, plain) is not None
    else:
        with pytest.raises(WireError):
            schema.from_plain(Thing, plain)


@given(instances(Thing))
def test_what_is_written_is_what_the_library_writes(thing):
    """Our own writing and that of cbor2 give the same bytes."""
    encoded = schema.encode(thing)
    assert cbor.encode(cbor.decode(encoded)) == encoded


@pytest.mark.parametrize("encoded", [b"\x98\x02\x42xy\x61a", b"\x82\x58\x02xy\x61a", b"\x82\x42xy\x79\x00\x01a"])
def test_a_row_is_read_in_its_shortest_form_alone(encoded):
    """A length in more bytes than it needs is refused, though it says the same."""
    assert schema.decode(Row, b"\x82\x42xy\x61a") == Row(b"xy", Word.A)
    with pytest.raises(WireError) as caught:
        schema.decode(Row, encoded)
    assert caught.value.reason is Reason.CBOR


@pytest.mark.parametrize(
    "change",
    [
        lambda said: b"\xb8\x08" + said[1:],  # its length in two bytes
        lambda said: said[:1] + b"\x18" + said[1:],  # the first key in two
        lambda said: said[:1] + said[3:5] + said[1:3] + said[5:],  # the first two keys turned
        lambda said: said[:1] + b"\x00\xf8\x15" + said[3:],  # true in two bytes
        lambda said: said[:3] + b"\xf5" + said[4:],  # the key 1 as true, which Python takes for equal
        lambda said: said[:3] + b"\xf9\x3c\x00" + said[4:],  # as a float
        lambda said: said[:4] + b"\xf9\x42\x00" + said[5:],  # the value 3 as a float
    ],
)
def test_a_map_is_read_in_its_one_form_alone(change):
    """Longer heads, other orders and other types that Python takes for equal are refused as no deterministic CBOR."""
    encoded = schema.encode(THING)
    assert encoded[:5] == b"\xa8\x00\xf5\x01\x03"
    with pytest.raises(WireError) as caught:
        schema.decode(Thing, change(encoded))
    assert caught.value.reason is Reason.CBOR


@given(instances(Thing), st.integers(0, 60), st.binary(max_size=3))
def test_reading_at_once_refuses_what_strict_reading_refuses(thing, at, put):
    """Whatever is put into an encoding: what is read is deterministic CBOR by the slow way too."""
    said = schema.encode(thing)
    changed = said[:at] + put + said[at + 1 :]
    try:
        schema.decode(Thing, changed)
    except WireError:
        return
    assert cbor.encode(cbor.decode(changed)) == changed


@given(st.binary(max_size=80))
def test_noise_raises_only_wire_error(noise):
    """Bytes from anywhere are refused, never an accident."""
    with pytest.raises(WireError):
        schema.decode(Thing, noise)


@given(instances(Thing), st.integers(0, 500), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_means_something_else(thing, at, change):
    """What decodes re-encodes to the very bytes that came."""
    encoded = bytearray(schema.encode(thing))
    encoded[at % len(encoded)] ^= change
    try:
        other = schema.decode(Thing, bytes(encoded))
    except WireError:
        return
    assert schema.encode(other) == bytes(encoded)
    assert other != thing


def test_a_hint_never_repeats_a_value():
    """The error of a refused value tells what was expected, not what came."""
    with pytest.raises(WireError) as caught:
        schema.encode(replace(THING, text="secret"))
    assert "secret" not in str(caught.value)


def test_an_annotation_without_a_form_is_a_mistake_of_ours():
    """A schema with a float is no schema."""

    @dataclass(frozen=True, slots=True)
    class Wrong:
        """No form."""

        weight: float

    with pytest.raises(TypeError):
        schema.encode(Wrong(1.0))
