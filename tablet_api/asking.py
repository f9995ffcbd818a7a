"""How the calls and the pages ask the gateway: who asks, and what an answer that was not asked for becomes.

I/O: reads flask's current request and asks the gateway.
"""

from typing import Final, NoReturn

from flask import current_app, request

from tablet_api import auth
from tablet_api.errors import REFUSED, Problem, ProblemKind
from tablet_api.parts import PARTS, Parts
from wire import query
from wire.query import Reply, Request

_BROWSER_BYTES: Final = 200


def parts() -> Parts:
    """What this application was made with."""
    found: Parts = current_app.extensions[PARTS]
    return found


def tablet() -> bytes:
    """The secret of the tablet that asks.

    Raises:
        Problem: UNPAIRED.
    """
    return auth.tablet_secret(request, parts().cookies)


def session() -> bytes:
    """The secret of the session that asks.

    Raises:
        Problem: SIGNED_OUT or UNPAIRED.
    """
    return auth.session_secret(request, parts().cookies)


def browser() -> str:
    """What the browser that asks says of itself, at most 200 bytes."""
    said = request.headers.get("User-Agent", "").encode("utf-8", "replace")[:_BROWSER_BYTES]
    return said.decode("utf-8", "ignore")


def ask(question: Request) -> Reply:
    """The gateway's answer.

    Raises:
        GatewayAwayError: there is none.
    """
    return parts().gateway.ask(question)


def no(reply: Reply) -> NoReturn:
    """Every answer that is not the one asked for.

    Raises:
        Problem: always.
    """
    match reply:
        case query.Refused(reason, retry_after_s):
            raise Problem(REFUSED[reason], retry_after_s=min(retry_after_s, 86_400))
        case query.Withheld():
            raise Problem(ProblemKind.NOT_FOUND)
        case query.Conflict(attended_by):
            raise Problem(ProblemKind.TAKEN, attended_by=attended_by)
        case _:
            raise Problem(ProblemKind.NO_GATEWAY)


def accepted(reply: Reply) -> None:
    """Nothing more than yes was asked for.

    Raises:
        Problem: it was not yes.
    """
    if not isinstance(reply, query.Accepted):
        no(reply)


def view() -> query.SessionView:
    """Who is signed in here; does not count as activity.

    Raises:
        Problem: nobody is.
        GatewayAwayError: not known.
    """
    reply = ask(query.AskSession(session()))
    return reply if isinstance(reply, query.SessionView) else no(reply)
