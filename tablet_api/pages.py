"""The frame of the pages: how a part of the app answers with HTML, and how problems are told there.

A part is a `Part`; its views ask by `tablet_api.asking`, put what they were answered through `tablet_api.schemas`, and
render a template. htmx asks for fragments (`HX-Request`), a browser for whole documents.

I/O: answers HTTP requests (flask).
"""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, current_app, render_template, request
from marshmallow import Schema, ValidationError

from runtime.web_static import Static
from tablet_api import asking, texts
from tablet_api.errors import Problem, ProblemKind

HTML: Final = "text/html; charset=utf-8"
STATIC: Final = "consentry-static"  # under this name in the application's extensions
_MANAGER: Final = "manager"


class Part(Blueprint):
    """The pages of one part of the app; whatever goes wrong in their views is told in words, not as a document."""

    def __init__(self, name: str) -> None:
        super().__init__(name, __name__, template_folder="web/templates")


def is_page() -> bool:
    """Whether the present request is for a page or a piece of one."""
    return isinstance(current_app.blueprints.get(request.blueprint or ""), Part)


def by_htmx() -> bool:
    """Whether a page that is open already asks, for a piece."""
    return request.headers.get("HX-Request") == "true"


def show(template: str, status: int = 200, **values: Any) -> Response:
    """`template`, a document or a fragment as it may be."""
    return Response(render_template(template, **_frame(), **values), status, content_type=HTML)


def screen(template: str, status: int = 200, **values: Any) -> Response:
    """`template`, which is a whole screen: alone where htmx asks, else within the document."""
    if not by_htmx():
        return show("page.html", status, screen=template, **values)
    response = show(template, status, **values)
    response.headers["HX-Retarget"] = "#screen"
    # A form that is wrong stays what it is, with the focus where it was; any other screen begins anew.
    response.headers["HX-Reswap"] = "innerHTML" if status in (200, 401) else "morph:innerHTML"
    return response


def _frame() -> dict[str, Any]:
    static: Static = current_app.extensions[STATIC]
    cookies = asking.parts().cookies
    return {
        "static": static.prefix,
        "sound": request.cookies.get(cookies.sound) != "off",
        "demo": cookies.plain,
        "words": texts.words(),
    }


def shown(schema: type[Schema], reply: object) -> dict[str, Any]:
    """What may be shown of a reply: what the schema names, and nothing else."""
    found: dict[str, Any] = schema().dump(reply)
    return found


def form(schema: type[Schema], **more: str) -> dict[str, Any]:
    """What a form of ours sent; `more` is added to it.

    Raises:
        Problem: MALFORMED, with the names of the fields that are wrong.
    """
    return _loaded(schema, {name: request.form[name] for name in request.form} | more)


def asked(schema: type[Schema]) -> dict[str, Any]:
    """What stands behind the question mark.

    Raises:
        Problem: MALFORMED, likewise.
    """
    return _loaded(schema, {name: request.args[name] for name in request.args})


def _loaded(schema: type[Schema], sent: Mapping[str, str]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema().load(sent)
    except ValidationError as error:
        known = set(schema().fields)
        raise Problem(ProblemKind.MALFORMED, fields=tuple(sorted(known & set(error.messages_dict)))) from error
    return loaded


def manager() -> dict[str, Any]:
    """Who is signed in, for the `who` of a manager's page.

    Raises:
        Problem: nobody is signed in, or FORBIDDEN: no manager.
        GatewayAwayError: not known.
    """
    view = asking.view()
    if view.role != _MANAGER:
        raise Problem(ProblemKind.FORBIDDEN)
    return who(view)


def who(view: Any) -> dict[str, Any]:
    """Of a session, what the bar says."""
    return {name: getattr(view, name) for name in ("associate", "name", "role", "store_label")}


def told(problem: Problem) -> Response:
    """A problem in words: who has to sign in or pair is asked to, anything else is a sentence."""
    kind = problem.kind
    if kind in texts.GATES:
        return screen(texts.GATES[kind], kind.status)
    words = texts.of_problem(problem)
    if not by_htmx():
        return show("problem.html", kind.status, text=words)
    response = show("toast.html", kind.status, text=words)
    response.headers["HX-Retarget"] = "#toast"
    response.headers["HX-Reswap"] = "innerHTML"
    return response
