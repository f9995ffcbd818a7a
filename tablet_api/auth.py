"""Where a request's secrets are, how they are set, and whether the request comes from the page itself.

The secrets mean nothing here: the gateway judges them. Nothing is kept.

I/O: reads the current request of flask.
"""

from dataclasses import dataclass
from typing import Final

from flask import Request, Response

from runtime import base64url, names, web_origin
from tablet_api import forms
from tablet_api.errors import Problem, ProblemKind
from wire import query

_TABLET_DAYS: Final = 400  # the longest that browsers keep a cookie


@dataclass(frozen=True, slots=True)
class Cookies:
    """The names and attributes of the two cookies; `plain` on the demo's loopback only, where there is no TLS."""

    plain: bool

    @property
    def tablet(self) -> str:
        """The cookie of a paired tablet."""
        return "consentry-tablet" if self.plain else "__Host-consentry-tablet"

    @property
    def session(self) -> str:
        """The cookie of a signed-in associate."""
        return "consentry-session" if self.plain else "__Host-consentry-session"

    @property
    def language(self) -> str:
        """The cookie of the language that was chosen on this tablet; no secret."""
        return "consentry-language" if self.plain else "__Host-consentry-language"

    @property
    def sound(self) -> str:
        """The cookie of a tablet that is to make no sound; no secret."""
        return "consentry-sound" if self.plain else "__Host-consentry-sound"

    def set_tablet(self, response: Response, secret: bytes) -> None:
        """Pairs the browser."""
        self._set(response, self.tablet, secret, _TABLET_DAYS * 86_400)

    def set_session(self, response: Response, secret: bytes) -> None:
        """Signs the browser in, until it is closed or the gateway ends the session."""
        self._set(response, self.session, secret, None)

    def clear_session(self, response: Response) -> None:
        """Forgets the session in this browser."""
        response.delete_cookie(self.session, path="/", secure=not self.plain, httponly=True, samesite="Strict")

    def set_choice(self, response: Response, name: str, choice: str) -> None:
        """Keeps a choice that was made on this tablet."""
        self._set_text(response, name, choice, _TABLET_DAYS * 86_400)

    def _set(self, response: Response, name: str, secret: bytes, max_age_s: int | None) -> None:
        self._set_text(response, name, base64url.to_text(secret), max_age_s)

    def _set_text(self, response: Response, name: str, text: str, max_age_s: int | None) -> None:
        response.set_cookie(
            name,
            text,
            max_age=max_age_s,
            path="/",
            secure=not self.plain,
            httponly=True,
            samesite="Strict",
        )


def _bearer(request: Request) -> bytes | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return forms.secret_of(token.strip()) if kind.lower() == "bearer" else None


def tablet_secret(request: Request, cookies: Cookies) -> bytes:
    """The tablet's secret.

    Raises:
        Problem: UNPAIRED.
    """
    secret = _bearer(request) or forms.secret_of(request.cookies.get(cookies.tablet))
    if secret is None:
        raise Problem(ProblemKind.UNPAIRED)
    return secret


def session_secret(request: Request, cookies: Cookies) -> bytes:
    """What stands for the session in a question: a native app's token, or what the two cookies give together.

    A session's cookie beside another tablet's gives another value, which the gateway refuses and counts.

    Raises:
        Problem: SIGNED_OUT, or UNPAIRED where there is no tablet's cookie.
    """
    token = _bearer(request)
    if token is not None:
        return token
    tablet = forms.secret_of(request.cookies.get(cookies.tablet))
    session = forms.secret_of(request.cookies.get(cookies.session))
    if tablet is None:
        raise Problem(ProblemKind.UNPAIRED)
    if session is None:
        raise Problem(ProblemKind.SIGNED_OUT)
    return query.bound(tablet, session)


def refuse_other_sites(request: Request) -> None:
    """Whatever is asked comes from our own page, or from no page at all (a native app).

    `SameSite=Strict` says the same to the browser; this says it again here, and for the stores beside this one, which
    are the same site to a browser. From another page only a link may be followed.

    Raises:
        Problem: CROSS_SITE.
    """
    if not web_origin.is_ours(request, request.host_url.rstrip("/")):
        raise Problem(ProblemKind.CROSS_SITE)


def refuse_other_names(request: Request) -> None:
    """In the demo: only by a loopback name, so that no web page reaches it by a name of its own (DNS rebinding).

    Raises:
        Problem: CROSS_SITE.
    """
    if names.host_of(request.host) not in names.LOOPBACK:
        raise Problem(ProblemKind.CROSS_SITE)
