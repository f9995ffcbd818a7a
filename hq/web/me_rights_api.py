"""The app's calls about the member's rights: receipts and questions about them, exports, the erasure.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from base64 import b64encode
from dataclasses import asdict
from typing import Any, Final

from flask.views import MethodView
from sqlalchemy import Connection

from hq import choosing, consent_export, erasure, exports, questions, receipts
from hq.limits import Limit
from hq.questions import QuestionKind
from hq.web import asking
from hq.web import me_rights_schemas as schemas
from hq.web.api import MEMBER, Calls
from hq.web.errors import Problem, ProblemKind
from hq.web.ledger_pages import controller
from hq.web.me_choices_api import office
from hq.web.me_once import once

_LIMIT: Final = Limit(burst=20, each_ms=6_000)

calls = Calls("me-rights", "", "Who saw what, all that is held of the member, and its end.")


@calls.route("/me/receipts")
class Receipts(MethodView):
    """Who saw what, when and why."""

    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.ReceiptsAsked, location="query")
    @calls.gives(200, schemas.ReceiptsShown)
    @calls.problems(401, 404)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The newest first; of one that is asked for by `event`, the proof that it stands in the store's log."""
        member, keys = asking.member(), asking.parts().keys
        with asking.reading() as connection:
            found = receipts.of_member(connection, keys, member.reference)
            if "event" in asked:
                chosen = [asdict(one) for one in found if one.event == asked["event"]]
                for one in chosen:
                    proof = _proof(connection, member, asked["event"])
                    if proof is not None:
                        one["proof"] = proof
                if not chosen:
                    raise Problem(ProblemKind.NOT_FOUND)
                return {"receipts": chosen, "more": False}
        names = [one.event for one in found]
        if asked.get("after") is not None and asked["after"] not in names:
            raise Problem(ProblemKind.NOT_FOUND)
        begin = names.index(asked["after"]) + 1 if "after" in asked else 0
        page = found[begin : begin + asked["limit"]]
        return {"receipts": [asdict(one) for one in page], "more": begin + len(page) < len(found)}


def _proof(connection: Connection, member: asking.Member, event: str) -> dict[str, Any] | None:
    try:
        return receipts.prove(connection, asking.parts().keys, member.reference, event)
    except LookupError:
        return None  # rows of the log are missing: that is an alarm elsewhere, and here there is no proof


@calls.route("/me/questions")
class Questions(MethodView):
    """Questions about a line of the receipts."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.QuestionsShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """Each with its answer, or by when there is one."""
        member = asking.member()
        with asking.reading() as connection:
            return {"questions": questions.of_member(connection, asking.parts().keys.custody, member.reference)}

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.QuestionAsked)
    @calls.gives(201, schemas.QuestionShown)
    @calls.problems(401)
    def post(self, asked: dict[str, Any]) -> Any:
        """Asks the retailer's privacy team about a line."""
        member, keys, now_ms = asking.member(), asking.parts().keys, asking.now_ms()
        with asking.writing() as connection:
            one = choosing.lock(connection, office(), member.id)
            kind = QuestionKind(asked["kind"])
            made = questions.ask(
                connection, keys, one, asked["event"], kind, asked["words"], asked["language"], now_ms
            )  # fmt: skip
            listed = questions.of_member(connection, keys.custody, one.reference)
        return next(question for question in listed if question.id == made)


@calls.route("/me/exports")
class Exports(MethodView):
    """All that HQ and every store hold of the member."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.ExportsShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """Those that can be fetched, and how far each store is."""
        return {"exports": _exports(asking.member())}

    @once
    @calls.secured_by(*MEMBER)
    @calls.gives(202, schemas.ExportShown)
    @calls.problems(401, 422)
    def post(self) -> Any:
        """Asks HQ and every store; stores that are off answer when they are back, within a week."""
        member, parts = asking.member(), asking.parts()
        made = exports.ask(parts.engine, parts.keys, member.id, asking.now_ms())
        return next(one for one in _exports(member) if one.reference == made)


def _exports(member: asking.Member) -> list[exports.Export]:
    with asking.reading() as connection:
        return exports.of_member(connection, asking.parts().keys, member.id, asking.now_ms())


@calls.route("/me/exports/<reference>")
class OneExport(MethodView):
    """One of them."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.ExportWhole)
    @calls.problems(401, 404)
    def get(self, reference: str) -> Any:
        """All of it, as far as it is there: `complete` says whether more can come."""
        member, keys = asking.member(), asking.parts().keys
        with asking.writing() as connection:
            found = exports.gather(connection, keys, member.id, _reference(reference), asking.now_ms(), controller())
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        return found, 200, {"Content-Disposition": 'attachment; filename="my-data.json"'}


def _reference(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != exports.REFERENCE_BYTES:
        raise Problem(ProblemKind.NOT_FOUND)
    return found


@calls.route("/me/consents")
class Consents(MethodView):
    """Proof of every choice."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.ConsentsShown)
    @calls.problems(401)
    def get(self) -> Any:
        """Every choice as a consent record, with the text that was shown and a signed receipt."""
        member, keys = asking.member(), asking.parts().keys
        with asking.writing() as connection:
            return consent_export.export(connection, keys, member.id, controller(), asking.now_ms())


@calls.route("/me/erasure")
class Erasure(MethodView):
    """The end of all of it."""

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.ErasureAsked)
    @calls.gives(202, schemas.ErasureShown)
    @calls.problems(401)
    def post(self, asked: dict[str, Any]) -> Any:
        """Erases the member here, and orders every store to; the reference follows it from now on."""
        member, parts = asking.member(), asking.parts()
        made = erasure.erase(parts.engine, parts.keys, member.id, asking.now_ms())
        return _erasure(made)


@calls.route("/erasures/<reference>")
class OneErasure(MethodView):
    """An erasure, for whoever holds its reference."""

    @calls.gives(200, schemas.ErasureShown)
    @calls.problems(404, 429)
    def get(self, reference: str) -> Any:
        """How far each store is, with what it signed."""
        asking.limit(asking.peer(), "erasures", _LIMIT)
        return _erasure(_reference(reference))


def _erasure(reference: bytes) -> dict[str, Any]:
    with asking.reading() as connection:
        found = erasure.of_reference(connection, reference)
        proofs = exports.proofs(connection, reference)
    if found is None:
        raise Problem(ProblemKind.NOT_FOUND)
    told = [
        {"store": one.store, "progress": one.progress.value, "done_ms": one.done_ms, "identity": one.identity,
         "signed": [b64encode(part).decode() for part in one.envelopes]}
        for one in proofs
    ]  # fmt: skip
    return {"reference": reference, "asked_ms": found.asked_ms, "is_done": found.is_done, "stores": told}
