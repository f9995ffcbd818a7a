"""Frozen dataclasses to and from deterministic CBOR maps: field n of a class is key n of its map.

The dataclass *is* the schema. Its annotations give the bounds, and `decode` refuses whatever is outside
of them, so that a decoded message needs no further checks of type, length or range. Forms:

    bool · int with `Range` (default unsigned 64 bits) · str and bytes with `Size` (bytes, UTF-8) ·
    an IntEnum (by number) · a StrEnum (by text) · a nested dataclass (map; array if it has ROW = True) ·
    tuple[X, ...] with `Count` · the same with `Packed` (a byte string: the CBOR of an array of the CBOR of each X) ·
    X | None (a key that is absent; null inside of an array)

Writing goes from the instance to bytes at once. Reading takes what cbor2 read and judges bounds and form together: each
part tells how long its deterministic encoding is, and only if the sum is what came was nothing written longer than it
had to be (`wire.cbor.load`). A message is then gone through once each way, and not three times. The readers here are
the plain ones, which decide what is refused and how; `wire.schema_read` makes quicker ones for what is in order.

Pure: no I/O, no clock.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import Enum
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeVar, cast

from wire import cbor, schema_leaves, schema_read
from wire.errors import Reason, WireError
from wire.schema_leaves import Codec, Read, wrong
from wire.schema_read import Field

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


def exactly(length_bytes: int) -> Size:
    """The bound of a byte string of a fixed length."""
    return Size(length_bytes, length_bytes)


def encode(message: object) -> bytes:
    """The deterministic CBOR of a schema dataclass.

    Raises:
        WireError: a field is outside of the bounds that its annotation declares.
    """
    return _codec(cast(Any, type(message))).write(message)


def decode(schema: type[T], encoded: bytes) -> T:
    """The instance of `schema` of which `encoded` is the encoding.

    Raises:
        WireError: not deterministic CBOR, or not of this shape.
    """
    return cast(T, _decoded(_codec(cast(Any, schema)).read, encoded))


def to_plain(message: object) -> Any:
    """The plain lists and maps of a schema dataclass, bounds checked."""
    return cbor.decode(encode(message))


def from_plain(schema: type[T], plain: object) -> T:
    """The instance of `schema` from plain lists and maps, their keys ascending, bounds checked."""
    return cast(T, _codec(cast(Any, schema)).read(plain)[0])


def _decoded(read: Read, encoded: bytes) -> Any:
    plain = cbor.load(encoded)
    try:
        value, size_bytes = read(plain)
    except WireError:
        cbor.decode(encoded)  # what is not even deterministic CBOR is refused as that
        raise
    if size_bytes != len(encoded):
        raise WireError(Reason.CBOR, "not the deterministic encoding")
    return value


@cache
def _codec(schema: Any) -> Codec:
    """What writes and what reads one annotation, made once."""
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
        return schema_leaves.enumeration(schema)
    if schema is bool:
        return schema_leaves.boolean()
    bound = bound or (_UINT if schema is int else _TEXT)
    if schema is int:
        return schema_leaves.integer(bound.low, bound.high)
    if schema is bytes:
        return schema_leaves.byte_string(bound.low, bound.high)
    if schema is str:
        return schema_leaves.text(bound.low, bound.high)
    raise TypeError(f"no CBOR form for {schema!r}")


def _array(element: Codec, bound: Count | None) -> Codec:
    most = bound.high if bound else 4096
    write_one, read_one, leaf = element

    def write(value: Any) -> bytes:
        if type(value) is not tuple or len(value) > most:
            raise wrong(f"at most {most} elements")
        return cbor.array([write_one(part) for part in value])

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not list or len(value) > most:
            raise wrong(f"an array of at most {most} elements")
        size_bytes = cbor.head_bytes(len(value))
        parts = []
        for part in value:
            one, more_bytes = read_one(part)
            parts.append(one)
            size_bytes += more_bytes
        return tuple(parts), size_bytes

    return Codec(write, read if leaf is None else schema_read.of_array(leaf, most, read))


def _packed(inner: Codec, most: int) -> Codec:
    """A byte string with the CBOR of `inner`. The encoding is kept by its value, and what was decoded by its bytes."""
    written: dict[int, tuple[Any, bytes]] = {}  # by identity; the value is held, so that no other gets its number
    write_inner, read_inner, _ = inner

    def write(value: Any) -> bytes:
        kept = written.get(id(value))
        if kept is not None and kept[0] is value:
            return kept[1]
        content = write_inner(value)
        encoded = cbor.head(cbor.BYTES, len(content)) + content
        if len(written) >= most:
            written.clear()
        written[id(value)] = value, encoded
        return encoded

    @lru_cache(most)
    def taken(encoded: bytes) -> Any:
        return _decoded(read_inner, encoded)

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not bytes:
            raise wrong("a byte string")
        return taken(value), len(value) + cbor.head_bytes(len(value))

    return Codec(write, read)


def _fields(schema: type) -> list[Field]:
    """The fields of a schema in their order."""
    hints = typing.get_type_hints(schema, include_extras=True)
    fields = []
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
        fields.append(Field(field.name, _codec(hint), type(None) in typing.get_args(bare)))
    return fields


def _parts_of(fields: list[Field]) -> Callable[[Any], tuple[Any, ...]]:
    """All fields of an instance, in their order."""
    if len(fields) == 1:
        only = attrgetter(fields[0][0])
        return lambda value: (only(value),)
    return attrgetter(*(name for name, *_ in fields)) if fields else lambda _: ()


def _map(schema: type) -> Codec:
    fields = _fields(schema)
    if len(fields) > cbor.MOST_KEYS:
        raise TypeError(f"a map has at most {cbor.MOST_KEYS} fields: {schema!r}")
    parts_of = _parts_of(fields)
    writers = [(cbor.head(cbor.UINT, key), codec.write, optional) for key, (_, codec, optional) in enumerate(fields)]
    readers = [codec.read for _, codec, _ in fields]
    absent = [None] * len(fields)
    required = frozenset(key for key, (_, _, optional) in enumerate(fields) if not optional)

    def write(value: Any) -> bytes:
        if type(value) is not schema:
            raise wrong(schema.__name__)
        parts = [
            key + write_part(part)
            for part, (key, write_part, optional) in zip(parts_of(value), writers, strict=True)
            if part is not None or not optional
        ]
        return cbor.head(cbor.MAP, len(parts)) + b"".join(parts)

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not dict or not required <= value.keys():
            raise wrong(f"a map with the keys of {schema.__name__}")
        parts: list[Any] = absent.copy()
        size_bytes = cbor.head_bytes(len(value)) + len(value)  # a key is one byte
        key = -1
        for following, part in value.items():
            if type(following) is not int or not key < following < len(absent):
                raise wrong(f"a map with the keys of {schema.__name__}, ascending")
            key = following
            parts[key], more_bytes = readers[key](part)
            size_bytes += more_bytes
        return schema(*parts), size_bytes

    return Codec(write, schema_read.of_map(schema, fields, read))


def _row(schema: type) -> Codec:
    fields = _fields(schema)
    parts_of = _parts_of(fields)
    writers = [(codec.write, optional) for _, codec, optional in fields]
    readers = [(codec.read, optional) for _, codec, optional in fields]

    def write(value: Any) -> bytes:
        if type(value) is not schema:
            raise wrong(schema.__name__)
        return cbor.array([
            cbor.NULL if part is None and optional else write_part(part)
            for part, (write_part, optional) in zip(parts_of(value), writers, strict=True)
        ])  # fmt: skip

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not list or len(value) != len(readers):
            raise wrong(f"an array of the {len(readers)} fields of {schema.__name__}")
        parts: list[Any] = []
        size_bytes = cbor.head_bytes(len(readers))
        for part, (read_part, optional) in zip(value, readers, strict=True):
            if part is None and optional:
                parts.append(None)
                size_bytes += 1
            else:
                one, more_bytes = read_part(part)
                parts.append(one)
                size_bytes += more_bytes
        return schema(*parts), size_bytes

    return Codec(write, schema_read.of_row(schema, fields, read))
