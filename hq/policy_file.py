"""Reads a policy from the TOML or JSON file that a retailer writes.

The keys are the names of the fields of `wire.policy`. Enums are written as words, hours as "1-6 09:00-20:00", a hint's
`texts` are a table by language. `notices` are the files, beside the policy's, with the words of the notices in one
language each (`hq.notice_words`), or such tables themselves. What stays at HQ (`hq.policy_papers`) is among the rest.

I/O: reads the policy's file and the notices' beside it.
"""

import dataclasses
import functools
import json
import re
import tomllib
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from hq import notice_words
from hq.errors import Reason, Refused
from hq.policy_papers import FigurePolicy, Paper, Papers, Recipient
from hq.policy_rules import Draft, bind
from wire.hints import HintText
from wire.policy import Hours, MainPolicy, Purpose, StorePolicy
from wire.suggestions import DEFAULT as SUGGESTIONS

T = TypeVar("T")
MAX_FILE_BYTES = 1024 * 1024
_SPAN = re.compile(r"([1-7])(?:-([1-7]))? (\d\d):(\d\d)-(\d\d):(\d\d)")
# What most policies leave out.
DEFAULTS: dict[str, Any] = {
    "special": "",
    "scopes_first": [],
    "blind": False,
    "kind": "",
    "nodes": [],
    "zones": [],
    "hours": [],
    "enter_dbm": -80,
    "exit_dbm": -88,
    "dwell_s": 5,
    "help_s": 900,
    "help_escalate_s": 120,
    "lease_s": 120,
    "heartbeat_s": 15,
    "session_idle_s": 300,
    "session_s": 43_200,
    "unknown_age_is_of_age": False,
    "sees_floor": True,
    "lead": [],
    # Empty, these are judged by the rules, which say better what is missing.
    "purposes": [],
    "scopes": [],
    "roles": [],
    "ages": [],
    # A hint that is tied to nothing fits every card.
    "texts": {},
    "reasons": [],
    "zone_kinds": [],
    **dataclasses.asdict(FigurePolicy()),
    **{name: list(one) if isinstance(one, tuple) else one for name, one in dataclasses.asdict(SUGGESTIONS).items()},
}


def read(file: Path) -> Draft:
    """The policy in `file`, of right types but not judged yet (`policy_rules.check` does).

    Raises:
        Refused: it cannot be read, or a key is unknown, missing or of another form.
    """
    return build(whole(file))


def whole(file: Path) -> dict[str, Any]:
    """The table in `file` with the words of its notices in place of their files' names.

    Raises:
        Refused: a file cannot be read, or is neither TOML nor JSON.
    """
    table = _table(file)
    listed = table.get("notices", [])
    if isinstance(listed, list):
        table["notices"] = [
            _table(file.parent / one, f"notices[{number}]") if isinstance(one, str) else one
            for number, one in enumerate(listed)
        ]
    return table


def build(given: dict[str, Any]) -> Draft:
    """The policy of a whole table, of right types but not judged yet.

    Raises:
        Refused: a key is unknown, missing or of another form.
    """
    table = dict(given)
    name = table.pop("name", "main")
    stores = table.pop("stores", [])
    if not isinstance(name, str) or not isinstance(stores, list):
        raise _wrong("name", "a text; and `stores`, a list")
    words = _list(table.pop("notices", []), "notices")
    recipients = _list(table.pop("recipients", []), "recipients")
    figures = _build(FigurePolicy, table.pop("figures", {}), "figures.")
    papers: dict[str, Paper] = {}
    purposes = table.get("purposes", [])
    if isinstance(purposes, list):
        table["purposes"] = [_paper(one, f"purposes[{number}]", papers) for number, one in enumerate(purposes)]
    main = _build(MainPolicy, table, "")
    own = tuple(_build(StorePolicy, one, f"stores[{number}].") for number, one in enumerate(stores))
    kept = Papers(
        tuple(notice_words.parse(one, f"notices[{number}]") for number, one in enumerate(words)),
        tuple(_build(Recipient, one, f"recipients[{number}].") for number, one in enumerate(recipients)),
        papers,
        figures,
    )
    return bind(Draft(name, main, own, {}, kept))


def _paper(purpose: object, where: str, papers: dict[str, Paper]) -> object:
    """A purpose without what stays at HQ, which is put into `papers`."""
    if not isinstance(purpose, dict):
        return purpose
    if "notice" in purpose:
        raise _wrong(f"{where}.notice", "no such key: `notices` of the policy names the files of all texts")
    held = {key: value for key, value in purpose.items() if key in {one.name for one in dataclasses.fields(Paper)}}
    papers[str(purpose.get("id"))] = Paper(
        dpia_ref=_value(str, held.get("dpia_ref", ""), f"{where}.dpia_ref"),
        recipients=_value(tuple[str, ...], held.get("recipients", []), f"{where}.recipients"),
        material=_value(bool, held.get("material", True), f"{where}.material"),
    )
    return {key: value for key, value in purpose.items() if key not in held}


def _list(given: object, where: str) -> list[Any]:
    if not isinstance(given, list):
        raise _wrong(where, "a list")
    return given


def _table(file: Path, where: str = "") -> dict[str, Any]:
    content = _read(file, where or str(file))
    try:
        text = content.decode()
        table = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(file.name, "TOML, or JSON where the name ends in .json") from error
    if not isinstance(table, dict):
        raise _wrong(file.name, "a table")
    return table


def _read(file: Path, where: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _wrong(where, f"a file that can be read; {file.name} cannot") from error
    if len(content) > MAX_FILE_BYTES:
        raise Refused(Reason.TOO_LARGE, where, f"at most {MAX_FILE_BYTES} bytes")
    return content


@functools.cache
def _hints(shape: Any) -> dict[str, Any]:
    """The annotations of a dataclass, found once for ten thousand stores."""
    return typing.get_type_hints(shape)


def _build(shape: type[T], table: object, where: str) -> T:
    if not isinstance(table, dict):
        raise _wrong(where.rstrip("."), "a table")
    hints = _hints(shape)  # type: ignore[arg-type]  # a class can be hashed
    names = [field.name for field in dataclasses.fields(shape)]  # type: ignore[arg-type]
    for key in table:
        if key not in names:
            raise _wrong(f"{where}{key}", f"one of the keys {', '.join(names)}")
    values = {}
    for name in names:
        if name in table:
            values[name] = _value(hints[name], table[name], f"{where}{name}")
        elif type(None) in typing.get_args(hints[name]):
            values[name] = None
        elif name in DEFAULTS:
            values[name] = _value(hints[name], DEFAULTS[name], f"{where}{name}")
        elif shape is Purpose:  # the rules say better than we what a purpose needs
            values[name] = hints[name]()
        else:
            raise _wrong(f"{where}{name}", "this key, which is missing")
    return shape(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        if inner is HintText:
            return _texts(value, where)
        if not isinstance(value, list):
            raise _wrong(where, "a list")
        if inner is Hours:
            return tuple(span for one in value for span in _hours(one, where))
        return tuple(_value(inner, one, f"{where}[{number}]") for number, one in enumerate(value))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where + ".")
    if isinstance(hint, type) and issubclass(hint, Enum):
        words = {one.name.lower(): one for one in hint}
        if not isinstance(value, str) or value.lower() not in words:
            raise _wrong(where, f"one of {', '.join(words)}")
        return words[value.lower()]
    if type(value) is not hint:
        plain = {int: "a whole number", str: "a text", bool: "true or false", bytes: "bytes"}
        raise _wrong(where, plain[hint])
    return value


def _texts(table: object, where: str) -> tuple[HintText, ...]:
    if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
        raise _wrong(where, 'a table of texts by language, such as { en = "…", de = "…" }')
    return tuple(HintText(language, text) for language, text in table.items())


def _hours(span: object, where: str) -> list[Hours]:
    found = _SPAN.fullmatch(span) if isinstance(span, str) else None
    if found is None:
        raise _wrong(where, 'spans such as "1-6 09:00-20:00" (1 is Monday)')
    first, last, *clock = (int(part) if part else None for part in found.groups())
    from_h, from_m, until_h, until_m = (part or 0 for part in clock)
    return [
        Hours(weekday, from_h * 60 + from_m, until_h * 60 + until_m)
        for weekday in range(first or 1, (last or first or 1) + 1)
    ]


def _wrong(where: str, expected: str) -> Refused:
    return Refused(Reason.MALFORMED, where, f"expected {expected}")
