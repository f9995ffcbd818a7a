"""What the app's calls about the member's own take and give: profile, purchases, help, mirror, mutes, proposals.

Pure: no I/O, no clock.
"""

from marshmallow import fields, validate

from hq.moments import Moment
from hq.web.me_schemas import Hex, MuteShown, Seconds, Told, Word, one_by_one, some, store_id
from hq.web.schemas import Asked, Instant, Query, language, word
from hq.web.schemas import text as printed

# --- profile and purchases --------------------------------------------------------------------------------------------


class ItemShown(Told):
    """One entry of a list."""

    item = fields.String()
    label = fields.String()
    at = Seconds(attribute="at_s")
    quantity = fields.Integer()
    returned = fields.Boolean()


class ValueShown(Told):
    """One value, with where it came from and when."""

    scope = fields.String()
    label = fields.String()
    type = Word()
    special = fields.String()
    text = fields.String(attribute="field.value.text")
    texts = fields.List(fields.String(), attribute="field.value.texts")
    items = fields.List(fields.Nested(ItemShown), attribute="field.value.items")
    source = Word(
        attribute="field.source", metadata={"description": "`zero`: your own word, `first`, `second`, `third`"}
    )
    surface = fields.String(attribute="field.surface")
    value_class = Word(attribute="field.value_class")
    collected_at = Seconds(attribute="field.collected_s")
    confirmed_at = Seconds(attribute="field.confirmed_s")
    stale = fields.Boolean(metadata={"description": "older than policy allows: asked for again, and not shown"})
    editable = fields.Boolean()


class ProfileShown(Told):
    """All values. `kept` false: the member is too young for a profile, or of no known age; nothing can be added."""

    kept = fields.Boolean()
    values = fields.List(fields.Nested(ValueShown))


class ValueChange(Asked):
    """One change of the profile."""

    act = word("delete", "drop", "confirm", "correct")
    scope = printed(64)
    text = printed(512, required=False)
    texts = some(printed(512), 64)
    item = printed(64, required=False, metadata={"description": "of `drop`: the entry of the list"})


class ProfileAsked(Asked):
    """Some changes of the profile."""

    changes = one_by_one(ValueChange)


class BoughtShown(Told):
    """One line of a purchase."""

    item = fields.String()
    label = fields.String()
    quantity = fields.Integer()
    mark = Word(metadata={"description": "`gift`, `not-mine`, or none"})


class PurchaseShown(Told):
    """A purchase, a return or a service case."""

    id = Hex(16)
    kind = Word()
    store = fields.String(metadata={"description": "empty: online"})
    source = fields.String(metadata={"description": "the system that told of it"})
    at = Seconds(attribute="at_s")
    subject = fields.String()
    lines = fields.List(fields.Nested(BoughtShown))
    mark = Word(metadata={"description": "of the whole"})


class PurchasesShown(Told):
    """All of them, the newest first."""

    purchases = fields.List(fields.Nested(PurchaseShown))


class PurchaseMarked(Asked):
    """What a purchase, or a line of it, was. `mark` null takes it back."""

    purchase = Hex(16, required=True)
    item = printed(64, required=False)
    mark = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(["gift", "not-mine"])
    )  # fmt: skip


# --- help, mirror -----------------------------------------------------------------------------------------------------


class HelpShown(Told):
    """The member's newest call for help; `state` is `none` where there is none of the last hour."""

    state = fields.String(metadata={"description": "`none`, `waiting`, `on-the-way`, `done`, `ended`"})
    store = fields.String()
    called_at = Instant(attribute="called_ms")
    since = Instant(attribute="since_ms")


class MirrorAsked(Query):
    """Whose view."""

    store = store_id()
    role = printed(64, required=False)
    zone = printed(64, required=False)


class WhyShown(Told):
    """Why a line is shown."""

    purpose = fields.String()
    label = fields.String(attribute="purpose_label")
    since = Instant(attribute="since_ms")
    until = Instant(attribute="until_ms")


class EntryShown(Told):
    """One entry of a line."""

    text = fields.String()
    at = Instant(attribute="at_ms")
    quantity = fields.Integer()
    returned = fields.Boolean()


class LineShown(Told):
    """One fact on the card."""

    scope = fields.String()
    label = fields.String()
    text = fields.String()
    entries = fields.List(fields.Nested(EntryShown))
    why = fields.Nested(WhyShown)


class SectionShown(Told):
    """A part of the card that is shown when it is asked for."""

    section = fields.String()
    lines = fields.List(fields.Nested(LineShown))


class SeenShown(Told):
    """What one look shows."""

    help = fields.Boolean()
    zone = fields.String(attribute="zone_label")
    name = fields.String(metadata={"description": "absent: not shown"})
    lead = fields.List(fields.Nested(LineShown))
    sections = fields.List(fields.Nested(SectionShown))


class MirrorShown(Told):
    """What an associate of the store would see now; null: nobody is told that the member is there."""

    store = fields.String()
    label = fields.String()
    role = fields.String()
    role_label = fields.String()
    walking = fields.Nested(SeenShown, allow_none=True)
    asked = fields.Nested(SeenShown, allow_none=True)


# --- mutes, proposals, moments ----------------------------------------------------------------------------------------


class MuteAsked(Asked):
    """What the member wants no more of: an item, a category or a theme; a gift; a line that felt creepy."""

    what = word("item", "category", "theme", "gift", "not-mine", "felt-creepy")
    id = printed(64, required=False, metadata={"description": "of item, category or theme"})
    purchase = Hex(16, metadata={"description": "of gift and not-mine"})
    item = printed(64, required=False, metadata={"description": "of a purchase, or of the line that felt creepy"})
    store = store_id(required=False)
    scope = printed(64, required=False)
    purpose = printed(64, required=False)
    receipt = printed(96, required=False)


class MuteGone(Query):
    """Which is taken back."""

    what = word("item", "category", "theme", "gift", "not-mine")
    id = printed(64, required=False)
    purchase = Hex(16)
    item = printed(64, required=False)


class MutesShown(Told):
    """What is muted."""

    mutes = fields.List(fields.Nested(MuteShown))


class ProposalShown(Told):
    """What an associate proposed."""

    ref = fields.String()
    item = fields.String()
    label = fields.String()
    quantity = fields.Integer()
    to = fields.String(metadata={"description": "`basket` or `wishlist`"})
    store = fields.String()
    role = fields.String()
    at = Instant(attribute="at_ms")
    until = Instant(attribute="until_ms")


class ProposalsShown(Told):
    """The newest first."""

    proposals = fields.List(fields.Nested(ProposalShown))


class ProposalAnswered(Asked):
    """The member's answer."""

    ref = printed(120)
    answer = word("confirm", "decline")


class MomentAsked(Query):
    """What just happened in the app."""

    moment = word(*(one.value for one in Moment))
    store = store_id(required=False)
    language = language(required=False, load_default="en")


class MomentNoticeShown(Told):
    """What is told of a purpose before it is chosen."""

    notice = Hex(32, attribute="hash", metadata={"description": "SHA-256 of the whole notice"})
    language = fields.String()
    label = fields.String()
    what = fields.String()
    how = fields.String()
    why = fields.String()
    benefit = fields.String()


class MomentShown(Told):
    """Whether to ask now. `ask` null: not now."""

    ask = fields.String(allow_none=True, metadata={"description": "the purpose to ask about"})
    because = Word(metadata={"description": "`never`: it was never chosen, `changed`: its notice, `expired`"})
    notice = fields.Nested(
        MomentNoticeShown, metadata={"description": "to be shown with the question; noted as served"}
    )
