"""Whether a request comes from our own page, or from no page at all (the app, a system), to an address that may be.

I/O: reads the current request of flask.
"""

from typing import Final

from flask import Request

from hq.web.errors import Problem, ProblemKind
from runtime import names

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_PAGES: Final = frozenset({"cross-site", "same-site"})


def refuse_others(request: Request, origin: str) -> None:
    """From another page only a link may be followed; `origin` is our own, as `public_url` says.

    A browser says where a request comes from (`Sec-Fetch-Site`, or `Origin` with whatever is not GET); what says
    neither is no browser, and has no cookie of ours.

    Raises:
        Problem: CROSS_SITE.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if request.method in _SAFE_METHODS:
        if site in _OTHER_PAGES and request.headers.get("Sec-Fetch-Mode") != "navigate":
            raise Problem(ProblemKind.CROSS_SITE)
        return
    stated = request.headers.get("Origin")
    if site != "same-origin" or (stated is not None and stated != origin):
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
