"""A manager's pages: the store's tablets, pairing one by a QR code, and one-time codes for associates' PINs.

And the page on which an associate uses such a code, which needs a paired tablet and nobody signed in.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from typing import Any, Final

from flask import Response, request

from runtime.web_languages import gettext, mark
from tablet_api import asking, door_schemas, manager_texts, pages, qr, routes, status_schemas, texts
from tablet_api import tablets as calls
from tablet_api.errors import Problem, ProblemKind
from wire import query
from wire.query import Light

_UNPAIRED: Final = mark("Unpaired. It shows nothing any more.")
_NOT_THERE: Final = mark("It was unpaired already.")
_SET: Final = mark("Your new PIN holds now. Sign in with it.")
_WRONG: Final[dict[ProblemKind, str]] = {
    ProblemKind.WRONG: mark("That name and code do not go together, or the code is used or over."),
    ProblemKind.WEAK: mark("Please choose another PIN: 4 to 8 digits, no row and no repetition."),
    ProblemKind.MALFORMED: mark("Please fill in name, code and a new PIN."),
}
_DAYS: Final = 7  # on the page; the call gives all
_TOLD: Final = frozenset({*_WRONG, ProblemKind.THROTTLED})


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("manager-pages")

    @part.get("/manager/status")
    def status() -> Response:
        """How the store is, in words."""
        who = pages.manager()
        reply = asking.ask(query.AskStatus())
        if not isinstance(reply, query.Status):
            asking.no(reply)
        found = pages.shown(status_schemas.StatusShown, routes.status_shown(reply))
        reason = texts.dark(reply.lease).text if reply.lease.light is not Light.LIVE else ""
        told = pages.shown(status_schemas.FiguresShown, routes.figures())["days"] if not reason else []
        days = [one | manager_texts.of_day(one) for one in told[:_DAYS]]
        return pages.show(
            "manager/status.html", who=who, store=found, said=manager_texts.words(), reason=reason, days=days
        )

    @part.get("/manager/tablets")
    def tablets() -> Response:
        """All paired tablets, and a way to pair one more."""
        return pages.show("manager/tablets.html", who=pages.manager(), tablets=_tablets())

    @part.post("/manager/pairing-codes")
    def pairing_code() -> Response:
        """A new code, as a QR code and to type."""
        made = pages.shown(door_schemas.PairingCodeShown, calls.pairing_code())
        code = made["code"]
        groups = [code[at : at + 4] for at in range(0, len(code), 4)]
        return pages.show("manager/pairing_code.html", code=made, qr=qr.of(made["link"]), groups=groups)

    @part.post("/manager/tablets/<tablet>/unpair")
    def unpair(tablet: str) -> Response:
        """Ends a tablet's pairing, and shows the list anew."""
        reply = calls.unpaired(tablet)
        if not isinstance(reply, query.Accepted | query.Withheld):
            asking.no(reply)
        told = gettext(_UNPAIRED if isinstance(reply, query.Accepted) else _NOT_THERE)
        return pages.show("manager/tablet_list.html", tablets=_tablets(), toast=told)

    @part.get("/manager/pins")
    def pins() -> Response:
        """Whom a one-time code may be made for."""
        who = pages.manager()
        reply = asking.ask(query.AskStaff(asking.session()))
        if not isinstance(reply, query.StaffList):
            asking.no(reply)
        staff = pages.shown(door_schemas.StaffShown, reply)["staff"]
        return pages.show("manager/pins.html", who=who, staff=staff)

    @part.post("/manager/pin-codes")
    def pin_code() -> Response:
        """A one-time code for one of them, shown once."""
        asked = pages.form(door_schemas.PinCodeAsked)
        reply = asking.ask(query.MintPinCode(asking.session(), asked["associate"]))
        if not isinstance(reply, query.PinCode):
            asking.no(reply)
        return pages.show("manager/pin_code.html", code=pages.shown(door_schemas.PinCodeShown, reply))

    @part.get("/pin")
    def set_pin() -> Response:
        """Where an associate uses such a code."""
        asking.tablet()
        return pages.screen("gate/set_pin.html")

    @part.post("/pin")
    def new_pin() -> Response:
        """Sets the PIN; then the associate signs in with it."""
        name, code = (request.form.get(one, "").strip() for one in ("associate", "code"))
        try:
            asked = pages.form(door_schemas.PinAsked, associate=name, code=code)
            asking.accepted(asking.ask(query.SetPin(asking.tablet(), asked["associate"], asked["code"], asked["pin"])))
        except Problem as problem:
            if problem.kind not in _TOLD:
                raise
            sentence = _WRONG.get(problem.kind)
            words = gettext(sentence) if sentence is not None else ""
            # A code that was typed wrong is to be typed anew; one that only waits for another PIN is kept.
            kept = code if problem.kind in (ProblemKind.WEAK, ProblemKind.MALFORMED) else ""
            return pages.screen(
                "gate/set_pin.html", problem.kind.status, wrong=problem, wrong_text=words, name=name, code=kept
            )
        return pages.screen("gate/sign_in.html", name=name, toast=gettext(_SET))

    return part


def _tablets() -> list[dict[str, Any]]:
    reply = asking.ask(query.AskTablets(asking.session()))
    if not isinstance(reply, query.Tablets):
        asking.no(reply)
    listed: list[dict[str, Any]] = pages.shown(door_schemas.TabletsShown, reply)["tablets"]
    return listed
