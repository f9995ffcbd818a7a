"""The app's sign-in: a one-time code becomes a token, and a member sees and ends what is signed in.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Any, Final

from flask.views import MethodView
from marshmallow import fields

from hq import sessions, signing_in
from hq.limits import Limit
from hq.web import asking, sign_in
from hq.web.api import MEMBER, Calls
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Asked, Instant, Shown, Token, text
from runtime.base64url import from_text

_LIMIT: Final = Limit(burst=20, each_ms=6_000)

calls = Calls("tokens", "", "Signing the app in and out; what is signed in.")


class CodeAsked(Asked):
    """The code with which the app was opened again."""

    code = Token(32, required=True, metadata={"description": "the one-time code, of the redirection"})
    code_verifier = text(128, 43, metadata={"description": "what the challenge was made of (RFC 7636)"})
    redirect_uri = text(400, metadata={"description": "where the app was opened again"})


class TokenShown(Shown):
    """The token, once."""

    token = Token(metadata={"description": "to be sent as `Authorization: Bearer …`"})
    ends_at = Instant(metadata={"description": "when it ends at the latest"})


class SessionShown(Shown):
    """Something that is signed in."""

    id = Token(attribute="handle")
    kind = fields.String(metadata={"description": "`member`: a browser; `app`: the app"})
    way = fields.String(metadata={"description": "`link` or `provider`"})
    browser = fields.String(metadata={"description": "what the browser or the app said of itself"})
    made_at = Instant(attribute="made_ms")
    seen_at = Instant(attribute="seen_ms")
    is_this = fields.Boolean(metadata={"description": "whether it is the one that asks"})


class SessionsShown(Shown):
    """All that is signed in."""

    sessions = fields.List(fields.Nested(SessionShown))


@calls.route("/tokens")
class Tokens(MethodView):
    """Tokens of the app."""

    @calls.takes(CodeAsked)
    @calls.gives(201, TokenShown)
    @calls.problems(410, 429)
    def post(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Changes a one-time code into a token."""
        asking.limit(asking.peer(), "tokens", _LIMIT)
        now_ms = asking.now_ms()
        with asking.writing() as connection:
            member = signing_in.use_code(
                connection, asked["code"], asked["code_verifier"], asked["redirect_uri"], now_ms
            )
            secret = None if member is None else sign_in.begin_app(connection, member)
        if secret is None:
            raise Problem(ProblemKind.LINK_OVER)
        return {"token": secret, "ends_at": now_ms + sign_in.lasting().most_ms}


@calls.route("/tokens/current")
class CurrentToken(MethodView):
    """The token that asks."""

    @calls.secured_by(*MEMBER)
    @calls.gives(204)
    @calls.problems(401)
    def delete(self) -> None:
        """Signs out."""
        member = asking.member()
        if member.session is not None:
            with asking.writing() as connection:
                sessions.end_one(connection, member.reference, member.session)


@calls.route("/me/sessions")
class Sessions(MethodView):
    """What is signed in for the member."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, SessionsShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """The list, what was used last first."""
        return {"sessions": listed(asking.member())}

    @calls.secured_by(*MEMBER)
    @calls.gives(204)
    @calls.problems(401)
    def delete(self) -> None:
        """Signs out everywhere, here too."""
        member = asking.member()
        with asking.writing() as connection:
            sessions.end_all(connection, member.reference)


@calls.route("/me/sessions/<session>")
class OneSession(MethodView):
    """One of them."""

    @calls.secured_by(*MEMBER)
    @calls.gives(204)
    @calls.problems(401, 404)
    def delete(self, session: str) -> None:
        """Signs out there."""
        end(asking.member(), session)


def listed(member: asking.Member) -> list[dict[str, Any]]:
    """The member's sessions, as `SessionShown` takes them."""
    parts = asking.parts()
    with asking.reading() as connection:
        found = sessions.of_member(connection, parts.keys.custody, member.reference, asking.now_ms())
    return [
        {"handle": one.handle, "kind": one.kind.value, "way": one.way.value, "browser": one.browser,
         "made_ms": one.made_ms, "seen_ms": one.seen_ms, "is_this": one.handle == member.session}
        for one in found
    ]  # fmt: skip


def end(member: asking.Member, session: str) -> None:
    """Ends one of the member's sessions. Raises: Problem, NOT_FOUND."""
    with asking.writing() as connection:
        handle = from_text(session, sessions.HANDLE_BYTES)
        if handle is None or not sessions.end_one(connection, member.reference, handle):
            raise Problem(ProblemKind.NOT_FOUND)
