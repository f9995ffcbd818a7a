"""The Flask application: its calls, its pages, its errors, and the headers that every answer bears.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

import threading
from collections.abc import Callable
from typing import Final

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from runtime import web_static
from runtime.logs import Log
from tablet_api import (
    acts_pages,
    api,
    auth,
    coaching_pages,
    doors,
    errors,
    floor,
    gate,
    languages,
    leaving,
    leaving_pages,
    manager_pages,
    operation,
    pages,
    routes,
    static,
    tablets,
    trust_pages,
    visits,
)
from tablet_api.auth import Cookies
from tablet_api.coaching import calls as coaching
from tablet_api.demo_link import DemoLink
from tablet_api.errors import GatewayAwayError, Problem, ProblemKind
from tablet_api.gateway_client import GatewayClient
from tablet_api.markup import Floor
from tablet_api.metrics import Metrics
from tablet_api.parts import PARTS, Parts
from wire.errors import WireError

MAX_BODY_BYTES: Final = 64 * 1024
_RETRY_S: Final = 1
_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types default",
    ]
)
_UNTOLD: Final = frozenset({"/api/v1/floor/acks"})  # not in the log: each tablet says so all the time
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class _App(Flask):
    def log_exception(self, exc_info: object) -> None:
        """Nothing: `_library` says it in one line. Flask's own has the address with the handle, and the values."""


def create(
    gateway: GatewayClient,
    *,
    version: str,
    clock: Callable[[], float],
    stopping: threading.Event,
    metrics: Metrics,
    demo_http: bool = False,
    spoken: tuple[str, ...] = languages.LANGUAGES,
    authority: Callable[[], bytes] = bytes,
) -> Flask:
    """The application. `clock` gives boot-clock seconds; `stopping` ends the streams; `spoken` are its languages.

    `authority` gives the store's own authority (PEM), which tablets may install; empty: not known.
    """
    app = _App("tablet_api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    cookies = Cookies(plain=demo_http)
    app.extensions[PARTS] = Parts(gateway, cookies, clock, stopping, metrics)
    demo = DemoLink(cookies) if demo_http else None
    api.publish(
        app, version, cookies,
        routes.calls, visits.calls, leaving.calls, coaching, doors.calls, tablets.calls, operation.calls,
    )  # fmt: skip
    files = static.files()
    app.extensions[pages.STATIC] = files
    app.register_blueprint(files.blueprint)
    languages.install(app, cookies.language, spoken)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for part in (
        gate.make(demo),
        floor.make(Floor(app)),
        acts_pages.make(),
        coaching_pages.make(),
        leaving_pages.make(),
        manager_pages.make(),
        trust_pages.make(authority),
    ):
        app.register_blueprint(part)
    if demo is not None:
        app.register_blueprint(demo.blueprint)
    log = Log("request")

    @app.before_request
    def _check() -> None:
        g.began_mono_s = clock()
        if demo_http:
            auth.refuse_other_names(request)
        auth.refuse_other_sites(request)

    @app.after_request
    def _finish(response: Response) -> Response:
        web_static.keep(response)
        for name, value in HEADERS.items():
            response.headers[name] = value
        metrics.add("requests", str(response.status_code))
        rule = request.url_rule.rule if request.url_rule is not None else "none"  # never the path: it holds a handle
        if rule not in _UNTOLD and (rule.startswith("/api/") or pages.is_page()):
            took_ms = (clock() - g.get("began_mono_s", clock())) * 1000
            log.info("request", method=request.method, call=rule, status=response.status_code, ms=round(took_ms, 1))
        return response

    _answer_errors(app, Log("app"), metrics)
    return app


def _answer_errors(app: Flask, log: Log, metrics: Metrics) -> None:
    """Every error leaves as a problem document that names no value."""

    def answer(problem: Problem) -> Response:
        metrics.add("requests_refused", problem.kind.value.slug)
        if pages.is_page():
            response = pages.told(problem)
        else:
            response = jsonify(problem.document())
            response.status_code = problem.kind.status
            response.content_type = api.PROBLEM
        if problem.retry_after_s:
            response.headers["Retry-After"] = str(problem.retry_after_s)
        if problem.kind.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.errorhandler(Problem)
    def _problem(error: Problem) -> Response:
        return answer(error)

    @app.errorhandler(GatewayAwayError)
    def _away(error: GatewayAwayError) -> Response:
        return answer(Problem(ProblemKind.NO_GATEWAY, retry_after_s=_RETRY_S))

    @app.errorhandler(WireError)
    def _out_of_bounds(error: WireError) -> Response:
        return answer(Problem(ProblemKind.MALFORMED))

    @app.errorhandler(HTTPException)
    def _library(error: HTTPException) -> Response:
        problem = errors.of_status(error.code or 500)
        if problem.kind is ProblemKind.INTERNAL:
            cause = getattr(error, "original_exception", None) or error
            log.error("request_failed", remedy="report this line to the maintainers", exception=type(cause).__name__)
        messages = (getattr(error, "data", None) or {}).get("messages", {})
        if problem.kind is ProblemKind.MALFORMED and isinstance(messages, dict):
            problem = Problem(ProblemKind.MALFORMED, fields=_known_fields(messages))
        response = answer(problem)
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response


_FIELDS: Final = frozenset(
    {
        "code", "label", "want_token", "associate", "pin", "version", "action", "scope", "section",
        "to_associate", "to_role", "reason", "item", "response", "what", "id", "to", "quantity", "q",
    }
)  # fmt: skip


def _known_fields(messages: dict[str, object]) -> tuple[str, ...]:
    """Which of this API's own fields are wrong; a name that came from outside is not repeated."""
    found = {name for part in messages.values() if isinstance(part, dict) for name in part}
    return tuple(sorted(found & _FIELDS))
