"""The frame of the pages: how a part answers with HTML, and how problems are told there.

A part is a `Part`; its views ask by `hq.web.asking`, put what they were answered through a schema, and render a
template. Every form works without a script and answers with a redirection (`done`); htmx, where it runs, asks for
fragments.

I/O: answers HTTP requests (flask).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, current_app, g, render_template, request
from marshmallow import Schema, ValidationError

from hq.web import asking, texts
from hq.web.cookies import said
from hq.web.errors import Problem, ProblemKind
from runtime.web_languages import gettext
from runtime.web_static import Static

HTML: Final = "text/html; charset=utf-8"
STATIC: Final = "consentry-static"  # under this name in the application's extensions


class Part(Blueprint):
    """The pages of one part of the web; whatever goes wrong in their views is told in words, not as a document."""

    def __init__(self, name: str) -> None:
        super().__init__(f"page-{name}", __name__, template_folder="templates")


def is_page() -> bool:
    """Whether the present request is for a page or a piece of one; what is nowhere is a page to whoever wants one."""
    if request.blueprint is None and not request.path.startswith("/api/"):
        return bool(request.accept_mimetypes.accept_html)
    return isinstance(current_app.blueprints.get(request.blueprint or ""), Part)


def by_htmx() -> bool:
    """Whether a page that is open already asks, for a piece."""
    return request.headers.get("HX-Request") == "true"


def show(template: str, status: int = 200, **values: Any) -> Response:
    """`template`, a document or a fragment as it may be."""
    return Response(render_template(template, **_frame(), **values), status, content_type=HTML)


def done(address: str, sentence: str = "") -> Response:
    """Leads on to a page of ours (303) after something was done; the page says `sentence`, which is translated."""
    response = Response(status=303, headers={"Location": address})
    if by_htmx():
        response = Response(status=204, headers={"HX-Redirect": address})
    if sentence:
        asking.parts().cookies.say(response, sentence)
    return response


def said_by(response: Response, sentence: str) -> Response:
    """The same fragment with a sentence in passing (a toast) beside what it replaces."""
    toast = render_template("toast.html", text=sentence, beside=True)
    response.set_data(response.get_data(as_text=True) + toast)
    return response


def also_to(*sources: str) -> None:
    """Lets forms of the present answer lead on to these origins or schemes besides (CSP `form-action`)."""
    g.form_sources = (*g.get("form_sources", ()), *sources)


def _frame() -> dict[str, Any]:
    static: Static = current_app.extensions[STATIC]
    settings, cookies = asking.parts().settings, asking.parts().cookies
    sentence = said(request.cookies.get(cookies.said, ""))
    if sentence and not by_htmx():
        asking.parts().after(lambda response: cookies.drop(response, cookies.said))
    return {
        "static": static.prefix,
        "retailer": settings.name or settings.host,
        "words": texts.words(),
        "said": "" if by_htmx() else sentence,
        "here": request.path if request.url_rule is not None and request.path.isprintable() else "/",
    }


def shown(schema: type[Schema], found: object) -> dict[str, Any]:
    """What may be shown of something: what the schema names, and nothing else."""
    dumped: dict[str, Any] = schema().dump(found)
    return dumped


def all_shown(schema: type[Schema], found: Sequence[object]) -> list[dict[str, Any]]:
    """The same of each."""
    dumped: list[dict[str, Any]] = schema(many=True).dump(found)
    return dumped


def form(schema: type[Schema], **more: str) -> dict[str, Any]:
    """What a form of ours sent; `more` is added. A `fields.List` gets all values of its name.

    Raises:
        Problem: MALFORMED, with the names of the fields that are wrong.
    """
    return _loaded(schema, _values(schema, request.form) | more)


def asked(schema: type[Schema]) -> dict[str, Any]:
    """What stands behind the question mark. Raises: Problem, likewise."""
    return _loaded(schema, _values(schema, request.args))


def _values(schema: type[Schema], sent: Any) -> dict[str, Any]:
    lists = {name for name, field in schema().fields.items() if hasattr(field, "inner")}
    return {name: sent.getlist(name) if name in lists else sent[name] for name in sent}


def _loaded(schema: type[Schema], sent: Mapping[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema().load(sent)
    except ValidationError as error:
        known = set(schema().fields)
        raise Problem(ProblemKind.MALFORMED, fields=tuple(sorted(known & set(error.messages_dict)))) from error
    return loaded


def told(problem: Problem) -> Response:
    """A problem in words: whoever has to sign in is led there, anything else is a sentence."""
    kind = problem.kind
    if kind is ProblemKind.SIGNED_OUT:
        way = texts.sign_in_address(g.get("realm", "member"), request.full_path if request.method == "GET" else "/")
        if by_htmx():
            return Response(status=401, headers={"HX-Redirect": way})
        return Response(status=303, headers={"Location": way})
    words = gettext(texts.of_problem(problem), seconds=problem.retry_after_s)
    if not by_htmx():
        return show("problem.html", kind.status, text=words, problem=kind.value.slug)
    response = show("toast.html", kind.status, text=words, beside=False)
    response.headers["HX-Retarget"] = "#toast"
    response.headers["HX-Reswap"] = "innerHTML"
    return response
