"""The console's door: lets a role into the views that the one table allows it, and frames its pages.

I/O: reads flask's current request.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response
from marshmallow import Schema

from hq.console_roles import View
from hq.figures_model import DAY_S
from hq.web import asking, pages
from hq.web.asking import Staff
from hq.web.errors import Problem, ProblemKind
from runtime.web_languages import gettext, mark

# What the side bar offers, in this order.
MENU: Final[tuple[tuple[View, str, str], ...]] = (
    (View.STORES, "/console/stores", mark("Stores")),
    (View.ALERTS, "/console/alerts", mark("Alerts")),
    (View.POLICY, "/console/policy", mark("Policy and notices")),
    (View.REFUSED, "/console/refused", mark("Refused imports")),
    (View.HOOKS, "/console/hooks", mark("Webhooks")),
    (View.QUESTIONS, "/console/questions", mark("Questions of members")),
    (View.REQUESTS, "/console/requests", mark("Requests of members")),
    (View.MEMBER, "/console/members", mark("Look at a member")),
    (View.FIGURES, "/console/figures", mark("Figures")),
    (View.MODELS, "/console/models", mark("Models for suggestions")),
)


def enter(view: View) -> Staff:
    """Who is signed in, if their role may see this.

    Raises:
        Problem: SIGNED_OUT, FORBIDDEN.
    """
    who = asking.staff()
    if not who.colleague.may(view):
        raise Problem(ProblemKind.FORBIDDEN)
    return who


def show(template: str, who: Staff, status: int = 200, **values: Any) -> Response:
    """A page of the console."""
    menu = [{"address": address, "label": gettext(label)} for view, address, label in MENU if who.colleague.may(view)]
    return pages.show(f"console/{template}", status, staff=who, menu=menu, now_ms=asking.now_ms(), **values)


def address(path: str, **asked: object) -> str:
    """A page's address with what is asked of it; what is empty is left out."""
    found: Mapping[str, str] = {name: str(value) for name, value in asked.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(found)}" if found else path


def shown(schema: type[Schema], rows: Any) -> list[dict[str, Any]]:
    """The rows of a list as the schema lets them out."""
    return pages.all_shown(schema, list(rows))


def today() -> int:
    """The day of this request, counted from 1970-01-01."""
    return asking.now_ms() // 1000 // DAY_S
