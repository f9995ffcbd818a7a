"""Reads the lines that other systems send: objects of known keys, each value judged where it stands.

Times are Unix seconds or ISO 8601 with a zone. What is refused names the key and never the value.

Pure: no I/O, no clock.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from io import BytesIO
from itertools import islice
from typing import Any, TypeVar

from hq.errors import Reason, Refused

E = TypeVar("E", bound=Enum)
MOST_LINES = 10_000
MOST_BODY_BYTES = 32 * 1024 * 1024
_MOST_S = 2**40
_EXPECTED = f"a JSON list of 1 to {MOST_LINES} objects, or as many lines of one object each"


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """One line of a call: its number from 1, and what it says; None where it is no JSON."""

    number: int
    said: Any


def lines(body: bytes, *, is_ndjson: bool) -> list[Line]:
    """The lines of a call's body: a JSON list, `{"lines": […]}`, one object, or an object a line.

    Raises:
        Refused: no list at all, none or too many; a line that is no JSON is the line's own matter.
    """
    if len(body) > MOST_BODY_BYTES:
        raise Refused(Reason.TOO_LARGE, "", f"at most {MOST_BODY_BYTES} bytes")
    if is_ndjson:
        found = [Line(number, _json(text)) for number, text in _texts(body)]
    else:
        try:
            told = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refused(Reason.MALFORMED, "", _EXPECTED) from error
        if isinstance(told, dict):
            told = told["lines"] if told.keys() == {"lines"} else [told]
        if not isinstance(told, list):
            raise Refused(Reason.MALFORMED, "", _EXPECTED)
        if len(told) > MOST_LINES:
            raise Refused(Reason.TOO_MANY, "", _EXPECTED)
        found = [Line(number, one) for number, one in enumerate(told, 1)]
    if not found:
        raise Refused(Reason.MALFORMED, "", _EXPECTED)
    return found


def _texts(body: bytes) -> list[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers; counted before any is read, at most as many blank ones."""
    if body.count(b"\n") <= 2 * MOST_LINES:
        written = ((number, text) for number, text in enumerate(BytesIO(body), 1) if text.strip())
        found = list(islice(written, MOST_LINES + 1))
        if len(found) <= MOST_LINES:
            return found
    raise Refused(Reason.TOO_MANY, "", _EXPECTED)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_text(one: object) -> bool:
    return isinstance(one, str) and (not one or _bytes(one) > 0)


def _bytes(text: str) -> int:
    """How many bytes a text has; 0 of one that is none: UTF-8 has no lone surrogate, PostgreSQL's text has no NUL."""
    try:
        return 0 if "\0" in text else len(text.encode())
    except UnicodeEncodeError:
        return 0


class Row:
    """An object of a line, whose keys are taken one by one. `where` leads to it from the line's top."""

    def __init__(self, table: object, keys: str, where: str = "") -> None:
        self.where = where
        if not isinstance(table, dict):
            raise Refused(Reason.MALFORMED, where, "a JSON object")
        if not set(table) <= set(keys.split()):
            raise Refused(Reason.MALFORMED, where, f"no other keys than {', '.join(keys.split())}")
        self._table: dict[str, Any] = table

    def __contains__(self, key: str) -> bool:
        return self._table.get(key) is not None

    def at(self, key: str) -> str:
        """Where this key stands."""
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, key: str, expected: str, reason: Reason = Reason.MALFORMED) -> Refused:
        """What is to be raised where this key's value will not do."""
        return Refused(reason, self.at(key), expected)

    def given(self, key: str) -> Any:
        """The value as it came; None: none."""
        return self._table.get(key)

    def text(self, key: str, missing: str | None = None, most_bytes: int = 512) -> str:
        """A text of 1 to `most_bytes` bytes; `missing` where there is none."""
        found = self._table.get(key)
        if found is None and missing is not None:
            return missing
        if not isinstance(found, str) or not 1 <= _bytes(found) <= most_bytes:
            raise self.wrong(key, f"a text of at most {most_bytes} bytes")
        return found

    def texts(self, key: str, most: int = 64) -> tuple[str, ...]:
        """A list of texts; empty where there is none."""
        found = self._table.get(key)
        if found is None:
            return ()
        if not isinstance(found, list) or len(found) > most or not all(map(_is_text, found)):
            raise self.wrong(key, f"a list of at most {most} texts")
        return tuple(found)

    def rows(self, key: str, keys: str, most: int) -> list["Row"]:
        """A list of objects; empty where there is none."""
        found = self._table.get(key)
        if found is None:
            return []
        if not isinstance(found, list) or len(found) > most:
            raise self.wrong(key, f"a list of at most {most} objects")
        return [Row(one, keys, f"{self.at(key)}[{number}]") for number, one in enumerate(found)]

    def row(self, key: str, keys: str) -> "Row | None":
        """An object; None where there is none."""
        found = self._table.get(key)
        return None if found is None else Row(found, keys, self.at(key))

    def whole(self, key: str, low: int, high: int, missing: int | None = None) -> int:
        """A whole number in these bounds; `missing` where there is none."""
        found = self._table.get(key)
        if found is None and missing is not None:
            return missing
        if type(found) is not int or not low <= found <= high:
            raise self.wrong(key, f"a whole number from {low} to {high}")
        return found

    def flag(self, key: str, *, missing: bool) -> bool:
        """True or false."""
        found = self._table.get(key, missing)
        if not isinstance(found, bool):
            raise self.wrong(key, "true or false")
        return found

    def word(self, key: str, kind: type[E], missing: E | None = None) -> E:
        """One of a closed set, by its name in lower case with hyphens."""
        found = self._table.get(key)
        if found is None and missing is not None:
            return missing
        words = {one.name.lower().replace("_", "-"): one for one in kind}
        if not isinstance(found, str) or found not in words:
            raise self.wrong(key, f"one of {', '.join(words)}")
        return words[found]

    def time(self, key: str) -> int | None:
        """An instant in Unix seconds; None where there is none."""
        found = self._table.get(key)
        if found is None or (type(found) is int and 0 <= found <= _MOST_S):
            return found
        try:
            at = datetime.fromisoformat(found) if isinstance(found, str) else None
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or at.timestamp() < 0:
            raise self.wrong(key, "Unix seconds, or ISO 8601 with a zone")
        return int(at.timestamp())

    def past(self, key: str, now_s: int) -> int:
        """An instant that is there and has come. A clock elsewhere may be five minutes ahead."""
        found = self.time(key)
        if found is None:
            raise self.wrong(key, "when it was", Reason.TIME_UNKNOWN)
        if found > now_s + 300:
            raise self.wrong(key, "a time that has come", Reason.TIME_IN_FUTURE)
        return found
