"""The Flask application: its calls, its pages, its errors, and the headers that every answer bears.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from collections.abc import Callable
from typing import Final

from flask import Flask, Response, g, request
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from hq.errors import DatabaseUnavailable, Refused
from hq.keys import Keys
from hq.web import api, asking, errors, languages, pages, register, sites, static
from hq.web.cookies import Cookies
from hq.web.errors import Problem, ProblemKind
from hq.web.parts import PARTS, Parts
from hq.web.providers import Providers
from hq.web_settings import Web
from runtime import web_frame, web_static
from runtime.logs import Log

MOST_BODY_BYTES: Final = 32 * 1024 * 1024
_RETRY_S: Final = 1
_POLICY: Final = (*web_frame.POLICY, "img-src 'self' data:")
HEADERS: Final = web_frame.HEADERS | {
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers say `Origin: null` of our own forms
}
_HSTS: Final = "max-age=63072000"
_QUIET: Final = frozenset({"/healthz", "/readyz"})


def create(
    engine: Engine,
    keys: Keys,
    clock_ms: Callable[[], int],
    settings: Web,
    *,
    version: str,
    mono: Callable[[], float],
    providers: Providers | None = None,
) -> Flask:
    """The application. `clock_ms` gives Unix milliseconds UTC, `mono` boot-clock seconds for how long a request took.

    `providers` are the identity providers; None: as the settings name them, without secrets.
    """
    keys.custody.attach(engine)
    app = web_frame.make("hq.web", api.BODY_BYTES)
    app.config["MAX_FORM_PARTS"] = 2000
    cookies = Cookies(plain=settings.is_plain)
    app.extensions[PARTS] = Parts(
        engine, keys, clock_ms, settings, cookies, providers or Providers(settings.members, settings.staff)
    )
    api.publish(app, version, cookies, *register.CALLS)
    files = static.files()
    app.extensions[pages.STATIC] = files
    app.register_blueprint(files.blueprint)
    languages.install(app, cookies.language)
    for make in register.PAGES:
        app.register_blueprint(make())
    _tell_health(app, engine)
    _guard(app, settings, mono)
    _answer_errors(app, Log("web"))
    if settings.proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxy_hops, x_proto=0, x_host=0)  # type: ignore[method-assign]
    return app


def _guard(app: Flask, settings: Web, mono: Callable[[], float]) -> None:
    """What is checked before every request, and said with every answer."""
    log = Log("web")

    @app.before_request
    def _check() -> None:
        web_frame.begin(mono)
        if not settings.proxy_hops:
            sites.refuse_other_names(request, settings.host)
        sites.refuse_others(request, settings.public_url)
        sites.refuse_nul(request)

    @app.after_request
    def _finish(response: Response) -> Response:
        web_static.keep(response)
        for name, value in HEADERS.items():
            response.headers[name] = value
        leads = " ".join(("form-action 'self'", *g.get("form_sources", ())))
        response.headers["Content-Security-Policy"] = "; ".join((*_POLICY, leads))
        if not settings.is_plain:
            response.headers["Strict-Transport-Security"] = _HSTS
        if not web_static.is_asked() and web_frame.rule() not in _QUIET:
            web_frame.tell(log, response, mono)
        return response


def _tell_health(app: Flask, engine: Engine) -> None:
    """Whether this program answers (`/healthz`), and whether its database does (`/readyz`)."""

    @app.get("/healthz")
    def _alive() -> Response:
        return Response("alive\n", content_type="text/plain; charset=utf-8")

    @app.get("/readyz")
    def _ready() -> Response:
        with asking.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
        return Response("ready\n", content_type="text/plain; charset=utf-8")


def _answer_errors(app: Flask, log: Log) -> None:
    """Every error leaves as a problem document that names no value, or as a page that says it in words."""

    def page(problem: Problem) -> Response | None:
        return pages.told(problem) if pages.is_page() else None

    answer = web_frame.answer_errors(app, log, Problem, errors.of_status, page)

    @app.errorhandler(Refused)
    def _refused(error: Refused) -> Response:
        return answer(errors.of_refusal(error))

    @app.errorhandler(DatabaseUnavailable)
    def _away(error: DatabaseUnavailable) -> Response:
        log.error("database_failed", reason=error.text, remedy=error.remedy)
        return answer(Problem(ProblemKind.BUSY, retry_after_s=_RETRY_S))
