"""What is asked and shown at the doors: unlocking, PINs by a one-time code, and a manager's tablets, codes and staff.

Pure: no I/O, no clock.
"""

from typing import Any

from marshmallow import fields, validate

from tablet_api.schemas import Asked, Instant, Shown, Utf8


def _text(most: int, **rest: Any) -> fields.String:
    return fields.String(required=True, validate=[validate.Length(1, most), Utf8(most)], **rest)


class UnlockAsked(Asked):
    """The PIN of whoever is signed in here."""

    pin = _text(64)


class PinAsked(Asked):
    """A new PIN by a manager's one-time code."""

    associate = _text(64, metadata={"description": "the associate's id or display name, in any case"})
    code = _text(64, metadata={"description": "the eight digits; spaces and hyphens do not matter"})
    pin = _text(64, metadata={"description": "the new PIN: 4 to 8 digits, or more at least, as policy says"})


class PinCodeAsked(Asked):
    """For whom."""

    associate = _text(64, metadata={"description": "the id of an active associate"})


class PairingCodeShown(Shown):
    """A one-time pairing code. The link has it behind '#', where no server and no log ever sees it."""

    code = fields.String(required=True)
    link = fields.String(required=True)
    for_s = fields.Integer(required=True)


class PinCodeShown(Shown):
    """A one-time code for an associate's PIN, shown once."""

    code = fields.String(required=True)
    associate = fields.String(required=True)
    name = fields.String(required=True)
    for_s = fields.Integer(required=True)


class StaffLineShown(Shown):
    """An active associate. Of the PIN nothing is told but whether there is one."""

    associate = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    has_pin = fields.Boolean(required=True)


class StaffShown(Shown):
    """Everybody who may sign in here, by name."""

    staff = fields.List(fields.Nested(StaffLineShown), required=True)


class TabletShown(Shown):
    """A paired tablet."""

    id = fields.String(required=True)
    label = fields.String(required=True)
    browser = fields.String(required=True, metadata={"description": "name and version; empty: not known"})
    paired = Instant(attribute="paired_ms", required=True)
    seen = Instant(
        attribute="seen_ms", required=True, allow_none=True, metadata={"description": "null: not since the last start"}
    )
    associate = fields.String(required=True, allow_none=True, metadata={"description": "the name of who is signed in"})
    locked = fields.Boolean(required=True)
    own = fields.Boolean(required=True, metadata={"description": "it is the tablet that asks"})


class TabletsShown(Shown):
    """All paired tablets, the newest first."""

    tablets = fields.List(fields.Nested(TabletShown), required=True)


class LockedShown(Shown):
    """Whose PIN opens the session."""

    associate = fields.String(required=True)
    name = fields.String(required=True)
    store_label = fields.String(required=True)
