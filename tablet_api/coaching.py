"""Hints of good manners: in which language one is shown, and the tap that sends it away for this session.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask.views import MethodView
from marshmallow import fields, validate

from tablet_api import asking, schemas
from tablet_api.api import Calls
from wire.coaching import DismissHint

_FALLBACK = "en"
_MOST_BYTES = 64

calls = Calls("coaching", "/api/v1", "Hints of good manners")


class DismissalAsked(schemas.Asked):
    """Which hint is enough."""

    hint = fields.String(
        required=True,
        validate=[validate.Length(1, _MOST_BYTES), schemas.Utf8(_MOST_BYTES)],
        metadata={"description": "the id of the hint on the card"},
    )


@calls.route("/hints/dismissals")
class Dismissals(MethodView):
    """Hints that this associate wants no more."""

    @calls.takes(DismissalAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 404, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any]) -> None:
        """No more of this hint in this session; no other takes its place on the card."""
        asking.accepted(asking.ask(DismissHint(asking.session(), asked["hint"])))


def text_of(texts: Mapping[str, str], spoken: Sequence[str]) -> tuple[str, str]:
    """Of a hint's texts by language, one and its language: the first of `spoken` (best first), else English, else any.

    "de-AT" is served by "de", and "de" by "de-AT".
    """
    for wanted in (*spoken, _FALLBACK):
        for language in (wanted, wanted.partition("-")[0]):
            if language in texts:
                return language, texts[language]
        near = next((one for one in texts if one.partition("-")[0] == wanted.partition("-")[0]), None)
        if near is not None:
            return near, texts[near]
    return next(iter(texts.items()))
