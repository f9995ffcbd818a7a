"""Takes a list of changes one by one: what is wrong with one of them keeps no other from being made.

I/O: answers HTTP requests (flask), by `hq.web.errors`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import ValidationError, fields

from hq.errors import Reason, Refused
from hq.web import errors
from hq.web.errors import Problem

MOST_CHANGES: Final = 50  # of a call that give or set something


@dataclass(frozen=True, slots=True)
class Malformed:
    """A change that has not the form of one: what of it has, and the names of our own fields that have not."""

    said: Mapping[str, Any]
    fields: frozenset[str]
    is_unknown: bool  # it names something that is no field of ours

    @property
    def problem(self) -> Refused:
        """What is told of it."""
        return Refused(Reason.MALFORMED, min(self.fields, default=""), "the form that /api/v1/openapi.json gives")


class OneByOne(fields.Nested):
    """A nested change; one of another form becomes `Malformed` instead of a refusal of all."""

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> Any:
        try:
            return super()._deserialize(value, *rest, **more)
        except ValidationError as error:
            named = set(error.messages) if isinstance(error.messages, dict) else set()
            known = frozenset(named & set(self.schema.fields))
            said = error.valid_data if isinstance(error.valid_data, dict) else {}
            return Malformed(said, known, bool(named - known))


def each(
    listed: Iterable[tuple[int, Any]], make: Callable[[Any], None], opens: Callable[[Any], bool]
) -> list[tuple[int, Refused]]:
    """Makes each change, by its line; why others were not made.

    Of those that open something at most `MOST_CHANGES`, the rest are refused; what takes away is made however many
    there are, and of equal ones one: nothing that opens stands between them, so that the others would say no more.
    """
    refusals = []
    left = MOST_CHANGES
    taken: dict[str, Refused | None] = {}
    for line, change in listed:
        named = "" if opens(change) else _named(change)
        if named in taken:
            error = taken[named]
        else:
            error = _refusal(make, change) if named or left else _too_many()
            if named:
                taken[named] = error
            else:
                left = max(left - 1, 0)
        if error is not None:
            refusals.append((line, error))
    return sorted(refusals, key=lambda one: one[0])


def _refusal(make: Callable[[Any], None], change: Any) -> Refused | None:
    try:
        make(change)
    except Refused as error:
        return error
    return None


def _too_many() -> Refused:
    return Refused(Reason.TOO_MANY, "changes", f"at most {MOST_CHANGES} at once: send the rest again")


def _named(change: Any) -> str:
    """What is the same of two changes that are equal."""
    if isinstance(change, Malformed):
        change = [change.said, sorted(change.fields), change.is_unknown]
    return json.dumps(change, sort_keys=True, default=repr)


def problem(refusals: list[tuple[int, Refused]]) -> Problem:
    """The first of them, with the list of all."""
    first = errors.of_refusal(refusals[0][1])
    listed = [
        {"line": line, "field": one.field, "reason": one.reason.value, "hint": one.hint} for line, one in refusals
    ]
    return Problem(first.kind, reason=refusals[0][1].reason, fields=first.fields, refused=listed)
