"""How a page of the preference centre answers: a whole document, or its middle where htmx asks after a form.

I/O: answers HTTP requests (flask).
"""

from collections.abc import Callable
from typing import Any, Final

from flask import Response, request

from hq.web import centre_words, pages
from runtime.web_languages import gettext, mark

TITLES: Final = {
    "home": mark("Your choices"),
    "left": mark("Stop everything"),
    "purpose": mark("One thing by itself"),
    "stores": mark("My stores"),
    "store": mark("A store"),
    "store_add": mark("Add a store"),
    "profile": mark("What is held of me"),
    "purchases": mark("My purchases"),
    "mutes": mark("No suggestions of"),
    "mirror": mark("What staff see"),
    "receipts": mark("Who looked"),
    "question": mark("Ask about a line"),
    "phones": mark("My phones"),
    "copy": mark("A copy, or erasure"),
    "erase": mark("Erase everything"),
}
_MIDDLE: Final = "centre"  # the id of the element that htmx puts a new middle into


class Part(pages.Part):
    """Some pages of the preference centre."""


def page(name: str, status: int = 200, /, **values: Any) -> Response:
    """The page `templates/centre/<name>.html`, which is the middle of a document."""
    values = {"label": centre_words.label, **values}
    template = f"centre/{name}.html"
    if pages.by_htmx() and request.headers.get("HX-Target") == _MIDDLE:
        return pages.show(template, status, **values)
    return pages.show("centre/page.html", status, member=True, middle=template, title=gettext(TITLES[name]), **values)


def changed(address: str, sentence: str, again: Callable[[], Response]) -> Response:
    """After something was done: the page anew with a sentence in passing; without a script, a redirection to it."""
    if pages.by_htmx() and request.headers.get("HX-Target") == _MIDDLE:
        return pages.said_by(again(), gettext(sentence)) if sentence else again()
    return pages.done(address, gettext(sentence) if sentence else "")
