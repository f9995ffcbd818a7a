"""What HQ's web answers where it does not do what was asked.

    Problem                               the answer is a problem document (RFC 9457), or a page; has a kind

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from typing import Any, Final

from hq.errors import Reason, Refused
from runtime import problems
from runtime.problems import Form, Kind


class ProblemKind(Kind):
    """Every problem document that HQ's web gives."""

    SIGNED_OUT = Form("signed-out", 401, "Nobody is signed in.")
    UNKNOWN_SYSTEM = Form("unknown-system", 401, "This system's key is not known here.")
    FORBIDDEN = Form("forbidden", 403, "This may not be done with these rights.")
    CROSS_SITE = Form("cross-site", 403, "The request comes from another site.")
    NO_PURPOSE = Form("no-purpose", 403, "No purpose is declared for this.")
    NO_CONSENT = Form("no-consent", 403, "The member has not agreed to this.")
    BELOW_AGE = Form("no-profile-below-age", 403, "No profile is kept of somebody of this age.")
    NOT_SERVED = Form("notice-not-served", 403, "The notice has not been shown to the member yet.")
    NOT_FOUND = Form("not-found", 404, "There is nothing to show here.")
    METHOD = Form("method-not-allowed", 405, "This method is not offered here.")
    CONFLICT = Form("conflict", 409, "This does not fit what is known already.")
    LINK_OVER = Form("link-over", 410, "This link is no longer valid.")
    CURSOR_UNKNOWN = Form("cursor-unknown", 410, "This cursor is not known here any more: begin again from 0.")
    STALE = Form("stale", 412, "What is shown here has changed meanwhile.")
    TOO_LARGE = Form("too-large", 413, "The request is larger than allowed.")
    MEDIA_TYPE = Form("media-type", 415, "This media type is not taken here.")
    MALFORMED = Form("malformed", 422, "The request has not the form that /api/v1/openapi.json gives.")
    REFUSED = Form("refused", 422, "The choice, value or policy is not taken.")
    THROTTLED = Form("throttled", 429, "Too many attempts. Wait, then try again.")
    BAD_REQUEST = Form("bad-request", 400, "The request cannot be read.")
    TOO_SLOW = Form("too-slow", 408, "The request did not arrive in time.")
    TOO_LONG = Form("too-long", 414, "The address is longer than allowed.")
    LENGTH = Form("length-required", 411, "The request needs a length.")
    OTHER_NAME = Form("other-name", 421, "This is not the name of this place.")
    INTERNAL = Form("internal", 500, "Something is wrong here; it was written to the log.")
    UNSUPPORTED = Form("unsupported", 501, "This is not supported.")
    PROVIDER_AWAY = Form("provider-away", 502, "The identity provider does not answer as it should.")
    BUSY = Form("busy", 503, "HQ is busy. Try again.")
    VERSION = Form("version", 505, "This version of HTTP is not spoken here.")


class Problem(problems.Problem):
    """Answer with this problem document.

    `reason` is HQ's own word for a refusal and `fields` are names of our own schemas, never what was sent. `refused`
    lists what was refused of a list: line, field and reason of each.
    """

    kind: ProblemKind

    def __init__(
        self,
        kind: ProblemKind,
        *,
        retry_after_s: int = 0,
        fields: Sequence[str] = (),
        reason: Reason | None = None,
        refused: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(kind, retry_after_s, fields)
        self.reason = reason
        self.refused = tuple(refused)

    def document(self) -> dict[str, object]:
        """The members of the problem document."""
        document = super().document() | {"code": self.kind.slug}
        if self.reason is not None:
            document["reason"] = self.reason.value
        if self.refused:
            document["refused"] = list(self.refused)
        return document


_MISSING: Final = frozenset(
    {Reason.UNKNOWN_MEMBER, Reason.UNKNOWN_STORE, Reason.UNKNOWN_STAFF, Reason.UNKNOWN_PHONE}
)  # fmt: skip


_KINDS: Final = {
    Reason.FORBIDDEN: ProblemKind.FORBIDDEN,
    Reason.NO_PURPOSE: ProblemKind.NO_PURPOSE,
    Reason.NO_CONSENT: ProblemKind.NO_CONSENT,
    Reason.NO_PROFILE_BELOW_AGE: ProblemKind.BELOW_AGE,
    Reason.STALE: ProblemKind.STALE,
}


def of_refusal(refused: Refused) -> Problem:
    """What HQ refused at its door, as a problem."""
    if refused.reason is Reason.NOTICE_NOT_SERVED:
        return Problem(ProblemKind.NOT_SERVED, fields=("notice",))
    if refused.reason in _MISSING:
        return Problem(ProblemKind.NOT_FOUND)
    if refused.reason in _KINDS:
        return Problem(_KINDS[refused.reason], reason=refused.reason)
    kind = ProblemKind.CONFLICT if refused.reason is Reason.EXISTS else ProblemKind.REFUSED
    return Problem(kind, reason=refused.reason, fields=(refused.field,) if refused.field else ())


def of_status(status: int, fields: tuple[str, ...] = ()) -> Problem:
    """The problem for an HTTP error that a library raised; `fields` are those of ours that are wrong."""
    return Problem(ProblemKind.of_status(status), fields=fields)
