"""The cookies of HQ's web: their names and attributes.

I/O: sets cookies on flask's responses.
"""

from dataclasses import dataclass
from typing import Final

from flask import Response

from runtime.base64url import from_text, to_text

_CHOICE_DAYS: Final = 400  # the longest that browsers keep a cookie
_SAID_S: Final = 60
_MOST_SAID: Final = 600


@dataclass(frozen=True, slots=True)
class Cookies:
    """`plain` where there is no TLS, which is on this machine only: then without `__Host-` and `Secure`."""

    plain: bool

    @property
    def session(self) -> str:
        """A member's sign-in."""
        return self._named("consentry-session")

    @property
    def staff(self) -> str:
        """A sign-in of one of the retailer's own people."""
        return self._named("consentry-staff")

    @property
    def browser(self) -> str:
        """What ties a sign-in under way to the browser that began it."""
        return self._named("consentry-browser")

    @property
    def language(self) -> str:
        """The language that was chosen; no secret."""
        return self._named("consentry-language")

    @property
    def said(self) -> str:
        """A sentence for the next page, such as that something was done."""
        return self._named("consentry-said")

    def _named(self, name: str) -> str:
        # On one machine the tablets' page has cookies too, and ports do not keep cookies apart.
        return name.replace("consentry", "consentry-hq") if self.plain else f"__Host-{name}"

    def put(self, response: Response, name: str, text: str, max_age_s: int | None = None) -> None:
        """Sets a cookie; without `max_age_s` until the browser is closed.

        `SameSite=Lax`: a link in a mail or in the app leads to a page where one is signed in. What changes anything is
        refused from other sites by `hq.web.sites`.
        """
        response.set_cookie(
            name, text, max_age=max_age_s, path="/", secure=not self.plain, httponly=True, samesite="Lax"
        )

    def drop(self, response: Response, name: str) -> None:
        """Takes a cookie back."""
        response.delete_cookie(name, path="/", secure=not self.plain, httponly=True, samesite="Lax")

    def choose(self, response: Response, language: str) -> None:
        """Keeps the language."""
        self.put(response, self.language, language, _CHOICE_DAYS * 86_400)

    def say(self, response: Response, sentence: str) -> None:
        """Has the next page say a sentence. It names no member and no value."""
        self.put(response, self.said, to_text(sentence.encode()), _SAID_S)


def said(text: str) -> str:
    """The sentence of such a cookie; empty where it is none."""
    raw = from_text(text[:_MOST_SAID])
    try:
        return "" if raw is None else raw.decode()
    except UnicodeDecodeError:
        return ""
