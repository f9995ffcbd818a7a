"""What a member can choose, told in the member's language, and recorded as served.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Any, Final

from flask import request
from flask.views import MethodView
from marshmallow import fields, validate

from hq import notices
from hq.limits import Limit
from hq.notice import Notice
from hq.web import asking
from hq.web.api import MEMBER, Calls
from hq.web.errors import Problem, ProblemKind
from hq.web.me_schemas import Hex, store_id
from hq.web.schemas import Query, Shown
from hq.web.schemas import language as tag
from runtime.web_languages import current

_LIMIT: Final = Limit(burst=30, each_ms=2_000)

calls = Calls("notices", "", "What members are told before they choose.")


class NoticesAsked(Query):
    """Which notices, and in which language."""

    language = tag(
        metadata={"description": "a tag such as `de-AT`; left out: what the browser or the app prefers"},
    )
    store = store_id(
        required=False, metadata={"description": "what that store's policy offers; left out: every policy"}
    )
    purpose = fields.String(validate=validate.Length(1, 64), metadata={"description": "of this purpose alone"})


class DetailShown(Shown):
    """A heading with its lines."""

    heading = fields.String()
    lines = fields.List(fields.String())


class ScopeOffered(Shown):
    """A scope that the purpose may disclose, or use."""

    scope = fields.String(attribute="id")
    special = fields.String(metadata={"description": "the special category, which needs a grant of its own; or empty"})
    retention_days = fields.Integer(metadata={"description": "a value older than this is not shown"})
    most_items = fields.Integer()
    shown = fields.Boolean(metadata={"description": "false: it is used for this purpose, and shown to nobody"})


class NoticeServed(Shown):
    """What can be chosen, and what it means. `what`, `how`, `why` and `benefit` have at most 120 words together."""

    notice = Hex(32, metadata={"description": "SHA-256 of the notice: to be sent with the choice"})
    brand = fields.String()
    purpose = fields.String()
    language = fields.String(metadata={"description": "of this text, which was recorded as served"})
    label = fields.String()
    what = fields.String()
    how = fields.String()
    why = fields.String()
    benefit = fields.String()
    full = fields.List(fields.String(), metadata={"description": "paragraphs, one tap away"})
    details = fields.List(fields.Nested(DetailShown), metadata={"description": "likewise: what the policy says"})
    scopes = fields.List(fields.Nested(ScopeOffered))
    ask = fields.String(
        allow_none=True,
        metadata={"description": "`never`, `changed` or `expired`: the member may be asked; null: nobody asks"},
    )


class NoticesServed(Shown):
    """All of them."""

    notices = fields.List(fields.Nested(NoticeServed))


@calls.route("/notices")
class Notices(MethodView):
    """What can be chosen."""

    @calls.secured_by(*MEMBER)
    @calls.takes(NoticesAsked, location="query")
    @calls.gives(200, NoticesServed)
    @calls.problems(401, 404, 429)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What can be chosen, in the member's language. It is recorded as served: only then is a choice taken."""
        member = asking.member()
        asking.limit(member.reference, "notices", _LIMIT)
        keys, store, wanted = asking.parts().keys, asked.get("store"), asked.get("purpose")
        language, now_ms = asked.get("language") or _preferred(), asking.now_ms()
        with asking.writing() as connection:
            found = notices.serve(
                connection, keys, member.id, language, member.method, now_ms, store=store,
                purposes=None if wanted is None else (wanted,),
            )  # fmt: skip
            why = notices.why_ask(connection, keys, member.id, now_ms, store)
        if not found and (store is not None or wanted is not None):
            raise Problem(ProblemKind.NOT_FOUND)
        return {"notices": [_shown(one, language, why.get(one.purpose)) for one in found]}


def _preferred() -> str:
    """What the app or the browser wants most, whether our pages speak it or not: notices may."""
    return next((tag for tag, _ in request.accept_languages if tag != "*"), current())


def _shown(one: Notice, language: str, why: str | None) -> dict[str, Any]:
    text = one.in_(language)
    return {
        "notice": one.hash, "brand": one.policy, "purpose": one.purpose, "language": text.language,
        "label": text.label, "what": text.what, "how": text.how, "why": text.why, "benefit": text.benefit,
        "full": text.full, "details": [{"heading": name, "lines": lines} for name, lines in text.details],
        "scopes": one.facts.scopes, "ask": why,
    }  # fmt: skip
