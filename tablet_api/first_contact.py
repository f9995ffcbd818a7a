"""The application on plain HTTP: the page by which a tablet comes to trust the box, and nothing else.

A tablet that does not trust the box yet would meet a warning before it could read how to trust it. Nothing here is
secret, nothing is asked of the gateway, and no cookie is set; what is downloaded is compared by its fingerprint.

I/O: answers HTTP requests (flask).
"""

from collections.abc import Callable

from flask import Flask, Response, redirect
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Answer

from runtime import web_static
from tablet_api import languages, pages, static, trust_pages
from tablet_api.app import HEADERS
from tablet_api.errors import Problem
from tablet_api.metrics import Metrics

_COOKIE = "consentry-language"  # that nobody sets here: the browser's language, or the one of the address


def create(authority: Callable[[], bytes], metrics: Metrics) -> Flask:
    """The application. `authority` gives the store's own, PEM; empty: it is not known yet."""
    app = Flask("tablet_api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 0
    files = static.files()
    app.extensions[pages.STATIC] = files
    app.register_blueprint(files.blueprint)
    languages.install(app, _COOKIE)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(trust_pages.make(authority))

    @app.errorhandler(Problem)
    def _missing(error: Problem) -> Response:
        return Response(status=error.kind.status)

    @app.errorhandler(HTTPException)
    def _other(error: HTTPException) -> Answer:
        """Whatever else is asked for leads to the page."""
        return redirect("/trust", 303) if error.code == 404 else Response(status=error.code or 500)

    @app.after_request
    def _finish(response: Response) -> Response:
        web_static.keep(response)
        for name, value in HEADERS.items():
            response.headers[name] = value
        metrics.add("requests_plain", str(response.status_code))
        return response

    return app
