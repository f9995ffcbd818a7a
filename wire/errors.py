"""The one error of `wire`: bytes from outside that are not what they should be.

    WireError(reason, hint)

Pure: no I/O, no clock.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why bytes were refused; the name under which a drop is counted."""

    SIZE = "size"
    CBOR = "cbor"
    SHAPE = "shape"
    RECIPIENT = "recipient"
    SENDER = "sender"
    SIGNATURE = "signature"
    SEAL = "seal"
    TOKEN = "token"  # noqa: S105
    AIR = "air"


class WireError(ValueError):
    """Bytes that cannot be what they claim to be.

    `reason` is a member of `Reason` (countable); `hint` says what was expected and never
    repeats a received value.
    """

    def __init__(self, reason: Reason, hint: str) -> None:
        super().__init__(f"{reason.value}: {hint}")
        self.reason = reason
        self.hint = hint
