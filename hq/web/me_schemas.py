"""What the app's calls about choices and phones take and give, and what all of its calls are made of.

Pure: no I/O, no clock.
"""

from typing import Any, Final

from marshmallow import EXCLUDE, ValidationError, fields, post_dump, validate

from hq.choosing import LASTS_DAYS, MOST_DAYS
from hq.web.me_lines import MOST_CHANGES, OneByOne
from hq.web.schemas import Asked, Instant, Shown, language, printable, word
from hq.web.schemas import text as printed

_STORE: Final = r"^[a-z0-9-]{1,40}$"


class Told(Shown):
    """What leaves; what is not known, or not so, is left out."""

    @post_dump
    def _without_nothing(self, said: dict[str, Any], **_more: Any) -> dict[str, Any]:
        named = {field.data_key or name: field for name, field in self.dump_fields.items()}
        return {name: value for name, value in said.items() if value is not None or named[name].allow_none}


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
    return fields.String(validate=[validate.Regexp(_STORE), printable], **options)  # `$` lets a line break pass


def some(one: fields.Field[Any], most: int, **options: Any) -> fields.List[Any]:
    """One to so many of these."""
    return fields.List(one, validate=validate.Length(1, most), **options)


def one_by_one(change: type[Asked]) -> fields.List[Any]:
    """Changes, each made by itself; there is no end to what takes away."""
    about = f"of those that give or set something, {MOST_CHANGES} are made and the rest listed as `too_many`"
    return fields.List(OneByOne(change), required=True, validate=validate.Length(1), metadata={"description": about})


# --- choices ----------------------------------------------------------------------------------------------------------


class ScopeShown(Told):
    """One scope of a purpose."""

    scope = fields.String()
    label = fields.String()
    special = fields.String(metadata={"description": "the special category; empty of an ordinary scope"})
    shown = fields.Boolean(metadata={"description": "false: it is used for this purpose, and shown to nobody"})
    given = fields.Boolean()
    since = Seconds(attribute="since_s")
    until = Seconds(attribute="until_s")


class PurposeShown(Told):
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


class ConfirmedShown(Told):
    """How far a store has caught up with the member's last change."""

    step = Word(
        metadata={"description": "`confirmed`, `in-step`, `on-the-way`, `dark`, or `unchanged`: nothing was chosen"}
    )
    at = Instant(attribute="at_ms", metadata={"description": "since when, of `confirmed` and `in-step`"})
    until = Instant(attribute="until_ms", metadata={"description": "of `on-the-way`: what stood before ends by then"})


class StoreShown(Told):
    """A store of the member's list."""

    store = fields.String()
    label = fields.String()
    brand = fields.String()
    added_at = Instant(attribute="added_ms")
    recognised = fields.Boolean()
    purposes = fields.List(fields.Nested(PurposeShown))
    confirmed = fields.Nested(ConfirmedShown)


class BrandShown(Told):
    """What is chosen for a whole brand."""

    brand = fields.String()
    purposes = fields.List(fields.Nested(PurposeShown))


class MuteShown(Told):
    """What the member wants no suggestion of."""

    what = Word()
    id = fields.String()


class ChoicesShown(Told):
    """Everything that the member chose, as it stands."""

    mode = Word(metadata={"description": "`quiet`, `help` or `open`"})
    resumes_to = Word(metadata={"description": "the mode in which a pause ends"})
    name = Word(metadata={"description": "when the first name is shown: `never`, `invited`, `always`"})
    stores = fields.List(fields.Nested(StoreShown))
    brands = fields.List(fields.Nested(BrandShown))
    mutes = fields.List(fields.Nested(MuteShown))


class ChangeAsked(Asked):
    """One change. What a withdrawal does not name means all; `give` means the listed stores and ordinary scopes."""

    act = word(
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
    """Some changes; what else is named beside them keeps none of them from being made."""

    class Meta:
        """Marshmallow's own place for this."""

        unknown = EXCLUDE

    changes = one_by_one(ChangeAsked)


# --- phones -----------------------------------------------------------------------------------------------------------


class PhoneAsked(Asked):
    """A phone is to be recognised."""

    notice = Hex(32, metadata={"description": "of the notice about presence that was shown"})


class PhoneMade(Told):
    """A phone with its secret, told once."""

    id = Hex(8)
    presence_secret = Hex(32, metadata={"description": "keep it where the system keeps keys; it is never told again"})
    slot_s = fields.Integer(metadata={"description": "how long a token serves (docs/protocol.md, section 2)"})
    now = Instant(
        metadata={"description": "HQ's time: a phone whose clock is further off than ten minutes is not heard"}
    )


class PhoneShown(Told):
    """A phone."""

    id = Hex(8)
    added_at = Instant(attribute="added_ms")


class PhonesShown(Told):
    """The member's phones."""

    phones = fields.List(fields.Nested(PhoneShown))
