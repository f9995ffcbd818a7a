"""What HQ refuses, and what keeps it from working.

    runtime.errors.ProgramError
    ├── Refused(reason, field, hint)      at the door: a choice, a value or a policy that HQ does not take
    ├── KeyMismatch                       78, a credential that is not in the signed key set
    └── runtime.errors.UnavailableError
        ├── DatabaseUnavailable           69, the database cannot be opened, or failed in mid-work
        │   └── SealBroken                a sealed value does not open: a row was changed outside of HQ
        ├── BrokerUnavailable             69, the broker refuses us for good
        ├── MailNotSent               69, a mail server did not take a mail
        ├── HookNotTaken                  69, another system did not take what members changed
        └── AlarmNotSent                  69, a mail server or a webhook did not take an alarm

Pure: no I/O, no clock.
"""

from enum import StrEnum

from runtime.errors import EXIT_CONFIG, ProgramError, UnavailableError


class Reason(StrEnum):
    """Why something was refused at the door; countable, and the same word everywhere."""

    MALFORMED = "malformed"
    UNKNOWN_MEMBER = "unknown_member"
    UNKNOWN_STORE = "unknown_store"
    UNKNOWN_STAFF = "unknown_staff"
    UNKNOWN_PHONE = "unknown_phone"
    UNKNOWN_NOTICE = "unknown_notice"
    UNKNOWN_VERSION = "unknown_version"
    EXISTS = "exists"
    NO_POLICY = "no_policy"
    OTHER_BRAND = "other_brand"
    UNDECLARED_SCOPE = "undeclared_scope"
    UNDECLARED_PURPOSE = "undeclared_purpose"
    UNDECLARED_ROLE = "undeclared_role"
    UNDECLARED_ZONE = "undeclared_zone"
    SCOPE_NOT_FOR_PURPOSE = "scope_not_for_purpose"
    SPECIAL_NEEDS_OWN_GRANT = "special_needs_own_grant"
    WRONG_TYPE = "wrong_type"
    TIME_UNKNOWN = "time_unknown"
    TIME_IN_FUTURE = "time_in_future"
    ALREADY_OVER = "already_over"
    TOO_MANY = "too_many"
    TOO_LARGE = "too_large"
    POLICY_INCOMPLETE = "policy_incomplete"
    POLICY_NOT_BLIND = "policy_not_blind"
    POLICY_OLD = "policy_old"
    POLICY_LAXER = "policy_laxer"
    POLICY_INCONSISTENT = "policy_inconsistent"
    NOTICE_NOT_SERVED = "notice-not-served"  # the member was not shown the notice that is in force
    WEAK_PIN = "weak_pin"
    NOT_ALLOWED = "not_allowed"
    TOO_EARLY = "too_early"
    BUDGET_SPENT = "budget_spent"
    UNKNOWN_SYSTEM = "unknown_system"
    UNKNOWN_PURCHASE = "unknown_purchase"
    FORBIDDEN = "forbidden"  # a brand or a store that this system was not given
    NO_PURPOSE = "no-purpose"  # no policy declares a purpose for it
    DELETED = "deleted"  # the member deleted it, later than this
    NO_CONSENT = "no-consent"  # this member has no live grant for it
    STALE = "stale"  # what was changed is not what was shown
    TOO_FEW = "too_few"  # people to learn from without giving one away
    WITHDRAWN = "withdrawn"  # somebody who is in it withdrew too long ago
    UNRULED_JURISDICTION = "unruled_jurisdiction"  # taken, but no policy says what holds there
    NO_PROFILE_BELOW_AGE = "no-profile-below-age"  # nothing is kept of who is not known to be old enough


class Refused(ProgramError):
    """HQ does not take it. `field` says where, `hint` what is expected; neither repeats a member's value."""

    exit_code = 65  # EX_DATAERR of sysexits.h

    def __init__(self, reason: Reason, field: str, hint: str) -> None:
        super().__init__(f"refused ({reason.value}) at {field}" if field else f"refused ({reason.value})", hint)
        self.reason = reason
        self.field = field
        self.hint = hint


class KeyMismatch(ProgramError):
    """A private key of ours whose public half is not in the signed key set."""

    exit_code = EXIT_CONFIG


class DatabaseUnavailable(UnavailableError):
    """The database cannot be used; nothing of the transaction under way was written."""


class SealBroken(DatabaseUnavailable):
    """A sealed value does not open under its key and for its place; nothing of the transaction was written."""


class BrokerUnavailable(UnavailableError):
    """The broker cannot be used."""


class MailNotSent(UnavailableError):
    """A mail server did not take a mail; it is tried again. `reason` is a word of its library's."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the mail server did not take it ({reason})", "check the mail server that hq.toml names")
        self.reason = reason


class HookNotTaken(UnavailableError):
    """Another system did not take what it was told; it is tried again. `gone`: it said that it never will."""

    def __init__(self, text: str, reason: str, *, gone: bool = False) -> None:
        super().__init__(f"{text} ({reason})", "see that the other system's address is right and answers")
        self.gone = gone


class AlarmNotSent(UnavailableError):
    """Nobody was told by this channel; it is tried again."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{text} ({reason})", "check [alarms] of hq.toml and what it names")
