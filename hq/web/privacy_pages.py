"""The public page about privacy: what is in force, every version that was, and what each changed; no sign-in.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask import Response
from marshmallow import fields
from sqlalchemy import Connection

from hq import notice, notice_diff, notices
from hq.limits import Limit
from hq.notice import Notice
from hq.notices import Published
from hq.web import asking, pages
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Shown, instant
from runtime.web_languages import current

_LIMIT: Final = Limit(burst=60, each_ms=1_000)
_HASH_BYTES: Final = 32


class DetailShown(Shown):
    """A heading with its lines."""

    heading = fields.String()
    lines = fields.List(fields.String())


class TextShown(Shown):
    """A notice's text in one language."""

    language = fields.String()
    label = fields.String()
    what = fields.String()
    how = fields.String()
    why = fields.String()
    benefit = fields.String()
    full = fields.List(fields.String())
    details = fields.Function(lambda one: [{"heading": name, "lines": list(lines)} for name, lines in one.details])


class InForceShown(Shown):
    """A notice that is in force."""

    policy = fields.String()
    purpose = fields.String()
    hash = fields.String()
    since = fields.String()
    versions = fields.Integer()
    text = fields.Nested(TextShown)


class PieceShown(Shown):
    """Some words of a line that differs."""

    kind = fields.String()
    text = fields.String()


class VersionShown(Shown):
    """One version of a notice."""

    version = fields.Integer()
    at = fields.String()
    hash = fields.String()
    material = fields.Boolean()
    is_first = fields.Boolean()
    text = fields.Nested(TextShown)
    differences = fields.List(fields.List(fields.Nested(PieceShown)))


@dataclass(frozen=True, slots=True)
class _Step:
    """A version that changed a notice, with what it says."""

    published: Published
    notice: Notice


def make() -> pages.Part:
    """The part."""
    part = pages.Part("privacy")

    @part.get("/privacy")
    def in_force() -> Response:
        """What is in force, by brand and purpose."""
        asking.limit(asking.peer(), "privacy", _LIMIT)
        with asking.reading() as connection:
            listed = notices.versions(connection)
            found = [_in_force(one, _changes(listed, one.policy, one.purpose)) for one in notices.in_force(connection)]
        shown = pages.all_shown(InForceShown, found)
        brands = list(dict.fromkeys(one["policy"] for one in shown))
        return pages.show(
            "privacy/privacy.html", member=asking.optional_member() is not None, notices=shown, brands=brands
        )

    @part.get("/privacy/<policy>/<purpose>")
    def history(policy: str, purpose: str) -> Response:
        """Every version of one purpose's notice, newest first, and what each changed."""
        asking.limit(asking.peer(), "privacy", _LIMIT)
        with asking.reading() as connection:
            changes = _changes(notices.versions(connection, policy), policy, purpose)
            told = [(one, notices.of_hash(connection, one.notice)) for one in changes]
        steps = [_Step(one, found) for one, found in told if found is not None]
        if not steps:
            raise Problem(ProblemKind.NOT_FOUND)
        shown = pages.all_shown(VersionShown, list(_history(steps)))
        return pages.show("privacy/history.html", member=asking.optional_member() is not None, versions=shown)

    @part.get("/privacy/notices/<hashed>")
    def exact(hashed: str) -> Response:
        """A notice's exact bytes, of which the address names the SHA-256, so that anybody can check it."""
        asking.limit(asking.peer(), "privacy", _LIMIT)
        with asking.reading() as connection:
            found = _exact(connection, hashed)
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        return Response(found, content_type="application/json")

    return part


def _in_force(one: Notice, steps: list[Published]) -> dict[str, Any]:
    return {
        "policy": one.policy, "purpose": one.purpose, "hash": one.hash.hex(), "text": one.in_(current()),
        "since": instant(steps[-1].at_ms), "versions": len(steps),
    }  # fmt: skip


def _changes(listed: list[Published], policy: str, purpose: str) -> list[Published]:
    """The versions that changed this notice, oldest first; a version in which it was gone ends nothing."""
    found: list[Published] = []
    for one in listed:
        if (one.policy, one.purpose) == (policy, purpose) and (not found or found[-1].notice != one.notice):
            found.append(one)
    return found


def _history(steps: list[_Step]) -> Iterator[dict[str, Any]]:
    language = current()
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        before = notice.plain(steps[number - 1].notice, language) if number else []
        yield {
            "version": step.published.version,
            "at": instant(step.published.at_ms),
            "hash": step.notice.hash.hex(),
            "material": step.published.material,
            "is_first": number == 0,
            "text": step.notice.in_(language),
            "differences": notice_diff.lines(before, notice.plain(step.notice, language)) if number else [],
        }


def _exact(connection: Connection, hashed: str) -> bytes | None:
    """The bytes of a notice of ours."""
    try:
        wanted = bytes.fromhex(hashed)
    except ValueError:
        return None
    if len(wanted) != _HASH_BYTES or notices.of_hash(connection, wanted) is None:
        return None
    return notices.text_of(connection, wanted)
