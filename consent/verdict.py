"""What a decision says: allow, or deny by one of a closed set of rules.

A rule is recorded with the disclosure or the refused look; nothing of a denial ever reaches a tablet.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum


class Ground(StrEnum):
    """What an allowance rests on."""

    GRANT = "grant"
    EXPLICIT_GRANT = "explicit-grant"  # of a special category: a statement that names this scope alone


class Rule(StrEnum):
    """Why something may not be shown."""

    # the visit as a whole
    DENIED_IN_STORE = "denied-in-store"
    QUIET = "quiet"
    NO_CALL_FOR_HELP = "no-call-for-help"
    UNKNOWN_ROLE = "unknown-role"
    ROLE_SEES_NO_FLOOR = "role-sees-no-floor"
    UNKNOWN_ZONE = "unknown-zone"
    BLIND_ZONE = "blind-zone"
    UNKNOWN_JURISDICTION = "unknown-jurisdiction"
    UNKNOWN_AGE = "unknown-age"
    UNDER_AGE = "under-age"
    # the statements
    UNKNOWN_PURPOSE = "unknown-purpose"
    INCOMPLETE_PURPOSE = "incomplete-purpose"
    NOT_GRANTED = "not-granted"
    OTHER_STORE = "other-store"
    WITHDRAWN = "withdrawn"
    CHOICE_UNTIMED = "choice-untimed"
    CHOICE_IN_FUTURE = "choice-in-future"
    NOT_YET_VALID = "not-yet-valid"
    NO_LONGER_VALID = "no-longer-valid"
    NEWER_POLICY = "newer-policy"
    ROLE_NOT_GRANTED = "role-not-granted"
    ZONE_EXCLUDED = "zone-excluded"
    ZONE_NOT_KNOWN = "zone-not-known"  # a statement excludes zones, and where the member is is not known
    # the scope and its value
    UNKNOWN_SCOPE = "unknown-scope"
    NO_PURPOSE = "no-purpose"  # the policy names none that may disclose the scope
    NEEDS_EXPLICIT_GRANT = "needs-explicit-grant"
    NO_VALUE = "no-value"
    SEVERAL_VALUES = "several-values"
    WRONG_TYPE = "wrong-type"
    SOURCE_NOT_ADMITTED = "source-not-admitted"
    VALUE_FROM_FUTURE = "value-from-future"
    VALUE_TOO_OLD = "value-too-old"


@dataclass(frozen=True, slots=True)
class Allow:
    """May be shown for this purpose; the member's choice holds since and until then (Unix seconds UTC)."""

    purpose: str
    rule: Ground
    since_s: int
    until_s: int


@dataclass(frozen=True, slots=True)
class Deny:
    """May not be shown."""

    rule: Rule
