"""Frozen dataclasses to and from deterministic CBOR maps: field n of a class is key n of its map.

The dataclass *is* the schema. Its annotations give the bounds, and `decode` refuses whatever is outside
of them, so that a decoded message needs no further checks of type, length or range. Forms:

    bool · int with `Range` (default unsigned 64 bits) · str and bytes with `Size` (bytes, UTF-8) ·
    an IntEnum (by number) · a StrEnum (by text) · a nested dataclass (map; array if it has ROW = True) ·
    tuple[X, ...] with `Count` · the same with `Packed` (a byte string: the CBOR of an array of the CBOR of each X) ·
    X | None (a key that is absent; null inside of an array)

Pure: no I/O, no clock.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import Enum, IntEnum
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

from wire import cbor
from wire.errors import Reason, WireError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """Length in bytes, inclusive bounds."""

    low: int
    high: int


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """Value of an integer, inclusive bounds."""

    low: int
    high: int


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """Number of elements of an array, at most."""

    high: int


@dataclasses.dataclass(frozen=True, slots=True)
class Packed(Count):
    """As `Count`; the array and each element are encoded by themselves, so that what was seen before is looked up."""


_UINT = Range(0, 2**64 - 1)
_TEXT = Size(0, 256)
_MOST_KEPT = 4096  # elements of packed arrays that are kept, of each sort…
_MOST_ARRAYS = 16  # … and whole arrays
_Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]  # to plain values, from plain values


def exactly(length_bytes: int) -> Size:
    """The bound of a byte string of a fixed length."""
    return Size(length_bytes, length_bytes)


def encode(message: object) -> bytes:
    """The deterministic CBOR of a schema dataclass.

    Raises:
        WireError: a field is outside of the bounds that its annotation declares.
    """
    return cbor.write(to_plain(message))  # the codecs give nothing that has no form


def decode(schema: type[T], encoded: bytes) -> T:
    """The instance of `schema` of which `encoded` is the encoding.

    Raises:
        WireError: not deterministic CBOR, or not of this shape.
    """
    return from_plain(schema, cbor.decode(encoded))


def to_plain(message: object) -> Any:
    """The plain lists and maps of a schema dataclass, bounds checked."""
    return _codec(cast(Any, type(message)))[0](message)


def from_plain(schema: type[T], plain: object) -> T:
    """The instance of `schema` from plain lists and maps, bounds checked."""
    return cast(T, _codec(cast(Any, schema))[1](plain))


def _wrong(what: str) -> WireError:
    return WireError(Reason.SHAPE, f"expected {what}")


@cache
def _codec(schema: Any) -> _Codec:
    """Encoder and decoder of one annotation, made once."""
    bounds: tuple[Any, ...] = ()
    if typing.get_origin(schema) is typing.Annotated:
        schema, *rest = typing.get_args(schema)
        bounds = tuple(rest)
    bound = bounds[0] if bounds else None
    origin = typing.get_origin(schema)
    if origin is tuple:
        element = _codec(typing.get_args(schema)[0])
        if isinstance(bound, Packed):
            return _packed(_array(_packed(element, _MOST_KEPT), bound), _MOST_ARRAYS)
        return _array(element, bound)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (part for part in typing.get_args(schema) if part is not type(None))
        return _codec(typing.Annotated[inner, bound] if bound else inner)
    if dataclasses.is_dataclass(schema):
        return _row(cast(type, schema)) if getattr(schema, "ROW", False) else _map(cast(type, schema))
    if isinstance(schema, type) and issubclass(schema, Enum):
        return _enum(schema)
    if schema is bool:
        return _check_only(lambda value: type(value) is bool, "a boolean")
    if schema is int:
        low, high = ((bound or _UINT).low, (bound or _UINT).high)
        return _check_only(lambda value: type(value) is int and low <= value <= high, f"an integer {low}..{high}")
    if schema is bytes:
        size = bound or _TEXT
        return _check_only(
            lambda value: type(value) is bytes and size.low <= len(value) <= size.high,
            f"{size.low} to {size.high} bytes",
        )
    if schema is str:
        return _check_only(_is_text(bound or _TEXT), f"text of at most {(bound or _TEXT).high} bytes")
    raise TypeError(f"no CBOR form for {schema!r}")


def _is_text(size: Size) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if type(value) is not str or len(value) > size.high:
            return False
        try:
            return size.low <= len(value.encode()) <= size.high
        except UnicodeEncodeError:  # a lone surrogate
            return False

    return check


def _check_only(check: Callable[[Any], bool], what: str) -> _Codec:
    def same(value: Any) -> Any:
        if not check(value):
            raise _wrong(what)
        return value

    return same, same


def _enum(schema: type[Enum]) -> _Codec:
    plain_type = int if issubclass(schema, IntEnum) else str

    def give(value: Any) -> Any:
        if type(value) is not schema:
            raise _wrong(f"a member of {schema.__name__}")
        return value.value

    def take(value: Any) -> Any:
        if type(value) is not plain_type:
            raise _wrong(f"a member of {schema.__name__}")
        try:
            return schema(value)
        except ValueError as error:
            raise _wrong(f"a member of {schema.__name__}") from error

    return give, take


def _array(element: _Codec, bound: Count | None) -> _Codec:
    most = bound.high if bound else 4096

    def give(value: Any) -> Any:
        if type(value) is not tuple or len(value) > most:
            raise _wrong(f"at most {most} elements")
        return [element[0](part) for part in value]

    def take(value: Any) -> Any:
        if type(value) is not list or len(value) > most:
            raise _wrong(f"an array of at most {most} elements")
        return tuple(element[1](part) for part in value)

    return give, take


def _packed(inner: _Codec, most: int) -> _Codec:
    """A byte string with the CBOR of `inner`. The encoding is kept by its value, and what was decoded by its bytes."""
    given: dict[int, tuple[Any, bytes]] = {}  # by identity; the value is held, so that no other gets its number

    def give(value: Any) -> Any:
        kept = given.get(id(value))
        if kept is not None and kept[0] is value:
            return kept[1]
        encoded = cbor.write(inner[0](value))
        if len(given) >= most:
            given.clear()
        given[id(value)] = value, encoded
        return encoded

    @lru_cache(most)
    def taken(encoded: bytes) -> Any:
        return inner[1](cbor.decode(encoded))

    def take(value: Any) -> Any:
        if type(value) is not bytes:
            raise _wrong("a byte string")
        return taken(value)

    return give, take


def _fields(schema: type) -> list[tuple[int, str, _Codec, bool]]:
    hints = typing.get_type_hints(schema, include_extras=True)
    fields = []
    for number, field in enumerate(dataclasses.fields(schema)):
        hint = hints[field.name]
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
        fields.append((number, field.name, _codec(hint), type(None) in typing.get_args(bare)))
    return fields


def _map(schema: type) -> _Codec:
    fields = _fields(schema)
    known = {number for number, *_ in fields}

    def give(value: Any) -> Any:
        if type(value) is not schema:
            raise _wrong(schema.__name__)
        plain = {}
        for number, name, codec, optional in fields:
            part = getattr(value, name)
            if part is None and optional:
                continue
            plain[number] = codec[0](part)
        return plain

    def take(value: Any) -> Any:
        if type(value) is not dict or not known.issuperset(value):
            raise _wrong(f"a map with the keys of {schema.__name__}")
        parts = []
        for number, name, codec, optional in fields:
            if number in value:
                parts.append(codec[1](value[number]))
            elif optional:
                parts.append(None)
            else:
                raise _wrong(f"{schema.__name__}.{name} (key {number})")
        return schema(*parts)

    return give, take


def _row(schema: type) -> _Codec:
    fields = _fields(schema)

    def give(value: Any) -> Any:
        if type(value) is not schema:
            raise _wrong(schema.__name__)
        parts = ((getattr(value, name), codec, optional) for _, name, codec, optional in fields)
        return [None if part is None and optional else codec[0](part) for part, codec, optional in parts]

    takers = [(codec[1], optional) for _, _, codec, optional in fields]

    def take(value: Any) -> Any:
        if type(value) is not list or len(value) != len(takers):
            raise _wrong(f"an array of the {len(takers)} fields of {schema.__name__}")
        # A list and no generator: a fill makes a row of each of a million records.
        parts = [
            None if part is None and optional else taken(part)
            for part, (taken, optional) in zip(value, takers, strict=True)
        ]
        return schema(*parts)

    return give, take
