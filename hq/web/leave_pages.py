"""The public page behind the QR code at a store's door: what happens there, and leaving by the eight digits of the app.

Nobody signs in, no script runs and no cookie is set. The answer is the same whether a code was right or wrong, and
what is said of the store does not depend on it either.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

from typing import Final

from flask import Response, g, request
from sqlalchemy import Connection

from hq import leavings
from hq.errors import Reason, Refused
from hq.web import asking, pages
from hq.web.languages import LANGUAGES
from runtime.web_languages import gettext, mark

_MOST_TYPED: Final = 64
_MOST_STORE: Final = 40
_SENT: Final = mark("Your digits are on their way. If they are right, your phone shows it within a few seconds.")
_SENT_AWAY: Final = mark(
    "Your digits are kept for this store for ten minutes. If they are right, your phone shows it "
    "as soon as the store can be reached."
)
_WRONG: Final = mark("Please type the eight digits as the app shows them.")
_WAIT: Final = mark("That was tried often. Please wait %(seconds)s seconds, then try again.")


def make() -> pages.Part:
    """The page."""
    part = pages.Part("leave")

    @part.get("/leave/<store>", strict_slashes=False)
    def form(store: str) -> Response:
        """What happens in this store, and the field for the digits."""
        return _shown(store.lower())

    @part.post("/leave/<store>", strict_slashes=False)
    def leave(store: str) -> Response:
        """Hands the digits to the store."""
        _speak()
        store = store.lower()
        try:
            with asking.writing() as connection:
                code = request.form.get("code", "")[:_MOST_TYPED]
                wait_s = leavings.ask(connection, store[:_MOST_STORE], code, asking.now_ms(), asking.peer())
                hears = _hears(connection, store)
        except Refused as refused:
            if refused.reason is not Reason.MALFORMED:
                return _shown(store)
            return _shown(store, 422, wrong=gettext(_WRONG))
        if wait_s:
            response = _shown(store, 429, wrong=gettext(_WAIT, seconds=wait_s))
            response.headers["Retry-After"] = str(wait_s)
            return response
        return _shown(store, told=gettext(_SENT if hears else _SENT_AWAY))

    return part


def _speak() -> None:
    """In the language that the address names; no cookie is set for it. Else in the browser's."""
    wanted = request.args.get("language", "")
    if wanted in LANGUAGES:
        g.language = wanted


def _hears(connection: Connection, store: str) -> bool:
    found = leavings.door(connection, store, asking.now_ms())
    return found is not None and found.hears


def _shown(store: str, status: int = 200, *, told: str = "", wrong: str = "") -> Response:
    _speak()
    with asking.reading() as connection:
        found = leavings.door(connection, store[:_MOST_STORE], asking.now_ms())
    if found is None:
        return pages.show("leave/unknown.html", 404, store=None)
    return pages.show("leave/leave.html", status, store=store, door=found, told=told, wrong=wrong)
