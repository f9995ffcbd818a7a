"""Handles, secrets and times between the gateway's form and that of HTTP.

Pure: no I/O, no clock.
"""

import hashlib
from datetime import UTC, datetime

from runtime.base64url import from_text
from runtime.base64url import to_text as to_text  # handles and secrets are told by it too

HANDLE_BYTES = 16
SECRET_BYTES = 32
_LAST_MS = 253_402_300_799_999  # RFC 3339 has years of four digits


def secret_of(text: str | None) -> bytes | None:
    """The 32-byte secret that a cookie or bearer token carries, or None."""
    return None if text is None else from_text(text, SECRET_BYTES)


def handle_of(text: str) -> bytes:
    """The 16-byte handle of a visit.

    A text that is no handle gives one that never was, so that it is answered, recorded and timed like any other.
    """
    found = from_text(text, HANDLE_BYTES)
    return found if found is not None else hashlib.sha256(text.encode("utf-8", "replace")).digest()[:HANDLE_BYTES]


def instant(unix_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, from Unix milliseconds; at most the last one of the year 9999."""
    unix_ms = min(unix_ms, _LAST_MS)
    at = datetime.fromtimestamp(unix_ms // 1000, UTC)
    return f"{at.isoformat()[:19]}.{unix_ms % 1000:03d}Z"  # strftime takes three times as long
