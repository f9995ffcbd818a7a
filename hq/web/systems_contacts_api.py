"""Whether a system may contact a member now, and what came of it.

I/O: answers HTTP requests (flask) from HQ's database.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response
from flask.views import MethodView
from marshmallow import fields

from hq import contacts, systems_intake
from hq.contacts import Decision
from hq.database import writing
from hq.importer import Problem as RefusedLine
from hq.systems import Right
from hq.systems_calls import Answer
from hq.systems_line import MOST_BODY_BYTES, Line
from hq.systems_refused import keep
from hq.web import asking, systems_guard
from hq.web.api import SYSTEM, Calls
from hq.web.schemas import Instant, Shown
from hq.web.systems_guard import LINES, RefusedShown, ReportShown

calls = Calls("contacts", "/contacts", "Whether a member may be contacted, and what came of it.",
              most_bytes=MOST_BODY_BYTES)  # fmt: skip


F = TypeVar("F", bound=Callable[..., Any])


class DecisionShown(Shown):
    """About one line."""

    line = fields.Integer()
    decision = fields.String(metadata={"description": "allow or deny"})
    reason = fields.String(metadata={"description": "of a deny: consent, mute, guard, frequency-cap or quiet-hours"})
    id = fields.String(metadata={"description": "of an allow: names it when its result is told, 32 hex digits"})
    not_before = Instant(metadata={"description": "of a deny that only time makes: when to ask again"})


class DecisionsShown(Shown):
    """About all lines that could be decided, and the others."""

    decisions = fields.List(fields.Nested(DecisionShown))
    refused = fields.List(fields.Nested(RefusedShown))


def _documented(schema: type[Shown]) -> Callable[[F], F]:
    def decorate(view: F) -> F:
        view = calls.blueprint.doc(**LINES)(view)
        view = calls.problems(400, 401, 403, 409, 413, 422, 429)(view)
        return calls.secured_by(*SYSTEM)(calls.gives(200, schema)(view))

    return decorate


@calls.route("/decisions")
class Decisions(MethodView):
    """Decisions."""

    @_documented(DecisionsShown)
    def post(self) -> Response:
        """Allows or denies each contact, with the first reason against it; what is allowed counts at once."""
        who = systems_guard.system(Right.CONTACTS)
        listed = systems_guard.told(who)
        parts, now_ms = asking.parts(), asking.now_ms()

        def run() -> Answer:
            found: list[Decision] = []
            refused = [one for line in listed if (one := systems_intake.no_object(line)) is not None]
            good = [line for line in listed if isinstance(line.said, dict)]
            for start in range(0, len(good), systems_intake.LINES_AT_ONCE):
                batch: list[Line] = good[start : start + systems_intake.LINES_AT_ONCE]
                made, wrong = contacts.decide(parts.engine, parts.keys, who, batch, now_ms)
                found += made
                refused += wrong
            if refused:
                with writing(parts.engine) as connection:
                    keep(connection, who.id, "contacts", refused, now_ms)
            return _answer(found, refused)

        return systems_guard.once(who, run)


@calls.route("/results")
class Results(MethodView):
    """What came of contacts."""

    @_documented(ReportShown)
    def post(self) -> Response:
        """Keeps whether each was sent, and what it cost; what was not sent counts against no cap."""
        who = systems_guard.system(Right.CONTACTS)
        listed = systems_guard.told(who)
        parts, now_ms = asking.parts(), asking.now_ms()

        def run() -> Answer:
            return systems_guard.reported(
                systems_intake.run(
                    parts.engine, who.id, "contacts", listed,
                    lambda batch: contacts.take_results(parts.engine, parts.keys, who, batch, now_ms), now_ms,
                    key="decision",
                )
            )  # fmt: skip

        return systems_guard.once(who, run)


def _answer(found: list[Decision], refused: list[RefusedLine]) -> Answer:
    if not found and refused:
        return systems_guard.of(0, 0, refused)
    told = [_shown(one) for one in found]
    return Answer(200, json.dumps(DecisionsShown().dump({"decisions": told, "refused": refused})).encode())


def _shown(one: Decision) -> dict[str, Any]:
    said: dict[str, Any] = {"line": one.line, "decision": "allow" if one.denied is None else "deny"}
    if one.denied is not None:
        said["reason"] = one.denied.value
    if one.id is not None:
        said["id"] = one.id.hex()
    if one.not_before_ms is not None:
        said["not_before"] = one.not_before_ms
    return said
