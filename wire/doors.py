"""What is asked at the doors: who may come in, how a session is locked and opened again, what a manager keeps in order.

A request with a `session` that may be None is also an operator's, on the operator's socket, who has no session.

Pure: no I/O, no clock.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from wire.schema import Count, Size
from wire.views import Millis, Name, Secret, Text

MANAGER = "manager"  # the role, of those that policy names, that keeps tablets and PINs in order
MOST_TABLETS = 256
MOST_STAFF = 512
_HALF_BYTES = 16
Pin = Annotated[str, Size(1, 64)]


def bound(tablet: bytes, session: bytes) -> bytes:
    """What stands for a session in every question, 32 bytes: which one (16), and that this tablet asks (16).

    A session's secret (32 bytes) that was stolen proves nothing beside another tablet's secret.
    """
    proof = hmac.digest(tablet, b"consentry session\0" + session, "sha256")[:_HALF_BYTES]
    return hashlib.sha256(session).digest()[:_HALF_BYTES] + proof


def halves(session: bytes) -> tuple[bytes, bytes]:
    """Which session, and the proof of its tablet, of what `bound` gave."""
    return session[:_HALF_BYTES], session[_HALF_BYTES:]


# --- sessions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class LockSession:
    """Lock this session now, as it is after minutes without a touch. → Accepted | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class Unlock:
    """Open a locked session again by its associate's PIN, on its own tablet. → SessionView | Refused"""

    session: Secret
    pin: Pin
    browser: Text | None = None


@dataclass(frozen=True, slots=True, repr=False)
class AskLocked:
    """Whose locked session this is, for the screen that asks for the PIN. → LockedView | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class LockedView:
    """Whose PIN opens it."""

    associate: Name
    name: Name
    store_label: Text


# --- PINs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class AskStaff:
    """Whom a one-time code may be made for; for managers. → StaffList | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class StaffLine:
    """An active associate; `has_pin`: one was set. Of the PIN itself nothing is ever said."""

    ROW = True
    associate: Name
    name: Name
    role: Name
    has_pin: bool


@dataclass(frozen=True, slots=True, repr=False)
class StaffList:
    """Everybody who may sign in here, by name."""

    staff: Annotated[tuple[StaffLine, ...], Count(MOST_STAFF)]


@dataclass(frozen=True, slots=True, repr=False)
class MintPinCode:
    """A one-time code with which an associate sets a PIN; for managers. → PinCode | Withheld | Refused"""

    session: Secret
    associate: Name


@dataclass(frozen=True, slots=True, repr=False)
class PinCode:
    """A one-time code of 8 digits, shown once, for whom it is, and how long it holds in seconds."""

    code: Annotated[str, Size(1, 64)]
    associate: Name
    name: Name
    for_s: int


@dataclass(frozen=True, slots=True, repr=False)
class SetPin:
    """Set a first or forgotten PIN by a one-time code, on a paired tablet. → Accepted | Refused"""

    tablet: Secret
    associate: Name
    code: Annotated[str, Size(1, 64)]
    pin: Pin


# --- tablets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class MintTabletCode:
    """A one-time pairing code for a manager's page. → PairingCode | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class AskTablets:
    """The paired tablets; for managers and operators. → Tablets | Refused"""

    session: Secret | None


@dataclass(frozen=True, slots=True, repr=False)
class TabletLine:
    """One paired tablet.

    browser: name and version, as it said last; empty: it never said. paired_ms: 0 where the time was not known.
    seen_ms: when it last asked something, None: not since the gateway started. associate: the name of who is signed in
    there, locked or not. own: whether it is the asker's.
    """

    ROW = True
    id: Name
    label: Text
    browser: Text
    paired_ms: Millis
    seen_ms: Millis | None
    associate: Name | None
    locked: bool
    own: bool


@dataclass(frozen=True, slots=True, repr=False)
class Tablets:
    """All of them, the newest first."""

    tablets: Annotated[tuple[TabletLine, ...], Count(MOST_TABLETS)]


@dataclass(frozen=True, slots=True, repr=False)
class Unpair:
    """End a tablet's pairing and whoever is signed in on it; for managers and operators.

    → Accepted | Withheld (there is no such tablet) | Refused
    """

    session: Secret | None
    tablet: Name


Asked = LockSession | Unlock | AskLocked | AskStaff | MintPinCode | SetPin | MintTabletCode | AskTablets | Unpair
Answered = LockedView | StaffList | PinCode | Tablets
