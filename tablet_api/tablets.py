"""The calls of a manager: pairing codes, tablets, staff and codes for their PINs.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from typing import Any, Final

from flask import request
from flask.views import MethodView

from tablet_api import asking, door_schemas
from tablet_api.api import Calls
from wire import query

_ID_BYTES: Final = 64

calls = Calls("manager", "/api/v1", "What managers keep in order")


def pairing_code() -> dict[str, Any]:
    """A new one-time code, with the link that a tablet opens.

    Raises:
        Problem: not for a manager.
        GatewayAwayError: there is none.
    """
    reply = asking.ask(query.MintTabletCode(asking.session()))
    if not isinstance(reply, query.PairingCode):
        asking.no(reply)
    return {"code": reply.code, "for_s": reply.for_s, "link": f"{request.host_url}#pair={reply.code}"}


def unpaired(tablet: str) -> query.Reply:
    """What comes of ending a tablet's pairing; a text that can be no tablet's id is one that never was.

    Raises:
        Problem: nobody is signed in.
        GatewayAwayError: not known.
    """
    session = asking.session()
    if not 1 <= len(tablet.encode("utf-8", "replace")) <= _ID_BYTES:
        return query.Withheld()
    return asking.ask(query.Unpair(session, tablet))


@calls.route("/pairing-codes")
class PairingCodes(MethodView):
    """One-time codes for tablets."""

    @calls.gives(201, door_schemas.PairingCodeShown)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def post(self) -> Any:
        """Make a code with which one tablet is paired within a minute."""
        return pairing_code()


@calls.route("/tablets")
class Tablets(MethodView):
    """The store's tablets."""

    @calls.gives(200, door_schemas.TabletsShown)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """All paired tablets, with their browsers, and who is signed in."""
        reply = asking.ask(query.AskTablets(asking.session()))
        return reply if isinstance(reply, query.Tablets) else asking.no(reply)


@calls.route("/tablets/<tablet>")
class Tablet(MethodView):
    """One of them."""

    @calls.gives(204)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def delete(self, tablet: str) -> None:
        """End a tablet's pairing, and whoever is signed in on it, at once."""
        asking.accepted(unpaired(tablet))


@calls.route("/staff")
class Staff(MethodView):
    """Who may sign in here."""

    @calls.gives(200, door_schemas.StaffShown)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """Everybody active, by name: for whom a code can be made."""
        reply = asking.ask(query.AskStaff(asking.session()))
        return reply if isinstance(reply, query.StaffList) else asking.no(reply)


@calls.route("/pin-codes")
class PinCodes(MethodView):
    """One-time codes for PINs."""

    @calls.takes(door_schemas.PinCodeAsked)
    @calls.gives(201, door_schemas.PinCodeShown)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any]) -> Any:
        """Make a code with which this associate sets a PIN within ten minutes. Nobody can set or see another's PIN."""
        reply = asking.ask(query.MintPinCode(asking.session(), asked["associate"]))
        return reply if isinstance(reply, query.PinCode) else asking.no(reply)
