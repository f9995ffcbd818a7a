"""Signs members and staff in, in the browser that asks: what the ways of signing in have in common.

I/O: reads flask's current request and sets its cookies; the system's random generator.
"""

import os
from typing import Final

from flask import request
from sqlalchemy import Connection

from hq import sessions, signing_in
from hq.sessions import Kind, Lasting, Way
from hq.web import asking
from hq.web.errors import Problem, ProblemKind
from runtime.base64url import from_text, to_text

_SECRET_BYTES: Final = 32
_DAY_MS: Final = 86_400_000
_BROWSER_S: Final = signing_in.LINK_MS // 1000


def browser_secret() -> bytes | None:
    """What ties a sign-in under way to this browser; None: none is under way."""
    return from_text(request.cookies.get(asking.parts().cookies.browser, ""), _SECRET_BYTES)


def tie() -> bytes:
    """The same, made where it is missing; kept as long as a link serves."""
    secret = browser_secret() or os.urandom(_SECRET_BYTES)
    cookies = asking.parts().cookies
    asking.parts().after(lambda response: cookies.put(response, cookies.browser, to_text(secret), _BROWSER_S))
    return secret


def lasting() -> Lasting:
    """How long a member's session lasts."""
    settings = asking.parts().settings
    return Lasting(settings.idle_days * _DAY_MS, settings.session_days * _DAY_MS)


def begin(connection: Connection, member: bytes, way: Way) -> None:
    """Signs the member in here, in place of whoever was; the browser gets a new secret in any case.

    Raises:
        Problem: LINK_OVER, the member was erased meanwhile.
    """
    parts = asking.parts()
    if not signing_in.lock(connection, member):
        raise Problem(ProblemKind.LINK_OVER)
    before = from_text(request.cookies.get(parts.cookies.session, ""), _SECRET_BYTES)
    if before is not None:
        sessions.end(connection, before)
    secret = sessions.begin(
        connection, parts.keys.custody, member, Kind.MEMBER, way, lasting(), asking.browser(), asking.now_ms()
    )
    most_s = parts.settings.session_days * 86_400
    parts.after(lambda response: parts.cookies.put(response, parts.cookies.session, to_text(secret), most_s))
    parts.after(lambda response: parts.cookies.drop(response, parts.cookies.browser))


def begin_app(connection: Connection, member: bytes) -> bytes:
    """A token for the app, 32 bytes. Raises: Problem, as `begin`."""
    parts = asking.parts()
    if not signing_in.lock(connection, member):
        raise Problem(ProblemKind.LINK_OVER)
    return sessions.begin(
        connection, parts.keys.custody, member, Kind.APP, Way.LINK, lasting(), asking.browser(), asking.now_ms()
    )


def end() -> None:
    """Signs the member out in this browser."""
    parts = asking.parts()
    secret = from_text(request.cookies.get(parts.cookies.session, ""), _SECRET_BYTES)
    if secret is not None:
        with asking.writing() as connection:
            sessions.end(connection, secret)
    parts.after(lambda response: parts.cookies.drop(response, parts.cookies.session))
