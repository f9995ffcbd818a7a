"""The screen on which an associate types a leave code: the same sentence after every code.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from typing import Final

from flask import Response

from runtime.web_languages import gettext, mark
from tablet_api import asking, leaving, pages
from tablet_api.errors import Problem, ProblemKind
from wire import query
from wire.query import Light

_SENT: Final = mark("If the code is right, the phone shows it now.")
_SENT_DARK: Final = mark(
    "If the code is right, it holds from now on. The phone shows it once headquarters is heard again."
)
_WRONG: Final[dict[ProblemKind, str]] = {
    ProblemKind.MALFORMED: mark("Please type the eight digits as the app shows them."),
    ProblemKind.DARK: mark(
        "The store’s box is locked and can compare no code now. The shopper can leave in the app itself."
    ),
}
_TOLD: Final = frozenset({*_WRONG, ProblemKind.THROTTLED})


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("leaving-pages")

    @part.get("/leaving")
    def page() -> Response:
        """The form; also while the store is dark."""
        return pages.show("leaving/leaving.html", who=pages.who(asking.view()))

    @part.post("/leaving")
    def leave() -> Response:
        """Takes a code, and shows the form anew."""
        try:
            asked = pages.form(leaving.LeavingAsked)
            asking.accepted(asking.ask(query.Leave(asking.session(), leaving.digits(asked["code"]))))
        except Problem as problem:
            if problem.kind not in _TOLD:
                raise
            sentence = _WRONG.get(problem.kind)
            words = gettext(sentence) if sentence is not None else ""
            return pages.show("leaving/form.html", problem.kind.status, wrong=problem, wrong_text=words)
        return pages.show("leaving/form.html", told=gettext(_SENT if _is_live() else _SENT_DARK))

    return part


def _is_live() -> bool:
    """Whether the store hears headquarters: what is said of a code depends on nothing else."""
    status = asking.ask(query.AskStatus())
    return isinstance(status, query.Status) and status.lease.light is Light.LIVE
