"""The CDDL (RFC 8610) that a schema dataclass amounts to, to hold against what `docs/protocol.md` promises."""

import dataclasses
import re
import types
import typing
from enum import Enum, IntEnum
from typing import Any

from wire import query
from wire.schema import Count, Packed, Range, Size

# A few names differ from the class's, because two modules use one word.
_QUERY = {*typing.get_args(query.Request), *typing.get_args(query.Reply), query.Lease, query.Visit}


def name_of(schema: type) -> str:
    """The rule's name: the class's in lower case with hyphens; the query protocol's begin with `q-`."""
    kebab = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", schema.__name__).lower()
    return f"q-{kebab}" if schema in _QUERY else kebab


def rules(*schemas: type) -> dict[str, str]:
    """Every rule that the schemas need, in the order of first use: name to right-hand side, in one line."""
    found: dict[str, str] = {}
    for schema in schemas:
        _add(schema, found)
    return found


def field_names(schema: type) -> list[str]:
    """The fields of a map in the order of their keys."""
    return [field.name for field in dataclasses.fields(schema)]


def reached(*schemas: type) -> list[type]:
    """The schemas and every dataclass inside of them."""
    found: list[type] = []
    waiting = list(schemas)
    while waiting:
        schema = waiting.pop(0)
        if schema in found:
            continue
        found.append(schema)
        hints = typing.get_type_hints(schema, include_extras=True)
        for field in dataclasses.fields(schema):
            waiting += _inside(hints[field.name])
    return found


def _inside(hint: Any) -> list[type]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return [hint]
    return [one for part in typing.get_args(hint) for one in _inside(part)]


def _add(schema: type, found: dict[str, str]) -> None:
    if name_of(schema) in found:
        return
    found[name_of(schema)] = ""  # keeps its place before what it needs
    hints = typing.get_type_hints(schema, include_extras=True)
    row = getattr(schema, "ROW", False)
    parts = []
    for number, field in enumerate(dataclasses.fields(schema)):
        kind, optional = _type(hints[field.name], found)
        if row:
            if optional:
                either = f"{field.name.replace('_', '-')}-or-null"
                found[either] = f"{kind} / null"
                kind = either
            parts.append(f"{field.name.replace('_', '-')}: {kind}")
        else:
            parts.append(f"{'? ' if optional else ''}{number}: {kind}")
    inner = ", ".join(parts)
    found[name_of(schema)] = f"[ {inner} ]" if row else f"{{ {inner} }}" if inner else "{ }"


def _type(hint: Any, found: dict[str, str]) -> tuple[str, bool]:
    """The CDDL of one annotation, and whether it may be absent."""
    bound = None
    if typing.get_origin(hint) is typing.Annotated:
        hint, bound = typing.get_args(hint)[:2]
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
        return _type(typing.Annotated[inner, bound] if bound else inner, found)[0], True
    if origin is tuple:
        most = bound.high if isinstance(bound, Count) else 4096
        element = _type(typing.get_args(hint)[0], found)[0]
        if isinstance(bound, Packed):
            found[f"{element}s"] = f"[0*{most} bstr .cbor {element}]"
            return f"bstr .cbor {element}s", False
        return f"[0*{most} {element}]", False
    if dataclasses.is_dataclass(hint):
        _add(typing.cast(type, hint), found)
        return name_of(typing.cast(type, hint)), False
    if issubclass(hint, Enum):
        found[name_of(hint)] = _choice(hint)
        return name_of(hint), False
    if hint is bool:
        return "bool", False
    if hint is int:
        return _range(bound), False
    size = bound if isinstance(bound, Size) else Size(0, 256)
    of = f"({size.low}..{size.high})" if size.low != size.high else str(size.high)
    return f"{'bstr' if hint is bytes else 'tstr'} .size {of}", False


def _range(bound: object) -> str:
    return f"{bound.low}..{bound.high}" if isinstance(bound, Range) and bound != Range(0, 2**64 - 1) else "uint"


def _choice(kind: type[Enum]) -> str:
    if issubclass(kind, IntEnum):
        return "&( " + ", ".join(f"{one.name.lower().replace('_', '-')}: {one.value}" for one in kind) + " )"
    return " / ".join(f'"{one.value}"' for one in kind)
