"""Readers made as source for one schema each: a straight way for what is in order, the plain reader for all else.

A plain reader (`wire.schema`) calls a reader for each field and makes the instance by its `__init__`, which writes the
fields of a frozen dataclass one by one through `object.__setattr__`: two thirds of what a record costs to open. Here
one condition judges all leaves of a map or row, one sum is their sizes, and the instance is filled as its twin. Of a
text, an optional time and a dataclass it is, `plainly` being the plain reader:

    def read(value):
        if type(value) is not dict: return plainly(value)
        if len(value) == 3:
            k0, k1, k2, = value
            v0, v1, v2, = value.values()
            if k0 is not key0 or k1 is not key1 or k2 is not key2 or v1 is None: return plainly(value)
        elif (parts := spread(value, 3)) is None: return plainly(value)
        else: v0, v1, v2, = parts
        if not (
            type(v0) is str and 1 <= (n0 := len(v0) if v0.isascii() else utf8_bytes(v0)) <= 64
            and (v1 is None or type(v1) is int and 0 <= v1 <= 4294967295)
            and v2 is not None
        ): return plainly(value)
        size_bytes = 1 + len(value) + n0 + (1 if n0 < 24 else 2) + (0 if v1 is None else (1 if v1 < 24 else 2 if …))
        v2, more_bytes = read2(v2); size_bytes += more_bytes
        made = twin()
        made.label = v0; made.at_s = v1; made.value = v2
        made.__class__ = schema
        return made, size_bytes

Nothing is refused here. Whatever is not seen to be right goes to the plain reader, which takes it or raises as ever;
that is settled before the first part is read, so that no part is read twice.

Pure: no I/O, no clock.
"""

from typing import Any, NamedTuple, cast

from wire import cbor
from wire.schema_leaves import Codec, Leaf, Read, head_size, utf8_bytes

_ELSE = "return plainly(value)"


class Field(NamedTuple):
    """One field of a schema; `optional`: None is a value of it."""

    name: str
    codec: Codec
    optional: bool


def of_map(schema: type, fields: list[Field], plainly: Read) -> Read:
    """A quicker `plainly` of a dataclass that is a map, its keys the numbers of its fields."""
    count = len(fields)
    # By identity: True, a float and a simple value of CBOR may equal a key. All small integers are one object each in
    # CPython; where they are not, the plain reader has more to read.
    turned = [f"k{at} is not key{at}" for at in range(count)]
    null = [f"v{at} is None" for at, field in enumerate(fields) if field.optional]  # absent is no key, never null
    begin = [
        f"if type(value) is not dict: {_ELSE}",
        f"if len(value) == {count}:",
        f"    {_listed('k', count)} = value",
        f"    {_listed('v', count)} = value.values()",
        f"    if {' or '.join([*turned, *null])}: {_ELSE}",
        f"elif (parts := spread(value, {count})) is None: {_ELSE}",
        f"else: {_listed('v', count)} = parts",
    ]
    keys = {f"key{at}": at for at in range(count)}
    size = f"{head_size('len(value)', count)} + len(value)"  # a key is one byte
    return _reader(schema, fields, plainly, begin, size, 0, keys)


def of_row(schema: type, fields: list[Field], plainly: Read) -> Read:
    """A quicker `plainly` of a dataclass that is an array of its fields, with null for what is absent."""
    count = len(fields)
    begin = [f"if type(value) is not list or len(value) != {count}: {_ELSE}", f"{_listed('v', count)} = value"]
    return _reader(schema, fields, plainly, begin, str(cbor.head_bytes(count)), len(cbor.NULL), {})


def of_array(element: Leaf, most: int, plainly: Read) -> Read:
    """A quicker `plainly` of an array of at most `most` leaves."""
    lines = [
        f"if type(value) is not list or len(value) > {most}: {_ELSE}",
        f"size_bytes = {head_size('len(value)', most)}",
        "for v in value:",
        f"    if not ({element.holds.format(v='v', n='n')}): {_ELSE}",
        f"    size_bytes += {element.size.format(v='v', n='n')}",
        "return tuple(value), size_bytes",
    ]
    return _compiled(lines, "array", {"plainly": plainly})


def spread(value: dict[Any, Any], count: int) -> list[Any] | None:
    """What a map holds by its keys, None for what is absent.

    None for a map with a null, or whose keys are not ascending integers below `count`.
    """
    parts = [None] * count
    last = -1
    for key, part in value.items():
        if type(key) is not int or not last < key < count or part is None:
            return None
        parts[key] = part
        last = key
    return parts


def _reader(
    schema: type,
    fields: list[Field],
    plainly: Read,
    begin: list[str],
    size: str,
    absent_bytes: int,
    names: dict[str, Any],
) -> Read:
    """The reader that begins with `begin`, which puts the fields into v0, v1, … and None where one is absent."""
    if not fields:
        return plainly
    holds, sizes, parts = [], [size], []
    for at, (_, codec, optional) in enumerate(fields):
        v = f"v{at}"
        if codec.leaf is not None:
            held, size = (form.format(v=v, n=f"n{at}") for form in (codec.leaf.holds, codec.leaf.size))
            holds.append(f"({v} is None or {held})" if optional else held)
            sizes.append(f"({absent_bytes} if {v} is None else {size})" if optional else size)
            continue
        names[f"read{at}"] = codec.read
        read = f"{v}, more_bytes = read{at}({v}); size_bytes += more_bytes"
        if optional:
            parts += [f"if {v} is not None:", f"    {read}", f"else: size_bytes += {absent_bytes}"]
        else:
            holds.append(f"{v} is not None")
            parts.append(read)
    judged = [f"if not ({' and '.join(holds)}): {_ELSE}"] if holds else []
    twin = _twin(schema, fields)
    if twin is None:
        made = [f"made = schema({_listed('v', len(fields))})"]
    else:
        filled = [f"made.{field.name} = v{at}" for at, field in enumerate(fields)]
        made = ["made = twin()", *filled, "made.__class__ = schema"]
    lines = [*begin, *judged, f"size_bytes = {' + '.join(sizes)}", *parts, *made, "return made, size_bytes"]
    names |= {"plainly": plainly, "spread": spread, "schema": schema, "twin": twin}
    return _compiled(lines, schema.__qualname__, names)


def _twin(schema: type, fields: list[Field]) -> type | None:
    """A class with the slots of `schema` that may be written to; None: an instance is more than its fields.

    To fill one and to change its class then takes a fifth of the time that `__init__` of a frozen dataclass does.
    """
    twin = type(schema.__name__, (), {"__slots__": tuple(field.name for field in fields)})
    try:
        twin().__class__ = schema  # Python refuses it unless both are laid out the same
    except TypeError:
        return None
    return None if hasattr(schema, "__post_init__") else twin


def _listed(letter: str, count: int) -> str:
    return "".join(f"{letter}{at}, " for at in range(count))


def _compiled(lines: list[str], what: str, names: dict[str, Any]) -> Read:
    """The function of these lines. They hold words and numbers of our own annotations, never of a message."""
    source = "\n    ".join(["def read(value):", *lines])
    names |= {"utf8_bytes": utf8_bytes}
    exec(compile(source, f"<reader of {what}>", "exec"), names)  # noqa: S102 - as `dataclasses` makes `__init__`
    return cast(Read, names["read"])
