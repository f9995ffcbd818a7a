"""The pages before the floor: pairing, signing in and out, and what is chosen on a tablet.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from typing import Final

from flask import Response, request

from tablet_api import asking, door_schemas, pages, schemas, texts
from tablet_api.demo_link import DemoLink
from tablet_api.errors import GatewayAwayError, Problem, ProblemKind
from tablet_api.languages import LANGUAGES
from wire import query

_TOLD: Final = frozenset({ProblemKind.WRONG, ProblemKind.MALFORMED, ProblemKind.THROTTLED})


def make(demo: DemoLink | None) -> pages.Part:
    """The pages. With `demo`, opening `/` signs the browser in."""
    part = pages.Part("gate")
    part.app_template_global("locked_name")(_locked_name)

    @part.get("/")
    def page() -> Response:
        """The web app: whichever screen is right now."""
        if demo is not None:
            response = Response(status=303, headers={"Location": "/"})
            if demo.sign_in(response):
                return response
        return first_screen()

    @part.get("/screen")
    def screen() -> Response:
        """The same for a page that is open already."""
        return first_screen()

    @part.post("/pair")
    def pair() -> Response:
        """Pairs this tablet by a one-time code."""
        code = "".join(request.form.get("code", "").split()).replace("-", "").upper()
        label = request.form.get("label", "").strip()
        try:
            asked = pages.form(schemas.PairingAsked, code=code, label=label)
            reply = asking.ask(query.Pair(asked["code"], asked["label"], asking.browser()))
            if not isinstance(reply, query.Paired):
                asking.no(reply)
        except Problem as problem:
            if problem.kind not in _TOLD:
                raise
            return pages.screen("gate/pair.html", problem.kind.status, wrong=problem, code=code, label=label)
        secret = reply.tablet
        asking.parts().after(lambda response: asking.parts().cookies.set_tablet(response, secret))
        return pages.screen("gate/sign_in.html")

    @part.post("/sign-in")
    def sign_in() -> Response:
        """Signs an associate in."""
        name = request.form.get("associate", "").strip()
        try:
            asked = pages.form(schemas.SessionAsked, associate=name)
            reply = asking.ask(query.SignIn(asking.tablet(), asked["associate"], asked["pin"], asking.browser()))
            if not isinstance(reply, query.SignedIn):
                asking.no(reply)
        except Problem as problem:
            if problem.kind not in _TOLD:
                raise
            return pages.screen("gate/sign_in.html", problem.kind.status, wrong=problem, name=name)
        secret = reply.session
        asking.parts().after(lambda response: asking.parts().cookies.set_session(response, secret))
        return floor_screen(reply.view)

    @part.get("/sign-in")
    def somebody_else() -> Response:
        """Where the session of somebody else is locked: signing in ends it."""
        return pages.screen("gate/sign_in.html")

    @part.post("/lock")
    def lock() -> Response:
        """Locks the session now; the place is kept by the page alone."""
        asking.accepted(asking.ask(query.LockSession(asking.session())))
        return pages.screen("gate/locked.html")

    @part.post("/unlock")
    def unlock() -> Response:
        """Opens a locked session by its associate's PIN."""
        try:
            asked = pages.form(door_schemas.UnlockAsked)
            reply = asking.ask(query.Unlock(asking.session(), asked["pin"], asking.browser()))
            if not isinstance(reply, query.SessionView):
                asking.no(reply)
        except Problem as problem:
            if problem.kind not in _TOLD:
                raise
            return pages.screen("gate/locked.html", problem.kind.status, wrong=problem)
        return floor_screen(reply)

    @part.post("/sign-out")
    def sign_out() -> Response:
        """Signs out. This browser forgets the session even if the gateway cannot be told, and says so."""
        asking.parts().after(asking.parts().cookies.clear_session)
        try:
            asking.ask(query.SignOut(asking.session()))
        except GatewayAwayError:
            away = texts.of_problem(Problem(ProblemKind.NO_GATEWAY))
            return pages.screen("gate/sign_in.html", toast=away)
        return pages.screen("gate/sign_in.html")

    @part.post("/choices")
    def choices() -> Response:
        """What is chosen on this tablet: the language, or whether it makes sounds. The page begins anew."""
        response = Response(status=204, headers={"HX-Refresh": "true"})
        cookies = asking.parts().cookies
        if request.form.get("language") in LANGUAGES:
            cookies.set_choice(response, cookies.language, request.form["language"])
        if request.form.get("sound") in ("on", "off"):
            cookies.set_choice(response, cookies.sound, request.form["sound"])
            del response.headers["HX-Refresh"]
        return response

    return part


def _locked_name() -> str:
    """Whose PIN opens this browser's session; empty where that is not known."""
    try:
        reply = asking.ask(query.AskLocked(asking.session()))
    except (Problem, GatewayAwayError):
        return ""
    return reply.name if isinstance(reply, query.LockedView) else ""


def first_screen() -> Response:
    """The floor, or what has to come before it."""
    try:
        return floor_screen(asking.view())
    except Problem as problem:
        if problem.kind not in texts.GATES:
            raise
        return pages.screen(texts.GATES[problem.kind])
    except GatewayAwayError:
        return pages.screen("gate/away.html")


def floor_screen(view: query.SessionView) -> Response:
    """The floor, before its stream has told anything."""
    return pages.screen("floor/floor.html", who=pages.who(view), idle_s=view.idle_s)
