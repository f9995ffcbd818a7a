"""The demo's way in, only with `demo_http` (and so only on loopback): a link that signs a browser in.

The demo pairs and signs in by the ordinary calls, and leaves the two secrets here: `POST /demo/links`. The answer is
`/demo/<token>`; opening it sets the two cookies and goes on to `/`. A browser that opens `/` without good cookies is
signed in by the newest link. The secrets are in memory only; without `demo_http` these addresses do not exist.

I/O: answers HTTP requests (flask).
"""

import hmac
import secrets
import threading
from typing import Final

from flask import Blueprint, Response, request

from tablet_api import forms
from tablet_api.auth import Cookies
from tablet_api.errors import Problem, ProblemKind

_TOKEN_BYTES: Final = 16


class DemoLink:
    """The newest link and the secrets that it gives to a browser."""

    def __init__(self, cookies: Cookies) -> None:
        self._cookies = cookies
        self._lock = threading.Lock()
        self._token = ""
        self._secrets: tuple[bytes, bytes] | None = None
        self.blueprint = Blueprint("demo", __name__, url_prefix="/demo")
        self.blueprint.add_url_rule("/links", view_func=self._make, methods=["POST"])
        self.blueprint.add_url_rule("/<token>", view_func=self._open, methods=["GET"])

    def sign_in(self, response: Response) -> bool:
        """Gives the newest secrets to a browser that does not have them; whether it did."""
        with self._lock:
            held = self._secrets
        if held is None:
            return False
        tablet, session = held
        if request.cookies.get(self._cookies.session) == forms.to_text(session):
            return False
        self._cookies.set_tablet(response, tablet)
        self._cookies.set_session(response, session)
        return True

    def _make(self) -> tuple[dict[str, str], int]:
        """`{"tablet": token, "session": token}` of the two calls → `{"link": "/demo/<token>"}`."""
        asked = request.get_json(silent=True)
        if not isinstance(asked, dict):
            raise Problem(ProblemKind.MALFORMED)
        tablet, session = asked.get("tablet"), asked.get("session")
        if not (isinstance(tablet, str) and isinstance(session, str)):
            raise Problem(ProblemKind.MALFORMED)
        both = forms.secret_of(tablet), forms.secret_of(session)
        if both[0] is None or both[1] is None:
            raise Problem(ProblemKind.MALFORMED)
        with self._lock:
            # One token as long as the demo runs: the link that it printed stays good when it signs in anew.
            self._token = self._token or secrets.token_urlsafe(_TOKEN_BYTES)
            self._secrets = (both[0], both[1])
            return {"link": f"/demo/{self._token}"}, 201

    def _open(self, token: str) -> Response:
        with self._lock:
            good = bool(self._token) and hmac.compare_digest(token.encode(), self._token.encode())
        if not good:
            raise Problem(ProblemKind.NOT_FOUND)
        response = Response(status=303, headers={"Location": "/"})
        self.sign_in(response)
        return response
