"""What the app's calls take and give.

Pure: no I/O, no clock.
"""

from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from hq.choosing import LASTS_DAYS, MOST_DAYS
from hq.moments import Moment
from hq.questions import MOST_WORDS
from hq.web.schemas import Asked, Instant, Query, Shown, language, word
from hq.web.schemas import text as printed

_STORE: Final = r"^[a-z0-9-]{1,40}$"
MOST_CHANGES: Final = 50


class Hex(fields.Field[bytes]):
    """Bytes of a given length as hex digits."""

    def __init__(self, length_bytes: int, **options: Any) -> None:
        super().__init__(validate=None, **options)
        self.length_bytes = length_bytes

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return None if value is None else value.hex()

    def _deserialize(self, value: Any, *place: Any, **more: Any) -> bytes:
        if isinstance(value, str) and len(value) == 2 * self.length_bytes and value.isascii():
            try:
                found = bytes.fromhex(value)
            except ValueError:
                found = b""
            if len(found) == self.length_bytes:
                return found
        raise ValidationError(f"{2 * self.length_bytes} hex digits")


class Seconds(Instant):
    """A time: Unix seconds here, RFC 3339 there."""

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return super()._serialize(None if value is None else value * 1000, *place, **more)


class Word(fields.Field[Any]):
    """A member of a closed set, as its name in small letters."""

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return None if value is None else str(getattr(value, "name", value)).lower().replace("_", "-")


def store_id(**options: Any) -> fields.String:
    """A store's id."""
    options.setdefault("required", True)
    return fields.String(validate=validate.Regexp(_STORE), **options)


def some(one: fields.Field[Any], most: int, **options: Any) -> fields.List[Any]:
    """One to so many of these."""
    return fields.List(one, validate=validate.Length(1, most), **options)


# --- choices ----------------------------------------------------------------------------------------------------------


class ScopeShown(Shown):
    """One scope of a purpose."""

    scope = fields.String()
    label = fields.String()
    special = fields.String(metadata={"description": "the special category; empty of an ordinary scope"})
    given = fields.Boolean()
    since = Seconds(attribute="since_s")
    until = Seconds(attribute="until_s")


class PurposeShown(Shown):
    """One purpose at a store, or for a brand."""

    purpose = fields.String()
    label = fields.String()
    given = fields.Boolean()
    since = Seconds(attribute="since_s")
    until = Seconds(attribute="until_s")
    roles = fields.List(fields.String())
    notice = Hex(32, metadata={"description": "SHA-256 of the notice that is in force"})
    channel = fields.String(metadata={"description": "of a contact, such as `email`"})
    scopes = fields.List(fields.Nested(ScopeShown))


class ConfirmedShown(Shown):
    """How far a store has caught up with the member's last change."""

    step = Word(
        metadata={"description": "`confirmed`, `in-step`, `on-the-way`, `dark`, or `unchanged`: nothing was chosen"}
    )
    at = Instant(attribute="at_ms", metadata={"description": "since when, of `confirmed` and `in-step`"})
    until = Instant(attribute="until_ms", metadata={"description": "of `on-the-way`: what stood before ends by then"})


class StoreShown(Shown):
    """A store of the member's list."""

    store = fields.String()
    label = fields.String()
    brand = fields.String()
    added_at = Instant(attribute="added_ms")
    recognised = fields.Boolean()
    purposes = fields.List(fields.Nested(PurposeShown))
    confirmed = fields.Nested(ConfirmedShown)


class BrandShown(Shown):
    """What is chosen for a whole brand."""

    brand = fields.String()
    purposes = fields.List(fields.Nested(PurposeShown))


class MuteShown(Shown):
    """What the member wants no suggestion of."""

    what = Word()
    id = fields.String()


class ChoicesShown(Shown):
    """Everything that the member chose, as it stands."""

    mode = Word(metadata={"description": "`quiet`, `help` or `open`"})
    resumes_to = Word(metadata={"description": "the mode in which a pause ends"})
    name = Word(metadata={"description": "when the first name is shown: `never`, `invited`, `always`"})
    stores = fields.List(fields.Nested(StoreShown))
    brands = fields.List(fields.Nested(BrandShown))
    mutes = fields.List(fields.Nested(MuteShown))


class ChangeAsked(Asked):
    """One change. What a withdrawal does not name means all; `give` means the listed stores and ordinary scopes."""

    do = word(
        "leave", "withdraw", "pause", "remove-store", "refuse", "mode", "name", "resume", "add-store", "give",
        metadata={"description": "what takes away is done first, whatever becomes of the rest"},
    )  # fmt: skip
    mode = word("quiet", "help", "open", required=False)
    name = word("never", "invited", "always", required=False)
    purpose = printed(64, required=False)
    scopes = some(printed(64), 64)
    stores = some(store_id(), 50)
    store = fields.String(validate=validate.Length(1, 400), metadata={"description": "an id, or a store's QR code"})
    brand = store_id(required=False)
    notice = Hex(32, metadata={"description": "of the notice that was shown; left out: the one in force"})
    language = language(required=False)
    until_days = fields.Integer(validate=validate.Range(1, MOST_DAYS), load_default=LASTS_DAYS)


class ChangesAsked(Asked):
    """Some changes."""

    changes = some(fields.Nested(ChangeAsked), MOST_CHANGES, required=True)


# --- phones -----------------------------------------------------------------------------------------------------------


class PhoneAsked(Asked):
    """A phone is to be recognised."""

    notice = Hex(32, metadata={"description": "of the notice about presence that was shown"})


class PhoneMade(Shown):
    """A phone with its secret, told once."""

    id = Hex(8)
    presence_secret = Hex(32, metadata={"description": "keep it where the system keeps keys; it is never told again"})
    slot_s = fields.Integer(metadata={"description": "how long a token serves (docs/protocol.md, section 2)"})
    now = Instant(
        metadata={"description": "HQ's time: a phone whose clock is further off than ten minutes is not heard"}
    )


class PhoneShown(Shown):
    """A phone."""

    id = Hex(8)
    added_at = Instant(attribute="added_ms")


class PhonesShown(Shown):
    """The member's phones."""

    phones = fields.List(fields.Nested(PhoneShown))


# --- profile and purchases --------------------------------------------------------------------------------------------


class ItemShown(Shown):
    """One entry of a list."""

    item = fields.String()
    label = fields.String()
    at = Seconds(attribute="at_s")
    quantity = fields.Integer()
    returned = fields.Boolean()


class ValueShown(Shown):
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


class ProfileShown(Shown):
    """All values."""

    values = fields.List(fields.Nested(ValueShown))


class ValueChange(Asked):
    """One change of the profile."""

    do = word("delete", "drop", "confirm", "correct")
    scope = printed(64)
    text = printed(512, required=False)
    texts = some(printed(512), 64)
    item = printed(64, required=False, metadata={"description": "of `drop`: the entry of the list"})


class ProfileAsked(Asked):
    """Some changes of the profile."""

    changes = some(fields.Nested(ValueChange), MOST_CHANGES, required=True)


class BoughtShown(Shown):
    """One line of a purchase."""

    item = fields.String()
    label = fields.String()
    quantity = fields.Integer()
    mark = Word(metadata={"description": "`gift`, `not-mine`, or none"})


class PurchaseShown(Shown):
    """A purchase, a return or a service case."""

    id = Hex(16)
    kind = Word()
    store = fields.String(metadata={"description": "empty: online"})
    source = fields.String(metadata={"description": "the system that told of it"})
    at = Seconds(attribute="at_s")
    subject = fields.String()
    lines = fields.List(fields.Nested(BoughtShown))
    mark = Word(metadata={"description": "of the whole"})


class PurchasesShown(Shown):
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


class HelpShown(Shown):
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


class WhyShown(Shown):
    """Why a line is shown."""

    purpose = fields.String()
    label = fields.String(attribute="purpose_label")
    since = Instant(attribute="since_ms")
    until = Instant(attribute="until_ms")


class EntryShown(Shown):
    """One entry of a line."""

    text = fields.String()
    at = Instant(attribute="at_ms")
    quantity = fields.Integer()
    returned = fields.Boolean()


class LineShown(Shown):
    """One fact on the card."""

    scope = fields.String()
    label = fields.String()
    text = fields.String()
    entries = fields.List(fields.Nested(EntryShown))
    why = fields.Nested(WhyShown)


class SectionShown(Shown):
    """A part of the card that is shown when it is asked for."""

    section = fields.String()
    lines = fields.List(fields.Nested(LineShown))


class SeenShown(Shown):
    """What one look shows."""

    help = fields.Boolean()
    zone = fields.String(attribute="zone_label")
    name = fields.String(metadata={"description": "absent: not shown"})
    lead = fields.List(fields.Nested(LineShown))
    sections = fields.List(fields.Nested(SectionShown))


class MirrorShown(Shown):
    """What an associate of the store would see now; null: nobody is told that the member is there."""

    store = fields.String()
    label = fields.String()
    role = fields.String()
    role_label = fields.String()
    walking = fields.Nested(SeenShown, allow_none=True)
    asked = fields.Nested(SeenShown, allow_none=True)


# --- receipts ---------------------------------------------------------------------------------------------------------


class ReceiptsAsked(Query):
    """Which receipts. `event`: that one alone, with its proof; `after`: those behind this one."""

    event = printed(96, required=False)
    after = printed(96, required=False)
    limit = fields.Integer(validate=validate.Range(1, 200), load_default=50)


class ReceiptShown(Shown):
    """One look."""

    event = fields.String()
    at = Instant(attribute="at_ms")
    store = fields.String(metadata={"description": "empty: HQ's own staff"})
    role = fields.String()
    scopes = fields.List(fields.String())
    purposes = fields.List(fields.String())
    reason = fields.String()
    shown = fields.Boolean()
    roster = fields.Boolean()
    words = fields.String()
    proof = fields.Dict(
        metadata={"description": "the log's inclusion proof (docs/protocol.md, 8), where one receipt was asked for"}
    )


class ReceiptsShown(Shown):
    """The newest first. `more`: there are others behind the last."""

    receipts = fields.List(fields.Nested(ReceiptShown))
    more = fields.Boolean()


class QuestionAsked(Asked):
    """A question about a line of the receipts."""

    event = printed(96)
    kind = word("not-there", "not-agreed", "why", "other")
    words = fields.String(load_default="", validate=validate.Length(max=MOST_WORDS))
    language = language(load_default="en", required=False)


class QuestionShown(Shown):
    """A question and its answer."""

    id = Hex(8)
    event = fields.String()
    kind = fields.String()
    words = fields.String()
    asked_at = Instant(attribute="asked_ms")
    due_at = Instant(attribute="due_ms")
    answer = fields.String()
    answered_at = Instant(attribute="answered_ms")


class QuestionsShown(Shown):
    """The newest first."""

    questions = fields.List(fields.Nested(QuestionShown))


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


class MutesShown(Shown):
    """What is muted."""

    mutes = fields.List(fields.Nested(MuteShown))


class ProposalShown(Shown):
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


class ProposalsShown(Shown):
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


class NoticeShown(Shown):
    """What is told of a purpose before it is chosen."""

    notice = Hex(32, attribute="hash", metadata={"description": "SHA-256 of the whole notice"})
    language = fields.String()
    label = fields.String()
    what = fields.String()
    how = fields.String()
    why = fields.String()
    benefit = fields.String()


class MomentShown(Shown):
    """Whether to ask now. `ask` null: not now."""

    ask = fields.String(allow_none=True, metadata={"description": "the purpose to ask about"})
    because = Word(metadata={"description": "`never`: it was never chosen, `changed`: its notice, `expired`"})
    notice = fields.Nested(NoticeShown, metadata={"description": "to be shown with the question; noted as served"})


# --- export and erasure -----------------------------------------------------------------------------------------------


class StoreProgress(Shown):
    """One store's part."""

    store = fields.String()
    progress = fields.String(metadata={"description": "`waiting`, `done`, `failed`"})
    done_at = Instant(attribute="done_ms")


class ExportShown(Shown):
    """An export and how far it is."""

    reference = Hex(8)
    asked_at = Instant(attribute="asked_ms")
    until = Instant(attribute="until_ms", metadata={"description": "so long it can be fetched"})
    complete = fields.Boolean(attribute="is_done")
    stores = fields.List(fields.Nested(StoreProgress))


class ExportsShown(Shown):
    """The newest first."""

    exports = fields.List(fields.Nested(ExportShown))


class ExportWhole(Shown):
    """All that is held, as far as it is there."""

    asked = fields.String()
    complete = fields.Boolean(metadata={"description": "whether nothing more can come"})
    hq = fields.Dict()
    stores = fields.Dict()


class ErasureAsked(Asked):
    """Everything of mine is to be erased, for good."""

    confirm = word("erase everything")


class ProofShown(StoreProgress):
    """One store's part, with what it signed."""

    identity = Hex(32, metadata={"description": "the store's public key (Ed25519)"})
    signed = fields.List(
        fields.String(), metadata={"description": "the store's envelopes, base64 (docs/protocol.md, section 3)"}
    )


class ErasureShown(Shown):
    """An erasure; whoever holds its reference can follow it without signing in."""

    reference = Hex(8)
    asked_at = Instant(attribute="asked_ms")
    done = fields.Boolean(attribute="is_done")
    stores = fields.List(fields.Nested(ProofShown))
