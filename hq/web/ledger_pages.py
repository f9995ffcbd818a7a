"""Publishes the keys under which members' consent receipts verify, for anybody, without a sign-in.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Final

from flask import Response, jsonify

from hq import consent_export
from hq.consent_export_record import Controller
from hq.limits import Limit
from hq.web import asking, pages

PATH: Final = "/.well-known/jwks.json"
_LIMIT: Final = Limit(burst=30, each_ms=1_000)


def controller() -> Controller:
    """Who answers for what is done, as consent records name it."""
    settings = asking.parts().settings
    return Controller(settings.name, settings.public_url)


def make() -> pages.Part:
    """The one page, which is JSON."""
    part = pages.Part("ledger")

    @part.get(PATH)
    def keys() -> Response:
        """The public keys, those of earlier years too (RFC 7517)."""
        asking.limit(asking.peer(), "jwks", _LIMIT)
        with asking.reading() as connection:
            return jsonify(consent_export.jwks(connection, asking.parts().keys))

    return part
