"""The static files of pages, below a hash of all of them, plain and compressed.

A browser keeps them for good and never mixes two versions.

I/O: reads the folder of the files at the start; answers HTTP requests (flask).
"""

import gzip
import hashlib
from collections.abc import Callable
from importlib.resources.abc import Traversable
from typing import Final

from flask import Blueprint, Response, request

_TYPES: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
_PACKED: Final = frozenset({"png"})  # what is compressed already
_HASHED: Final = "static.kept"  # the endpoint whose answers may be kept


def is_asked() -> bool:
    """Whether the present request is for a static file."""
    return request.endpoint == _HASHED


def keep(response: Response) -> None:
    """Says of every answer that nobody keeps it, and of a static file that browsers may for good."""
    kept = is_asked() and response.status_code == 200
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-store"


def _read(folder: Traversable, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in folder.iterdir():
        if one.is_dir():
            found |= _read(one, f"{prefix}{one.name}/")
        elif one.name.rpartition(".")[2] in _TYPES:
            found[prefix + one.name] = one.read_bytes()
    return found


class Static:
    """What lies in `folder`, below the address `prefix`. A file that is not there raises what `missing` makes."""

    def __init__(self, folder: Traversable, missing: Callable[[], Exception]) -> None:
        self._missing = missing
        self._files = _read(folder)
        named = (name.encode() + b"\0" + self._files[name] for name in sorted(self._files))
        self.prefix = f"/static/{hashlib.sha256(b''.join(named)).hexdigest()[:16]}"
        self._gzipped = {
            name: gzip.compress(content, 9, mtime=0)
            for name, content in self._files.items()
            if name.rpartition(".")[2] not in _PACKED
        }
        self.blueprint = Blueprint("static", __name__)
        self.blueprint.add_url_rule(f"{self.prefix}/<path:name>", view_func=self._answer, endpoint="kept")

    def _answer(self, name: str) -> Response:
        """A file of this version."""
        if name not in self._files:
            raise self._missing()
        response = Response(self._files[name], content_type=_TYPES[name.rpartition(".")[2]])
        if name in self._gzipped:
            response.headers["Vary"] = "Accept-Encoding"
            if request.accept_encodings["gzip"]:
                response.set_data(self._gzipped[name])
                response.headers["Content-Encoding"] = "gzip"
        return response
