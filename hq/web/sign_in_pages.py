"""The pages on which members and staff sign in, and out again. They work without a script.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Final
from urllib.parse import urlsplit

from flask import Response, request

from hq import addresses, sessions, signing_in
from hq.errors import Refused
from hq.limits import Limit
from hq.sessions import Lasting, Way
from hq.signing_in import Visit
from hq.web import asking, pages, sign_in
from hq.web.errors import Problem, ProblemKind
from hq.web.languages import LANGUAGES
from hq.web.providers import MEMBERS, STAFF
from hq.web.schemas import Asked, Query, text, word
from runtime.base64url import from_text, to_text
from runtime.web_languages import current, gettext

_ADDRESS_LIMIT: Final = Limit(burst=4, each_ms=5 * 60_000)
_PEER_LIMIT: Final = Limit(burst=12, each_ms=60_000)
_LINK_LIMIT: Final = Limit(burst=30, each_ms=10_000)
_WHO: Final = b"address\x00"
_TOKEN_BYTES: Final = 32


class AddressAsked(Asked):
    """Whoever wants a link."""

    address = text(320, metadata={"description": "an e-mail address"})
    next = text(400, 0, required=False, load_default="/")


class TokenAsked(Asked):
    """A link's button."""

    token = text(64)


class LanguageAsked(Asked):
    """Another language, and the page to come back to."""

    language = word(*LANGUAGES)
    next = text(400, 0, required=False, load_default="/")


class NextAsked(Query):
    """The page to go on to."""

    next = text(400, 0, required=False, load_default="/")


class AnswerAsked(Query):
    """What a provider sends a browser back with."""

    state = text(128)
    code = text(2048, required=False, load_default="")
    error = text(128, required=False, load_default="")


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("sign-in")

    @part.get("/sign-in")
    def page() -> Response:
        """Where a member says who it is."""
        after = signing_in.onward(pages.asked(NextAsked)["next"])
        if asking.optional_member() is not None:
            return pages.done(after)
        return _form(after)

    @part.post("/sign-in")
    def ask() -> Response:
        """Has a link sent; the answer and its time are the same whoever has the address."""
        asking.limit(asking.peer(), "sign-in", _PEER_LIMIT)
        try:
            asked = pages.form(AddressAsked)
            who = _who(asked["address"])
        except (Problem, Refused):
            return _form(signing_in.onward(request.form.get("next", "")), 422, wrong=True)
        parts = asking.parts()
        if parts.settings.mail is None:
            raise Problem(ProblemKind.NOT_FOUND)
        asking.limit(who, "sign-in", _ADDRESS_LIMIT)
        browser = sign_in.tie()
        with asking.writing() as connection:
            signing_in.ask_link(
                connection, parts.keys.custody, asked["address"], browser, asked["next"], current(),
                asking.now_ms(),
            )  # fmt: skip
        return pages.done("/sign-in/sent")

    @part.get("/sign-in/sent")
    def sent() -> Response:
        """What to do now."""
        return pages.show("sign_in/sent.html")

    @part.get("/sign-in/link/<token>")
    def opened(token: str) -> Response:
        """A link from a mail. To look is not to use: programs that check mails follow links too."""
        asking.limit(asking.peer(), "sign-in-link", _LINK_LIMIT)
        secret = from_text(token, _TOKEN_BYTES)
        with asking.reading() as connection:
            serves = secret is not None and signing_in.is_open(
                connection, secret, sign_in.browser_secret(), asking.now_ms()
            )
        if not serves:
            return _over()
        return pages.show("sign_in/link.html", token=token)

    @part.post("/sign-in/link")
    def used() -> Response:
        """The button on that page."""
        asking.limit(asking.peer(), "sign-in-link", _LINK_LIMIT)
        secret = from_text(pages.form(TokenAsked)["token"], _TOKEN_BYTES)
        with asking.writing() as connection:
            browser, now_ms = sign_in.browser_secret(), asking.now_ms()
            found = None if secret is None else signing_in.use_link(connection, secret, browser, now_ms)
            if found is not None:
                sign_in.begin(connection, found[0], Way.LINK)
        return _over() if found is None else pages.done(found[1])

    @part.get("/sign-in/provider")
    def leave() -> Response:
        """To the members' identity provider."""
        return _leave(MEMBERS, "/sign-in/answer")

    @part.get("/sign-in/answer")
    def come_back() -> Response:
        """Back from it."""
        visit, claims = _come_back(MEMBERS, "/sign-in/answer")
        parts = asking.parts()
        wanted = parts.providers.member_in(claims)
        with asking.writing() as connection:
            member = None if wanted is None else parts.keys.custody.reference(connection, wanted)
            if member is not None:
                sign_in.begin(connection, member, Way.PROVIDER)
        if member is None:
            return pages.show("sign_in/unknown.html", 403)
        return pages.done(visit.onward)

    @part.post("/sign-out")
    def sign_out() -> Response:
        """Out, in this browser."""
        sign_in.end()
        return pages.done("/sign-in", gettext("You are signed out."))

    @part.post("/language")
    def choose_language() -> Response:
        """Another language, from now on, in this browser."""
        asked = pages.form(LanguageAsked)
        response = pages.done(signing_in.onward(asked["next"]))
        asking.parts().cookies.choose(response, asked["language"])
        return response

    _add_staff(part)
    return part


def _add_staff(part: pages.Part) -> None:
    """The console's own door."""

    @part.get("/console/sign-in")
    def staff_page() -> Response:
        """Where one of the retailer's own people signs in."""
        after = signing_in.onward(pages.asked(NextAsked)["next"])
        return pages.show("sign_in/staff.html", next=after, provider=asking.parts().providers.has(STAFF))

    @part.get("/console/sign-in/provider")
    def staff_leave() -> Response:
        """To the identity provider of staff."""
        return _leave(STAFF, "/console/sign-in/answer")

    @part.get("/console/sign-in/answer")
    def staff_come_back() -> Response:
        """Back from it."""
        visit, claims = _come_back(STAFF, "/console/sign-in/answer")
        parts = asking.parts()
        found = parts.providers.staff_in(claims)
        if found.role is None:
            return pages.show("sign_in/no_role.html", 403)
        settings = parts.settings
        lasts = Lasting(settings.staff_idle_s * 1000, settings.staff_session_s * 1000)
        with asking.writing() as connection:
            secret = sessions.begin_staff(connection, found.subject, found.name, found.role, lasts, asking.now_ms())
        response = pages.done(visit.onward if visit.onward.startswith("/console") else "/console")
        parts.cookies.put(response, parts.cookies.staff, to_text(secret), settings.staff_session_s)
        parts.cookies.drop(response, parts.cookies.browser)
        return response

    @part.post("/console/sign-out")
    def staff_sign_out() -> Response:
        """Out, in this browser."""
        parts = asking.parts()
        secret = from_text(request.cookies.get(parts.cookies.staff, ""), _TOKEN_BYTES)
        if secret is not None:
            with asking.writing() as connection:
                sessions.end(connection, secret)
        response = pages.done("/console/sign-in", gettext("You are signed out."))
        parts.cookies.drop(response, parts.cookies.staff)
        return response


def _form(after: str, status: int = 200, *, wrong: bool = False) -> Response:
    parts = asking.parts()
    provider = parts.settings.members
    return pages.show(
        "sign_in/sign_in.html", status, next=after, wrong=wrong,
        mail=parts.settings.mail is not None,
        provider=provider is not None,
        provider_name="" if provider is None else provider.label or urlsplit(provider.issuer).hostname or "",
    )  # fmt: skip


def _over() -> Response:
    return pages.show("sign_in/over.html", ProblemKind.LINK_OVER.status)


def _who(address: str) -> bytes:
    """What stands for an address in the count of tries. Raises: Refused, no address."""
    return asking.tag(_WHO + addresses.plain(address).encode())


def _leave(realm: str, back: str) -> Response:
    asking.limit(asking.peer(), "provider", _LINK_LIMIT)
    parts = asking.parts()
    leaving = parts.providers.leave(realm, parts.settings.public_url + back, current(), asking.now_ms())
    visit = Visit(realm, leaving.nonce, leaving.verifier, pages.asked(NextAsked)["next"])
    browser = sign_in.tie()
    with asking.writing() as connection:
        signing_in.begin_visit(connection, leaving.state, browser, visit, asking.now_ms())
    return Response(status=303, headers={"Location": leaving.address})


def _come_back(realm: str, back: str) -> tuple[Visit, dict[str, object]]:
    """What was remembered of the visit, and what the provider says.

    Raises:
        Problem: LINK_OVER, whatever does not fit; PROVIDER_AWAY.
    """
    asking.limit(asking.peer(), "provider", _LINK_LIMIT)
    parts = asking.parts()
    answered = pages.asked(AnswerAsked)
    with asking.writing() as connection:
        visit = signing_in.end_visit(
            connection, answered["state"], sign_in.browser_secret(), realm, asking.now_ms()
        )  # fmt: skip
    if visit is None or answered["error"] or not answered["code"]:
        raise Problem(ProblemKind.LINK_OVER)
    redirect = parts.settings.public_url + back
    claims = parts.providers.come_back(
        realm, redirect, answered["code"], visit.nonce, visit.verifier, asking.now_ms()
    )  # fmt: skip
    return visit, claims
