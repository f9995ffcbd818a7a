"""Bytes as URL-safe base64 without padding (RFC 4648 section 5), one text for each.

Pure: no I/O, no clock.
"""

import base64
import binascii


def to_text(raw: bytes) -> str:
    """URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_text(text: str, length_bytes: int | None = None) -> bytes | None:
    """What `to_text` made this text of, or None where it made no such text (of so many bytes)."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    fits = length_bytes is None or len(raw) == length_bytes
    return raw if fits and to_text(raw) == text else None
