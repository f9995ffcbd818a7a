"""What HQ's web answers where it does not do what was asked.

    Problem                               the answer is a problem document (RFC 9457), or a page; has a kind

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from hq.errors import Reason, Refused

TYPE_PREFIX: Final = "urn:consentry:problem:"


@dataclass(frozen=True, slots=True)
class _Form:
    """The fixed parts of a problem document. `slug` and `status` are a promise to whoever calls."""

    slug: str
    status: int
    title: str


class ProblemKind(Enum):
    """Every problem document that HQ's web gives."""

    SIGNED_OUT = _Form("signed-out", 401, "Nobody is signed in.")
    UNKNOWN_SYSTEM = _Form("unknown-system", 401, "This system's key is not known here.")
    FORBIDDEN = _Form("forbidden", 403, "This may not be done with these rights.")
    CROSS_SITE = _Form("cross-site", 403, "The request comes from another site.")
    NO_PURPOSE = _Form("no-purpose", 403, "No purpose is declared for this.")
    NO_CONSENT = _Form("no-consent", 403, "The member has not agreed to this.")
    NOT_SERVED = _Form("notice-not-served", 403, "The notice has not been shown to the member yet.")
    NOT_FOUND = _Form("not-found", 404, "There is nothing to show here.")
    METHOD = _Form("method-not-allowed", 405, "This method is not offered here.")
    CONFLICT = _Form("conflict", 409, "This does not fit what is known already.")
    LINK_OVER = _Form("link-over", 410, "This link is no longer valid.")
    STALE = _Form("stale", 412, "What is shown here has changed meanwhile.")
    TOO_LARGE = _Form("too-large", 413, "The request is larger than allowed.")
    MEDIA_TYPE = _Form("media-type", 415, "This media type is not taken here.")
    MALFORMED = _Form("malformed", 422, "The request has not the form that /api/v1/openapi.json gives.")
    REFUSED = _Form("refused", 422, "The choice, value or policy is not taken.")
    THROTTLED = _Form("throttled", 429, "Too many attempts. Wait, then try again.")
    BAD_REQUEST = _Form("bad-request", 400, "The request cannot be read.")
    TOO_SLOW = _Form("too-slow", 408, "The request did not arrive in time.")
    TOO_LONG = _Form("too-long", 414, "The address is longer than allowed.")
    LENGTH = _Form("length-required", 411, "The request needs a length.")
    OTHER_NAME = _Form("other-name", 421, "This is not the name of this place.")
    INTERNAL = _Form("internal", 500, "Something is wrong here; it was written to the log.")
    UNSUPPORTED = _Form("unsupported", 501, "This is not supported.")
    PROVIDER_AWAY = _Form("provider-away", 502, "The identity provider does not answer as it should.")
    BUSY = _Form("busy", 503, "HQ is busy. Try again.")
    VERSION = _Form("version", 505, "This version of HTTP is not spoken here.")

    @property
    def type(self) -> str:
        """The stable `type` of the document."""
        return TYPE_PREFIX + self.value.slug

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        return self.value.status

    @property
    def title(self) -> str:
        """One sentence for a person."""
        return self.value.title


class Problem(Exception):
    """Answer with this problem document.

    `reason` is HQ's own word for a refusal and `fields` are names of our own schemas, never what was sent. `refused`
    lists what was refused of a list: line, field and reason of each.
    """

    def __init__(
        self,
        kind: ProblemKind,
        *,
        retry_after_s: int = 0,
        fields: Sequence[str] = (),
        reason: Reason | None = None,
        refused: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(kind.type)
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.fields = tuple(fields)
        self.reason = reason
        self.refused = tuple(refused)

    def document(self) -> dict[str, object]:
        """The members of the problem document."""
        document: dict[str, object] = {
            "type": self.kind.type, "title": self.kind.title, "status": self.kind.status, "code": self.kind.value.slug,
        }  # fmt: skip
        if self.retry_after_s:
            document["retry_after_s"] = self.retry_after_s
        if self.fields:
            document["fields"] = list(self.fields)
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


_BY_STATUS: Final[dict[int, ProblemKind]] = {
    400: ProblemKind.BAD_REQUEST,
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD,
    408: ProblemKind.TOO_SLOW,
    411: ProblemKind.LENGTH,
    413: ProblemKind.TOO_LARGE,
    414: ProblemKind.TOO_LONG,
    415: ProblemKind.MEDIA_TYPE,
    421: ProblemKind.OTHER_NAME,
    422: ProblemKind.MALFORMED,
    501: ProblemKind.UNSUPPORTED,
    505: ProblemKind.VERSION,
}


def of_status(status: int) -> Problem:
    """The problem for an HTTP error that a library raised."""
    return Problem(_BY_STATUS.get(status, ProblemKind.BAD_REQUEST if status < 500 else ProblemKind.INTERNAL))
