"""The console's pages about members: a look with its reason, members' questions, members' requests.

Every page that shows something of a member writes the look first; its address holds the look's handle and no member.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Any, Final

from flask import Response
from marshmallow import fields, validate

from hq import console_lists, console_member, questions
from hq.choices import AtBrand, AtStore
from hq.console_lists import RequestKind
from hq.console_roles import View
from hq.limits import Limit, take
from hq.looks import LEAST_WORDS, MOST_WORDS, LookReason, Section
from hq.questions import MOST_ANSWER, QuestionKind
from hq.web import asking, console_door, pages
from hq.web.asking import Staff
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Asked, Instant, Query, Shown, text, word
from runtime.logs import Log
from runtime.web_languages import gettext, mark
from wire.member import Value

REASONS: Final[dict[LookReason, str]] = {
    LookReason.QUESTION: mark("the member asked a question"),
    LookReason.REQUEST: mark("the member asked for data or erasure"),
    LookReason.COMPLAINT: mark("a complaint"),
    LookReason.FAULT: mark("something did not work"),
    LookReason.CHECK: mark("a check that choices are kept"),
}
SECTIONS: Final[dict[Section, str]] = {
    Section.QUESTION: mark("The question"),
    Section.CHOICES: mark("Choices"),
    Section.HISTORY: mark("History"),
    Section.RECEIPTS: mark("Receipts"),
    Section.REQUESTS: mark("Requests and questions"),
    Section.VALUES: mark("Profile with values"),
}
KINDS: Final[dict[str, str]] = {
    QuestionKind.NOT_THERE.value: mark("was not there"),
    QuestionKind.NOT_AGREED.value: mark("did not agree to this"),
    QuestionKind.WHY.value: mark("why somebody looked"),
    QuestionKind.OTHER.value: mark("something else"),
    RequestKind.EXPORT.value: mark("all data"),
    RequestKind.ERASURE.value: mark("erasure"),
}
_ID_BYTES: Final = 16
_NOBODY: Final = Limit(burst=10, each_ms=60_000)
_LOG: Final = Log("console")


class LookAsked(Asked):
    """Whose page, and why."""

    member = text(64)
    reason = word(*(one.value for one in LookReason))
    words = text(MOST_WORDS, LEAST_WORDS)


class SectionAsked(Query):
    """Which section."""

    section = word("", *(one.value for one in Section), required=False, load_default="")


class ListAsked(Query):
    """Which page of a list."""

    after = text(60, 0, required=False, load_default="")
    done = word("", "1", required=False, load_default="")


class AnswerAsked(Asked):
    """An answer; line breaks are the writer's."""

    words = fields.String(required=True, validate=validate.Length(1, MOST_ANSWER))


class QuestionShown(Shown):
    """A question in the list: neither words nor member."""

    id = fields.Function(lambda one: one.id.hex())
    event = fields.String()
    kind = fields.Function(lambda one: gettext(KINDS[one.kind]))
    language = fields.String()
    asked_at = Instant(attribute="asked_ms")
    due_at = Instant(attribute="due_ms")
    late = fields.Function(lambda one: one.answered_ms is None and one.due_ms < asking.now_ms())
    answered_at = Instant(attribute="answered_ms")


class RequestShown(Shown):
    """A request in the list."""

    id = fields.Function(lambda one: one.id.hex())
    kind = fields.Function(lambda one: gettext(KINDS[one.kind]))
    asked_at = Instant(attribute="asked_ms")
    due_at = Instant(attribute="due_ms")
    late = fields.Function(lambda one: one.done < one.stores and one.due_ms < asking.now_ms())
    stores = fields.Integer()
    done = fields.Integer()


class PurposeShown(Shown):
    """A purpose at a store or a brand."""

    label = fields.String()
    given = fields.Boolean()
    until = fields.Function(lambda one: None if one.until_s is None else one.until_s * 1000)
    scopes = fields.Function(lambda one: [scope.label for scope in one.scopes if scope.given])


class PlaceShown(Shown):
    """What stands at a store, or for a brand."""

    place = fields.Function(lambda one: one.label or one.store if isinstance(one, AtStore) else one.brand)
    is_brand = fields.Function(lambda one: isinstance(one, AtBrand))
    recognised = fields.Function(lambda one: isinstance(one, AtStore) and one.recognised)
    purposes = fields.List(fields.Nested(PurposeShown))


class PastShown(Shown):
    """A line of the history of consent events."""

    at = fields.String()
    kind = fields.String()
    status = fields.String()
    purpose = fields.String()
    scopes = fields.List(fields.String())
    stores = fields.List(fields.String())
    brand = fields.String()
    method = fields.String()
    until = fields.String()
    notice = fields.Function(lambda one: (one["notice"] or "")[:12])
    mode = fields.String()
    name = fields.String()


class ReceiptShown(Shown):
    """A receipt, as the member reads it."""

    event = fields.String()
    at = Instant(attribute="at_ms")
    store = fields.String()
    role = fields.String()
    scopes = fields.List(fields.String())
    purposes = fields.List(fields.String())
    shown = fields.Boolean()
    roster = fields.Boolean()
    words = fields.String()


class AskedShown(Shown):
    """A question with its words, on the member's page."""

    kind = fields.Function(lambda one: gettext(KINDS[one.kind]))
    words = fields.String()
    event = fields.String()
    asked_at = Instant(attribute="asked_ms")
    due_at = Instant(attribute="due_ms")
    answer = fields.String()
    answered_at = Instant(attribute="answered_ms")


class ExportShown(Shown):
    """An export."""

    asked_at = Instant(attribute="asked_ms")
    stores = fields.Function(lambda one: len(one.stores))
    is_done = fields.Boolean()


class ValueShown(Shown):
    """A value of the profile."""

    label = fields.String()
    said = fields.Function(lambda one: said(one.field.value))
    special = fields.String()
    stale = fields.Boolean()
    surface = fields.Function(lambda one: one.field.surface)
    confirmed = fields.Function(lambda one: one.field.confirmed_s * 1000)


def said(value: Value) -> str:
    """A value in words."""
    if value.text is not None:
        return value.text
    if value.texts is not None:
        return ", ".join(value.texts)
    return ", ".join(one.label for one in value.items or ())


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("console-members")

    @part.get("/console/members")
    def door() -> Response:
        """Whose page, and why."""
        return _form(console_door.enter(View.MEMBER))

    @part.post("/console/members")
    def begin() -> Response:
        """Begins a look."""
        who = console_door.enter(View.MEMBER)
        try:
            asked = pages.form(LookAsked)
        except Problem as problem:
            return _form(who, 422, wrong=problem.fields)
        look = _begun(who, asked)
        if look is None:
            return _form(who, 404, wrong=("nobody",))
        return pages.done(f"/console/looks/{look.hex()}")

    @part.get("/console/looks/<handle>")
    def look(handle: str) -> Response:
        """A section of a member's page, for a quarter of an hour."""
        return _look(console_door.enter(View.MEMBER), handle, pages.asked(SectionAsked)["section"])

    @part.post("/console/looks/<handle>/answer")
    def answer(handle: str) -> Response:
        """Answers the question that was opened."""
        who = console_door.enter(View.ANSWER)
        asked = pages.form(AnswerAsked)
        with asking.writing() as connection:
            found = questions.answer(
                connection, asking.parts().keys.custody, who.colleague, _id(handle), asked["words"], asking.now_ms()
            )
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        return pages.done("/console/questions", gettext("Your answer stands on the member's page."))

    @part.get("/console/questions")
    def asked_of_us() -> Response:
        """What members ask."""
        who, asked = console_door.enter(View.QUESTIONS), pages.asked(ListAsked)
        with asking.reading() as connection:
            page = console_lists.questions_page(connection, after=asked["after"], answered=bool(asked["done"]))
        return _list("questions", who, QuestionShown, page, asked)

    @part.post("/console/questions/<handle>")
    def opened(handle: str) -> Response:
        """Opens a question: a look at its member."""
        who = console_door.enter(View.QUESTIONS)
        with asking.writing() as connection:
            found = questions.begin_look(
                connection, asking.parts().keys.custody, who.colleague, _id(handle, 8), asking.now_ms()
            )
        return pages.done(f"/console/looks/{found.hex()}?section=question")

    @part.get("/console/requests")
    def requests() -> Response:
        """What members have asked for, and by when it is due."""
        who, asked = console_door.enter(View.REQUESTS), pages.asked(ListAsked)
        with asking.reading() as connection:
            page = console_lists.requests_page(connection, after=asked["after"], done=bool(asked["done"]))
        return _list("requests", who, RequestShown, page, asked)

    return part


def _begun(who: Staff, asked: dict[str, Any]) -> bytes | None:
    """The new look; None: there is no such member, which is counted, so that nobody tries out who is one.

    Raises:
        Problem: THROTTLED, whoever is asked for: it tells of nobody whether they are a member.
    """
    keys, now_ms, member = asking.parts().keys, asking.now_ms(), asked["member"].strip()
    look = None
    with asking.writing() as connection:
        with connection.begin_nested() as tried:
            wait_s = take(connection, asking.tag(who.subject.encode()), "look-nobody", _NOBODY, now_ms)
            is_known = not wait_s and keys.custody.reference(connection, member) is not None
            if is_known:
                tried.rollback()  # only who finds nobody has used up a try
        if is_known:
            look = console_member.begin(
                connection, keys, who.colleague, member, LookReason(asked["reason"]), asked["words"], now_ms
            )
    if wait_s:
        _LOG.warning("looks_throttled", remedy="ask who of the staff tries ids or addresses that are no member's")
        raise Problem(ProblemKind.THROTTLED, retry_after_s=wait_s)
    if look is None:
        _LOG.info("look_nobody")
    return look


def _list(name: str, who: Staff, schema: type[Shown], page: Any, asked: dict[str, Any]) -> Response:
    path = f"/console/{name}"
    return console_door.show(
        f"{name}.html", who, rows=console_door.shown(schema, page.rows), asked=asked,
        onward=page.after and console_door.address(path, done=asked["done"], after=page.after),
        first=asked["after"] and console_door.address(path, done=asked["done"]),
    )  # fmt: skip


def _form(who: Staff, status: int = 200, wrong: tuple[str, ...] = ()) -> Response:
    reasons = [(one.value, gettext(label)) for one, label in REASONS.items()]
    return console_door.show("members.html", who, status, reasons=reasons, wrong=wrong, most=MOST_WORDS)


def _look(who: Staff, handle: str, wanted: str) -> Response:
    with asking.writing() as connection:
        found = console_member.show(
            connection, asking.parts().keys, who.colleague, _id(handle),
            Section(wanted) if wanted else Section.CHOICES, asking.now_ms(),
        )  # fmt: skip
    if found is None:
        return console_door.show("look_over.html", who, 404)
    tabs = [
        {"address": f"/console/looks/{handle}?section={one.value}", "label": gettext(SECTIONS[one]),
         "here": one is found.section}
        for one in console_member.sections(who.colleague, question=Section.QUESTION in found.look.sections)
    ]  # fmt: skip
    places = [] if found.choices is None else [*found.choices.stores, *found.choices.brands]
    return console_door.show(
        "look.html", who, tabs=tabs, section=found.section.value, heading=gettext(SECTIONS[found.section]),
        reason=gettext(REASONS[found.look.reason]), because=found.look.words, member_id=found.member, handle=handle,
        mode="" if found.choices is None else found.choices.mode.name.lower(),
        name="" if found.choices is None else found.choices.name.name.lower(),
        mutes=0 if found.choices is None else len(found.choices.mutes),
        places=console_door.shown(PlaceShown, places),
        history=console_door.shown(PastShown, found.history),
        receipts=console_door.shown(ReceiptShown, found.receipts),
        exports=console_door.shown(ExportShown, found.exports),
        questions=console_door.shown(AskedShown, found.questions),
        question=None if found.question is None else pages.shown(AskedShown, found.question),
        about=None if found.about is None else pages.shown(ReceiptShown, found.about),
        may_answer=who.colleague.may(View.ANSWER),
        values=console_door.shown(ValueShown, found.values),
    )  # fmt: skip


def _id(handle: str, length: int = _ID_BYTES) -> bytes:
    """The bytes of a handle; what is none finds nothing."""
    try:
        found = bytes.fromhex(handle)
    except ValueError:
        found = b""
    return found if len(found) == length else bytes(length)
