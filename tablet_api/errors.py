"""What can go wrong between a tablet and the gateway.

    GatewayAwayError                      the gateway does not answer; has a reason and a hint
    Problem                               the answer is a problem document (RFC 9457); has a kind

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from wire.query import RefusedReason

TYPE_PREFIX: Final = "urn:consentry:problem:"


class AwayReason(StrEnum):
    """Why the gateway gave no answer; counted, and logged once when it begins."""

    ABSENT = "absent"
    DENIED = "denied"
    SILENT = "silent"
    BROKEN = "broken"
    NONSENSE = "nonsense"
    CLOSED = "closed"


HINTS: Final[dict[AwayReason, str]] = {
    AwayReason.ABSENT: "is consentry-gateway running, and gateway_socket its tablets.sock?",
    AwayReason.DENIED: "name this program's account in the gateway's tablet_users",
    AwayReason.SILENT: "the gateway is overloaded or stopped: see its log",
    AwayReason.BROKEN: "the gateway closed the connection: see its log",
    AwayReason.NONSENSE: "gateway and tablet API are of different versions: install the same",
    AwayReason.CLOSED: "this program is stopping",
}


class GatewayAwayError(Exception):
    """No answer from the gateway. Whether it acted on the question is unknown."""

    def __init__(self, reason: AwayReason) -> None:
        super().__init__(f"{reason.value}: {HINTS[reason]}")
        self.reason = reason
        self.hint = HINTS[reason]


@dataclass(frozen=True, slots=True)
class _Form:
    """The fixed parts of a problem document. `slug` and `status` are a promise to whoever calls."""

    slug: str
    status: int
    title: str


class ProblemKind(Enum):
    """Every problem document that this API gives."""

    UNPAIRED = _Form("unpaired", 401, "This tablet is not paired with the store.")
    SIGNED_OUT = _Form("signed-out", 401, "Nobody is signed in.")
    LOCKED = _Form("locked", 401, "The session is locked; the PIN of whoever is signed in opens it.")
    WRONG = _Form("wrong", 403, "The code, the name or the PIN is not right.")
    FORBIDDEN = _Form("forbidden", 403, "This role may not do that.")
    OUTDATED = _Form("browser-too-old", 403, "This browser is too old; update it, then pair the tablet again.")
    CROSS_SITE = _Form("cross-site", 403, "The request comes from another site.")
    OTHER_NAME = _Form("other-name", 421, "This is not the store's name.")
    NOT_FOUND = _Form("not-found", 404, "There is nothing to show here.")
    METHOD = _Form("method-not-allowed", 405, "This method is not offered here.")
    TAKEN = _Form("taken", 409, "Somebody else is helping already.")
    TOO_LARGE = _Form("too-large", 413, "The request is larger than allowed.")
    MALFORMED = _Form("malformed", 422, "The request has not the form that /openapi.json gives.")
    WEAK = _Form("weak-pin", 422, "This PIN is too short or too easy to guess.")
    THROTTLED = _Form("throttled", 429, "Too many attempts. Wait, then try again.")
    BAD_REQUEST = _Form("bad-request", 400, "The request cannot be read.")
    TOO_SLOW = _Form("too-slow", 408, "The request did not arrive in time.")
    TOO_LONG = _Form("too-long", 414, "The address is longer than allowed.")
    LENGTH = _Form("length-required", 411, "The request needs a length.")
    INTERNAL = _Form("internal", 500, "Something is wrong here; it was written to the log.")
    UNSUPPORTED = _Form("unsupported", 501, "This is not supported.")
    VERSION = _Form("version", 505, "This version of HTTP is not spoken here.")
    DARK = _Form("dark", 503, "The store may not show anything now.")
    BUSY = _Form("busy", 503, "The store is busy. Try again.")
    NO_GATEWAY = _Form("no-gateway", 503, "The store's gateway does not answer.")

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


REFUSED: Final[dict[RefusedReason, ProblemKind]] = {
    RefusedReason.UNPAIRED: ProblemKind.UNPAIRED,
    RefusedReason.SIGNED_OUT: ProblemKind.SIGNED_OUT,
    RefusedReason.LOCKED: ProblemKind.LOCKED,
    RefusedReason.WRONG: ProblemKind.WRONG,
    RefusedReason.THROTTLED: ProblemKind.THROTTLED,
    RefusedReason.FORBIDDEN: ProblemKind.FORBIDDEN,
    RefusedReason.DARK: ProblemKind.DARK,
    RefusedReason.BUSY: ProblemKind.BUSY,
    RefusedReason.MALFORMED: ProblemKind.MALFORMED,
    RefusedReason.WEAK: ProblemKind.WEAK,
    RefusedReason.OUTDATED: ProblemKind.OUTDATED,
}


class Problem(Exception):
    """Answer with this problem document.

    `fields` are names of this API's own schemas, never what was sent; `attended_by` is an associate.
    """

    def __init__(
        self,
        kind: ProblemKind,
        *,
        retry_after_s: int = 0,
        fields: tuple[str, ...] = (),
        attended_by: str | None = None,
    ) -> None:
        super().__init__(kind.type)
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.fields = fields
        self.attended_by = attended_by

    def document(self) -> dict[str, object]:
        """The members of the problem document."""
        document: dict[str, object] = {"type": self.kind.type, "title": self.kind.title, "status": self.kind.status}
        if self.retry_after_s:
            document["retry_after_s"] = self.retry_after_s
        if self.fields:
            document["fields"] = list(self.fields)
        if self.attended_by is not None:
            document["attended_by"] = self.attended_by
        return document


BY_STATUS: Final[dict[int, ProblemKind]] = {
    400: ProblemKind.BAD_REQUEST,
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD,
    408: ProblemKind.TOO_SLOW,
    411: ProblemKind.LENGTH,
    413: ProblemKind.TOO_LARGE,
    414: ProblemKind.TOO_LONG,
    421: ProblemKind.OTHER_NAME,
    422: ProblemKind.MALFORMED,
    501: ProblemKind.UNSUPPORTED,
    505: ProblemKind.VERSION,
}


def of_status(status: int) -> Problem:
    """The problem for an HTTP error that a library raised."""
    kind = BY_STATUS.get(status, ProblemKind.BAD_REQUEST if status < 500 else ProblemKind.INTERNAL)
    return Problem(kind)
