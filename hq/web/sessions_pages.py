"""The pages of what is signed in for a member, and of letting the app in.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from urllib.parse import urlencode, urlsplit

from flask import Response

from hq import sessions, signing_in
from hq.web import asking, pages, tokens
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Asked, Query, text, word
from runtime.web_languages import gettext


class AppAsked(Query):
    """The app's request, as RFC 6749 4.1.1 and RFC 7636 have it."""

    redirect_uri = text(400)
    code_challenge = text(43, 43)
    code_challenge_method = word("S256")
    response_type = word("code", required=False, load_default="code")
    state = text(256, 0, required=False, load_default="")


class EndAsked(Asked):
    """Which session to end."""

    session = text(16)


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("sessions")

    @part.get("/sessions")
    def listed() -> Response:
        """Where the member is signed in."""
        found = pages.all_shown(tokens.SessionShown, [_named(one) for one in tokens.listed(asking.member())])
        return pages.show("sessions/sessions.html", member=True, sessions=found)

    @part.post("/sessions/end")
    def end() -> Response:
        """Out there."""
        tokens.end(asking.member(), pages.form(EndAsked)["session"])
        return pages.done("/sessions", gettext("Signed out there."))

    @part.post("/sessions/end-all")
    def end_all() -> Response:
        """Out everywhere, here too."""
        member, parts = asking.member(), asking.parts()
        with asking.writing() as connection:
            sessions.end_all(connection, member.reference)
        response = pages.done("/sign-in", gettext("You are signed out everywhere."))
        parts.cookies.drop(response, parts.cookies.session)
        return response

    @part.get("/app/sign-in")
    def app() -> Response:
        """The app asks to be let in: the member signs in first, then says yes."""
        asked = _app_asked(pages.asked(AppAsked))
        asking.member()
        pages.also_to(_target(asked["redirect_uri"]))
        return pages.show("sessions/app.html", asked=asked)

    @part.post("/app/sign-in")
    def let_in() -> Response:
        """The member says yes: back to the app, with a one-time code."""
        asked = _app_asked(pages.form(AppAsked))
        member = asking.member()
        redirect = asked["redirect_uri"]
        with asking.writing() as connection:
            code = signing_in.make_code(
                connection, member.reference, asked["code_challenge"], redirect, asking.now_ms()
            )  # fmt: skip
        answer = {"code": code} | ({"state": asked["state"]} if asked["state"] else {})
        joined = "&" if urlsplit(redirect).query else "?"
        return Response(status=303, headers={"Location": f"{redirect}{joined}{urlencode(answer)}"})

    return part


def _app_asked(asked: dict[str, str]) -> dict[str, str]:
    """Raises: Problem, FORBIDDEN: an address that is not the app's."""
    if asked["redirect_uri"] not in asking.parts().settings.app_redirects:
        raise Problem(ProblemKind.FORBIDDEN)
    if not signing_in.CHALLENGE.fullmatch(asked["code_challenge"]):
        raise Problem(ProblemKind.MALFORMED, fields=("code_challenge",))
    return asked


def _target(redirect: str) -> str:
    """What a content security policy calls this address: its origin, or its scheme."""
    parts = urlsplit(redirect)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def _named(one: dict[str, object]) -> dict[str, object]:
    return one | {"browser": browser_name(str(one["browser"]))}


_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
             ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
            ("Mac OS", "Mac"), ("Linux", "Linux"))  # fmt: skip


def browser_name(said: str) -> str:
    """What a browser says of itself, as people call it: "Firefox · Android"; else its first word."""
    found = [next((name for sign, name in names if sign in said), "") for names in (_BROWSERS, _SYSTEMS)]
    return " · ".join(one for one in found if one) or said.split("/")[0][:40]
