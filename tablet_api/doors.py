"""The calls at the doors: lock and unlock a session, set a PIN by a one-time code.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from typing import Any

from flask.views import MethodView

from tablet_api import asking, door_schemas, schemas
from tablet_api.api import Calls
from wire import query

calls = Calls("doors", "/api/v1", "Locked sessions, and PINs by a one-time code")


@calls.route("/sessions/current/lock")
class Lock(MethodView):
    """The session that waits for its associate."""

    @calls.gives(200, door_schemas.LockedShown)
    @calls.problems(401, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """Whose PIN opens this session, locked or not: for the screen that asks for it. Not activity."""
        reply = asking.ask(query.AskLocked(asking.session()))
        return reply if isinstance(reply, query.LockedView) else asking.no(reply)

    @calls.gives(204)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def post(self) -> None:
        """Lock now, as minutes without a touch do. Every other call is then 401 `locked` until it is unlocked."""
        asking.accepted(asking.ask(query.LockSession(asking.session())))


@calls.route("/sessions/current/unlock")
class Unlock(MethodView):
    """The same session, opened again."""

    @calls.takes(door_schemas.UnlockAsked)
    @calls.gives(200, schemas.SessionShown)
    @calls.problems(401, 403, 429, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any]) -> Any:
        """Open the locked session by its associate's PIN, on its own tablet, within the hours that it began with.

        `POST /api/v1/sessions` signs anybody in anew instead, the same associate too, and ends the locked session.
        """
        reply = asking.ask(query.Unlock(asking.session(), asked["pin"], asking.browser()))
        return reply if isinstance(reply, query.SessionView) else asking.no(reply)


@calls.route("/pins")
class Pins(MethodView):
    """First and forgotten PINs."""

    @calls.takes(door_schemas.PinAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 429, 503)
    @calls.secured_by("tablet")
    def post(self, asked: dict[str, Any]) -> None:
        """Set a PIN by a manager's one-time code; also without HQ. The old PIN and its sessions end at once."""
        request = query.SetPin(asking.tablet(), asked["associate"], asked["code"], asked["pin"])
        asking.accepted(asking.ask(request))
