"""Frozen dataclasses to and from deterministic CBOR maps: field n of a class is key n of its map.

The dataclass *is* the schema. Its annotations give the bounds, and `decode` refuses whatever is outside
of them, so that a decoded message needs no further checks of type, length or range. Forms:

    bool · int with `Range` (default unsigned 64 bits) · str and bytes with `Size` (bytes, UTF-8) ·
    an IntEnum (by number) · a StrEnum (by text) · a nested dataclass (map; array if it has ROW = True) ·
    tuple[X, ...] with `Count` · the same with `Packed` (a byte string: the CBOR of an array of the CBOR of each X) ·
    X | None (a key that is absent; null inside of an array)

Writing goes from the instance to bytes at once. Reading takes what cbor2 read and judges bounds and form together: each
part tells how long its deterministic encoding is, and only if the sum is what came was nothing written longer than it
had to be (`wire.cbor.load`). A message is then gone through once each way, and not three times.

Pure: no I/O, no clock.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import Enum, IntEnum
from functools import cache, lru_cache
from operator import attrgetter
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
_Write = Callable[[Any], bytes]
_Read = Callable[[Any], tuple[Any, int]]  # what a plain value says, and the bytes of its deterministic encoding
_Codec = tuple[_Write, _Read]


def exactly(length_bytes: int) -> Size:
    """The bound of a byte string of a fixed length."""
    return Size(length_bytes, length_bytes)


def encode(message: object) -> bytes:
    """The deterministic CBOR of a schema dataclass.

    Raises:
        WireError: a field is outside of the bounds that its annotation declares.
    """
    return _codec(cast(Any, type(message)))[0](message)


def decode(schema: type[T], encoded: bytes) -> T:
    """The instance of `schema` of which `encoded` is the encoding.

    Raises:
        WireError: not deterministic CBOR, or not of this shape.
    """
    return cast(T, _decoded(_codec(cast(Any, schema))[1], encoded))


def to_plain(message: object) -> Any:
    """The plain lists and maps of a schema dataclass, bounds checked."""
    return cbor.decode(encode(message))


def from_plain(schema: type[T], plain: object) -> T:
    """The instance of `schema` from plain lists and maps, their keys ascending, bounds checked."""
    return cast(T, _codec(cast(Any, schema))[1](plain)[0])


def _decoded(read: _Read, encoded: bytes) -> Any:
    plain = cbor.load(encoded)
    try:
        value, size_bytes = read(plain)
    except WireError:
        cbor.decode(encoded)  # what is not even deterministic CBOR is refused as that
        raise
    if size_bytes != len(encoded):
        raise WireError(Reason.CBOR, "not the deterministic encoding")
    return value


def _wrong(what: str) -> WireError:
    return WireError(Reason.SHAPE, f"expected {what}")


@cache
def _codec(schema: Any) -> _Codec:
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
        return _enum(schema)
    if schema is bool:
        return _bool()
    if schema is int:
        return _int(bound or _UINT)
    if schema is bytes:
        return _bytes(bound or _TEXT)
    if schema is str:
        return _str(bound or _TEXT)
    raise TypeError(f"no CBOR form for {schema!r}")


def _bool() -> _Codec:
    def write(value: Any) -> bytes:
        if type(value) is not bool:
            raise _wrong("a boolean")
        return cbor.TRUE if value else cbor.FALSE

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not bool:
            raise _wrong("a boolean")
        return value, 1

    return write, read


def _int(bound: Range) -> _Codec:
    low, high = bound.low, bound.high
    what = f"an integer {low}..{high}"
    head, head_bytes, uint = cbor.head, cbor.head_bytes, cbor.UINT

    def write(value: Any) -> bytes:
        if type(value) is not int or not low <= value <= high:
            raise _wrong(what)
        return head(uint, value) if value >= 0 else head(cbor.NEGATIVE, -1 - value)

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not int or not low <= value <= high:
            raise _wrong(what)
        return value, head_bytes(value if value >= 0 else -1 - value)

    return write, read


def _bytes(size: Size) -> _Codec:
    low, high = size.low, size.high
    what = f"{low} to {high} bytes"
    heads = [cbor.head(cbor.BYTES, length) for length in range(256)]

    def write(value: Any) -> bytes:
        if type(value) is not bytes or not low <= len(value) <= high:
            raise _wrong(what)
        length = len(value)
        return (heads[length] if length < 256 else cbor.head(cbor.BYTES, length)) + value

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not bytes or not low <= len(value) <= high:
            raise _wrong(what)
        length = len(value)
        return value, length + (1 if length < 24 else cbor.head_bytes(length))

    return write, read


def _str(size: Size) -> _Codec:
    low, high = size.low, size.high
    what = f"text of at most {high} bytes"
    heads = [cbor.head(cbor.TEXT, length) for length in range(256)]

    def write(value: Any) -> bytes:
        encoded = value.encode() if type(value) is str and value.isascii() else utf8(value)
        length = len(encoded)
        if not low <= length <= high:
            raise _wrong(what)
        return (heads[length] if length < 256 else cbor.head(cbor.TEXT, length)) + encoded

    def read(value: Any) -> tuple[Any, int]:
        length = len(value) if type(value) is str and value.isascii() else len(utf8(value))
        if not low <= length <= high:
            raise _wrong(what)
        return value, length + (1 if length < 24 else cbor.head_bytes(length))

    def utf8(value: Any) -> bytes:
        if type(value) is not str or len(value) > high:
            raise _wrong(what)
        try:
            return value.encode()
        except UnicodeEncodeError:  # a lone surrogate
            raise _wrong(what) from None

    return write, read


def _enum(schema: type[Enum]) -> _Codec:
    plain_type = int if issubclass(schema, IntEnum) else str
    write_plain, read_plain = _int(Range(-(2**63), 2**64 - 1)) if plain_type is int else _str(Size(0, 2**16))
    written = {one: write_plain(one.value) for one in schema}
    known = {one.value: (one, read_plain(one.value)[1]) for one in schema}
    what = f"a member of {schema.__name__}"

    def write(value: Any) -> bytes:
        if type(value) is not schema:
            raise _wrong(what)
        return written[value]

    def read(value: Any) -> tuple[Any, int]:
        found = known.get(value) if type(value) is plain_type else None
        if found is None:
            raise _wrong(what)
        return found

    return write, read


def _array(element: _Codec, bound: Count | None) -> _Codec:
    most = bound.high if bound else 4096
    write_one, read_one = element

    def write(value: Any) -> bytes:
        if type(value) is not tuple or len(value) > most:
            raise _wrong(f"at most {most} elements")
        return cbor.array([write_one(part) for part in value])

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not list or len(value) > most:
            raise _wrong(f"an array of at most {most} elements")
        size_bytes = cbor.head_bytes(len(value))
        parts = []
        for part in value:
            one, more_bytes = read_one(part)
            parts.append(one)
            size_bytes += more_bytes
        return tuple(parts), size_bytes

    return write, read


def _packed(inner: _Codec, most: int) -> _Codec:
    """A byte string with the CBOR of `inner`. The encoding is kept by its value, and what was decoded by its bytes."""
    written: dict[int, tuple[Any, bytes]] = {}  # by identity; the value is held, so that no other gets its number
    write_inner, read_inner = inner

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
            raise _wrong("a byte string")
        return taken(value), len(value) + cbor.head_bytes(len(value))

    return write, read


def _fields(schema: type) -> list[tuple[str, _Codec, bool]]:
    """Name, codec and whether it may be absent, of each field in its order."""
    hints = typing.get_type_hints(schema, include_extras=True)
    fields = []
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
        fields.append((field.name, _codec(hint), type(None) in typing.get_args(bare)))
    return fields


def _parts_of(fields: list[tuple[str, _Codec, bool]]) -> Callable[[Any], tuple[Any, ...]]:
    """All fields of an instance, in their order."""
    if len(fields) == 1:
        only = attrgetter(fields[0][0])
        return lambda value: (only(value),)
    return attrgetter(*(name for name, *_ in fields)) if fields else lambda _: ()


def _map(schema: type) -> _Codec:
    fields = _fields(schema)
    if len(fields) > cbor.MOST_KEYS:
        raise TypeError(f"a map has at most {cbor.MOST_KEYS} fields: {schema!r}")
    parts_of = _parts_of(fields)
    writers = [(cbor.head(cbor.UINT, key), codec[0], optional) for key, (_, codec, optional) in enumerate(fields)]
    readers = [codec[1] for _, codec, _ in fields]
    absent = [None] * len(fields)
    required = frozenset(key for key, (_, _, optional) in enumerate(fields) if not optional)

    def write(value: Any) -> bytes:
        if type(value) is not schema:
            raise _wrong(schema.__name__)
        parts = [
            key + write_part(part)
            for part, (key, write_part, optional) in zip(parts_of(value), writers, strict=True)
            if part is not None or not optional
        ]
        return cbor.head(cbor.MAP, len(parts)) + b"".join(parts)

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not dict or not required <= value.keys():
            raise _wrong(f"a map with the keys of {schema.__name__}")
        parts: list[Any] = absent.copy()
        size_bytes = cbor.head_bytes(len(value)) + len(value)  # a key is one byte
        key = -1
        for following, part in value.items():
            if type(following) is not int or not key < following < len(absent):
                raise _wrong(f"a map with the keys of {schema.__name__}, ascending")
            key = following
            parts[key], more_bytes = readers[key](part)
            size_bytes += more_bytes
        return schema(*parts), size_bytes

    return write, read


def _row(schema: type) -> _Codec:
    fields = _fields(schema)
    parts_of = _parts_of(fields)
    writers = [(codec[0], optional) for _, codec, optional in fields]
    readers = [(codec[1], optional) for _, codec, optional in fields]

    def write(value: Any) -> bytes:
        if type(value) is not schema:
            raise _wrong(schema.__name__)
        return cbor.array([
            cbor.NULL if part is None and optional else write_part(part)
            for part, (write_part, optional) in zip(parts_of(value), writers, strict=True)
        ])  # fmt: skip

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not list or len(value) != len(readers):
            raise _wrong(f"an array of the {len(readers)} fields of {schema.__name__}")
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

    return write, read
