"""The console's pages of policies and notices: every version, what it changed, whom it concerns, what members read.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from flask import Response
from marshmallow import fields

from hq import console_policy, notices
from hq.console_roles import View
from hq.figures_model import day_of
from hq.web import asking, console_door, pages
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Instant, Query, Shown, text
from runtime.web_languages import current

_HASH_BYTES = 32


class PolicyAsked(Query):
    """Which page of the versions."""

    after = text(80, 0, required=False, load_default="")


class VersionAsked(Query):
    """Against which version."""

    against = fields.Integer(load_default=None)


class VersionShown(Shown):
    """A version of a policy."""

    policy = fields.String()
    version = fields.Integer()
    at = Instant(attribute="at_ms")


class NoticeShown(Shown):
    """A notice in force."""

    hash = fields.Function(lambda one: one.hash.hex())
    policy = fields.String()
    purpose = fields.String()
    label = fields.Function(lambda one: one.in_(current()).label)
    words = fields.Function(lambda one: one.in_(current()).words)
    languages = fields.List(fields.String())


class TextShown(Shown):
    """What a notice says in one language."""

    language = fields.String()
    label = fields.String()
    what = fields.String()
    how = fields.String()
    why = fields.String()
    benefit = fields.String()
    full = fields.List(fields.String())
    details = fields.Function(lambda one: [{"heading": heading, "lines": lines} for heading, lines in one.details])


class RuleShown(Shown):
    """A rule of suggestions that is off or rests."""

    policy = fields.String()
    rule = fields.String()
    zone = fields.String()
    stage = fields.String()
    off = fields.Boolean(attribute="is_off")
    until = fields.Function(lambda one: None if one.until_day is None else day_of(one.until_day).isoformat())


class LineShown(Shown):
    """A line of a difference."""

    sign = fields.String()
    text = fields.String()


class ChangeShown(Shown):
    """A notice that changed, with the difference of its text."""

    purpose = fields.Function(lambda one: one[0].purpose)
    notice = fields.Function(lambda one: one[0].notice.hex())
    material = fields.Function(lambda one: one[0].material)
    lines = fields.Function(lambda one: pages.all_shown(LineShown, one[1]))


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("console-policy")

    @part.get("/console/policy")
    def versions() -> Response:
        """Every version, the newest first, and what members are told now."""
        who, asked = console_door.enter(View.POLICY), pages.asked(PolicyAsked)
        with asking.reading() as connection:
            page = console_policy.versions_page(connection, after=asked["after"])
            told = [] if asked["after"] else notices.in_force(connection)
            away = [] if asked["after"] else console_policy.rules_away(connection)
        return console_door.show(
            "policies.html", who, versions=console_door.shown(VersionShown, page.rows),
            notices=console_door.shown(NoticeShown, told), rules=console_door.shown(RuleShown, away),
            onward=page.after and console_door.address("/console/policy", after=page.after),
            first=asked["after"] and "/console/policy",
        )  # fmt: skip

    @part.get("/console/policy/<policy>/<int:version>")
    def version(policy: str, version: int) -> Response:
        """One version, beside another."""
        who, against = console_door.enter(View.POLICY), pages.asked(VersionAsked)["against"]
        with asking.reading() as connection:
            found = console_policy.version_page(connection, policy, version, against, current())
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        return console_door.show(
            "policy.html", who, version=pages.shown(VersionShown, found.version), before=found.before,
            in_force=found.newest == version, lines=console_door.shown(LineShown, found.lines),
            changes=console_door.shown(ChangeShown, found.texts), stores=found.affected.stores,
            members=found.affected.members,
        )  # fmt: skip

    @part.get("/console/notices/<handle>")
    def notice(handle: str) -> Response:
        """What a notice says, in every language."""
        who = console_door.enter(View.POLICY)
        try:
            hashed = bytes.fromhex(handle)
        except ValueError:
            hashed = b""
        with asking.reading() as connection:
            found = notices.of_hash(connection, hashed) if len(hashed) == _HASH_BYTES else None
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        return console_door.show(
            "notice.html", who, notice=pages.shown(NoticeShown, found),
            texts=console_door.shown(TextShown, found.texts.values()),
        )  # fmt: skip

    return part
