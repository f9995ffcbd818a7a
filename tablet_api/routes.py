"""The calls of a tablet, version 1: pairing, sign-in, the floor, cards, status; acts on a visit are in `visits`.

Each asks the gateway and gives what the schemas name of its answer. Nothing is decided here.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

import dataclasses
from typing import Any, Final

from flask import Response, current_app
from flask.views import MethodView

from tablet_api import changes, forms, schemas, status_schemas, stream, texts
from tablet_api.api import Calls
from tablet_api.asking import accepted as _accepted
from tablet_api.asking import ask as _ask
from tablet_api.asking import browser as _browser
from tablet_api.asking import no as _no
from tablet_api.asking import parts as _parts
from tablet_api.asking import session as _session
from tablet_api.asking import tablet as _tablet
from tablet_api.errors import GatewayAwayError, Problem, ProblemKind
from tablet_api.following import follow
from wire import query
from wire.policy import Section

_MANAGER: Final = "manager"

calls = Calls("v1", "/api/v1", "What the associates' tablets call")


@calls.route("/pairings")
class Pairings(MethodView):
    """Tablets that belong to the store."""

    @calls.takes(schemas.PairingAsked)
    @calls.gives(201, schemas.PairingShown)
    @calls.problems(403, 429, 503)
    def post(self, asked: dict[str, Any]) -> Any:
        """Pair this tablet with a one-time code."""
        reply = _ask(query.Pair(asked["code"], asked["label"], _browser()))
        if not isinstance(reply, query.Paired):
            _no(reply)
        shown = {"id": reply.id, "store": reply.store, "store_label": reply.store_label}
        if asked["want_token"]:
            return shown | {"token": forms.to_text(reply.tablet)}
        secret = reply.tablet
        _parts().after(lambda response: _parts().cookies.set_tablet(response, secret))
        return shown


@calls.route("/sessions")
class Sessions(MethodView):
    """Associates who are signed in."""

    @calls.takes(schemas.SessionAsked)
    @calls.gives(201, schemas.SessionShown)
    @calls.problems(401, 403, 429, 503)
    @calls.secured_by("tablet")
    def post(self, asked: dict[str, Any]) -> Any:
        """Sign an associate in on this tablet."""
        tablet = _tablet()
        reply = _ask(query.SignIn(tablet, asked["associate"], asked["pin"], _browser()))
        if not isinstance(reply, query.SignedIn):
            _no(reply)
        shown = _view(reply.view)
        if asked["want_token"]:
            return shown | {"token": forms.to_text(query.bound(tablet, reply.session))}
        secret = reply.session
        _parts().after(lambda response: _parts().cookies.set_session(response, secret))
        return shown


def _view(view: query.SessionView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in ("associate", "name", "role", "store_label", "idle_s", "until_ms")}


@calls.route("/sessions/current")
class CurrentSession(MethodView):
    """The associate who is signed in here."""

    @calls.gives(200, schemas.SessionShown)
    @calls.problems(401, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """Who is signed in; does not count as activity."""
        reply = _ask(query.AskSession(_session()))
        return reply if isinstance(reply, query.SessionView) else _no(reply)

    @calls.gives(204)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def delete(self) -> None:
        """Sign out. This browser forgets the session even if the gateway cannot be told."""
        session = _session()
        _parts().after(_parts().cookies.clear_session)
        _accepted(_ask(query.SignOut(session)))


@calls.route("/floor")
class Floor(MethodView):
    """Who may be shown now."""

    @calls.gives(200, schemas.RosterShown)
    @calls.problems(401, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """The roster, oldest unanswered help first. Without the gateway: dark, reason `no-gateway`."""
        session = _session()
        try:
            reply = _ask(query.AskFloor(session))
        except GatewayAwayError:
            return changes.no_gateway()
        return reply if isinstance(reply, query.Roster) else _no(reply)


@calls.route("/floor/events")
class FloorEvents(MethodView):
    """The roster as it changes."""

    @calls.gives(200, {"type": "string"}, content_type="text/event-stream")
    @calls.problems(401, 503)
    @calls.secured_by("session")
    def get(self) -> Response:
        """Server-sent events: `roster`, `change`, `card`, `dark`, and `beat` every 5 seconds."""
        return follow(stream.encode)


@calls.route("/floor/acks")
class Acks(MethodView):
    """What the tablet shows."""

    @calls.takes(schemas.AckAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any]) -> None:
        """The roster version that is on the glass now."""
        _accepted(_ask(query.Acknowledge(_session(), asked["version"])))


@calls.route("/visits/<handle>")
class Visit(MethodView):
    """One visit."""

    @calls.takes(schemas.CardAsked, location="query")
    @calls.gives(200, schemas.CardShown)
    @calls.problems(401, 404, 503)
    @calls.secured_by("session")
    def get(self, asked: dict[str, Any], handle: str) -> Any:
        """The card, or one section of it. The look is recorded."""
        section: Section | None = asked["section"]
        reply = _ask(query.AskCard(_session(), forms.handle_of(handle), section))
        return reply if isinstance(reply, query.Card) else _no(reply)


@calls.route("/status")
class Status(MethodView):
    """How the store is."""

    @calls.gives(200, status_schemas.StatusShown)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """Lease, sessions, tablets, receivers by zone, counters; for managers."""
        view = _ask(query.AskSession(_session()))
        if not isinstance(view, query.SessionView):
            _no(view)
        if view.role != _MANAGER:
            raise Problem(ProblemKind.FORBIDDEN)
        reply = _ask(query.AskStatus())
        return status_shown(reply) if isinstance(reply, query.Status) else _no(reply)


@calls.route("/figures")
class Figures(MethodView):
    """How well the store works."""

    @calls.gives(200, status_schemas.FiguresShown)
    @calls.problems(401, 403, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """Dark time, and from withdrawal to dark, by days that are over; for managers.

        No member is counted here: consent rates, visits and all else that counts members HQ tells, once and with noise.
        """
        return figures()


def figures() -> query.StoreFigures:
    """The store's figures. Raises: Problem."""
    reply = _ask(query.AskFigures(_session()))
    return reply if isinstance(reply, query.StoreFigures) else _no(reply)


def status_shown(status: query.Status) -> dict[str, Any]:
    """What `StatusShown` dumps of a status: with what to do about each receiver, in words."""
    shown = {field.name: getattr(status, field.name) for field in dataclasses.fields(status)}
    shown["radios"] = [
        {field.name: getattr(radio, field.name) for field in dataclasses.fields(radio)}
        | {"remedy": texts.remedy(radio.state, radio.reason)}
        for radio in status.radios
    ]
    shown["tablets_software"] = f"consentry/{current_app.config['API_VERSION']}"
    return shown
