"""The Flask application: its calls, its pages, its errors, and the headers that every answer bears.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

import threading
from collections.abc import Callable
from typing import Final

from flask import Flask, Response, request

from runtime import web_frame, web_static
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
_POLICY: Final = "; ".join((*web_frame.POLICY, "img-src 'self'", "media-src blob:", "form-action 'none'"))
_UNTOLD: Final = frozenset({"/api/v1/floor/acks"})  # not in the log: each tablet says so all the time
HEADERS: Final = web_frame.HEADERS | {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
}


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
    app = web_frame.make("tablet_api", MAX_BODY_BYTES)
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
        web_frame.begin(clock)
        if demo_http:
            auth.refuse_other_names(request)
        auth.refuse_other_sites(request)

    @app.after_request
    def _finish(response: Response) -> Response:
        web_static.keep(response)
        for name, value in HEADERS.items():
            response.headers[name] = value
        metrics.add("requests", str(response.status_code))
        rule = web_frame.rule()
        if rule not in _UNTOLD and (rule.startswith("/api/") or pages.is_page()):
            web_frame.tell(log, response, clock)
        return response

    _answer_errors(app, Log("app"), metrics)
    return app


def _answer_errors(app: Flask, log: Log, metrics: Metrics) -> None:
    """Every error leaves as a problem document that names no value, or as a screen; each is counted."""

    def page(problem: Problem) -> Response | None:
        metrics.add("requests_refused", problem.kind.slug)
        return pages.told(problem) if pages.is_page() else None

    answer = web_frame.answer_errors(app, log, Problem, errors.of_status, page)

    @app.errorhandler(GatewayAwayError)
    def _away(error: GatewayAwayError) -> Response:
        return answer(Problem(ProblemKind.NO_GATEWAY, retry_after_s=_RETRY_S))

    @app.errorhandler(WireError)
    def _out_of_bounds(error: WireError) -> Response:
        return answer(Problem(ProblemKind.MALFORMED))
