"""Whether a request comes from our own page, or from no page at all (the app, a system), to an address that may be.

I/O: reads the current request of flask.
"""

from flask import Request

from hq.web.errors import Problem, ProblemKind
from runtime import names, web_origin


def refuse_others(request: Request, origin: str) -> None:
    """`origin` is our own, as `public_url` says.

    Raises:
        Problem: CROSS_SITE.
    """
    if not web_origin.is_ours(request, origin):
        raise Problem(ProblemKind.CROSS_SITE)


def refuse_nul(request: Request) -> None:
    """No name of ours has the character NUL, and databases take no text with it.

    Raises:
        Problem: NOT_FOUND.
    """
    if "\0" in request.path:
        raise Problem(ProblemKind.NOT_FOUND)


def refuse_other_names(request: Request, host: str) -> None:
    """Only by our own name, or a loopback one: so that no page reaches us by a name of its own (DNS rebinding).

    Raises:
        Problem: OTHER_NAME.
    """
    asked = names.host_of(request.headers.get("Host", ""))
    if asked is None or (asked != host and asked not in names.LOOPBACK):
        raise Problem(ProblemKind.OTHER_NAME)
