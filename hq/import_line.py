"""Reads one line of an import: a member with age, choices, profile and phones, as a JSON object.

    {"member": "m-1", "age_at_least": 18, "jurisdiction": "DE", "mode": "help", "name": "invited",
     "chosen": "2026-03-01T10:00:00Z", "phones": ["<64 hex digits>"],
     "grants": [{"purpose": "assist", "scopes": ["size.shoe"], "stores": ["berlin-1"], "roles": ["associate"],
                 "chosen": 1772359200, "until_days": 365}],
     "withdrawals": [{"purpose": "suggest"}], "addresses": ["mara@example.com"],
     "profile": {"size.shoe": {"value": "42", "source": "zero", "surface": "app", "collected": 1772359200}}}

Times are Unix seconds or ISO 8601 with a zone. A `chosen` of the line counts for what names none of its own.
`addresses` are those to which sign-in links go; they are added, none is taken away.

Pure: no I/O, no clock.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar

from hq import door, jurisdictions
from hq.door import Grant
from hq.errors import Reason, Refused
from hq.state import Choice, EventKind
from wire.member import Field, Item, Mode, NameChoice, SourceClass, Value, ValueClass
from wire.token import SECRET_BYTES

E = TypeVar("E", bound=IntEnum)
MAX_LINE_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """One line, its forms judged; what a store's policy says is judged later.

    `age_at_least`, `jurisdiction` None: not named. `choices`: withdrawals, mode and name with their time of choice.
    """

    member: str
    age_at_least: int | None
    jurisdiction: str | None
    grants: tuple[tuple[Grant, Choice], ...]
    choices: tuple[tuple[Choice, int | None], ...]
    fields: tuple[Field, ...]
    phones: tuple[bytes, ...]
    addresses: tuple[str, ...] = ()


def parse(text: bytes, now_s: int) -> Line:
    """The line.

    Raises:
        Refused: with the field, counted from the line's top.
    """
    if len(text) > MAX_LINE_BYTES:
        raise Refused(Reason.TOO_LARGE, "", f"a line of at most {MAX_LINE_BYTES} bytes")
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.MALFORMED, "", "a JSON object") from error
    known = "member age_at_least jurisdiction mode name chosen grants withdrawals profile phones addresses"
    _only(table, "", known)
    member = _text(table, "member", "")
    door.check_id(member, "member")
    chosen_s = _time(table, "chosen", "")
    grants = []
    for number, row in enumerate(_list(table, "grants", "")):
        found = _grant(row, f"grants[{number}]", chosen_s)
        grants.append((found, _frame(found, f"grants[{number}]", now_s)))
    jurisdiction = _text(table, "jurisdiction", "", None)
    jurisdictions.check(jurisdiction or "")
    return Line(
        member=member,
        age_at_least=_whole(table, "age_at_least", "", 0, 150),
        jurisdiction=jurisdiction,
        grants=tuple(grants),
        choices=_choices(table, chosen_s, now_s),
        fields=tuple(_profile(table)),
        phones=tuple(_secret(one, f"phones[{number}]") for number, one in enumerate(_list(table, "phones", ""))),
        addresses=_texts(table, "addresses", ""),
    )


def _grant(row: object, where: str, chosen_s: int | None) -> Grant:
    table = _only(row, where, "purpose scopes stores roles zones_excluded chosen from until until_days notice")
    own_s = _time(table, "chosen", where)
    notice = _text(table, "notice", where, None)
    try:
        hashed = None if notice is None else bytes.fromhex(notice)
    except ValueError as error:
        raise Refused(Reason.MALFORMED, f"{where}.notice", "the SHA-256 of the notice, 64 hex digits") from error
    return Grant(
        purpose=_text(table, "purpose", where),
        scopes=_texts(table, "scopes", where),
        stores=_texts(table, "stores", where),
        roles=_texts(table, "roles", where),
        zones_excluded=_texts(table, "zones_excluded", where),
        until_days=_whole(table, "until_days", where, 1, 36_500),
        until_s=_time(table, "until", where),
        from_s=_time(table, "from", where),
        chosen_s=own_s if own_s is not None else chosen_s,
        notice=hashed,
    )


def _choices(table: dict[str, Any], chosen_s: int | None, now_s: int) -> tuple[tuple[Choice, int | None], ...]:
    """What closes something and has no time was chosen now at the latest; what opens something keeps it unknown."""
    found: list[tuple[Choice, int | None]] = []
    for number, row in enumerate(_list(table, "withdrawals", "")):
        where = f"withdrawals[{number}]"
        part = _only(row, where, "purpose scopes stores chosen")
        own_s = _time(part, "chosen", where)
        choice = door.check_withdrawal(
            _text(part, "purpose", where, None),
            _texts(part, "scopes", where) or None,
            _texts(part, "stores", where) or None,
        )
        when_s = own_s if own_s is not None else chosen_s
        found.append((choice, now_s if when_s is None else when_s))
    mode = _word(table, "mode", "", Mode, None)
    if mode is not None:
        when_s = now_s if chosen_s is None and mode is Mode.QUIET else chosen_s
        found.append((Choice(kind=EventKind.MODE, mode=mode), when_s))
    name = _word(table, "name", "", NameChoice, None)
    if name is not None:
        when_s = now_s if chosen_s is None and name is NameChoice.NEVER else chosen_s
        found.append((Choice(kind=EventKind.NAME, name_choice=name), when_s))
    return tuple(found)


def _profile(table: dict[str, Any]) -> list[Field]:
    rows = table.get("profile", {})
    if not isinstance(rows, dict):
        raise Refused(Reason.MALFORMED, "profile", "an object of scopes")
    found = []
    for number, (scope, row) in enumerate(rows.items()):
        where = f"profile[{number}]"  # not the key: what is no scope may be anything
        part = _only(row, where, "value source surface class collected confirmed")
        collected_s = _time(part, "collected", where)
        if collected_s is None:
            raise Refused(Reason.TIME_UNKNOWN, f"{where}.collected", "when the value was collected")
        confirmed_s = _time(part, "confirmed", where)
        found.append(
            Field(
                scope=scope,
                value=value(part.get("value"), f"{where}.value"),
                source=_word(part, "source", where, SourceClass, SourceClass.ZERO) or SourceClass.ZERO,
                surface=_text(part, "surface", where, "import") or "import",
                value_class=_word(part, "class", where, ValueClass, ValueClass.PERSONAL) or ValueClass.PERSONAL,
                collected_s=collected_s,
                confirmed_s=collected_s if confirmed_s is None else confirmed_s,
            )
        )
    return found


def value(given: object, where: str) -> Value:
    """A text, some texts, or some items `{"item": …, "label": …, "at": …, "quantity": …, "returned": …}`.

    Raises:
        Refused: another form.
    """
    if isinstance(given, str):
        return Value(text=given)
    if isinstance(given, list) and given and all(isinstance(one, str) for one in given):
        return Value(texts=tuple(given))
    if isinstance(given, list) and given:
        return Value(items=tuple(_item(one, f"{where}[{number}]") for number, one in enumerate(given)))
    raise Refused(Reason.MALFORMED, where, "a text, a list of texts, or a list of items")


def _item(row: object, where: str) -> Item:
    table = _only(row, where, "item label at quantity returned")
    returned = table.get("returned", False)
    if not isinstance(returned, bool):
        raise Refused(Reason.MALFORMED, f"{where}.returned", "true or false")
    return Item(
        item=_text(table, "item", where),
        label=_text(table, "label", where),
        at_s=_time(table, "at", where),
        quantity=_whole(table, "quantity", where, -100_000, 100_000),
        returned=returned,
    )


def _secret(given: object, where: str) -> bytes:
    try:
        secret = bytes.fromhex(given) if isinstance(given, str) else b""
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise Refused(Reason.MALFORMED, where, f"a presence secret of {2 * SECRET_BYTES} hex digits")
    return secret


def _frame(grant: Grant, where: str, now_s: int) -> Choice:
    try:
        return door.check_times(grant, now_s)
    except Refused as error:
        raise Refused(error.reason, f"{where}.{error.field}", error.hint) from error


def _only(table: object, where: str, keys: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise Refused(Reason.MALFORMED, where, "an object")
    if not table.keys() <= _named(keys):
        raise Refused(Reason.MALFORMED, where, f"no other keys than {', '.join(keys.split())}")
    return table


@cache
def _named(keys: str) -> frozenset[str]:
    return frozenset(keys.split())


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _text(table: dict[str, Any], key: str, where: str, missing: Any = ...) -> Any:
    given = table.get(key)
    if given is None and missing is not ...:
        return missing
    if not _is_text(given):
        raise Refused(Reason.MALFORMED, _at(where, key), "a text")
    return given


def _texts(table: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    given = _list(table, key, where)
    if not all(map(_is_text, given)):
        raise Refused(Reason.MALFORMED, _at(where, key), "a list of texts")
    return tuple(given)


def _is_text(given: object) -> bool:
    """Whether both databases can keep it: UTF-8 has no lone surrogate, PostgreSQL's text has no NUL."""
    if not isinstance(given, str) or "\0" in given:
        return False
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _list(table: dict[str, Any], key: str, where: str) -> list[Any]:
    given = table.get(key, [])
    if not isinstance(given, list):
        raise Refused(Reason.MALFORMED, _at(where, key), "a list")
    return given


def _whole(table: dict[str, Any], key: str, where: str, low: int, high: int) -> int | None:
    given = table.get(key)
    if given is None:
        return None
    if type(given) is not int or not low <= given <= high:
        raise Refused(Reason.MALFORMED, _at(where, key), f"a whole number from {low} to {high}")
    return given


def _time(table: dict[str, Any], key: str, where: str) -> int | None:
    given = table.get(key)
    if given is None:
        return None
    if type(given) is int and 0 <= given <= door.MOST_UNTIL_S:
        return given
    try:
        at = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at.timestamp() < 0:
        raise Refused(Reason.MALFORMED, _at(where, key), "Unix seconds, or ISO 8601 with a zone")
    return int(at.timestamp())


def _word(table: dict[str, Any], key: str, where: str, kind: type[E], missing: E | None) -> E | None:
    given = table.get(key)
    if given is None:
        return missing
    words = {one.name.lower(): one for one in kind}
    if not isinstance(given, str) or given not in words:
        raise Refused(Reason.MALFORMED, _at(where, key), f"one of {', '.join(words)}")
    return words[given]
