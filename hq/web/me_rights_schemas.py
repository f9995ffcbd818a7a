"""What the app's calls about the member's rights take and give: receipts, questions, exports, the erasure.

Pure: no I/O, no clock.
"""

from marshmallow import fields, validate

from hq.questions import MOST_WORDS
from hq.web.me_schemas import Hex, Told
from hq.web.schemas import Asked, Instant, Query, language, word
from hq.web.schemas import text as printed

# --- receipts ---------------------------------------------------------------------------------------------------------


class ReceiptsAsked(Query):
    """Which receipts. `event`: that one alone, with its proof; `after`: those behind this one."""

    event = printed(96, required=False)
    after = printed(96, required=False)
    limit = fields.Integer(validate=validate.Range(1, 200), load_default=50)


class ReceiptShown(Told):
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


class ReceiptsShown(Told):
    """The newest first. `more`: there are others behind the last."""

    receipts = fields.List(fields.Nested(ReceiptShown))
    more = fields.Boolean()


class QuestionAsked(Asked):
    """A question about a line of the receipts."""

    event = printed(96)
    kind = word("not-there", "not-agreed", "why", "other")
    words = fields.String(load_default="", validate=validate.Length(max=MOST_WORDS))
    language = language(load_default="en", required=False)


class QuestionShown(Told):
    """A question and its answer."""

    id = Hex(8)
    event = fields.String()
    kind = fields.String()
    words = fields.String()
    asked_at = Instant(attribute="asked_ms")
    due_at = Instant(attribute="due_ms")
    answer = fields.String()
    answered_at = Instant(attribute="answered_ms")


class QuestionsShown(Told):
    """The newest first."""

    questions = fields.List(fields.Nested(QuestionShown))


# --- export and erasure -----------------------------------------------------------------------------------------------


class StoreProgress(Told):
    """One store's part."""

    store = fields.String()
    progress = fields.String(metadata={"description": "`waiting`, `done`, `failed`"})
    done_at = Instant(attribute="done_ms")


class ExportShown(Told):
    """An export and how far it is."""

    reference = Hex(8)
    asked_at = Instant(attribute="asked_ms")
    until = Instant(attribute="until_ms", metadata={"description": "so long it can be fetched"})
    complete = fields.Boolean(attribute="is_done")
    stores = fields.List(fields.Nested(StoreProgress))


class ExportsShown(Told):
    """The newest first."""

    exports = fields.List(fields.Nested(ExportShown))


class ExportWhole(Told):
    """All that is held, as far as it is there."""

    asked = fields.String()
    complete = fields.Boolean(metadata={"description": "whether nothing more can come"})
    hq = fields.Dict()
    stores = fields.Dict()


class ConsentsShown(Told):
    """Every choice as a consent record, and what proves it."""

    records = fields.Raw(metadata={"description": "ISO/IEC TS 27560 consent records, JSON-LD with W3C DPV terms"})
    notices = fields.Raw(metadata={"description": "the exact texts that were shown"})
    receipts = fields.Raw(metadata={"description": "signed consent receipts (JWS)"})
    jwks = fields.Raw(metadata={"description": "the keys that verify them, as at /.well-known/jwks.json"})


class ErasureAsked(Asked):
    """Everything of mine is to be erased, for good."""

    confirm = word("erase everything")


class ProofShown(StoreProgress):
    """One store's part, with what it signed."""

    identity = Hex(32, metadata={"description": "the store's public key (Ed25519)"})
    signed = fields.List(
        fields.String(), metadata={"description": "the store's envelopes, base64 (docs/protocol.md, section 3)"}
    )


class ErasureShown(Told):
    """An erasure; whoever holds its reference can follow it without signing in."""

    reference = Hex(8)
    asked_at = Instant(attribute="asked_ms")
    done = fields.Boolean(attribute="is_done")
    stores = fields.List(fields.Nested(ProofShown))
