"""The JSON Schemas of a policy's file and of its notices' files, made of the dataclasses that they are read into.

`examples/policy/policy.schema.json` and `notice.schema.json` are these, written out; editors read them.

Pure: no I/O, no clock.
"""

import dataclasses
import json
import types
import typing
from enum import Enum
from typing import Any

from hq import policy_file
from hq.notice_words import MAY_BE_MISSING, Lines, PurposeWords, Words
from hq.policy_papers import FigurePolicy, Paper, Recipient
from wire.hints import HintText
from wire.policy import Hours, MainPolicy, Purpose, StorePolicy
from wire.schema import Count, Range, Size

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HOURS = r"^[1-7](-[1-7])? \d\d:\d\d-\d\d:\d\d$"
# What a purpose needs and the reader leaves to the rules, which say it better; an editor may say it at once.
_PAPERS = ("legal_basis", "retention_days", "record_of_processing", "dpia_ref")


def policy() -> dict[str, Any]:
    """The schema of a policy's file, of TOML or JSON."""
    top = _table(MainPolicy)
    purpose = _table(Purpose)
    del purpose["properties"]["notice"]
    for name, hint in typing.get_type_hints(Paper, include_extras=True).items():
        purpose["properties"][name] = _value(hint)
    purpose["required"] = ["id", "label", *_PAPERS]
    top["properties"] = {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,39}$"},
        **top["properties"],
        "purposes": {"type": "array", "items": purpose},
        "notices": {"type": "array", "items": {**notice_words(), "type": ["string", "object"]}},
        "recipients": {"type": "array", "items": _table(Recipient)},
        "figures": _table(FigurePolicy),
        "stores": {"type": "array", "items": _table(StorePolicy)},
    }
    return {"$schema": _DIALECT, "title": "A policy of Consentry", **top}


def notice() -> dict[str, Any]:
    """The schema of a file with the words of the notices in one language."""
    return {"$schema": _DIALECT, "title": "The words of a policy's notices in one language", **notice_words()}


def notice_words() -> dict[str, Any]:
    """The same without the frame of a file."""
    found = _table(Words)
    lines = _table(Lines)
    lines["required"] = [one for one in lines["required"] if one not in MAY_BE_MISSING]
    found["properties"]["lines"] = lines
    texts = {one.name: {"type": "string"} for one in dataclasses.fields(PurposeWords)}
    one_purpose = {"type": "object", "properties": texts, "required": list(texts), "additionalProperties": False}
    found["properties"]["purposes"] = {"type": "object", "additionalProperties": one_purpose}
    found["required"] = ["language", "name", "lines"]
    return found


def written(schema: dict[str, Any]) -> str:
    """The schema as its file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _table(shape: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(shape, include_extras=True)
    names = [one.name for one in dataclasses.fields(shape)]
    required = [name for name in names if not _is_optional(hints[name]) and name not in policy_file.DEFAULTS]
    properties = {name: _value(hints[name]) for name in names}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _is_optional(hint: Any) -> bool:
    return type(None) in typing.get_args(_plain(hint)[0])


def _plain(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation without its bounds, and the bounds."""
    bounds: tuple[Any, ...] = ()
    while typing.get_origin(hint) is typing.Annotated:
        hint, *more = typing.get_args(hint)
        bounds += tuple(more)
    return hint, bounds


def _value(given: Any) -> dict[str, Any]:
    hint, bounds = _plain(given)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (one for one in typing.get_args(hint) if one is not type(None))
        return _value(inner)
    if origin is tuple:
        return _list(typing.get_args(hint)[0], bounds)
    if origin is not None:  # a mapping of texts
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _table(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [one.name.lower() for one in hint]}
    found: dict[str, Any] = {"type": {int: "integer", str: "string", bool: "boolean", bytes: "string"}[hint]}
    for bound in bounds:
        if isinstance(bound, Range):
            found |= {"minimum": bound.low, "maximum": bound.high}
        elif isinstance(bound, Size):  # bytes, of which a character has at least one
            found |= {"maxLength": bound.high} | ({"minLength": 1} if bound.low else {})
    return found


def _list(element: Any, bounds: tuple[Any, ...]) -> dict[str, Any]:
    inner = _plain(element)[0]
    if inner is HintText:
        return {"type": "object", "additionalProperties": {"type": "string", "maxLength": 90}}
    items = {"type": "string", "pattern": _HOURS} if inner is Hours else _value(element)
    found: dict[str, Any] = {"type": "array", "items": items}
    for bound in bounds:
        if isinstance(bound, Count) and inner is not Hours:
            found["maxItems"] = bound.high
    return found
