"""The floor and its cards as pages: the stream as HTML, a card with its open sections, who helps, withdrawals.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from http import HTTPStatus
from typing import Any

from flask import Response, request

from runtime.web_languages import current
from tablet_api import act_texts, asking, forms, pages, schemas, texts, visit_schemas, visits
from tablet_api.errors import Problem, ProblemKind
from tablet_api.following import follow
from tablet_api.markup import Floor
from wire import query
from wire.policy import Section


def make(markup: Floor) -> pages.Part:
    """The pages."""
    part = pages.Part("floor")

    @part.get("/floor/line")
    def line() -> Response:
        """The element that follows the stream, for a page that begins to follow anew."""
        asking.view()
        return pages.show("floor/line.html")

    @part.get("/floor/stream")
    def stream() -> Response:
        """The events of `/api/v1/floor/events`, rendered."""
        return follow(markup.speaking(current()))

    @part.get("/visits/<handle>")
    def visit(handle: str) -> Response:
        """The card with the sections that `?section=` names. Each look is recorded."""
        return card(handle)

    @part.post("/visits/<handle>/attendance")
    def attendance(handle: str) -> Response:
        """I help, the help is done, or somebody else is to. 409 says who was first, above the card as it is now."""
        asked = pages.form(visit_schemas.AttendanceAsked)
        reply = asking.ask(visits.attendance(asking.session(), forms.handle_of(handle), asked))
        if isinstance(reply, query.Conflict):
            problem = Problem(ProblemKind.TAKEN, attended_by=reply.attended_by)
            return card(handle, problem.kind.status, toast=texts.of_problem(problem))
        if asked["action"] is visit_schemas.Step.HAND_OVER:
            return after(handle, reply, act_texts.handed_over(), act_texts.nobody_there())
        return after(handle, reply)

    @part.post("/visits/<handle>/withdrawals")
    def withdrawals(handle: str) -> Response:
        """Withdraws one scope, or everything (none named); says so plainly where nothing could be withdrawn."""
        scope = request.form.get("scope") or None
        asked = (
            visit_schemas.WithdrawalAsked().load({"scope": scope})
            if scope is None
            else pages.form(visit_schemas.WithdrawalAsked)
        )
        reply = asking.ask(query.Withdraw(asking.session(), forms.handle_of(handle), asked["scope"]))
        if isinstance(reply, query.Withheld):
            return closed(act_texts.can_leave_by_code(), HTTPStatus.GONE)
        asking.accepted(reply)
        if scope is None:
            return closed(act_texts.nothing_shared())
        return _card_or(handle, closed(act_texts.not_shared()), toast=act_texts.not_shared())

    return part


def after(handle: str, reply: query.Reply, said: str | None = None, withheld: str | None = None) -> Response:
    """The card after an act, with what is `said` of it; where nothing came of it, the card as it is, and why.

    `withheld`: of what was asked for that is not there any more. Whoever is not there any more has no card either.
    Raises: Problem.
    """
    if not isinstance(reply, query.Withheld):
        asking.accepted(reply)
        return _card_or(handle, closed(said or ""), toast=said)
    gone = closed(act_texts.gone(), HTTPStatus.GONE)
    return _card_or(handle, gone, HTTPStatus.CONFLICT, toast=withheld or act_texts.changed())


def closed(said: str, status: int = HTTPStatus.OK) -> Response:
    """No card, and a sentence."""
    return pages.show("card/closed.html", status, said=said)


def _card_or(handle: str, otherwise: Response, status: int = HTTPStatus.OK, **more: Any) -> Response:
    try:
        return card(handle, status, **more)
    except Problem as problem:
        if problem.kind is not ProblemKind.NOT_FOUND:
            raise
        return otherwise


def card(handle: str, status: int = 200, **more: Any) -> Response:
    """The card as it is now, with the sections that the request names; `more` goes to its template.

    Raises:
        Problem: NOT_FOUND, and whatever else the gateway refuses.
        GatewayAwayError: there is no answer.
    """
    session = asking.session()
    whole = _ask(session, handle, None)
    wanted = request.args.getlist("section")
    opened = [one for one in whole.sections if one.value in wanted]
    sections = []
    for one in whole.sections:
        is_open = one in opened
        others = [other for other in opened if other is not one]
        sections.append(
            {
                "name": one.value,
                "label": texts.section(one),
                "open": is_open,
                "lines": pages.shown(schemas.CardShown, _ask(session, handle, one))["lines"] if is_open else [],
                "toggled": _query(others if is_open else [*others, one]),
            }
        )
    return pages.show(
        "card/card.html",
        status,
        card=pages.shown(schemas.CardShown, whole),
        sign=texts.sign(whole.sign_colour, whole.sign_digits),
        sections=sections,
        opened=_query(opened),
        colleagues=pages.shown(visit_schemas.ColleaguesShown, visits.colleagues(session)),
        reasons=act_texts.reasons(),
        lists=act_texts.lists(whole),
        **more,
    )


def opened() -> str:
    """The open sections that a request names, as its address has them."""
    known = {one.value: one for one in Section}
    return _query([known[name] for name in request.args.getlist("section") if name in known])


def _ask(session: bytes, handle: str, section: Section | None) -> query.Card:
    reply = asking.ask(query.AskCard(session, forms.handle_of(handle), section))
    return reply if isinstance(reply, query.Card) else asking.no(reply)


def _query(sections: list[Section]) -> str:
    return "?" + "&".join(f"section={one.value}" for one in sections) if sections else ""
