"""The calls of a tablet that are acts on a visit: who helps, introduced, suggestions, items, withdrawals.

Each asks the gateway, which records it before it has effect. Nothing is decided here.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from typing import Any

from flask.views import MethodView

from tablet_api import asking, forms, visit_schemas
from tablet_api.api import Calls
from tablet_api.visit_schemas import Step
from wire import acts, query

calls = Calls("visits", "/api/v1", "What an associate does to a visit")


@calls.route("/visits/<handle>/attendance")
class Attendance(MethodView):
    """Who helps."""

    @calls.takes(visit_schemas.AttendanceAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 404, 409, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any], handle: str) -> None:
        """I help, the help is done, or somebody else is to help. 409 says who was first.

        Whoever it is handed over to sees it on the roster, and the others keep it. Nobody takes it within 60 seconds:
        then it waits again, for all.
        """
        asking.accepted(asking.ask(attendance(asking.session(), forms.handle_of(handle), asked)))


def attendance(session: bytes, handle: bytes, asked: dict[str, Any]) -> query.Request:
    """The question that `AttendanceAsked` amounts to."""
    match asked["action"]:
        case Step.ATTENDING:
            return query.Attend(session, handle, query.Action.ATTENDING)
        case Step.DONE:
            return query.Attend(session, handle, query.Action.DONE)
        case _:
            return acts.HandOver(session, handle, asked["to_associate"], asked["to_role"], asked["reason"])


@calls.route("/colleagues")
class Colleagues(MethodView):
    """To whom a visit can be handed over."""

    @calls.gives(200, visit_schemas.ColleaguesShown)
    @calls.problems(401, 503)
    @calls.secured_by("session")
    def get(self) -> Any:
        """Everybody else who is signed in now, and the roles that see the floor."""
        return colleagues(asking.session())


def colleagues(session: bytes) -> acts.Colleagues:
    """To whom this session can hand over. Raises: Problem."""
    reply = asking.ask(acts.AskColleagues(session))
    return reply if isinstance(reply, acts.Colleagues) else asking.no(reply)


@calls.route("/visits/<handle>/introduction")
class Introduction(MethodView):
    """The shopper said who they are."""

    @calls.gives(204)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def post(self, handle: str) -> None:
        """The name may be shown on this visit, where the member chose so. The member can read that it was said."""
        asking.accepted(asking.ask(acts.Introduce(asking.session(), forms.handle_of(handle))))


@calls.route("/visits/<handle>/outcomes")
class Outcomes(MethodView):
    """What became of a suggestion."""

    @calls.takes(visit_schemas.OutcomeAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any], handle: str) -> None:
        """Of an item on the card that this session has open now. `not-for-me`: never suggested again.

        That it was shown the store notes by itself, and that the visit ended without a word on it.
        """
        question = acts.Respond(asking.session(), forms.handle_of(handle), asked["item"], asked["response"])
        asking.accepted(asking.ask(question))


@calls.route("/visits/<handle>/mutes")
class Mutes(MethodView):
    """No more of this."""

    @calls.takes(visit_schemas.MuteAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any], handle: str) -> None:
        """An item that is suggested on the card now, or a category or theme of one. In force at once, and for good."""
        question = acts.MuteFor(asking.session(), forms.handle_of(handle), asked["what"], asked["id"])
        asking.accepted(asking.ask(question))


@calls.route("/visits/<handle>/items")
class Items(MethodView):
    """Items for the member."""

    @calls.takes(visit_schemas.ItemAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any], handle: str) -> None:
        """Propose an item for the basket or the wish list. Nothing changes until the member confirms it in the app."""
        where = forms.handle_of(handle)
        question = acts.Propose(asking.session(), where, asked["to"], asked["item"], asked["quantity"])
        asking.accepted(asking.ask(question))


@calls.route("/catalog")
class Catalog(MethodView):
    """What the store sells."""

    @calls.takes(visit_schemas.CatalogAsked, location="query")
    @calls.gives(200, visit_schemas.CatalogShown)
    @calls.problems(401, 503)
    @calls.secured_by("session")
    def get(self, asked: dict[str, Any]) -> Any:
        """At most twenty items whose name has all these words. What nobody is to be offered is not among them."""
        return found(asking.session(), asked["q"])


def found(session: bytes, text: str) -> acts.CatalogFound:
    """What the catalog has of a text. Raises: Problem."""
    reply = asking.ask(acts.AskCatalog(session, text))
    return reply if isinstance(reply, acts.CatalogFound) else asking.no(reply)


@calls.route("/visits/<handle>/withdrawals")
class Withdrawals(MethodView):
    """What the shopper takes back in person."""

    @calls.takes(visit_schemas.WithdrawalAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any], handle: str) -> None:
        """Withdraw one scope, or everything (`null`). Works at once, also without HQ."""
        asking.accepted(asking.ask(query.Withdraw(asking.session(), forms.handle_of(handle), asked["scope"])))
