"""The static files of the tablets' pages.

I/O: reads the package's own files at the start.
"""

from importlib import resources

from runtime.web_static import Static
from tablet_api.errors import Problem, ProblemKind


def files() -> Static:
    """Those that are shipped with this package."""
    return Static(resources.files("tablet_api") / "web" / "static", lambda: Problem(ProblemKind.NOT_FOUND))
