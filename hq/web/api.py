"""The calls of HQ's web: where they are, which secrets they need, and their OpenAPI document.

I/O: answers HTTP requests (flask), by `runtime.web_calls`.
"""

from collections.abc import Callable
from typing import Final

from flask import Flask, request

from hq.web import schemas
from hq.web.cookies import Cookies
from runtime import web_calls
from runtime.web_calls import F

BODY_BYTES: Final = 64 * 1024
MEMBER: Final = ("session", "bearer")
STAFF: Final = ("staff",)
SYSTEM: Final = ("system",)


class Calls(web_calls.Calls):
    """A set of calls below `/api/v1` and `prefix`. `most_bytes`: a body's, at most `hq.web.app.MOST_BODY_BYTES`."""

    PROBLEM = schemas.ProblemSchema

    def __init__(self, name: str, prefix: str, description: str, *, most_bytes: int = BODY_BYTES) -> None:
        super().__init__(f"api-{name}", f"/api/v1{prefix}", description)
        if most_bytes != BODY_BYTES:

            @self.blueprint.before_request  # type: ignore[untyped-decorator]
            def _allow() -> None:
                request.max_content_length = most_bytes

    def secured_by(self, *schemes: str) -> Callable[[F], F]:
        """Documents which secret a call needs, any of these: MEMBER (`session`, `bearer`), SYSTEM (`system`), STAFF."""
        return self.secured(*schemes)


def publish(app: Flask, version: str, cookies: Cookies, *calls: Calls) -> None:
    """Registers the calls and serves their OpenAPI 3.1 document at `/openapi.json`, and at `/api/v1/openapi.json`."""
    document = web_calls.Document(app, "Consentry, HQ", version, "/api/v1", Calls)
    for name, cookie in (("session", cookies.session), ("staff", cookies.staff)):
        document.cookie(name, cookie)
    for name, about in (("bearer", "the app's token, or the identity provider's"), ("system", "a system's key")):
        document.bearer(name, about)
    document.register_field(schemas.Instant, "string", "date-time")
    document.register_field(schemas.Token, "string", None)
    for one in calls:
        document.register_blueprint(one.blueprint)
    app.add_url_rule("/openapi.json", "openapi", app.view_functions["api-docs.openapi_json"])
