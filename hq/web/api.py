"""The little of flask-smorest that is used here: routes, what they take and give, the OpenAPI document.

I/O: flask_smorest; its only importer.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from apispec import APISpec
from flask import Flask, request
from flask.views import MethodView
from flask_smorest import Api, Blueprint  # type: ignore[import-untyped]
from flask_smorest.arguments import FlaskParser  # type: ignore[import-untyped]
from marshmallow import Schema

from hq.web import schemas
from hq.web.cookies import Cookies
from hq.web.errors import Problem, ProblemKind

PROBLEM: Final = "application/problem+json"
BODY_BYTES: Final = 64 * 1024
MEMBER: Final = ("session", "bearer")
STAFF: Final = ("staff",)
SYSTEM: Final = ("system",)

F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V", bound=type[MethodView])


class _Parser(FlaskParser):  # type: ignore[misc]
    """Reads what comes as JSON; whatever Python's own parser gives up on is a bad request, and no fault of ours."""

    def load_json(self, req: Any, schema: Any) -> Any:
        try:
            return super().load_json(req, schema)
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits; 20,000 brackets
            raise Problem(ProblemKind.BAD_REQUEST) from error


class _Blueprint(Blueprint):  # type: ignore[misc]
    ARGUMENTS_PARSER = _Parser()


class Calls:
    """A set of calls below `/api/v1` and `prefix`. The decorators document, and filter by the schema.

    `most_bytes`: how long a body may be, at most `hq.web.app.MOST_BODY_BYTES`.
    """

    def __init__(self, name: str, prefix: str, description: str, *, most_bytes: int = BODY_BYTES) -> None:
        self.blueprint: Any = _Blueprint(
            f"api-{name}", __name__, url_prefix=f"/api/v1{prefix}", description=description
        )
        if most_bytes != BODY_BYTES:

            @self.blueprint.before_request  # type: ignore[untyped-decorator]
            def _allow() -> None:
                request.max_content_length = most_bytes

    def route(self, path: str) -> Callable[[V], V]:
        """Puts a view class at `path`."""

        def decorate(view: V) -> V:
            self.blueprint.route(path)(view)
            return view

        return decorate

    def takes(self, schema: type[Schema], location: str = "json") -> Callable[[F], F]:
        """The view gets what `schema` loads of the request's body or query as its first argument."""
        documented = self.problems(*((400, 413, 422) if location == "json" else (422,)))

        def decorate(view: F) -> F:
            taking: F = self.blueprint.arguments(schema, location=location)(documented(view))
            return taking

        return decorate

    def gives(
        self, status: int, schema: type[Schema] | dict[str, str] | None = None, content_type: str | None = None
    ) -> Callable[[F], F]:
        """The view's value leaves as `schema` dumps it: what the schema does not name is not sent."""
        decorator: Callable[[F], F] = self.blueprint.response(status, schema, content_type=content_type)
        return decorator

    def also_gives(self, status: int, schema: type[Schema], content_type: str | None = None) -> Callable[[F], F]:
        """Documents another answer."""
        decorator: Callable[[F], F] = self.blueprint.alt_response(status, schema=schema, content_type=content_type)
        return decorator

    def problems(self, *statuses: int) -> Callable[[F], F]:
        """Documents the problem documents that a call may give."""

        def decorate(view: F) -> F:
            for status in statuses:
                view = self.also_gives(status, schemas.ProblemSchema, PROBLEM)(view)
            return view

        return decorate

    def secured_by(self, *schemes: str) -> Callable[[F], F]:
        """Documents which secret a call needs, any of these: MEMBER (`session`, `bearer`), SYSTEM (`system`), STAFF."""
        decorator: Callable[[F], F] = self.blueprint.doc(security=[{one: []} for one in schemes])
        return decorator


class _Document(Api):  # type: ignore[misc]
    """Problem documents instead of flask-smorest's own form of errors."""

    ERROR_SCHEMA = schemas.ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # every call names its own

    def _register_error_handlers(self) -> None:
        """None: `hq.web.app` answers every error itself."""


def publish(app: Flask, version: str, cookies: Cookies, *calls: Calls) -> None:
    """Registers the calls and serves their OpenAPI 3.1 document at `/api/v1/openapi.json`."""
    app.config.update(
        API_TITLE="Consentry, HQ",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    document = _Document(app)
    spec: APISpec = document.spec
    for name, cookie in (("session", cookies.session), ("staff", cookies.staff)):
        spec.components.security_scheme(name, {"type": "apiKey", "in": "cookie", "name": cookie})
    for name, about in (("bearer", "the app's token, or the identity provider's"), ("system", "a system's key")):
        spec.components.security_scheme(name, {"type": "http", "scheme": "bearer", "description": about})
    document.register_field(schemas.Instant, "string", "date-time")
    document.register_field(schemas.Token, "string", None)
    for one in calls:
        document.register_blueprint(one.blueprint)
