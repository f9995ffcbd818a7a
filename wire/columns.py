"""Reads many maps of plain values at once, a column and not a value at a time.

A history is a hundred maps of one form. What is read here is what reading them one by one gives; where anything is out
of the ordinary nothing is read, so that it is read, or refused, one by one.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any

from wire.cbor import head_bytes

LEAST = 8  # maps; reading fewer one by one takes as long

Measure = Callable[[Sequence[Any]], int | None]  # the bytes of their deterministic encodings; None: not all are plain
ReadMany = Callable[[Sequence[Any]], tuple[tuple[Any, ...], int] | None]  # the values, and the bytes of them all


def booleans(column: Sequence[Any]) -> int | None:
    """A `Measure`."""
    return len(column) if {*map(type, column)} == {bool} else None


def integers(low: int, high: int) -> Measure:
    """Of whole numbers, inclusive bounds."""

    def measure(column: Sequence[Any]) -> int | None:
        if {*map(type, column)} != {int}:
            return None
        least, greatest = min(column), max(column)
        if least < low or greatest > high:
            return None
        if least < 0:
            return sum(head_bytes(one if one >= 0 else -1 - one) for one in column)
        each_bytes = head_bytes(least)
        return len(column) * each_bytes if each_bytes == head_bytes(greatest) else sum(map(head_bytes, column))

    return measure


def texts(low: int, high: int) -> Measure:
    """Of texts of so many bytes, inclusive bounds."""

    def measure(column: Sequence[Any]) -> int | None:
        if {*map(type, column)} != {str}:
            return None
        if "".join(column).isascii():
            return _sized([*map(len, column)], low, high)
        try:
            return _sized([*map(len, map(str.encode, column))], low, high)
        except UnicodeEncodeError:  # a lone surrogate
            return None

    return measure


def byte_strings(low: int, high: int) -> Measure:
    """Of byte strings of so many bytes, inclusive bounds."""

    def measure(column: Sequence[Any]) -> int | None:
        return _sized([*map(len, column)], low, high) if {*map(type, column)} == {bytes} else None

    return measure


def _sized(lengths: list[int], low: int, high: int) -> int | None:
    greatest = max(lengths)
    if min(lengths) < low or greatest > high:
        return None
    return sum(lengths) + (len(lengths) if greatest < 24 else sum(map(head_bytes, lengths)))


def reader(schema: Callable[..., Any], required: frozenset[int], measures: Sequence[Measure]) -> ReadMany:
    """What reads maps whose key n is field n of `schema`, None where it is absent. `measures`: of all its fields."""

    def read(maps: Sequence[Any]) -> tuple[tuple[Any, ...], int] | None:
        if len(maps) < LEAST or {*map(type, maps)} != {dict}:
            return None
        forms = {*map(tuple, maps)}
        if len(forms) != 1 or {*map(type, chain.from_iterable(maps))} != {int}:
            return None  # several forms, or none; or keys that are only equal to numbers
        (keys,) = forms
        if not keys or not required.issubset(keys):
            return None
        if list(keys) != sorted(keys) or keys[0] < 0 or keys[-1] >= len(measures):
            return None
        parts: list[Any] = [repeat(None)] * len(measures)
        size_bytes = len(maps) * (head_bytes(len(keys)) + len(keys))  # a key is one byte
        for key, column in zip(keys, zip(*map(dict.values, maps), strict=True), strict=True):
            column_bytes = measures[key](column)
            if column_bytes is None:
                return None
            parts[key] = column
            size_bytes += column_bytes
        return tuple(map(schema, *parts)), size_bytes

    return read
