"""`/.well-known/gpc.json`: that the signal of Global Privacy Control is kept here, and since when.

I/O: answers HTTP requests (flask).
"""

import json
from typing import Final

from flask import Response

from hq.web import pages

SINCE: Final = "2026-11-22"  # of the support, as the specification has it: changed with what the signal does here


def make() -> pages.Part:
    """The one resource."""
    part = pages.Part("gpc")

    @part.get("/.well-known/gpc.json")
    def support() -> Response:
        """Source: Global Privacy Control, W3C, section 5."""
        return Response(json.dumps({"gpc": True, "lastUpdate": SINCE}), content_type="application/json")

    return part
