"""The Flask application: its calls, its pages, its errors, and the headers that every answer bears.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from collections.abc import Callable
from typing import Final

from flask import Flask, Response, g, jsonify, request
from sqlalchemy import Engine
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from hq.errors import DatabaseUnavailable, Refused
from hq.keys import Keys
from hq.web import api, asking, errors, languages, pages, register, sites, static
from hq.web.cookies import Cookies
from hq.web.errors import Problem, ProblemKind
from hq.web.parts import PARTS, Parts
from hq.web.providers import Providers
from hq.web_settings import Web
from runtime import web_static
from runtime.logs import Log

MOST_BODY_BYTES: Final = 32 * 1024 * 1024
_RETRY_S: Final = 1
_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types default",
)
HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers say `Origin: null` of our own forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HSTS: Final = "max-age=63072000"
_QUIET: Final = frozenset({"/healthz", "/readyz"})


class _App(Flask):
    def log_exception(self, exc_info: object) -> None:
        """Nothing: `_library` says it in one line. Flask's own has the address, and the values."""


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
    app = _App("hq.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = api.BODY_BYTES
    app.config["MAX_FORM_PARTS"] = 2000
    app.json.sort_keys = False  # type: ignore[attr-defined]
    cookies = Cookies(plain=settings.is_plain)
    app.extensions[PARTS] = Parts(
        engine, keys, clock_ms, settings, cookies, providers or Providers(settings.members, settings.staff)
    )
    api.publish(app, version, cookies, *register.CALLS)
    files = static.files()
    app.extensions[pages.STATIC] = files
    app.register_blueprint(files.blueprint)
    languages.install(app, cookies.language)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
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
        g.began_mono_s = mono()
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
        rule = request.url_rule.rule if request.url_rule is not None else "none"  # never the path: it may hold an id
        if not web_static.is_asked() and rule not in _QUIET:
            took_ms = (mono() - g.get("began_mono_s", mono())) * 1000
            log.info("request", method=request.method, call=rule, status=response.status_code, ms=round(took_ms, 1))
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

    def answer(problem: Problem) -> Response:
        if pages.is_page():
            response = pages.told(problem)
        else:
            response = jsonify(problem.document())
            response.status_code = problem.kind.status
            response.content_type = api.PROBLEM
            if problem.kind.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
        if problem.retry_after_s:
            response.headers["Retry-After"] = str(problem.retry_after_s)
        return response

    @app.errorhandler(Problem)
    def _problem(error: Problem) -> Response:
        return answer(error)

    @app.errorhandler(Refused)
    def _refused(error: Refused) -> Response:
        return answer(errors.of_refusal(error))

    @app.errorhandler(DatabaseUnavailable)
    def _away(error: DatabaseUnavailable) -> Response:
        log.error("database_failed", reason=error.text, remedy=error.remedy)
        return answer(Problem(ProblemKind.BUSY, retry_after_s=_RETRY_S))

    @app.errorhandler(HTTPException)
    def _library(error: HTTPException) -> Response:
        problem = errors.of_status(error.code or 500)
        if problem.kind is ProblemKind.INTERNAL:
            cause = getattr(error, "original_exception", None) or error
            log.error("request_failed", remedy="report this line to the maintainers", exception=type(cause).__name__)
        messages = (getattr(error, "data", None) or {}).get("messages", {})
        schema = (getattr(error, "data", None) or {}).get("schema")
        if problem.kind is ProblemKind.MALFORMED and isinstance(messages, dict):
            known = set(getattr(schema, "fields", {}))
            problem = Problem(ProblemKind.MALFORMED, fields=_known_fields(messages, known))
        response = answer(problem)
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response


def _known_fields(messages: dict[str, object], known: set[str]) -> tuple[str, ...]:
    """Which of the schema's own fields are wrong; a name that came from outside is not repeated."""
    found = {name for part in messages.values() if isinstance(part, dict) for name in part}
    return tuple(sorted(one for one in found if isinstance(one, str) and one in known))
