"""What the retailer holds of a member: every value with its source, to correct, confirm and delete; purchases to mark.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

from typing import Any, Final

from flask import Response, request
from marshmallow import fields, validate

from hq import choices, own_profile, purchases
from hq.own_profile import Own
from hq.purchases_told import SCOPES, SURFACE, Held, Kind, Mark
from hq.web import asking, centre_pages, centre_times, centre_who, centre_words, pages, schemas
from hq.web.asking import Member
from runtime.base64url import to_text
from runtime.web_languages import mark
from wire.member import Value
from wire.policy import ValueType

PROFILE: Final = "/centre/profile"
PURCHASES: Final = "/centre/purchases"
_MOST_TEXT: Final = 512
_MOST_TEXTS: Final = 4000
_PAGE: Final = 50
_CORRECTED: Final = mark("Saved as your own word.")
_CONFIRMED: Final = mark("Thank you. It counts as confirmed today.")
_DELETED: Final = mark("Deleted, here and in every store.")
_MARKED: Final = mark("Noted. Nobody is shown it, and no suggestion is made from it.")
_UNMARKED: Final = mark("It counts as yours again.")


class CorrectAsked(schemas.Asked):
    """A new value: a text, or some, one a line."""

    scope = schemas.text(64)
    text = fields.String(required=True, validate=validate.Length(1, _MOST_TEXTS))


class ScopeAsked(schemas.Asked):
    """A value."""

    scope = schemas.text(64)


class ItemAsked(schemas.Asked):
    """One entry of a list."""

    scope = schemas.text(64)
    item = schemas.text(64)


class PurchaseAsked(schemas.Asked):
    """A purchase."""

    purchase = schemas.Token(16, required=True)


class MarkAsked(schemas.Asked):
    """What the member says of something bought."""

    purchase = schemas.Token(16, required=True)
    item = schemas.text(64)
    mark = schemas.word("gift", "not-mine", "none")


_MARKS: Final = {"gift": Mark.GIFT, "not-mine": Mark.NOT_MINE, "none": None}


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-profile")

    @part.get("/centre/profile")
    def profile() -> Response:
        """Every value."""
        return _profile(centre_who.member())

    @part.post("/centre/profile")
    def correct() -> Response:
        """The member's own word in the place of what stood there."""
        who = centre_who.member()
        sent = pages.form(CorrectAsked)
        scope = sent["scope"]
        own_profile.correct(
            centre_who.counter(), who.id, scope, _value(who, scope, sent["text"]), asking.now_ms(), who.method
        )
        return centre_pages.changed(PROFILE, _CORRECTED, lambda: _profile(who))

    @part.post("/centre/profile/confirm")
    def confirm() -> Response:
        """It is still right."""
        who = centre_who.member()
        own_profile.confirm(centre_who.counter(), who.id, [pages.form(ScopeAsked)["scope"]], asking.now_ms())
        return centre_pages.changed(PROFILE, _CONFIRMED, lambda: _profile(who))

    @part.post("/centre/profile/delete")
    def delete() -> Response:
        """A value, at once."""
        who = centre_who.member()
        own_profile.forget(centre_who.counter(), who.id, [pages.form(ScopeAsked)["scope"]], asking.now_ms())
        return centre_pages.changed(PROFILE, _DELETED, lambda: _profile(who))

    @part.post("/centre/profile/items/delete")
    def drop() -> Response:
        """One entry of a list."""
        who = centre_who.member()
        sent = pages.form(ItemAsked)
        own_profile.drop_item(centre_who.counter(), who.id, sent["scope"], sent["item"], asking.now_ms())
        return centre_pages.changed(PROFILE, _DELETED, lambda: _profile(who))

    @part.get("/centre/purchases")
    def bought() -> Response:
        """What was bought, given back and mended."""
        return _purchases(centre_who.member())

    @part.post("/centre/purchases")
    def marked() -> Response:
        """A gift, or not the member's own; or neither after all."""
        who = centre_who.member()
        sent = pages.form(MarkAsked)
        parts, said = asking.parts(), _MARKS[sent["mark"]]
        purchases.mark(parts.engine, parts.keys, who.id, sent["purchase"], sent["item"], said, asking.now_ms())
        return centre_pages.changed(_purchases_at(), _UNMARKED if said is None else _MARKED, lambda: _purchases(who))

    @part.post("/centre/purchases/delete")
    def unbought() -> Response:
        """One of them, whole."""
        who, parts = centre_who.member(), asking.parts()
        purchases.forget_one(parts.engine, parts.keys, who.id, pages.form(PurchaseAsked)["purchase"], asking.now_ms())
        return centre_pages.changed(_purchases_at(), _DELETED, lambda: _purchases(who))

    return part


def _value(who: Member, scope: str, sent: str) -> Value:
    """What was typed, in the form that the scope has."""
    with asking.reading() as connection:
        rule = own_profile.declared(connection).get(scope)
    if rule is not None and rule.value_type is ValueType.TEXTS:
        return Value(texts=tuple(dict.fromkeys(line.strip() for line in sent.splitlines() if line.strip())))
    return Value(text=" ".join(sent.split()))


def _profile(who: Member) -> Response:
    with asking.reading() as connection:
        held = own_profile.of_member(connection, asking.parts().keys, who.id, asking.now_ms())
        kept = own_profile.is_kept(connection, asking.parts().keys, who.id)
        known = {one.scope for one in held}
        empty = [rule for scope, rule in own_profile.declared(connection).items() if scope not in known]
    return centre_pages.page(
        "profile",
        kept=kept,
        values=[_own(one) for one in held],
        empty=[
            {
                "scope": rule.id,
                "label": rule.label,
                "lines": rule.value_type is ValueType.TEXTS,
                "special": rule.special,
            }
            for rule in empty
            if kept and rule.value_type is not ValueType.ITEMS and rule.id not in SCOPES
        ],
    )


def _own(one: Own) -> dict[str, Any]:
    field = one.field
    return {
        "scope": one.scope,
        "label": one.label,
        "special": one.special,
        "lines": one.type is ValueType.TEXTS,
        "text": "\n".join(field.value.texts or ()) if one.type is ValueType.TEXTS else field.value.text or "",
        "texts": list(field.value.texts or ()),
        "items": [
            {"item": item.item, "label": item.label, "returned": item.returned, "quantity": item.quantity or 1}
            for item in field.value.items or ()
        ],
        "source": centre_words.source(field.source, field.surface, field.collected_s, field.confirmed_s),
        "bought": field.surface == SURFACE,
        "stale": one.stale,
        "editable": one.editable,
    }


def _purchases_at() -> str:
    at = _offset()
    return f"{PURCHASES}?from={at}" if at else PURCHASES


def _offset() -> int:
    sent = request.args.get("from", "0")
    return int(sent) if sent.isascii() and sent.isdecimal() and len(sent) < 6 else 0


def _purchases(who: Member) -> Response:
    with asking.reading() as connection:
        one = choices.opened(connection, asking.parts().keys, who.id)
        held = purchases.of_members(connection, {one.reference: one})[one.reference]
    start = _offset()
    shown = held[start : start + _PAGE]
    known = centre_who.policies(sorted({each.said.store for each in shown if each.said.store}))
    labels = {store: policy.store.label for store, policy in known.items()}
    return centre_pages.page(
        "purchases",
        purchases=[_purchase(each, labels) for each in shown],
        here_at=_purchases_at(),
        here_from=start,
        newer=max(0, start - _PAGE) if start else None,
        older=start + _PAGE if len(held) > start + _PAGE else None,
    )


def _purchase(held: Held, labels: dict[str, str]) -> dict[str, Any]:
    said = held.said
    return {
        "id": to_text(held.id),
        "kind": said.kind.name.lower(),
        "store": labels.get(said.store, said.store),
        "date": centre_times.day(said.at_s * 1000),
        "subject": said.subject,
        "open": said.is_open,
        "marks": said.kind is not Kind.SERVICE,
        "lines": [
            {
                "item": line.item,
                "label": line.label,
                "quantity": line.quantity,
                "mark": {Mark.GIFT: "gift", Mark.NOT_MINE: "not-mine", None: ""}[held.mark_of(line.item)],
            }
            for line in said.lines
        ],
    }
