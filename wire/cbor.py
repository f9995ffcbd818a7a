"""Deterministic CBOR (RFC 8949 section 4.2), the little of it that Consentry speaks.

Allowed: integers of 64 bits, byte strings, UTF-8 text, arrays, maps with unsigned keys 0 to 23
ascending, booleans, null. Refused: floats, tags, indefinite lengths, repeated keys, deep nesting,
trailing bytes, and whatever does not re-encode to the very same bytes.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, cast

import cbor2

from wire.errors import Reason, WireError

MAX_DEPTH = 12  # the deepest of our messages nests 9 levels
_MAX_KEY = 23  # a map key is one byte on the wire
MOST_KEYS = _MAX_KEY + 1  # of a map
_MAX_UINT = 2**64 - 1
_MIN_INT = -(2**63)
_PLAIN = frozenset({bytes, str, bool, type(None)})
UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP = (kind << 5 for kind in range(6))
TRUE, FALSE, NULL = b"\xf5", b"\xf4", b"\xf6"
_SHORT = {  # the heads of numbers below 256
    kind: tuple(bytes((kind | number,)) if number < 24 else bytes((kind | 24, number)) for number in range(256))
    for kind in (UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP)
}


class _NoTags(Mapping[int, Any]):
    """A decoder for every tag there is, which refuses it.

    Left alone, cbor2 acts on some before we see what came: a shared reference (28, 29) makes 300 bytes stand for more
    values than can ever be visited, and a regular expression (35) is compiled.
    """

    def __getitem__(self, tag: int) -> Any:
        return _refuse_tag

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _refuse_tag(*_: object) -> NoReturn:
    raise WireError(Reason.CBOR, "a tag")


_NO_TAGS = _NoTags()

Value = int | bytes | str | bool | list[Any] | dict[int, Any] | None


def encode(value: Value) -> bytes:
    """The deterministic encoding of `value`.

    Raises:
        WireError: `value` holds something that Consentry's CBOR has no form for, or a map whose keys do not ascend.
    """
    _check(value, MAX_DEPTH)
    return cbor2.dumps(value)


def decode(encoded: bytes) -> Value:
    """The value of which `encoded` is the deterministic encoding, whole.

    Raises:
        WireError: with reason `cbor`, for anything else.
    """
    value = load(encoded)
    _check(value, MAX_DEPTH)
    if cbor2.dumps(value) != encoded:
        raise WireError(Reason.CBOR, "not the deterministic encoding")
    return cast(Value, value)


def load(encoded: bytes) -> object:
    """What some CBOR without tags and indefinite lengths says, in whatever form: for a caller who judges the form.

    It is the deterministic one if it holds nothing but what `Value` lists, its maps' keys ascend from 0 to 23, and it
    is no longer than that form would be: each longer head of the same number is.

    Raises:
        WireError: with reason `cbor`.
    """
    try:
        return cbor2.loads(
            encoded,
            semantic_decoders=_NO_TAGS,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise WireError(Reason.CBOR, "not CBOR") from error


def head(kind: int, number: int) -> bytes:
    """The shortest head (RFC 8949, section 3) of a kind, 1 to 9 bytes: a whole number itself, or a length below 2^64.

    `kind` is the major type in its place: `UINT`, `NEGATIVE` (of -1 less the number), `BYTES`, `TEXT`, `ARRAY`, `MAP`.
    """
    if number < 256:
        return _SHORT[kind][number]
    if number < 1 << 16:
        return ((kind | 25) << 16 | number).to_bytes(3, "big")
    if number < 1 << 32:
        return ((kind | 26) << 32 | number).to_bytes(5, "big")
    return ((kind | 27) << 64 | number).to_bytes(9, "big")


def head_bytes(number: int) -> int:
    """How long the shortest head for a number or a length is: 1, 2, 3, 5 or 9 bytes."""
    if number < 24:
        return 1
    if number < 1 << 8:
        return 2
    if number < 1 << 16:
        return 3
    return 5 if number < 1 << 32 else 9


def array(encoded: Sequence[bytes]) -> bytes:
    """The encoding of an array, of the encodings of its elements."""
    return head(ARRAY, len(encoded)) + b"".join(encoded)


def _check(value: object, depth: int) -> None:
    """Refuses what Consentry's CBOR has no form for. Leaves are judged in their container's loop: they are the many."""
    kind = type(value)
    if kind is list:
        elements = cast(list[object], value)
    elif kind is dict:
        last = -1
        for key in cast(dict[object, object], value):
            # Ascending here, so that writing a map in its own order is writing it in the deterministic one.
            if type(key) is not int or not last < key <= _MAX_KEY:
                raise WireError(Reason.CBOR, f"map keys that are not ascending integers from 0 to {_MAX_KEY}")
            last = key
        elements = list(cast(dict[object, object], value).values())
    else:
        _check_leaf(value)
        return
    if depth == 0:
        raise WireError(Reason.CBOR, f"nested more than {MAX_DEPTH} deep")
    for element in elements:
        kind = type(element)
        if kind in _PLAIN:
            continue
        if kind is int and _MIN_INT <= cast(int, element) <= _MAX_UINT:
            continue
        if kind is list or kind is dict:
            _check(element, depth - 1)
        else:
            _check_leaf(element)


def _check_leaf(value: object) -> None:
    if type(value) is int:
        if not _MIN_INT <= value <= _MAX_UINT:
            raise WireError(Reason.CBOR, "integer of more than 64 bits")
    elif type(value) not in _PLAIN:
        raise WireError(Reason.CBOR, "a type that has no form here (float, tag, undefined)")
