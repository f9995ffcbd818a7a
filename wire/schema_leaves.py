"""How one plain value is written and read: a boolean, an integer, bytes, a text, a member of an enumeration.

Bounds are inclusive, lengths in bytes. All raise a WireError of the reason `shape` for a value that is not theirs. For
the readers that `wire.schema_read` makes, what reading judges is also told as source.

Pure: no I/O, no clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, NamedTuple

from wire import cbor
from wire.errors import Reason, WireError

Write = Callable[[Any], bytes]
Read = Callable[[Any], tuple[Any, int]]  # what a plain value says, and the bytes of its deterministic encoding


@dataclass(frozen=True, slots=True)
class Leaf:
    """What `Codec.read` does, as expressions of Python in which {v} is the value and {n} a name to be used.

    `holds` is true where `read` takes the value, false where it raises. `size` is then the bytes of its encoding, out
    of {v} and what `holds` put into {n}. The value is what was read, unchanged.
    """

    holds: str
    size: str


class Codec(NamedTuple):
    """What writes and what reads one annotation; `leaf` None: it is read by `read` alone."""

    write: Write
    read: Read
    leaf: Leaf | None = None


def wrong(what: str) -> WireError:
    """The error of a value that is not `what` was expected."""
    return WireError(Reason.SHAPE, f"expected {what}")


def head_size(number: str, high: int) -> str:
    """The source of `cbor.head_bytes` of a number from 0 to `high`, as an expression."""
    steps = ""
    for size_bytes, above in ((1, 24), (2, 1 << 8), (3, 1 << 16), (5, 1 << 32)):
        if high < above:
            return f"({steps}{size_bytes})"
        steps += f"{size_bytes} if {number} < {above} else "
    return f"({steps}9)"


def utf8_bytes(text: str) -> int:
    """The length of a text in UTF-8; -1, which is within no bounds, where it has none."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate
        return -1


def boolean() -> Codec:
    """True or false."""

    def write(value: Any) -> bytes:
        if type(value) is not bool:
            raise wrong("a boolean")
        return cbor.TRUE if value else cbor.FALSE

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not bool:
            raise wrong("a boolean")
        return value, 1

    return Codec(write, read, Leaf("type({v}) is bool", "1"))


def integer(low: int, high: int) -> Codec:
    """A whole number from `low` to `high`."""
    what = f"an integer {low}..{high}"
    head, head_bytes, uint = cbor.head, cbor.head_bytes, cbor.UINT

    def write(value: Any) -> bytes:
        if type(value) is not int or not low <= value <= high:
            raise wrong(what)
        return head(uint, value) if value >= 0 else head(cbor.NEGATIVE, -1 - value)

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not int or not low <= value <= high:
            raise wrong(what)
        return value, head_bytes(value if value >= 0 else -1 - value)

    holds = f"type({{v}}) is int and {low} <= {{v}} <= {high}"
    if low >= 0:
        return Codec(write, read, Leaf(holds, head_size("{v}", high)))
    holds += " and ({n} := {v} if {v} >= 0 else -1 - {v}) >= 0"  # always true: it names what the head holds
    return Codec(write, read, Leaf(holds, head_size("{n}", max(high, -1 - low))))


def byte_string(low: int, high: int) -> Codec:
    """`low` to `high` bytes."""
    what = f"{low} to {high} bytes"
    heads = [cbor.head(cbor.BYTES, length) for length in range(256)]

    def write(value: Any) -> bytes:
        if type(value) is not bytes or not low <= len(value) <= high:
            raise wrong(what)
        length = len(value)
        return (heads[length] if length < 256 else cbor.head(cbor.BYTES, length)) + value

    def read(value: Any) -> tuple[Any, int]:
        if type(value) is not bytes or not low <= len(value) <= high:
            raise wrong(what)
        length = len(value)
        return value, length + (1 if length < 24 else cbor.head_bytes(length))

    if low == high:
        return Codec(
            write, read, Leaf(f"type({{v}}) is bytes and len({{v}}) == {low}", str(low + cbor.head_bytes(low)))
        )
    holds = f"type({{v}}) is bytes and {low} <= ({{n}} := len({{v}})) <= {high}"
    return Codec(write, read, Leaf(holds, "{n} + " + head_size("{n}", high)))


def text(low: int, high: int) -> Codec:
    """Text of `low` to `high` bytes of UTF-8."""
    what = f"text of at most {high} bytes"
    heads = [cbor.head(cbor.TEXT, length) for length in range(256)]

    def write(value: Any) -> bytes:
        encoded = value.encode() if type(value) is str and value.isascii() else utf8(value)
        length = len(encoded)
        if not low <= length <= high:
            raise wrong(what)
        return (heads[length] if length < 256 else cbor.head(cbor.TEXT, length)) + encoded

    def read(value: Any) -> tuple[Any, int]:
        length = len(value) if type(value) is str and value.isascii() else len(utf8(value))
        if not low <= length <= high:
            raise wrong(what)
        return value, length + (1 if length < 24 else cbor.head_bytes(length))

    def utf8(value: Any) -> bytes:
        if type(value) is not str or len(value) > high:
            raise wrong(what)
        try:
            return value.encode()
        except UnicodeEncodeError:  # a lone surrogate
            raise wrong(what) from None

    holds = f"type({{v}}) is str and {low} <= ({{n}} := len({{v}}) if {{v}}.isascii() else utf8_bytes({{v}})) <= {high}"
    return Codec(write, read, Leaf(holds, "{n} + " + head_size("{n}", high)))


def enumeration(schema: type[Enum]) -> Codec:
    """A member of an IntEnum, by its number, or of a StrEnum, by its text."""
    plain_type = int if issubclass(schema, IntEnum) else str
    plain = integer(-(2**63), 2**64 - 1) if plain_type is int else text(0, 2**16)
    written = {one: plain.write(one.value) for one in schema}
    known = {one.value: (one, plain.read(one.value)[1]) for one in schema}
    what = f"a member of {schema.__name__}"

    def write(value: Any) -> bytes:
        if type(value) is not schema:
            raise wrong(what)
        return written[value]

    def read(value: Any) -> tuple[Any, int]:
        found = known.get(value) if type(value) is plain_type else None
        if found is None:
            raise wrong(what)
        return found

    return Codec(write, read)
