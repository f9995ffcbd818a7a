"""The events of the floor as HTML: the second form of the stream, rendered once for each content, not for each tablet.

An event's HTML is one element that bears what the page needs as attributes, with the rows that are new or changed in
it. A row of the roster is the same for all tablets of a language that see the same, so it is kept for the next ones.

I/O: renders templates of flask.
"""

from functools import lru_cache
from typing import Final

from flask import Flask
from markupsafe import Markup

from runtime.web_languages import speaking
from tablet_api import forms, schemas, texts
from tablet_api.changes import Change, EventName
from tablet_api.stream import Body, Encode
from wire.query import CardChanged, Roster, Visit

KEPT_ROWS: Final = 2048  # 200 visits in a few languages, each as its helper and as the others see it
_KEPT_ORDERS: Final = 16
_VISIT: Final = schemas.VisitShown()
_LEASE: Final = schemas.LeaseShown()


class Floor:
    """Makes HTML of the floor's events for one application."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._row = lru_cache(KEPT_ROWS)(self._render_row)

    def speaking(self, language: str) -> Encode:
        """How to write the events in this language."""

        def encode(name: EventName, body: Body) -> bytes:
            if body is None:
                return event(name, "")
            with speaking(self._app, language):
                return event(name, self._render(name, body, language))

        return encode

    def _render(self, name: EventName, body: Roster | Change | CardChanged, language: str) -> str:
        environment = self._app.jinja_env
        if isinstance(body, CardChanged):
            return environment.get_template("floor/card_changed.html").render(handle=forms.to_text(body.handle))
        if name is EventName.DARK:
            return environment.get_template("floor/dark.html").render(
                body=_said(body), lease=_LEASE.dump(body.lease), calm=texts.dark(body.lease)
            )
        order = body.order if isinstance(body, Change) else tuple(visit.handle for visit in body.visits)
        return environment.get_template("floor/roster.html").render(
            body=_said(body),
            lease=_LEASE.dump(body.lease),
            words=texts.lease(body.lease),
            order=None if order is None else _joined(order),
            gone=_joined(body.gone) if isinstance(body, Change) else "",
            outage=texts.outage(body.radios),
            rows=Markup("").join(self._row(language, visit) for visit in body.visits),
        )

    def _render_row(self, language: str, visit: Visit) -> Markup:
        shown = _VISIT.dump(visit)
        return Markup(
            self._app.jinja_env.get_template("floor/row.html").render(
                visit=shown, sign=texts.sign(visit.sign_colour, visit.sign_digits)
            )
        )


@lru_cache(_KEPT_ORDERS)
def _joined(handles: tuple[bytes, ...]) -> str:
    return " ".join(map(forms.to_text, handles))  # the same for most streams that are told at once


def _said(body: Roster | Change) -> dict[str, str]:
    return {"version": str(body.version), "as_of": forms.instant(body.as_of_ms)}


def event(name: EventName, html: str) -> bytes:
    """One event as it goes over the line; each line of the HTML is one of its own."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines()) or "data:\n"
    return f"event: {name.value}\n{lines}\n".encode()
