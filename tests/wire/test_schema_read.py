"""What is read the straight way, and what is refused, is what the plainest reading of the same annotations says."""

import dataclasses
import functools
import json
import types
import typing
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import MAIN, STORE_POLICY, instances
from wire import cbor, schema, sync
from wire.affinity import Affinity
from wire.errors import Reason, WireError
from wire.events import MuteKind
from wire.member import Field, Member, Mode, Muted, Statement
from wire.policy import MainPolicy
from wire.schema import Count, Packed, Range, Size, exactly
from wire.suggestions import Memory
from wire.views import Card, Roster

# --- the plainest reading: one annotation, one value, each time anew ----------------------------------------------


def plainly(hint: Any, value: Any) -> tuple[Any, int]:
    """What `value` says under an annotation, and the bytes of its deterministic encoding. Raises: WireError."""
    bound = None
    if typing.get_origin(hint) is Annotated:
        hint, bound = typing.get_args(hint)[:2]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
        return plainly(Annotated[inner, bound] if bound else inner, value)
    if typing.get_origin(hint) is tuple:
        (element, _) = typing.get_args(hint)
        if isinstance(bound, Packed):
            return packed(
                value, lambda inner: array(inner, bound, lambda one: packed(one, lambda x: plainly(element, x)))
            )
        return array(value, bound, lambda one: plainly(element, one))
    if dataclasses.is_dataclass(hint):
        return row(hint, value) if getattr(hint, "ROW", False) else map_(hint, value)
    if issubclass(hint, Enum):
        found = [one for one in hint if type(one.value) is type(value) and one.value == value]
        if not found:
            raise expected(f"a member of {hint.__name__}")
        return found[0], len(cbor2.dumps(value))
    if hint is bool:
        if type(value) is not bool:
            raise expected("a boolean")
    elif hint is int:
        low, high = (bound.low, bound.high) if bound else (0, 2**64 - 1)
        if type(value) is not int or not low <= value <= high:
            raise expected(f"an integer {low}..{high}")
    else:
        size = bound or Size(0, 256)
        what = f"{size.low} to {size.high} bytes" if hint is bytes else f"text of at most {size.high} bytes"
        if type(value) is not hint or not size.low <= length(value) <= size.high:
            raise expected(what)
    return value, len(cbor2.dumps(value))


def expected(what: str) -> WireError:
    return WireError(Reason.SHAPE, f"expected {what}")


def length(value: str | bytes) -> int:
    try:
        return len(value.encode() if isinstance(value, str) else value)
    except UnicodeEncodeError:
        return -1


def array(value: Any, bound: Count | None, one: Any) -> tuple[Any, int]:
    most = bound.high if bound else 4096
    if type(value) is not list or len(value) > most:
        raise expected(f"an array of at most {most} elements")
    parts = [one(part) for part in value]
    return tuple(part for part, _ in parts), cbor.head_bytes(len(value)) + sum(size for _, size in parts)


def packed(value: Any, inner: Any) -> tuple[Any, int]:
    if type(value) is not bytes:
        raise expected("a byte string")
    return whole(inner, value), len(cbor2.dumps(value))


@functools.cache
def fields_of(hint: Any) -> list[tuple[Any, bool]]:
    hints = typing.get_type_hints(hint, include_extras=True)
    told = [hints[field.name] for field in dataclasses.fields(hint)]
    bare = [typing.get_args(one)[0] if typing.get_origin(one) is Annotated else one for one in told]
    return [(one, type(None) in typing.get_args(unbound)) for one, unbound in zip(told, bare, strict=True)]


def map_(hint: Any, value: Any) -> tuple[Any, int]:
    fields = fields_of(hint)
    required = {key for key, (_, optional) in enumerate(fields) if not optional}
    if type(value) is not dict or not required <= value.keys():
        raise expected(f"a map with the keys of {hint.__name__}")
    parts: list[Any] = [None] * len(fields)
    size_bytes, last = cbor.head_bytes(len(value)) + len(value), -1
    for key, part in value.items():
        if type(key) is not int or not last < key < len(fields):
            raise expected(f"a map with the keys of {hint.__name__}, ascending")
        last = key
        parts[key], more_bytes = plainly(fields[key][0], part)
        size_bytes += more_bytes
    return hint(*parts), size_bytes


def row(hint: Any, value: Any) -> tuple[Any, int]:
    fields = fields_of(hint)
    if type(value) is not list or len(value) != len(fields):
        raise expected(f"an array of the {len(fields)} fields of {hint.__name__}")
    parts = [
        (None, 1) if part is None and optional else plainly(one, part)
        for part, (one, optional) in zip(value, fields, strict=True)
    ]
    return hint(*(part for part, _ in parts)), cbor.head_bytes(len(fields)) + sum(size for _, size in parts)


def whole(read: Any, encoded: bytes) -> Any:
    plain = cbor.load(encoded)
    try:
        value, size_bytes = read(plain)
    except WireError:
        cbor.decode(encoded)
        raise
    if size_bytes != len(encoded):
        raise WireError(Reason.CBOR, "not the deterministic encoding")
    return value


# --- both on the same ---------------------------------------------------------------------------------------------


def outcome(read: Any, *told: Any) -> Any:
    """What is read, each part with its very type; or why it was refused."""
    try:
        return typed(read(*told))
    except WireError as error:
        return error.reason, error.hint


def typed(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return type(value), [typed(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return type(value), [typed(part) for part in value] if isinstance(value, tuple) else value


def agree(kind: type, encoded: bytes) -> Any:
    """What both say of these bytes."""
    said = outcome(schema.decode, kind, encoded)
    assert said == outcome(whole, functools.partial(plainly, kind), encoded)
    return said


def agree_on_plain(kind: type, plain: Any) -> None:
    """Both say the same of plain lists and maps."""
    assert outcome(schema.from_plain, kind, plain) == outcome(lambda: plainly(kind, plain)[0])


class Small(IntEnum):
    """Numbers whose heads are of several lengths."""

    LESS = -25
    ZERO = 0
    MORE = 300


@dataclass(frozen=True, slots=True)
class Leaves:
    """A leaf of every sort."""

    small: Annotated[int, Range(-3, 3)]
    below: Annotated[int, Range(-(2**63), 2**64 - 1)] | None
    above: Annotated[int, Range(24, 2**40)] | None
    text: Annotated[str, Size(0, 300)]
    few: Annotated[bytes, Size(2, 30)] | None
    fixed: Annotated[bytes, exactly(300)] | None
    yes: bool | None
    number: Small | None
    numbers: Annotated[tuple[Small, ...], Count(3)] | None


@dataclass(frozen=True, slots=True)
class Leafy:
    """A row, and a row in it."""

    ROW = True
    small: Annotated[int, Range(-3, 3)]
    below: Annotated[int, Range(-(2**63), 2**64 - 1)] | None
    text: Annotated[str, Size(0, 30)] | None
    number: Small | None
    leaves: Leaves | None
    muted: Muted | None
    numbers: Annotated[tuple[Annotated[int, Range(-(2**16), 2**40)], ...], Count(30)] | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """No fields at all."""


@dataclass(frozen=True, slots=True)
class Below(Nothing):
    """One whose slots are not all its own."""

    nothing: Nothing
    flags: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Long:
    """What may be long."""

    text: Annotated[str, Size(1, 70_000)] | None
    raw: Annotated[bytes, Size(0, 70_000)] | None
    number: Annotated[int, Range(-(2**63), 2**64 - 1)] | None
    positive: int | None


Full = dataclasses.make_dataclass("Full", [(f"f{at}", int) for at in range(24)], frozen=True, slots=True)
KINDS = (
    Member, Statement, Field, MainPolicy, Card, Roster, Affinity, Memory, sync.Records, sync.Events,
    Leaves, Leafy, Below, Full,
)  # fmt: skip
OF = {kind: instances(kind, most=2) for kind in KINDS}
SOME = st.sampled_from(KINDS).flatmap(OF.__getitem__)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "messages.json").read_text())["messages"]
ODD = (
    None, True, False, 0, 1, 23, 24, 255, 256, -1, -24, -25, 65_535, 65_536, 2**32 - 1, 2**32, 2**40 + 1, 2**64 - 1,
    2**64, -(2**63), -(2**63) - 1, 1.0, 0.0, "", "a", "x" * 65, "é" * 33, "x" * 600, "\ud800", b"", b"x", b"x" * 16,
    b"x" * 33, [], [None], [0], {}, {0: None}, {True: 1}, Small.ZERO, Mode.OPEN, cbor2.undefined,
    cbor2.CBORSimpleValue(1),
)  # fmt: skip


def places(plain: Any) -> list[tuple[Any, Any]]:
    """Each list and map that is in a plain value, with each of its indices or keys."""
    inside = (
        list(plain.items()) if isinstance(plain, dict) else list(enumerate(plain)) if isinstance(plain, list) else []
    )
    return [(plain, at) for at, _ in inside] + [place for _, part in inside for place in places(part)]


def any_odd(random: Any) -> Any:
    odd = random.choice(ODD)
    return odd.copy() if isinstance(odd, list | dict) else odd


def broken(plain: Any, random: Any) -> Any:
    """The same but for one or two things that are odd in it."""
    for _ in range(random.choice((1, 1, 2))):
        found = places(plain)
        if not found:
            return any_odd(random)
        there, at = random.choice(found)
        change = random.randrange(6 if isinstance(there, dict) else 4)
        if change == 0:
            del there[at]
        elif change <= 2:
            there[at] = any_odd(random)
        elif isinstance(there, list):
            there.append(random.choice((any_odd(random), *there)))
        else:  # a key, or the order of keys
            pairs = list(there.items())
            if change == 5:
                random.shuffle(pairs)
            else:
                key = at if type(at) is int and 0 <= at < 24 else 0
                odd = (True, False, float(key), cbor2.CBORSimpleValue(key), key + 1, -1, 24, "0", Small.ZERO, None)
                pairs = [(random.choice(odd) if one is at else one, part) for one, part in pairs]
            there.clear()
            there.update(pairs)
    return plain


def lengthened(encoded: bytes, at: int) -> bytes:
    """The same with the head at `at` said in more bytes than it needs."""
    kind, number = encoded[at] & 0xE0, encoded[at] & 0x1F
    if number < 24:
        return encoded[:at] + bytes((kind | 24, number)) + encoded[at + 1 :]
    grown = {24: 2, 25: 4, 26: 8}.get(number, 0)
    told = encoded[at + 1 : at + 1 + grown // 2]
    return encoded[:at] + bytes((kind | number + 1,)) + told.rjust(grown, b"\0") + encoded[at + 1 + grown // 2 :]


@given(SOME)
def test_any_instance_is_read_as_the_plainest_reading_reads_it(one):
    """The same parts of the very same types; nothing of how it was made is left in it."""
    kind, encoded = type(one), schema.encode(one)
    assert agree(kind, encoded) == typed(one)
    found = schema.decode(kind, encoded)
    assert (found, hash(found), dataclasses.replace(found)) == (one, hash(one), one)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(found, dataclasses.fields(kind)[0].name, 0)


@given(SOME, st.randoms(use_true_random=False))
def test_what_is_odd_is_taken_or_refused_as_by_the_plainest_reading(one, random):
    """One or two parts, keys or lengths changed: the same value, or the same reason in the same words."""
    for _ in range(4):
        plain = broken(schema.to_plain(one), random)
        agree_on_plain(type(one), plain)
        with suppress(cbor2.CBORError, UnicodeEncodeError):  # a lone surrogate
            agree(type(one), cbor2.dumps(plain))


@given(SOME | st.sampled_from([message["kind"] for message in VECTORS]), st.randoms(use_true_random=False))
def test_bytes_that_changed_are_taken_or_refused_as_by_the_plainest_reading(one, random):
    """A head longer than it needs to be, another byte, one less, one more: of any message, and of those published."""
    kind, encoded = type(one), b""
    if isinstance(one, str):
        kind = sync.SCHEMAS[sync.Kind[one.upper()]]
        (encoded,) = (bytes.fromhex(message["body"]) for message in VECTORS if message["kind"] == one)
        assert type(agree(kind, encoded)[0]) is type
    encoded = encoded or schema.encode(one)
    at = random.randrange(len(encoded))
    agree(kind, lengthened(encoded, at))
    agree(kind, encoded[:at] + bytes((random.randrange(256),)) + encoded[at + 1 :])
    agree(kind, encoded[:at])
    agree(kind, encoded[:at] + bytes((random.randrange(256),)) + encoded[at:])


LEAVES = Leaves(-3, -(2**63), 2**40, "é", b"xy", b"x" * 300, False, Small.MORE, (Small.LESS, Small.ZERO))
WHOLE = Leafy(3, 2**64 - 1, "", Small.ZERO, LEAVES, Muted(MuteKind.ITEM, "tea"), (-(2**16), 2**40))


@pytest.mark.parametrize("one", [LEAVES, WHOLE, dataclasses.replace(LEAVES, few=None, number=None)])
def test_each_field_with_each_odd_value(one):
    """All fields there or some of them absent: nothing odd gets in, a null in the place of a value included."""
    kind = type(one)
    plain = schema.to_plain(one)
    assert agree(kind, schema.encode(one)) == typed(one)
    for at in plain if isinstance(plain, dict) else range(len(plain)):
        for odd in ODD:
            changed = plain.copy()
            changed[at] = odd
            agree_on_plain(kind, changed)


STEPS = [least + by for least in (0, 24, 2**8, 2**16, 2**32, 2**63, 2**64) for by in (-1, 0)]


@pytest.mark.parametrize("number", [*STEPS, *(-1 - step for step in STEPS)])
def test_numbers_and_lengths_where_heads_grow(number):
    """At each step of a head's length the sum is still right, and one byte more is refused."""
    wide = 0 <= number <= 70_001
    longest = [
        Long("x" * number if wide else None, b"x" * number if wide else None, number, abs(number)),
        Long("é" * (number // 2) + "x" * (number % 2) if wide else None, None, None, None),
    ]
    for one in longest:
        parts = [getattr(one, field.name) for field in dataclasses.fields(Long)]
        plain = {key: part for key, part in enumerate(parts) if part is not None}
        encoded = cbor2.dumps(plain)
        agree(Long, encoded)
        for at in range(len(encoded) if len(encoded) < 20 else 0):
            agree(Long, lengthened(encoded, at))


@dataclass(frozen=True, slots=True)
class Judged:
    """One that says no for itself."""

    least: int
    most: int

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise WireError(Reason.SHAPE, "expected an order")


def test_a_dataclass_that_judges_itself_is_asked():
    """What a class demands of its fields together is demanded of what is read, too."""
    assert schema.from_plain(Judged, {0: 1, 1: 1}) == Judged(1, 1)
    with pytest.raises(WireError, match="an order"):
        schema.from_plain(Judged, {0: 2, 1: 1})


def test_real_policies_are_read_alike():
    """A brand's policy and a store's, as they are, and with each byte of a head longer."""
    for policy in (MAIN, STORE_POLICY):
        encoded = schema.encode(policy)
        assert agree(type(policy), encoded) == typed(policy)
        for at in range(120):
            agree(type(policy), lengthened(encoded, at))
