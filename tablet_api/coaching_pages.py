"""The hint on a card's page: in the language of the page, and gone by a tap.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from typing import Any

from flask import Response

from runtime.web_languages import current
from tablet_api import asking, coaching, floor, pages
from wire import query
from wire.coaching import DismissHint


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("coaching-pages")

    @part.app_template_global("hint_said")
    def said(hint: dict[str, Any]) -> dict[str, str]:
        """Of a card's hint as its schema shows it: language and text for this page."""
        texts = {one["language"]: one["text"] for one in hint["texts"]}
        language, text = coaching.text_of(texts, (current(),))
        return {"language": language, "text": text}

    @part.post("/visits/<handle>/hints")
    def dismiss(handle: str) -> Response:
        """No more of this hint in this session; what the policy knows no more is gone all the same."""
        asked = pages.form(coaching.DismissalAsked)
        reply = asking.ask(DismissHint(asking.session(), asked["hint"]))
        if not isinstance(reply, query.Withheld):
            asking.accepted(reply)
        return floor.card(handle)

    return part
