"""A shopper who is not signed in anywhere leaves: the eight digits of the app, typed by an associate.

Whether they are right the answer does not tell; the phone does.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

import re
from typing import Any, Final

from flask.views import MethodView
from marshmallow import fields, validate

from tablet_api import asking, schemas
from tablet_api.api import Calls
from wire import query

CODE_FORM: Final = r"^[ -]*([0-9][ -]*){8}$"
_MOST: Final = 32
_BETWEEN: Final = re.compile(r"[^0-9]")

calls = Calls("leaving", "/api/v1", "Leaving without an account")


class LeavingAsked(schemas.Asked):
    """A leave code as people read it out."""

    code = fields.String(
        required=True,
        validate=[validate.Length(8, _MOST), validate.Regexp(CODE_FORM)],
        metadata={"description": "The eight digits that the app shows; spaces and hyphens do not matter."},
    )


@calls.route("/leavings")
class Leavings(MethodView):
    """Shoppers who leave by code."""

    @calls.takes(LeavingAsked)
    @calls.gives(204)
    @calls.problems(401, 403, 429, 503)
    @calls.secured_by("session")
    def post(self, asked: dict[str, Any]) -> None:
        """End the visit of the phone that shows this code, and presence in this store; also while the store is dark.

        The answer is the same whether the code is right. 503 `dark` where the store is locked: it can compare none.
        """
        asking.accepted(asking.ask(query.Leave(asking.session(), digits(asked["code"]))))


def digits(text: str) -> str:
    """The digits alone."""
    return _BETWEEN.sub("", text)
