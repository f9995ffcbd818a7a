"""The app's calls about what is the member's own: profile, purchases, the call for help, the mirror, proposals, mutes.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Any

from flask.views import MethodView

from hq import choices, choosing, confirming, felt, help_state, moments, notices, own_profile, proposals, purchases
from hq.errors import Reason, Refused
from hq.felt import Line
from hq.mirror import Seen, mirror
from hq.moments import Moment
from hq.purchases_told import WHOLE, Held, Mark
from hq.web import asking, me_lines
from hq.web import me_own_schemas as schemas
from hq.web.api import MEMBER, Calls
from hq.web.errors import Problem, ProblemKind
from hq.web.me_choices_api import office
from hq.web.me_lines import Malformed
from hq.web.me_once import once
from wire.items import MuteKind
from wire.member import Muted, Value

calls = Calls("me-own", "/me", "What HQ holds of the member, and what a store would show of it.")
_ORDER = ("delete", "drop", "confirm", "correct", "")
_SETS = frozenset({"confirm", "correct"})
_MARKS = {"gift": Mark.GIFT, "not-mine": Mark.NOT_MINE}


@calls.route("/profile")
class Profile(MethodView):
    """Every value with its source and dates."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.ProfileShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """All values."""
        return _profile(asking.member())

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.ProfileAsked)
    @calls.gives(200, schemas.ProfileShown)
    @calls.problems(401)
    def patch(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Deletes, confirms, corrects; what is deleted goes first. Each by itself: what is refused is listed."""
        member = asking.member()
        listed = sorted(enumerate(asked["changes"]), key=lambda one: _ORDER.index(_act(one[1])))
        refusals = me_lines.each(listed, lambda change: _change_value(member, change), lambda one: _act(one) in _SETS)
        if refusals:
            raise me_lines.problem(refusals)
        return _profile(member)


def _act(change: Any) -> str:
    return str((change.said if isinstance(change, Malformed) else change).get("act", ""))


def _profile(member: asking.Member) -> dict[str, Any]:
    with asking.reading() as connection:
        keys = asking.parts().keys
        return {
            "kept": own_profile.is_kept(connection, keys, member.id),
            "values": own_profile.of_member(connection, keys, member.id, asking.now_ms()),
        }


def _change_value(member: asking.Member, change: Any) -> None:
    if isinstance(change, Malformed):
        raise change.problem
    counter, now_ms, scope = office(), asking.now_ms(), change["scope"]
    match change["act"]:
        case "delete":
            own_profile.forget(counter, member.id, [scope], now_ms)
        case "confirm":
            own_profile.confirm(counter, member.id, [scope], now_ms)
        case "drop":
            if "item" not in change:
                raise Refused(Reason.MALFORMED, "item", "the entry of the list")
            own_profile.drop_item(counter, member.id, scope, change["item"], now_ms)
        case _:
            if ("text" in change) == ("texts" in change):
                raise Refused(Reason.MALFORMED, "text", "one of `text` and `texts`")
            value = Value(text=change["text"]) if "text" in change else Value(texts=tuple(change["texts"]))
            own_profile.correct(counter, member.id, scope, value, now_ms, member.method)


def _named(asked: dict[str, Any], name: str) -> Any:
    if name not in asked:
        raise Problem(ProblemKind.MALFORMED, fields=(name,))
    return asked[name]


@calls.route("/purchases")
class Purchases(MethodView):
    """What the member bought, returned, or had served."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.PurchasesShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """All of it, the newest first."""
        member = asking.member()
        with asking.reading() as connection:
            one = choices.opened(connection, asking.parts().keys, member.id)
            found = purchases.of_members(connection, {one.reference: one})[one.reference]
        return {"purchases": [_bought(held) for held in found]}

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.PurchaseMarked)
    @calls.gives(204)
    @calls.problems(401, 404)
    def patch(self, asked: dict[str, Any]) -> None:
        """Says that a purchase, or a line of it, was a gift or not the member's; it counts for nothing from then on."""
        said = None if asked["mark"] is None else _MARKS[asked["mark"]]
        _mark(asking.member(), asked["purchase"], asked.get("item"), said)


@calls.route("/purchases/<purchase>")
class OnePurchase(MethodView):
    """One of them."""

    @calls.secured_by(*MEMBER)
    @calls.gives(204)
    @calls.problems(401, 404)
    def delete(self, purchase: str) -> None:
        """Deletes it, in every store; no system brings it back."""
        member, parts = asking.member(), asking.parts()
        try:
            wanted = bytes.fromhex(purchase)
        except ValueError:
            raise Problem(ProblemKind.NOT_FOUND) from None
        try:
            purchases.forget_one(parts.engine, parts.keys, member.id, wanted, asking.now_ms())
        except Refused as error:
            if error.reason is Reason.UNKNOWN_PURCHASE:
                raise Problem(ProblemKind.NOT_FOUND) from None
            raise


def _mark(member: asking.Member, purchase: bytes, item: str | None, said: Mark | None) -> None:
    parts = asking.parts()
    try:
        purchases.mark(parts.engine, parts.keys, member.id, purchase, item, said, asking.now_ms())
    except Refused as error:
        if error.reason is Reason.UNKNOWN_PURCHASE:
            raise Problem(ProblemKind.NOT_FOUND) from None
        raise


def _bought(held: Held) -> dict[str, Any]:
    said = held.said
    lines = [
        {"item": one.item, "label": one.label, "quantity": one.quantity, "mark": held.mark_of(one.item)}
        for one in said.lines
    ]
    return {
        "id": held.id, "kind": said.kind, "store": said.store, "source": said.system, "at_s": said.at_s,
        "subject": said.subject, "lines": lines, "mark": held.marks.get(WHOLE),
    }  # fmt: skip


@calls.route("/help")
class Help(MethodView):
    """The member's call for help."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.HelpShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """Whether it waits, somebody is on the way, or it is done; nothing of who comes."""
        member = asking.member()
        with asking.reading() as connection:
            found = help_state.of_member(connection, member.reference, asking.now_ms())
        if found is None:
            return {"state": "none"}
        return {"state": found.state.value, "store": found.store, "called_ms": found.called_ms,
                "since_ms": found.since_ms}  # fmt: skip


@calls.route("/mirror")
class Mirrored(MethodView):
    """What an associate would see."""

    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.MirrorAsked, location="query")
    @calls.gives(200, schemas.MirrorShown)
    @calls.problems(401, 404)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Exactly the card that an associate of that store would see now."""
        member = asking.member()
        with asking.reading() as connection:
            found = mirror(
                connection, asking.parts().keys, member.id, asked["store"], asking.now_ms(),
                role=asked.get("role"), zone=asked.get("zone"),
            )  # fmt: skip
        named = {name: getattr(found, name) for name in ("store", "label", "role", "role_label")}
        return {**named, "walking": _seen(found.walking), "asked": _seen(found.asked)}


def _seen(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    card = seen.card
    sections = [{"section": part.value, "lines": lines} for part, lines in seen.sections.items()]
    return {"help": card.help, "zone_label": card.zone_label, "name": card.name, "lead": card.lead,
            "sections": sections}  # fmt: skip


@calls.route("/mutes")
class Mutes(MethodView):
    """What the member wants no suggestion of."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.MutesShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """The list."""
        member = asking.member()
        with asking.reading() as connection:
            return {"mutes": choices.mutes(connection, asking.parts().keys, member.id)}

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.MuteAsked)
    @calls.gives(204)
    @calls.problems(401, 404)
    def post(self, asked: dict[str, Any]) -> None:
        """Mutes an item, a category or a theme for good; says that something was a gift, or felt creepy."""
        member = asking.member()
        match asked["what"]:
            case "felt-creepy":
                store, scope, purpose = (_named(asked, name) for name in ("store", "scope", "purpose"))
                line = Line(store, scope, purpose, asked.get("item"), asked.get("receipt"))
                felt.note(office(), member.id, line, asking.now_ms(), member.method)
            case "gift" | "not-mine":
                _mark(member, _named(asked, "purchase"), asked.get("item"), _MARKS[asked["what"]])
            case what:
                muted = Muted(MuteKind(what), _named(asked, "id"))
                choosing.mute(office(), member.id, muted, asking.now_ms(), member.method)

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.MuteGone, location="query")
    @calls.gives(204)
    @calls.problems(401, 404)
    def delete(self, asked: dict[str, Any]) -> None:
        """Takes one back; where there is none, nothing changes."""
        member = asking.member()
        if asked["what"] in _MARKS:
            _mark(member, _named(asked, "purchase"), asked.get("item"), None)
            return
        muted = Muted(MuteKind(asked["what"]), _named(asked, "id"))
        choosing.unmute(office(), member.id, muted, asking.now_ms(), member.method)


@calls.route("/proposals")
class Proposals(MethodView):
    """What associates proposed for the member's lists."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.ProposalsShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """What stands, the newest first; after seven days it is gone by itself."""
        member = asking.member()
        with asking.reading() as connection:
            keys, now_ms = asking.parts().keys, asking.now_ms()
            return {"proposals": proposals.of_member(connection, keys, member.reference, now_ms)}

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.ProposalAnswered)
    @calls.gives(204)
    @calls.problems(401, 404)
    def post(self, asked: dict[str, Any]) -> None:
        """Puts it onto the list, or takes it away."""
        member = asking.member()
        if asked["answer"] == "confirm":
            done = confirming.confirm(office(), member.id, asked["ref"], asking.now_ms(), member.method)
        else:
            done = confirming.decline(office(), member.id, asked["ref"])
        if not done:
            raise Problem(ProblemKind.NOT_FOUND)


@calls.route("/moments")
class Moments(MethodView):
    """Moments at which something may be asked."""

    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.MomentAsked, location="query")
    @calls.gives(200, schemas.MomentShown)
    @calls.problems(401)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One purpose to ask about, with its notice, or none: then nothing is to be asked until another moment."""
        member, keys, now_ms = asking.member(), asking.parts().keys, asking.now_ms()
        store, language = asked.get("store"), asked["language"]
        with asking.writing() as connection:
            found = moments.ask(connection, keys, member.id, Moment(asked["moment"]), now_ms, store)
            if found is None:
                return {"ask": None}
            listed = notices.serve(
                connection, keys, member.id, language, member.method, now_ms, store=store, purposes=[found.purpose]
            )
        told = {"ask": found.purpose, "because": found.why}
        if not listed:
            return told
        said = listed[0].in_(language)
        shown = {name: getattr(said, name) for name in ("language", "label", "what", "how", "why", "benefit")}
        return {**told, "notice": {"hash": listed[0].hash, **shown}}
