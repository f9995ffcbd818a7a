"""What all schemas are made of: strict by nature, times in RFC 3339, handles as text; and the problem document.

Pure: no I/O, no clock.
"""

from datetime import UTC, datetime
from typing import Any, Final

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from runtime.base64url import from_text, to_text

_TAG: Final = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$"
_TAG_CHARACTERS: Final = (2, 16)  # as `hq.notice_rules` takes them
_LAST_MS: Final = 253_402_300_799_999  # RFC 3339 has years of four digits


def instant(unix_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, from Unix milliseconds; at most the last one of the year 9999."""
    unix_ms = max(0, min(unix_ms, _LAST_MS))
    at = datetime.fromtimestamp(unix_ms // 1000, UTC)
    return f"{at.isoformat()[:19]}.{unix_ms % 1000:03d}Z"


class Instant(fields.Field[int]):
    """A time: Unix milliseconds here, RFC 3339 with a zone there."""

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return None if value is None else instant(value)

    def _deserialize(self, value: Any, *place: Any, **more: Any) -> int:
        try:
            at = datetime.fromisoformat(value)
            if at.tzinfo is not None and 1 < at.year < 9999:
                return int(at.timestamp() * 1000)
        except (TypeError, ValueError):
            pass
        raise ValidationError("a time as RFC 3339, with its zone")


class Token(fields.Field[bytes]):
    """Bytes of a given length, as URL-safe base64 without padding."""

    def __init__(self, length_bytes: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._length_bytes = length_bytes

    def _serialize(self, value: Any, *place: Any, **more: Any) -> str | None:
        return None if value is None else to_text(value)

    def _deserialize(self, value: Any, *place: Any, **more: Any) -> bytes:
        found = from_text(value, self._length_bytes) if isinstance(value, str) else None
        if found is None:
            raise ValidationError("URL-safe base64 without padding")
        return found


def printable(text: str) -> None:
    """Refuses control characters. Raises: ValidationError."""
    if not text.isprintable():
        raise ValidationError("Printable text is expected.")


def text(most: int, least: int = 1, **options: Any) -> fields.String:
    """A required text of so many printable characters, spaces included."""
    options.setdefault("required", True)
    return fields.String(validate=[validate.Length(least, most), printable], **options)


def word(*words: str, **options: Any) -> fields.String:
    """One of these words."""
    options.setdefault("required", True)
    return fields.String(validate=validate.OneOf(words), **options)


def language(**options: Any) -> fields.String:
    """The tag of a language, as a notice may have it: those of a policy's words, whether our pages speak it or not."""
    return fields.String(validate=[validate.Length(*_TAG_CHARACTERS), validate.Regexp(_TAG), printable], **options)


class Asked(Schema):
    """What comes from outside: nothing that is not named."""

    class Meta:
        """Marshmallow's own place for this."""

        unknown = RAISE


class Query(Schema):
    """What comes behind a question mark: what is not named is passed over."""

    class Meta:
        """Marshmallow's own place for this."""

        unknown = EXCLUDE


class Shown(Schema):
    """What leaves."""


class ProblemSchema(Shown):
    """A problem document (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    retry_after_s = fields.Integer()
    fields_ = fields.List(fields.String(), data_key="fields")
    reason = fields.String()
    refused = fields.List(fields.Dict())
