"""What can go wrong between a tablet and the gateway.

    GatewayAwayError                      the gateway does not answer; has a reason and a hint
    Problem                               the answer is a problem document (RFC 9457); has a kind

Pure: no I/O, no clock.
"""

from enum import StrEnum
from typing import Final

from runtime import problems
from runtime.problems import Form, Kind
from wire.query import RefusedReason


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


class ProblemKind(Kind):
    """Every problem document that this API gives."""

    UNPAIRED = Form("unpaired", 401, "This tablet is not paired with the store.")
    SIGNED_OUT = Form("signed-out", 401, "Nobody is signed in.")
    LOCKED = Form("locked", 401, "The session is locked; the PIN of whoever is signed in opens it.")
    WRONG = Form("wrong", 403, "The code, the name or the PIN is not right.")
    FORBIDDEN = Form("forbidden", 403, "This role may not do that.")
    OUTDATED = Form("browser-too-old", 403, "This browser is too old; update it, then pair the tablet again.")
    CROSS_SITE = Form("cross-site", 403, "The request comes from another site.")
    OTHER_NAME = Form("other-name", 421, "This is not the store's name.")
    NOT_FOUND = Form("not-found", 404, "There is nothing to show here.")
    METHOD = Form("method-not-allowed", 405, "This method is not offered here.")
    TAKEN = Form("taken", 409, "Somebody else is helping already.")
    TOO_LARGE = Form("too-large", 413, "The request is larger than allowed.")
    MALFORMED = Form("malformed", 422, "The request has not the form that /openapi.json gives.")
    WEAK = Form("weak-pin", 422, "This PIN is too short or too easy to guess.")
    THROTTLED = Form("throttled", 429, "Too many attempts. Wait, then try again.")
    BAD_REQUEST = Form("bad-request", 400, "The request cannot be read.")
    TOO_SLOW = Form("too-slow", 408, "The request did not arrive in time.")
    TOO_LONG = Form("too-long", 414, "The address is longer than allowed.")
    LENGTH = Form("length-required", 411, "The request needs a length.")
    INTERNAL = Form("internal", 500, "Something is wrong here; it was written to the log.")
    UNSUPPORTED = Form("unsupported", 501, "This is not supported.")
    VERSION = Form("version", 505, "This version of HTTP is not spoken here.")
    DARK = Form("dark", 503, "The store may not show anything now.")
    BUSY = Form("busy", 503, "The store is busy. Try again.")
    NO_GATEWAY = Form("no-gateway", 503, "The store's gateway does not answer.")


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


class Problem(problems.Problem):
    """Answer with this problem document.

    `fields` are names of this API's own schemas, never what was sent; `attended_by` is an associate.
    """

    kind: ProblemKind

    def __init__(
        self,
        kind: ProblemKind,
        *,
        retry_after_s: int = 0,
        fields: tuple[str, ...] = (),
        attended_by: str | None = None,
    ) -> None:
        super().__init__(kind, retry_after_s, fields)
        self.attended_by = attended_by

    def document(self) -> dict[str, object]:
        """The members of the problem document."""
        document = super().document()
        if self.attended_by is not None:
            document["attended_by"] = self.attended_by
        return document


def of_status(status: int, fields: tuple[str, ...] = ()) -> Problem:
    """The problem for an HTTP error that a library raised; `fields` are those of ours that are wrong."""
    return Problem(ProblemKind.of_status(status), fields=fields)
