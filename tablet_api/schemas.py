"""What may leave for a tablet, and what may come from it: a field that no schema here names is never sent.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from tablet_api import forms
from wire.concluded import Cohort, Evidence
from wire.events import HandOverReason
from wire.items import Response
from wire.policy import Section
from wire.query import DarkReason, Light, Visit
from wire.suggested import SuggestedKind, SuggestedPlace
from wire.suggestions import Stage

VERSION_FORM = r"^[0-9]{1,20}$"
BEARER_FORM = r"^[A-Za-z0-9_-]{43}$"
_MOST_KEPT = 4096  # visits
_MOST_ORDERS = 16


class Instant(fields.Field[str]):
    """Unix milliseconds as RFC 3339 UTC."""

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return None if value is None else forms.instant(value)


class Handle(fields.Field[str]):
    """The handle of a visit as URL-safe base64."""

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return None if value is None else forms.to_text(value)


class Version(fields.Field[int]):
    """An unsigned 64-bit number as decimal text, since a browser's numbers end at 2**53."""

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, *place: Any, **more: Any) -> int:
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
            number = int(value)
            if number < 2**64:
                return number
        raise ValidationError("decimal text of an unsigned 64-bit number")


class Utf8(validate.Validator):
    """At least one character, at most `most_bytes` as UTF-8."""

    def __init__(self, most_bytes: int, least: int = 1) -> None:
        self._most_bytes = most_bytes
        self._least = least

    def __call__(self, value: str) -> str:
        try:
            size = len(value.encode("utf-8"))
        except UnicodeEncodeError as error:  # a lone surrogate
            raise ValidationError("text that UTF-8 can carry") from error
        if not self._least <= size <= self._most_bytes:
            raise ValidationError(f"{self._least} to {self._most_bytes} bytes")
        return value


def _text(most: int, least: int = 1, **rest: Any) -> fields.String:
    """A text from outside. The document tells characters, the validator counts bytes as well."""
    return fields.String(validate=[validate.Length(least, most), Utf8(most, least)], **rest)


class Asked(Schema):
    """What comes from a tablet: nothing that is not named."""

    class Meta:
        """Marshmallow's own place for this."""

        unknown = RAISE


class Query(Schema):
    """What comes behind a question mark: what is not named is passed over."""

    class Meta:
        """Marshmallow's own place for this."""

        unknown = EXCLUDE


class Shown(Schema):
    """What goes to a tablet."""

    def get_attribute(self, value: Any, attr: str, default: Any) -> Any:
        """A field's value. marshmallow's own way tries items and dots first, which is a quarter of a roster's cost."""
        return (
            super().get_attribute(value, attr, default) if isinstance(value, Mapping) else getattr(value, attr, default)
        )


# --- asked ---------------------------------------------------------------------------------------------------------


class PairingAsked(Asked):
    """A one-time code."""

    code = _text(64, required=True, metadata={"description": "the one-time code, from the QR code"})
    label = _text(128, 0, load_default="", metadata={"description": "what to call this tablet"})
    want_token = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "a native app: answer with a bearer token, set no cookie"},
    )


class SessionAsked(Asked):
    """Who signs in."""

    associate = _text(64, required=True, metadata={"description": "the associate's id or display name, in any case"})
    pin = _text(64, required=True)
    want_token = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class AckAsked(Asked):
    """The roster version that the tablet now shows."""

    version = Version(required=True, metadata={"type": "string", "pattern": VERSION_FORM})


class CardAsked(Query):
    """Which part of a card."""

    section = fields.Enum(Section, by_value=True, load_default=None)


# --- shown ---------------------------------------------------------------------------------------------------------


class ProblemSchema(Shown):
    """A problem document (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    retry_after_s = fields.Integer()
    fields_ = fields.List(fields.String(), data_key="fields")
    attended_by = fields.String()


class PairingShown(Shown):
    """A paired tablet. `token` only where it was asked for."""

    id = fields.String(required=True)
    store = fields.String(required=True)
    store_label = fields.String(required=True)
    token = fields.String(metadata={"pattern": BEARER_FORM})


class SessionShown(Shown):
    """Who is signed in. `token` only where it was asked for."""

    associate = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    store_label = fields.String(required=True)
    idle_s = fields.Integer(required=True)
    until = Instant(attribute="until_ms", required=True)
    token = fields.String(metadata={"pattern": BEARER_FORM})


class LeaseShown(Shown):
    """Whether the store may show anything."""

    light = fields.Enum(Light, by_value=True, required=True)
    reason = fields.Enum(DarkReason, by_value=True, required=True)
    left_s = fields.Integer(required=True)
    length_s = fields.Integer(required=True)
    last_word = Instant(attribute="last_word_ms", required=True, allow_none=True)


class VisitShown(Shown):
    """One line of the roster."""

    handle = Handle(required=True)
    help = fields.Boolean(required=True)
    waiting_since = Instant(attribute="waiting_since_ms", required=True, allow_none=True)
    escalated = fields.Boolean(required=True)
    sign_colour = fields.String(required=True, allow_none=True)
    sign_digits = fields.String(required=True, allow_none=True)
    zone = fields.String(required=True, allow_none=True)
    zone_label = fields.String(required=True, allow_none=True)
    arrived = Instant(attribute="arrived_ms", required=True)
    attended_by = fields.String(required=True, allow_none=True)
    attended_by_me = fields.Boolean(required=True)
    handed_over = fields.Enum(
        HandOverReason, by_value=True, required=True, allow_none=True,
        metadata={"description": "handed over to me or my role, and nobody took it yet: why"},
    )  # fmt: skip


_VISIT_SHOWN = VisitShown()


class OutageShown(Shown):
    """A zone whose receiver does not hear now; an empty label: a receiver in no zone."""

    zone_label = fields.String(required=True)
    blind = fields.Boolean(required=True, metadata={"description": "nobody in this zone is ever shown"})


@lru_cache(_MOST_KEPT)
def _line(visit: Visit) -> dict[str, Any]:
    """A visit as it is shown. Most are as they were on the roster before, and on every tablet's."""
    shown: dict[str, Any] = _VISIT_SHOWN.dump(visit)
    return shown


class _Lines(fields.List[Any]):
    """The roster's visits; each is put into its form once."""

    def __init__(self) -> None:
        super().__init__(fields.Nested(VisitShown), required=True)

    def _serialize(self, value: Any, *place: Any, **more: Any) -> list[Any]:
        return [_line(visit) for visit in value]


@lru_cache(_MOST_ORDERS)
def _order(handles: tuple[bytes, ...]) -> list[str]:
    return [forms.to_text(handle) for handle in handles]


class _Order(fields.List[Any]):
    """All handles; a thousand of them are put into their form once for all tablets."""

    def __init__(self) -> None:
        super().__init__(Handle(), required=True, allow_none=True)

    def _serialize(self, value: Any, *place: Any, **more: Any) -> list[str] | None:
        return None if value is None else _order(value)


class RosterShown(Shown):
    """All that this role may see, oldest unanswered help first."""

    version = Version(required=True)
    as_of = Instant(attribute="as_of_ms", required=True)
    lease = fields.Nested(LeaseShown, required=True)
    visits = _Lines()
    radios = fields.List(fields.Nested(OutageShown), required=True)


class WhyShown(Shown):
    """Why a line is shown."""

    purpose = fields.String(required=True)
    purpose_label = fields.String(required=True)
    since = Instant(attribute="since_ms", required=True)
    until = Instant(attribute="until_ms", required=True)


class SuggestedReasonShown(Shown):
    """Why an item is suggested."""

    kind = fields.Enum(SuggestedKind, by_value=True, required=True)
    number = fields.Integer(
        required=True, allow_none=True,
        metadata={"description": "days of every, due and lately, purchases of often, a month of season"},
    )  # fmt: skip


class SuggestedShown(Shown):
    """What belongs to a suggestion that the store made."""

    place = fields.Enum(SuggestedPlace, by_value=True, required=True)
    reasons = fields.List(fields.Nested(SuggestedReasonShown), required=True)
    themes = fields.List(fields.String(), required=True, metadata={"description": "of the item; each can be muted"})
    answer = fields.Enum(
        Response, by_value=True, required=True, allow_none=True,
        metadata={"description": "what the shopper made of it on this visit"},
    )  # fmt: skip


class ConcludedShown(Shown):
    """What the store concludes from what the shopper does and shares: how far they are, or how they buy."""

    stage = fields.Enum(Stage, by_value=True, required=True, allow_none=True)
    cohort = fields.Enum(Cohort, by_value=True, required=True, allow_none=True)
    evidence = fields.Enum(Evidence, by_value=True, required=True, metadata={"description": "what it rests on"})
    number = fields.Integer(
        required=True, allow_none=True, metadata={"description": "of things, days or cases, as the evidence says"}
    )


class EntryShown(Shown):
    """One entry of a list."""

    text = fields.String(required=True)
    at = Instant(attribute="at_ms", required=True, allow_none=True)
    quantity = fields.Integer(required=True, allow_none=True)
    returned = fields.Boolean(required=True)
    item = fields.String(required=True, allow_none=True, metadata={"description": "of a suggestion: its id"})
    suggested = fields.Nested(SuggestedShown, required=True, allow_none=True)
    concluded = fields.Nested(ConcludedShown, required=True, allow_none=True)


class LineShown(Shown):
    """One allowed fact."""

    scope = fields.String(required=True)
    label = fields.String(required=True)
    text = fields.String(required=True, allow_none=True)
    entries = fields.List(fields.Nested(EntryShown), required=True)
    why = fields.Nested(WhyShown, required=True)


class HintTextShown(Shown):
    """What a hint says in one language."""

    language = fields.String(required=True, metadata={"description": "a tag such as en or pt-BR"})
    text = fields.String(required=True)


class HintShown(Shown):
    """A hint of good manners, chosen by what is on the card and by nothing else."""

    id = fields.String(required=True)
    texts = fields.List(fields.Nested(HintTextShown), required=True)


class CardShown(Shown):
    """What may be shown of one visit now."""

    handle = Handle(required=True)
    version = Version(required=True)
    as_of = Instant(attribute="as_of_ms", required=True)
    mode = fields.Function(lambda card: card.mode.name.lower(), metadata={"type": "string", "enum": ["help", "open"]})
    help = fields.Boolean(required=True)
    waiting_since = Instant(attribute="waiting_since_ms", required=True, allow_none=True)
    sign_colour = fields.String(required=True, allow_none=True)
    sign_digits = fields.String(required=True, allow_none=True)
    zone = fields.String(required=True, allow_none=True)
    zone_label = fields.String(required=True, allow_none=True)
    attended_by = fields.String(required=True, allow_none=True)
    attended_by_me = fields.Boolean(required=True)
    handed_over = fields.Enum(HandOverReason, by_value=True, required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    lead = fields.List(fields.Nested(LineShown), required=True)
    sections = fields.List(fields.Enum(Section, by_value=True), required=True)
    section = fields.Enum(Section, by_value=True, required=True, allow_none=True)
    lines = fields.List(fields.Nested(LineShown), required=True)
    hint = fields.Nested(HintShown, required=True, allow_none=True)


class HealthShown(Shown):
    """Whether the process lives."""

    status = fields.String(required=True)


# --- the stream ----------------------------------------------------------------------------------------------------


class ChangeShown(Shown):
    """What differs from the roster sent before. `order`: all handles, where any came, went or moved."""

    version = Version(required=True)
    as_of = Instant(attribute="as_of_ms", required=True)
    lease = fields.Nested(LeaseShown, required=True)
    visits = _Lines()
    gone = fields.List(Handle(), required=True)
    order = _Order()
    radios = fields.List(fields.Nested(OutageShown), required=True, metadata={"description": "all that are out now"})


class DarkShown(Shown):
    """Nothing may be shown."""

    version = Version(required=True)
    as_of = Instant(attribute="as_of_ms", required=True)
    lease = fields.Nested(LeaseShown, required=True)


class CardChangedShown(Shown):
    """An open card is to be fetched again."""

    handle = Handle(required=True)
    version = Version(required=True)
