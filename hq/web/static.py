"""The static files of the pages.

I/O: reads the package's own files at the start.
"""

from importlib import resources

from hq.web.errors import Problem, ProblemKind
from runtime.web_static import Static


def files() -> Static:
    """Those that are shipped with this package."""
    return Static(resources.files("hq.web") / "static", lambda: Problem(ProblemKind.NOT_FOUND))
