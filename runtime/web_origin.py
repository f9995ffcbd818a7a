"""Whether a request comes from our own page, or from no page at all (an app, a system).

I/O: reads a request of flask.
"""

from typing import Final

from flask import Request

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_PAGES: Final = frozenset({"cross-site", "same-site"})


def is_ours(request: Request, origin: str) -> bool:
    """From another page only a link may be followed; `origin` is our own.

    A browser says where a request comes from (`Sec-Fetch-Site`, or `Origin` with whatever is not GET); what says
    neither is no browser, and has no cookie of ours.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if request.method in _SAFE_METHODS:
        return site not in _OTHER_PAGES or request.headers.get("Sec-Fetch-Mode") == "navigate"
    return site == "same-origin" and request.headers.get("Origin", origin) == origin
