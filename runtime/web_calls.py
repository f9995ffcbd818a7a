"""The little of flask-smorest that is used here, with types: routes, what they take and give, the OpenAPI document.

I/O: flask_smorest; its only importer.
"""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, ClassVar, TypeVar

from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint  # type: ignore[import-untyped]
from flask_smorest.arguments import FlaskParser  # type: ignore[import-untyped]
from marshmallow import Schema
from werkzeug.exceptions import BadRequest

from runtime.problems import CONTENT_TYPE

F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V", bound=type[MethodView])


class _Parser(FlaskParser):  # type: ignore[misc]
    """Reads what comes as JSON; whatever Python's own parser gives up on is a bad request, and no fault of ours."""

    def load_json(self, req: Any, schema: Any) -> Any:
        try:
            return super().load_json(req, schema)
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits; 20,000 brackets
            raise BadRequest from error


class _Blueprint(Blueprint):  # type: ignore[misc]
    ARGUMENTS_PARSER = _Parser()

    def register_views_in_doc(self, api: Any, *of: Any, **named: Any) -> None:
        api.tells(partial(super().register_views_in_doc, api, *of, **named))


class Calls:
    """A set of calls below one prefix. The decorators document, and filter by the schema.

    An application's own class of them says what its problem documents look like.
    """

    PROBLEM: ClassVar[type[Schema]]

    def __init__(self, name: str, prefix: str, description: str) -> None:
        self.blueprint: Any = _Blueprint(name, __name__, url_prefix=prefix, description=description)

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
                view = self.also_gives(status, self.PROBLEM, CONTENT_TYPE)(view)
            return view

        return decorate

    def secured(self, *schemes: str) -> Callable[[F], F]:
        """Documents which secret a call needs, any of these."""
        decorator: Callable[[F], F] = self.blueprint.doc(security=[{one: []} for one in schemes])
        return decorator


class Document(Api):  # type: ignore[misc]
    """The OpenAPI 3.1 document of an application, at `openapi.json` below `prefix`.

    Errors are not flask-smorest's: every call names its own, and the application answers them itself. The calls are
    told in it when it is first asked for: that takes longer than all the rest of an application's making.
    """

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask, title: str, version: str, prefix: str, calls: type[Calls]) -> None:
        app.config.update(
            API_TITLE=title,
            API_VERSION=version,
            OPENAPI_VERSION="3.1.0",
            OPENAPI_URL_PREFIX=prefix,
            OPENAPI_JSON_PATH="openapi.json",
        )
        self.ERROR_SCHEMA = calls.PROBLEM
        self._untold: list[Callable[[], None]] = []
        self._telling = Lock()
        super().__init__(app)

    def tells(self, part: Callable[[], None]) -> None:
        """Keeps what puts a set of calls into the document."""
        self._untold.append(part)

    def _openapi_json(self) -> Any:
        with self._telling:
            while self._untold:
                self._untold[0]()
                del self._untold[0]
        return super()._openapi_json()

    def _register_error_handlers(self) -> None:
        """None."""

    def cookie(self, name: str, cookie: str) -> None:
        """A secret that comes in a cookie."""
        self.spec.components.security_scheme(name, {"type": "apiKey", "in": "cookie", "name": cookie})

    def bearer(self, name: str, about: str = "") -> None:
        """A secret that comes as a bearer token."""
        told = {"description": about} if about else {}
        self.spec.components.security_scheme(name, {"type": "http", "scheme": "bearer"} | told)
