"""What other systems bring: consent events, members, values, purchases, events, items and associates.

I/O: answers HTTP requests (flask) from HQ's database.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response
from flask.views import MethodView
from marshmallow import fields

from hq import (
    erasure,
    purchases_intake,
    systems_consent,
    systems_events,
    systems_intake,
    systems_members,
    systems_merge,
    systems_refused,
    systems_shop,
)
from hq.database import writing
from hq.errors import Reason, Refused
from hq.office import Office
from hq.systems import Right, System
from hq.systems_calls import Answer
from hq.systems_intake import Taken
from hq.systems_line import MOST_BODY_BYTES, Line
from hq.web import asking, systems_guard
from hq.web.api import SYSTEM, Calls
from hq.web.schemas import Query, Shown, text
from hq.web.systems_guard import LINES, ONCE, RefusedShown, ReportShown

F = TypeVar("F", bound=Callable[..., Any])
Batch = list[Line]

calls = Calls("systems", "", "What other systems bring. Lists of up to 10,000 lines, as JSON or NDJSON.",
              most_bytes=MOST_BODY_BYTES)  # fmt: skip


class CatalogAsked(Query):
    """Which catalog."""

    catalog = text(40, metadata={"description": "the name of the catalog"})


class BegunShown(Shown):
    """An erasure that was begun."""

    erasure = fields.String(metadata={"description": "by which the erasure is found, 16 hex digits"})


class BegunOfLineShown(BegunShown):
    """An erasure that was begun by a line."""

    line = fields.Integer(metadata={"description": "its number, from 1"})


class AllBegunShown(Shown):
    """Erasures that were begun, and the lines by which none was."""

    erasures = fields.List(fields.Nested(BegunOfLineShown))
    refused = fields.List(fields.Nested(RefusedShown))


def _taken(
    right: Right, call: str, take: Callable[[System, Batch], Taken], *, key: str = "member",
    check: Callable[[System], None] = lambda who: None,
) -> Response:  # fmt: skip
    """Answers a call that takes lines. `check` may refuse the whole of it."""
    who = systems_guard.system(right)
    check(who)
    listed = systems_guard.told(who)

    def run() -> Answer:
        engine, now_ms = asking.parts().engine, asking.now_ms()
        return systems_guard.reported(
            systems_intake.run(engine, who.id, call, listed, lambda batch: take(who, batch), now_ms, key=key)
        )

    return systems_guard.once(who, run)


def _gives(status: int, schema: type[Shown]) -> Callable[[F], F]:
    """Documents what is the same of all calls that take lines."""

    def decorate(view: F) -> F:
        view = calls.blueprint.doc(**LINES)(view)
        view = calls.problems(400, 401, 403, 409, 413, 422, 429)(view)
        return calls.secured_by(*SYSTEM)(calls.gives(status, schema)(view))

    return decorate


_documented = _gives(200, ReportShown)


def _once(view: F) -> F:
    """Documents that a call with an idempotency key is done once."""
    documented: F = calls.blueprint.doc(**ONCE)(view)
    return documented


@calls.route("/consent-events")
class ConsentEvents(MethodView):
    """What another consent platform collected."""

    @_documented
    def post(self) -> Response:
        """Records choices with their time; with `Sec-GPC: 1` sale and sharing are withdrawn at each time too."""
        parts, gpc = asking.parts(), asking.gpc()

        def take(who: System, batch: Batch) -> Taken:
            if gpc:
                batch = [Line(one.number, {**one.said, "gpc": True}) for one in batch]
            return systems_consent.take(parts.engine, parts.keys, who, batch, asking.now_ms())

        return _taken(Right.CONSENT, "consent-events", take)


@calls.route("/members")
class Members(MethodView):
    """Members."""

    @_documented
    def post(self) -> Response:
        """Adds members, or corrects age and jurisdiction of those known."""
        parts = asking.parts()
        return _taken(
            Right.MEMBERS,
            "members",
            lambda who, batch: systems_members.take(parts.engine, parts.keys, who, batch, asking.now_ms()),
        )

    @_gives(202, AllBegunShown)
    def delete(self) -> Response:
        """Erases members, one a line, here and in every store."""
        who = systems_guard.system(Right.MEMBERS)
        _check_everywhere(who)
        listed = systems_guard.told(who)
        parts, now_ms = asking.parts(), asking.now_ms()

        def run() -> Answer:
            begun: list[dict[str, Any]] = []

            def take(batch: Batch) -> Taken:
                made, refused = systems_members.erase(parts.engine, parts.keys, batch, now_ms)
                begun.extend({"line": line, "erasure": reference.hex()} for line, reference in made)
                return Taken(len(made), refused)

            report = systems_intake.run(parts.engine, who.id, "erasures", listed, take, now_ms)
            if not begun:
                return systems_guard.reported(report)
            begun.sort(key=lambda one: int(one["line"]))
            told = AllBegunShown().dump({"erasures": begun, "refused": report.refused})
            return Answer(202, json.dumps(told).encode())

        return systems_guard.once(who, run)


@calls.route("/members/merge")
class Merges(MethodView):
    """Members who are one person."""

    @_documented
    def post(self) -> Response:
        """Makes two members one, `from` into `into`: the least permissive of what they said counts."""
        parts = asking.parts()

        def take(who: System, batch: Batch) -> Taken:
            return systems_merge.take(parts.engine, parts.keys, batch, asking.now_ms())

        return _taken(Right.MEMBERS, "merge", take, key="from", check=_check_everywhere)


@calls.route("/members/<member>")
class OneMember(MethodView):
    """One member."""

    @_once
    @calls.secured_by(*SYSTEM)
    @calls.gives(202, BegunShown)
    @calls.problems(401, 403, 404, 409, 422, 429)
    def delete(self, member: str) -> Response:
        """Erases a member here and in every store."""
        who = systems_guard.system(Right.MEMBERS)
        parts = asking.parts()

        def run() -> Answer:
            _check_everywhere(who)
            reference = erasure.erase(parts.engine, parts.keys, member, asking.now_ms())
            return Answer(202, json.dumps(BegunShown().dump({"erasure": reference.hex()})).encode())

        return systems_guard.once(who, run)


@calls.route("/members/<member>/profile")
class Profile(MethodView):
    """Values of one member's profile."""

    @_documented
    @calls.problems(404)
    def put(self, member: str) -> Response:
        """Sets values, one a line, each with its scope; those of other scopes stay."""
        who = systems_guard.system(Right.PROFILES)
        listed = systems_guard.told(who)
        parts, now_ms = asking.parts(), asking.now_ms()

        def run() -> Answer:
            done = systems_members.put_profile(parts.engine, parts.keys, who, member, listed, now_ms)
            if done.refused:
                with writing(parts.engine) as connection:
                    systems_refused.keep(connection, who.id, "profiles", done.refused, now_ms)
            return systems_guard.of(len(listed) - len(done.refused), done.new, done.refused)

        return systems_guard.once(who, run)


@calls.route("/purchases")
class Purchases(MethodView):
    """Purchases, returns and service cases."""

    @_documented
    def post(self) -> Response:
        """Takes them; one of the same place and reference is the same, and changes what differs."""
        parts = asking.parts()
        return _taken(
            Right.PURCHASES,
            "purchases",
            lambda who, batch: purchases_intake.take(parts.engine, parts.keys, who, batch, asking.now_ms()),
        )


@calls.route("/events")
class Events(MethodView):
    """What members viewed, saved or left in the basket."""

    @_documented
    def post(self) -> Response:
        """Takes them, only with a live grant."""
        parts = asking.parts()
        return _taken(
            Right.EVENTS,
            "events",
            lambda who, batch: systems_events.take(parts.engine, parts.keys, who, batch, asking.now_ms()),
        )


@calls.route("/catalog/items")
class CatalogItems(MethodView):
    """Items of a catalog."""

    @_documented
    @calls.takes(CatalogAsked, location="query")
    def put(self, asked: dict[str, Any]) -> Response:
        """Adds and changes items; one with `"gone": true` is taken out."""
        parts, name = asking.parts(), asked["catalog"]

        def take(who: System, batch: Batch) -> Taken:
            return systems_shop.take_items(parts.engine, name, batch, asking.now_ms())

        return _taken(
            Right.CATALOG,
            "catalog",
            take,
            key="id",
            check=lambda who: systems_shop.check_catalog(parts.engine, who, name),
        )


@calls.route("/staff")
class StaffMembers(MethodView):
    """Associates of stores."""

    @_documented
    def put(self) -> Response:
        """Adds, changes and deactivates associates; a PIN is set in the store."""
        parts = asking.parts()
        office = Office(parts.engine, parts.keys)
        return _taken(
            Right.STAFF,
            "staff",
            lambda who, batch: systems_shop.take_staff(office, who, batch, asking.now_ms()),
            key="associate",
        )


def _check_everywhere(who: System) -> None:
    if not who.is_everywhere:
        raise Refused(Reason.FORBIDDEN, "member", "a system that was given all brands")
