"""A member's phones, and all that is held: a copy from HQ and every store, and the erasure of it, with their progress.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

import json
from typing import Any, Final

from flask import Response, request
from sqlalchemy import Connection, select

from hq import erasure, exports
from hq.erasure import REFERENCE_BYTES, Progress
from hq.errors import Reason, Refused
from hq.exports import Export
from hq.limits import Limit
from hq.tables import phones as phone_rows
from hq.tables import stores as store_rows
from hq.web import asking, centre_pages, centre_times, centre_who, pages, schemas
from hq.web.asking import Member
from hq.web.errors import Problem, ProblemKind
from hq.web.ledger_pages import controller
from runtime.base64url import from_text, to_text
from runtime.web_languages import gettext, mark

PHONES: Final = "/centre/phones"
COPY: Final = "/centre/copy"
_PHONE_BYTES: Final = 8
_LIMIT: Final = Limit(burst=20, each_ms=6_000)
_REMOVED: Final = mark("No store recognises this phone any more.")
_ASKED: Final = mark("Every store that knows you has been asked. Your copy is ready when all have answered.")
_WAITS: Final = mark("You have asked already. Please wait until the stores have answered.")
_PROGRESS: Final[dict[Progress, str]] = {
    Progress.WAITING: mark("%(store)s has not answered yet."),
    Progress.DONE: mark("%(store)s answered on %(date)s."),
    Progress.FAILED: mark("%(store)s could not answer."),
}
_ERASING: Final[dict[Progress, str]] = {
    Progress.WAITING: mark("%(store)s has not confirmed yet."),
    Progress.DONE: mark("%(store)s erased everything on %(date)s, and signed that it did."),
    Progress.FAILED: mark("%(store)s could not confirm. We look into it."),
}


class PhoneAsked(schemas.Asked):
    """A phone."""

    phone = schemas.Token(_PHONE_BYTES, required=True)


class EraseAsked(schemas.Asked):
    """The erasure cannot be taken back, so it is asked for twice."""

    sure = schemas.word("yes", required=False, load_default="")


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-own")

    @part.get("/centre/phones")
    def phones() -> Response:
        """Which phones may be recognised."""
        return _phones(centre_who.member())

    @part.post("/centre/phones")
    def remove() -> Response:
        """From now on no store recognises it."""
        who = centre_who.member()
        centre_who.counter().remove_phone(who.id, pages.form(PhoneAsked)["phone"], asking.now_ms())
        return centre_pages.changed(PHONES, _REMOVED, lambda: _phones(who))

    @part.get("/centre/copy")
    def copy() -> Response:
        """What was asked for, and how far it is."""
        return _copy(centre_who.member())

    @part.post("/centre/copy")
    def ask() -> Response:
        """Asks every store."""
        who = centre_who.member()
        said = _ASKED
        try:
            exports.ask(asking.parts().engine, asking.parts().keys, who.id, asking.now_ms())
        except Refused as refused:
            if refused.reason is not Reason.TOO_MANY:
                raise
            said = _WAITS
        return centre_pages.changed(COPY, said, lambda: _copy(who))

    @part.get("/centre/copy/file")
    def fetch() -> Response:
        """All of it in one file."""
        who = centre_who.member()
        reference = from_text(request.args.get("copy", ""), REFERENCE_BYTES)
        with asking.writing() as connection:
            found = None
            if reference is not None:
                found = exports.gather(
                    connection, asking.parts().keys, who.id, reference, asking.now_ms(), controller()
                )
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        response = Response(json.dumps(found, indent=2, ensure_ascii=False), content_type="application/json")
        response.headers["Content-Disposition"] = 'attachment; filename="copy.json"'
        return response

    @part.get("/centre/erasure")
    def erasing() -> Response:
        """What goes, before it goes."""
        centre_who.member()
        return centre_pages.page("erase")

    @part.post("/centre/erasure")
    def erase() -> Response:
        """Erases the member; the session ends with it."""
        who = centre_who.member()
        if pages.form(EraseAsked)["sure"] != "yes":
            return centre_pages.page("erase", 422, wrong=True)
        parts = asking.parts()
        reference = erasure.erase(parts.engine, parts.keys, who.id, asking.now_ms())
        response = pages.done(f"/erasure/{to_text(reference)}")
        parts.cookies.drop(response, parts.cookies.session)
        return response

    @part.get("/erasure/<reference>")
    def erased(reference: str) -> Response:
        """How far an erasure is, for whoever has its reference: nobody is signed in any more."""
        asking.limit(asking.peer(), "erasures", _LIMIT)
        named = from_text(reference, REFERENCE_BYTES)
        with asking.reading() as connection:
            one = None if named is None else erasure.of_reference(connection, named)
            labels = _labels(connection)
        if one is None:
            raise Problem(ProblemKind.NOT_FOUND)
        said = [_told(_ERASING[each.progress], each.store, each.done_ms, labels) for each in one.stores]
        return pages.show(
            "centre/erased.html", asked=centre_times.day(one.asked_ms), stores=said, done=one.is_done,
            reference=reference,
        )  # fmt: skip

    return part


def _labels(connection: Connection) -> dict[str, str]:
    return {row.id: row.label for row in connection.execute(select(store_rows.c.id, store_rows.c.label))}


def _phones(who: Member) -> Response:
    with asking.reading() as connection:
        wanted = select(phone_rows.c.id, phone_rows.c.added_ms).where(phone_rows.c.member == who.reference)
        rows = connection.execute(wanted.order_by(phone_rows.c.added_ms, phone_rows.c.id)).all()
    listed = [{"id": to_text(row.id), "added": centre_times.day(row.added_ms)} for row in rows]
    return centre_pages.page("phones", phones=listed)


def _copy(who: Member) -> Response:
    with asking.reading() as connection:
        found = exports.of_member(connection, asking.parts().keys, who.id, asking.now_ms())
        labels = _labels(connection)
    return centre_pages.page("copy", copies=[_export(one, labels) for one in found])


def _export(one: Export, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "reference": to_text(one.reference),
        "asked": centre_times.day(one.asked_ms),
        "until": centre_times.day(one.until_ms),
        "done": one.is_done,
        "stores": [_told(_PROGRESS[each.progress], each.store, each.done_ms, labels) for each in one.stores],
    }


def _told(sentence: str, store: str, done_ms: int | None, labels: dict[str, str]) -> str:
    date = "" if done_ms is None else centre_times.day(done_ms)
    return gettext(sentence, store=labels.get(store, store), date=date)
