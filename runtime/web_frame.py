"""The frame of an application: its headers, its line in the log, and how every error leaves as a problem.

I/O: answers HTTP requests (flask).
"""

from collections.abc import Callable
from typing import Final, TypeVar

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from runtime.logs import Log
from runtime.problems import CONTENT_TYPE, Problem

# The content security policy that all pages have; each application adds where images come from and forms lead.
POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
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
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

P = TypeVar("P", bound=Problem)


class _App(Flask):
    def log_exception(self, exc_info: object) -> None:
        """Nothing: `_library` says it in one line. Flask's own has the address, and the values."""


def make(package: str, most_body_bytes: int) -> Flask:
    """An application whose templates are those of `package`."""
    app = _App(package, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = most_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def rule() -> str:
    """What the request asks for, for the log; never the path, which may hold a handle or an id."""
    return request.url_rule.rule if request.url_rule is not None else "none"


def begin(mono: Callable[[], float]) -> None:
    """The request begins; `mono` gives boot-clock seconds."""
    g.began_mono_s = mono()


def tell(log: Log, response: Response, mono: Callable[[], float]) -> None:
    """The request's one line in the log."""
    took_ms = (mono() - g.get("began_mono_s", mono())) * 1000
    log.info("request", method=request.method, call=rule(), status=response.status_code, ms=round(took_ms, 1))


def answer_errors(
    app: Flask,
    log: Log,
    problem: type[P],
    of_status: Callable[[int, tuple[str, ...]], P],
    page: Callable[[P], Response | None],
) -> Callable[[P], Response]:
    """Every error leaves as a problem document that names no value, or as a page that says it in words.

    `problem` is what the application raises; `of_status` makes one of a library's error, by its status and the fields
    that are wrong; `page` tells one in words, None where the request is for no page. Given back is what answers with
    a problem, for errors that the application knows besides.
    """

    def answer(found: P) -> Response:
        response = page(found)
        if response is None:
            response = jsonify(found.document())
            response.status_code = found.kind.status
            response.content_type = CONTENT_TYPE
        if found.retry_after_s:
            response.headers["Retry-After"] = str(found.retry_after_s)
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def _library(error: HTTPException) -> Response:
        status = error.code or 500
        found = of_status(status, _wrong_fields(error) if status == 422 else ())
        if found.kind.status == 500:
            cause = getattr(error, "original_exception", None) or error
            log.error("request_failed", remedy="report this line to the maintainers", exception=type(cause).__name__)
        response = answer(found)
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    app.register_error_handler(problem, answer)
    app.register_error_handler(HTTPException, _library)
    return answer


def _wrong_fields(error: HTTPException) -> tuple[str, ...]:
    """Which of the schema's own fields are wrong; a name that came from outside is not repeated."""
    told = getattr(error, "data", None) or {}
    messages, known = told.get("messages", {}), set(getattr(told.get("schema"), "fields", {}))
    if not isinstance(messages, dict):
        return ()
    found = {name for part in messages.values() if isinstance(part, dict) for name in part}
    return tuple(sorted(one for one in found if isinstance(one, str) and one in known))
