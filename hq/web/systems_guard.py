"""Which system asks, what it may, how often, and that a call with an idempotency key is done once.

I/O: reads flask's current request; sqlalchemy.
"""

import json
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Final

from flask import Response, request
from marshmallow import fields

from hq import systems, systems_calls
from hq.errors import Refused
from hq.importer import Problem as RefusedLine
from hq.limits import Limit, take_many
from hq.systems import Right, System
from hq.systems_calls import Answer, Verdict
from hq.systems_intake import Report
from hq.systems_line import Line, lines
from hq.web import asking, errors
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Shown
from runtime.problems import CONTENT_TYPE

NDJSON: Final = "application/x-ndjson"
_KEY_CHARACTERS: Final = 255
_WRONG_KEYS: Final = Limit(burst=20, each_ms=3_000)
_LINES_AS_A_CALL: Final = 100
# How a call that is done once is described.
ONCE: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": _KEY_CHARACTERS},
            "description": "the same key again, within a day, gets the same answer, and nothing is done",
        }
    ],
}  # fmt: skip
# And one that takes lines: the schema of a line says what it may say.
LINES: Final[dict[str, Any]] = {
    **ONCE,
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "maxItems": 10_000, "items": {"type": "object"}}},
            NDJSON: {"schema": {"type": "string", "description": "one object a line, at most 10,000"}},
        },
    },
}


class RefusedShown(Shown):
    """A line that was not taken."""

    line = fields.Integer(metadata={"description": "its number, from 1"})
    field = fields.String(metadata={"description": "where in the line; empty: the line as a whole"})
    reason = fields.String(metadata={"description": "why, one word of a closed set"})
    hint = fields.String(metadata={"description": "what is expected"})


class DoubtShown(RefusedShown):
    """Something in a line that was taken, and will not do what was meant."""


class ReportShown(Shown):
    """How a call went."""

    taken = fields.Integer(metadata={"description": "lines taken, those among them that said nothing new"})
    new = fields.Integer(metadata={"description": "how many of them said something new"})
    refused = fields.List(fields.Nested(RefusedShown))
    doubts = fields.List(
        fields.Nested(DoubtShown), metadata={"description": "of lines that were taken; left out where there are none"}
    )


def system(right: Right) -> System:
    """The system whose key the request shows, and that it may make this call now. Nothing is read before.

    Raises:
        Problem: UNKNOWN_SYSTEM, FORBIDDEN, THROTTLED.
    """
    shown = asking.bearer() or ""
    with asking.reading() as connection:
        found = systems.identify(connection, shown)
    if found is None:
        asking.limit(asking.peer(), "systems-wrong", _WRONG_KEYS)
        raise Problem(ProblemKind.UNKNOWN_SYSTEM)
    who, key = found
    with asking.writing() as connection:
        systems.note_use(connection, key, asking.now_ms())
    _count(who, 1)
    if not who.may(right):
        raise Problem(ProblemKind.FORBIDDEN)
    return who


def told(who: System) -> list[Line]:
    """The lines of the request's body, JSON or NDJSON; 100 of them count as one more call.

    Raises:
        Refused: no lines, or too many. Problem: THROTTLED.
    """
    found = lines(request.get_data(), is_ndjson=request.mimetype in (NDJSON, "application/jsonl"))
    if len(found) >= _LINES_AS_A_CALL:
        # The call itself was counted: what is left when nothing else was asked is enough, however many lines there are.
        _count(who, min(len(found) // _LINES_AS_A_CALL, who.each_minute - 1), again=1)
    return found


def _count(who: System, many: int, again: int = 0) -> None:
    """Counts so many calls. `again`: how many are counted before these when it is tried again."""
    limit = Limit(who.each_minute, 60_000 // who.each_minute)
    with asking.writing() as connection:
        wait_s = take_many(connection, who.id.encode(), "systems", limit, many, asking.now_ms())
    if wait_s:
        raise Problem(ProblemKind.THROTTLED, retry_after_s=wait_s + ceil(again * limit.each_ms / 1000))


def once(who: System, run: Callable[[], Answer]) -> Response:
    """What `run` answers; with an idempotency key what it answered before. Problems are answers too.

    Raises:
        Problem: CONFLICT: the same call is under way, or the key was used for another; MALFORMED: it is none.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return _response(_answered(run))
    if not 1 <= len(key) <= _KEY_CHARACTERS or not key.isprintable():
        raise Problem(ProblemKind.MALFORMED, fields=("Idempotency-Key",))
    signal = [b"Sec-GPC"] if asking.gpc() else []  # with it a call does more than its lines say
    asked = b"\x00".join([*signal, request.method.encode(), request.full_path.encode(), request.get_data()])
    parts = asking.parts()
    found = systems_calls.once(
        parts.engine, parts.keys.custody, who.id, key, asked, asking.now_ms(), lambda: _answered(run)
    )
    if isinstance(found, Verdict):
        raise Problem(ProblemKind.CONFLICT, fields=("Idempotency-Key",))
    return _response(found)


def _answered(run: Callable[[], Answer]) -> Answer:
    try:
        return run()
    except Refused as error:
        problem = errors.of_refusal(error)
        return Answer(problem.kind.status, json.dumps(problem.document()).encode())


def _response(answer: Answer) -> Response:
    kind = "application/json" if answer.status < 400 else CONTENT_TYPE
    return Response(answer.body, answer.status, content_type=kind)


def reported(report: Report) -> Answer:
    """What a call that takes lines is answered: the report; a problem where no line was taken."""
    shown = ReportShown(exclude=() if report.doubts else ("doubts",)).dump(report)
    if not report.taken and report.refused:
        problem = Problem(ProblemKind.REFUSED, refused=shown["refused"])
        return Answer(problem.kind.status, json.dumps(problem.document()).encode())
    return Answer(200, json.dumps(shown).encode())


def of(taken: int, new: int, refused: Sequence[RefusedLine]) -> Answer:
    """The same of what was counted otherwise."""
    return reported(Report(taken, new, tuple(refused)))
