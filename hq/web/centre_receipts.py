"""Who saw what, in plain words: disclosures of stores and looks at headquarters, each with its proof, to be questioned.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from flask import Response, request
from marshmallow import fields, validate

from hq import choosing, felt, looks, questions, receipts
from hq.felt import Line
from hq.looks import Look
from hq.questions import MOST_WORDS, Question, QuestionKind
from hq.receipts import Receipt
from hq.web import asking, centre_mirror, centre_pages, centre_times, centre_who, centre_words, pages, schemas
from hq.web.asking import Member
from hq.web.errors import Problem, ProblemKind
from runtime.web_languages import current, gettext, mark
from wire.policy import Policy

ADDRESS: Final = "/centre/receipts"
_PAGE: Final = 30
_MOST_EVENT: Final = 96
_ASKED: Final = mark("Your question is with those who answer for privacy. You find the answer here.")
_KINDS: Final[dict[QuestionKind, str]] = {
    QuestionKind.NOT_THERE: mark("I was not there"),
    QuestionKind.NOT_AGREED: mark("I did not agree to this"),
    QuestionKind.WHY: mark("Why did somebody look?"),
    QuestionKind.OTHER: mark("Something else"),
}


class QuestionAsked(schemas.Asked):
    """A question about a line."""

    event = schemas.text(_MOST_EVENT)
    kind = schemas.word(*(one.value for one in QuestionKind))
    words = fields.String(load_default="", validate=validate.Length(max=MOST_WORDS))


class FeltAsked(schemas.Asked):
    """A line of the receipts that felt creepy."""

    event = schemas.text(_MOST_EVENT)
    scope = schemas.text(64)


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-receipts")

    @part.get("/centre/receipts")
    def listed() -> Response:
        """The newest first."""
        return _listed(centre_who.member())

    @part.get("/centre/receipts/question")
    def question() -> Response:
        """The form for a question about one line."""
        return _form(centre_who.member(), request.args.get("event", ""))

    @part.post("/centre/receipts/question")
    def ask() -> Response:
        """Asks it."""
        who = centre_who.member()
        sent = pages.form(QuestionAsked)
        kind = QuestionKind(sent["kind"])
        if kind is QuestionKind.OTHER and not sent["words"].strip():
            return _form(who, sent["event"], 422)
        with asking.writing() as connection:
            one = choosing.lock(connection, centre_who.counter(), who.id)
            keys, said = asking.parts().keys, sent["words"]
            questions.ask(connection, keys, one, sent["event"], kind, said, current(), asking.now_ms())
        return centre_pages.changed(ADDRESS, _ASKED, lambda: _listed(who))

    @part.post("/centre/receipts/felt")
    def creepy() -> Response:
        """That felt creepy."""
        who = centre_who.member()
        sent = pages.form(FeltAsked)
        found = next((one for one in _receipts(who) if one.event == sent["event"]), None)
        if found is None or sent["scope"] not in found.scopes:
            raise Problem(ProblemKind.NOT_FOUND)
        purpose = next((one for one in found.purposes if one != "presence"), "presence")
        line = Line(found.store, sent["scope"], purpose, receipt=found.event)
        felt.note(centre_who.counter(), who.id, line, asking.now_ms(), who.method)
        return centre_pages.changed(ADDRESS, centre_mirror.NOTED, lambda: _listed(who))

    @part.get("/centre/receipts/proof")
    def proof() -> Response:
        """That the line stands in the store's signed log, for whoever checks it."""
        who = centre_who.member()
        with asking.reading() as connection:
            found = receipts.prove(connection, asking.parts().keys, who.reference, request.args.get("event", ""))
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        response = Response(json.dumps(found, indent=2), content_type="application/json")
        response.headers["Content-Disposition"] = 'attachment; filename="proof.json"'
        return response

    return part


def _receipts(who: Member) -> list[Receipt]:
    with asking.reading() as connection:
        found = receipts.of_member(connection, asking.parts().keys, who.reference)
    return [one for one in found if one.store]  # looks at headquarters come by their own list


def _looks(who: Member) -> list[Look]:
    with asking.reading() as connection:
        return looks.of_member(connection, asking.parts().keys.custody, who.reference)


def _listed(who: Member) -> Response:
    listed: list[Receipt | Look] = [*_receipts(who), *_looks(who)]
    found = sorted(listed, key=lambda one: (one.at_ms, one.event), reverse=True)
    with asking.reading() as connection:
        asked = questions.of_member(connection, asking.parts().keys.custody, who.reference)
    start = _offset()
    lines = _lines(found[start : start + _PAGE], asked)
    days: list[dict[str, Any]] = []
    for line in lines:
        if not days or days[-1]["day"] != line["day"]:
            days.append({"day": line["day"], "lines": []})
        days[-1]["lines"].append(line)
    return centre_pages.page(
        "receipts",
        days=days,
        newer=max(0, start - _PAGE) if start else None,
        older=start + _PAGE if len(found) > start + _PAGE else None,
    )


def _offset() -> int:
    sent = request.args.get("from", "0")
    return int(sent) if sent.isascii() and sent.isdecimal() and len(sent) < 7 else 0


def _lines(found: Sequence[Receipt | Look], asked: Sequence[Question]) -> list[dict[str, Any]]:
    known = centre_who.policies(sorted({one.store for one in found if isinstance(one, Receipt)}))
    by_event: dict[str, list[dict[str, Any]]] = {}
    for one in asked:
        by_event.setdefault(one.event, []).append(_question(one))
    return [
        (_receipt(one, known) if isinstance(one, Receipt) else _look(one))
        | {"event": one.event, "questions": by_event.get(one.event, [])}
        for one in found
    ]


def _receipt(one: Receipt, known: dict[str, Policy]) -> dict[str, Any]:
    policy, zone = known.get(one.store), centre_who.zone_of(known, one.store)
    scopes = {rule.id: rule.label for rule in policy.main.scopes} if policy else {}
    roles = {role.id: role.label for role in policy.main.roles} if policy else {}
    store = policy.store.label if policy else one.store
    return {
        "day": centre_times.weekday(one.at_ms, zone),
        "sentence": centre_words.receipt(one, store, zone, scopes, roles),
        "scopes": [{"scope": scope, "label": scopes.get(scope, scope)} for scope in one.scopes if one.shown],
        "words": "",
        "proves": one.shown and not one.words,
    }


def _look(one: Look) -> dict[str, Any]:
    zone = centre_who.ANYWHERE
    return {
        "day": centre_times.weekday(one.at_ms, zone),
        "sentence": centre_words.look(one, zone),
        "scopes": [],
        "words": one.words,
        "proves": False,
    }


def _question(one: Question) -> dict[str, Any]:
    return {
        "kind": gettext(_KINDS[one.kind]),
        "words": one.words,
        "due": centre_times.day(one.due_ms),
        "answer": one.answer,
        "answered": "" if one.answered_ms is None else centre_times.day(one.answered_ms),
    }


def _form(who: Member, event: str, status: int = 200) -> Response:
    listed: list[Receipt | Look] = [*_receipts(who), *_looks(who)]
    found = next((one for one in listed if one.event == event), None)
    if found is None:
        raise Problem(ProblemKind.NOT_FOUND)
    (line,) = _lines([found], [])
    kinds = [{"value": one.value, "label": gettext(said)} for one, said in _KINDS.items()]
    return centre_pages.page("question", status, line=line, kinds=kinds, most=MOST_WORDS, wrong=status != 200)
