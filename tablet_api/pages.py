"""The associates' web app: one page and its static files, shipped with the package.

Static files stand below a hash of all of them, so that a browser keeps them for good and never mixes two versions.

I/O: reads the package's own files at the start; answers HTTP requests (flask).
"""

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from flask import Blueprint, Response, render_template

from tablet_api import texts
from tablet_api.demo_link import DemoLink
from tablet_api.errors import Problem, ProblemKind

_TYPES: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
HASHED: Final = "consentry-hashed"  # the endpoint whose answers may be kept


def _read(folder: Traversable) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name.rpartition(".")[2] in _TYPES}


def make(demo: DemoLink | None) -> Blueprint:
    """The page at `/` and what it loads. With `demo`, opening the page signs the browser in."""
    files = _read(resources.files("tablet_api") / "web" / "static")
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + files[name] for name in sorted(files))).hexdigest()[:16]
    pages = Blueprint("pages", __name__, template_folder="web/templates")

    @pages.get("/")
    def page() -> Response:
        """The web app; it holds no state: what it shows comes by the API."""
        shown = render_template("page.html", t=texts.ENGLISH, static=f"/static/{digest}", demo=demo is not None)
        response = Response(shown, content_type="text/html; charset=utf-8")
        if demo is not None:
            demo.sign_in(response)
        return response

    @pages.get(f"/static/{digest}/<name>", endpoint=HASHED)
    def static_file(name: str) -> Response:
        """A file of this version."""
        if name not in files:
            raise Problem(ProblemKind.NOT_FOUND)
        return Response(files[name], content_type=_TYPES[name.rpartition(".")[2]])

    return pages
