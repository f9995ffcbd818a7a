"""Deterministic CBOR (RFC 8949 section 4.2), the little of it that Consentry speaks.

Allowed: integers of 64 bits, byte strings, UTF-8 text, arrays, maps with unsigned keys 0 to 23
ascending, booleans, null. Refused: floats, tags, indefinite lengths, repeated keys, deep nesting,
trailing bytes, and whatever does not re-encode to the very same bytes.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, cast

import cbor2

from wire.errors import Reason, WireError

MAX_DEPTH = 12  # the deepest of our messages nests 9 levels
_MAX_KEY = 23  # a map key is one byte on the wire
_MAX_UINT = 2**64 - 1
_MIN_INT = -(2**63)
_PLAIN = frozenset({bytes, str, bool, type(None)})


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


def write(value: Value) -> bytes:
    """The same of what is known to have a form, its maps ascending, since it was made so: nothing is looked at."""
    return cbor2.dumps(value)


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
    if cbor2.dumps(value) != encoded:
        raise WireError(Reason.CBOR, "not the deterministic encoding")
    return value  # type: ignore[no-any-return]


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
