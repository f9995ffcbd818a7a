"""Deterministic CBOR (RFC 8949 section 4.2), the little of it that Consentry speaks.

Allowed: integers of 64 bits, byte strings, UTF-8 text, arrays, maps with unsigned keys 0 to 23
ascending, booleans, null. Refused: floats, tags, indefinite lengths, repeated keys, deep nesting,
trailing bytes, and whatever does not re-encode to the very same bytes.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import cbor2

from wire.errors import Reason, WireError

MAX_DEPTH = 12  # the deepest of our messages nests 9 levels
_MAX_KEY = 23  # a map key is one byte on the wire
_MAX_UINT = 2**64 - 1
_MIN_INT = -(2**63)


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
        WireError: `value` holds something that Consentry's CBOR has no form for.
    """
    _check(value, MAX_DEPTH)
    return cbor2.dumps(value, canonical=True)


def decode(encoded: bytes) -> Value:
    """The value of which `encoded` is the deterministic encoding, whole.

    Raises:
        WireError: with reason `cbor`, for anything else.
    """
    try:
        value = cbor2.loads(
            encoded,
            semantic_decoders=_NO_TAGS,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise WireError(Reason.CBOR, "not CBOR") from error
    _check(value, MAX_DEPTH)
    if cbor2.dumps(value, canonical=True) != encoded:
        raise WireError(Reason.CBOR, "not the deterministic encoding")
    return value  # type: ignore[no-any-return]


def _check(value: object, depth: int) -> None:
    if depth < 0:
        raise WireError(Reason.CBOR, f"nested more than {MAX_DEPTH} deep")
    kind = type(value)
    if kind is int:
        if not _MIN_INT <= value <= _MAX_UINT:  # type: ignore[operator]
            raise WireError(Reason.CBOR, "integer of more than 64 bits")
    elif kind is bytes or kind is str or kind is bool or value is None:
        return
    elif kind is list:
        for element in value:  # type: ignore[attr-defined]
            _check(element, depth - 1)
    elif kind is dict:
        for key, element in value.items():  # type: ignore[attr-defined]
            if type(key) is not int or not 0 <= key <= _MAX_KEY:
                raise WireError(Reason.CBOR, f"map key that is not an integer from 0 to {_MAX_KEY}")
            _check(element, depth - 1)
    else:
        raise WireError(Reason.CBOR, "a type that has no form here (float, tag, undefined)")
