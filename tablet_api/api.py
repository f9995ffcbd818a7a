"""The calls of the tablet API: which secrets they need, and their OpenAPI document.

I/O: answers HTTP requests (flask), by `runtime.web_calls`.
"""

from collections.abc import Callable
from typing import Final

from flask import Flask

from runtime import web_calls
from runtime.web_calls import F
from tablet_api import schemas
from tablet_api.auth import Cookies

_BEARER: Final = "bearer"


class Calls(web_calls.Calls):
    """A set of calls below one prefix."""

    PROBLEM = schemas.ProblemSchema

    def secured_by(self, cookie: str) -> Callable[[F], F]:
        """Documents which secret a call needs: `tablet` or `session`, as a cookie or as a bearer token."""
        return self.secured(cookie, _BEARER)


def publish(app: Flask, version: str, cookies: Cookies, *calls: Calls) -> None:
    """Registers the calls and serves their OpenAPI 3.1 document at `/openapi.json`."""
    document = web_calls.Document(app, "Consentry, the tablet API", version, "/", Calls)
    for name, cookie in (("tablet", cookies.tablet), ("session", cookies.session)):
        document.cookie(name, cookie)
    document.bearer(_BEARER)
    for field, form in (
        (schemas.Instant, ("string", "date-time")),
        (schemas.Handle, ("string", None)),
        (schemas.Version, ("string", None)),
    ):
        document.register_field(field, *form)
    for one in calls:
        document.register_blueprint(one.blueprint)
