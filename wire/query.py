"""What the tablet API asks the gateway over its Unix stream socket, and what it may be answered.

A frame is u32be length ‖ CBOR `[number, kind, body]`, at most 256 KiB. A request's number is chosen by the asker;
its replies bear the same. `Watch` is answered by a reply after each change until either side closes; every other
request by exactly one reply. Times are Unix milliseconds UTC of the store's trusted time.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from wire import cbor, schema
from wire.errors import Reason, WireError
from wire.policy import Section
from wire.schema import Count, Range, Size, exactly

MAX_FRAME_BYTES = 256 * 1024
LENGTH_BYTES = 4

Handle = Annotated[bytes, exactly(16)]  # of a visit: random, new each visit
Secret = Annotated[bytes, exactly(32)]  # of a tablet or a session
Name = Annotated[str, Size(1, 64)]
Text = Annotated[str, Size(0, 512)]
Millis = Annotated[int, Range(0, 2**53)]


# --- what may be asked ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """Pair this tablet with a one-time code (26 base32 characters for 128 bits). → Paired | Refused"""

    code: Annotated[str, Size(1, 64)]
    label: Text  # what to call the tablet
    browser: Text


@dataclass(frozen=True, slots=True, repr=False)
class SignIn:
    """Sign an associate in on a paired tablet. → SignedIn | Refused"""

    tablet: Secret
    associate: Name
    pin: Annotated[str, Size(1, 64)]


@dataclass(frozen=True, slots=True, repr=False)
class SignOut:
    """End a session. → Accepted"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class AskSession:
    """Who is signed in, without counting as activity. → SessionView | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class AskFloor:
    """The roster as this session's role may see it. → Roster | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class Watch:
    """Follow the roster. → Roster at once, then Roster or CardChanged after each change, until closed | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class Acknowledge:
    """The tablet now shows this version of the roster. → Accepted | Refused"""

    session: Secret
    version: int


@dataclass(frozen=True, slots=True, repr=False)
class AskCard:
    """The card of a visit, or one section of it. → Card | Withheld | Refused"""

    session: Secret
    handle: Handle
    section: Section | None


class Action(StrEnum):
    """What an associate says about a call for help."""

    ATTENDING = "attending"
    DONE = "done"


@dataclass(frozen=True, slots=True, repr=False)
class Attend:
    """Who helps. → Accepted | Withheld | Conflict | Refused"""

    session: Secret
    handle: Handle
    action: Action


@dataclass(frozen=True, slots=True, repr=False)
class Withdraw:
    """The shopper asked in person: everything (None), or one scope. → Accepted | Withheld | Refused"""

    session: Secret
    handle: Handle
    scope: Annotated[str, Size(1, 64)] | None


@dataclass(frozen=True, slots=True)
class AskStatus:
    """How the store is: no session needed, no member in it. → Status"""


@dataclass(frozen=True, slots=True)
class MintPairing:
    """A one-time pairing code; on the operator's socket only. → PairingCode | Refused"""


Request = (
    Pair
    | SignIn
    | SignOut
    | AskSession
    | AskFloor
    | Watch
    | Acknowledge
    | AskCard
    | Attend
    | Withdraw
    | AskStatus
    | MintPairing
)


# --- what may be answered -----------------------------------------------------------------------------------------


class RefusedReason(StrEnum):
    """Why a request was not taken; none of them depends on a member."""

    UNPAIRED = "unpaired"
    SIGNED_OUT = "signed-out"
    WRONG = "wrong"  # code, name or PIN: never which
    THROTTLED = "throttled"
    FORBIDDEN = "forbidden"  # the role may not
    DARK = "dark"
    BUSY = "busy"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Refused:
    """Not taken, and when to try again (0: no use in waiting)."""

    reason: RefusedReason
    retry_after_s: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Paired:
    """The tablet's secret, shown once, and its id."""

    tablet: Secret
    id: Name
    store: Name
    store_label: Text


@dataclass(frozen=True, slots=True)
class SessionView:
    """Who is signed in and until when."""

    associate: Name
    name: Name
    role: Name
    store_label: Text
    idle_s: int
    until_ms: Millis


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """The session's secret, shown once."""

    session: Secret
    view: SessionView


class Light(StrEnum):
    """Whether the store may disclose."""

    LIVE = "live"
    DARK = "dark"
    LOCKED = "locked"


class DarkReason(StrEnum):
    """Why a store is dark or locked, in words that a page can translate."""

    NONE = "none"
    STARTING = "starting"  # no word from HQ yet since the start
    NO_WORD = "no-word"  # HQ was not heard in time
    CATCHING_UP = "catching-up"  # HQ answers; the records do not agree yet
    NO_POLICY = "no-policy"
    REFUSED = "refused"
    DISK = "disk"
    LOCKDOWN = "lockdown"
    NO_GATEWAY = "no-gateway"  # said by the tablet API itself


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease as a page shows it. `left_s` and `length_s` are 0 unless live; `last_word_ms`: HQ last heard."""

    light: Light
    reason: DarkReason
    left_s: int
    length_s: int
    last_word_ms: Millis | None


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """One line of the roster. Sign and waiting time only while help waits."""

    handle: Handle
    help: bool
    waiting_since_ms: Millis | None
    escalated: bool
    sign_colour: Annotated[str, Size(1, 16)] | None
    sign_digits: Annotated[str, Size(2, 2)] | None
    zone: Name | None
    zone_label: Text | None
    arrived_ms: Millis
    attended_by: Name | None  # the associate's display name
    attended_by_me: bool


@dataclass(frozen=True, slots=True, repr=False)
class Roster:
    """All visits that the session's role may see, oldest unanswered help first. Empty unless live."""

    version: int
    as_of_ms: Millis
    lease: Lease
    visits: Annotated[tuple[Visit, ...], Count(2048)]
    urgent: bool  # a withdrawal, a call for help or darkness is in it: goes at once


@dataclass(frozen=True, slots=True, repr=False)
class CardChanged:
    """The card of this visit is another than before; whoever shows it asks again (and may be told Withheld)."""

    handle: Handle
    version: int


@dataclass(frozen=True, slots=True, repr=False)
class Why:
    """Why a line is shown: the purpose's label, since when and until when the member's choice holds."""

    purpose: Name
    purpose_label: Text
    since_ms: Millis
    until_ms: Millis


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One entry of a list on a card."""

    text: Text
    at_ms: Millis | None
    quantity: Annotated[int, Range(-100_000, 100_000)] | None
    returned: bool


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """One allowed fact: its scope and label, and either a text or entries."""

    scope: Annotated[str, Size(1, 64)]
    label: Text
    text: Text | None
    entries: Annotated[tuple[Entry, ...], Count(128)]
    why: Why


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """What may be shown of one visit now, copied from what is allowed.

    `version` is a digest of the rest, so it tells nothing more. `sections` names those that hold something;
    `lines` are those of `section` where one was asked for, else empty.
    """

    handle: Handle
    version: int
    as_of_ms: Millis
    help: bool
    waiting_since_ms: Millis | None
    sign_colour: Annotated[str, Size(1, 16)] | None
    sign_digits: Annotated[str, Size(2, 2)] | None
    zone: Name | None
    zone_label: Text | None
    attended_by: Name | None
    attended_by_me: bool
    name: Text | None
    lead: Annotated[tuple[Line, ...], Count(3)]
    sections: Annotated[tuple[Section, ...], Count(8)]
    section: Section | None
    lines: Annotated[tuple[Line, ...], Count(128)]


@dataclass(frozen=True, slots=True)
class Withheld:
    """May not be shown, or never was: nobody can tell which."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Done."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else was first."""

    attended_by: Name


@dataclass(frozen=True, slots=True, repr=False)
class PairingCode:
    """A one-time code and how long it holds."""

    code: Annotated[str, Size(1, 64)]
    for_s: int


@dataclass(frozen=True, slots=True)
class Counter:
    """One figure for `/metrics`: a name in Prometheus' form, perhaps one label, and a count."""

    ROW = True
    name: Name
    label: Annotated[str, Size(0, 64)]
    value: int


@dataclass(frozen=True, slots=True)
class Status:
    """How the store is."""

    store: Name
    store_label: Text
    lease: Lease
    software: Name
    sessions: int
    tablets: int
    visits_open: int  # calls for help that wait; never how many members are present
    counters: Annotated[tuple[Counter, ...], Count(256)]


Reply = (
    Refused
    | Paired
    | SignedIn
    | SessionView
    | Roster
    | CardChanged
    | Card
    | Withheld
    | Accepted
    | Conflict
    | PairingCode
    | Status
)


class QueryKind(IntEnum):
    """The kind of a frame."""

    PAIR = 1
    SIGN_IN = 2
    SIGN_OUT = 3
    ASK_SESSION = 4
    ASK_FLOOR = 5
    WATCH = 6
    ACKNOWLEDGE = 7
    ASK_CARD = 8
    ATTEND = 9
    WITHDRAW = 10
    ASK_STATUS = 11
    MINT_PAIRING = 12
    REFUSED = 64
    PAIRED = 65
    SIGNED_IN = 66
    SESSION_VIEW = 67
    ROSTER = 68
    CARD_CHANGED = 69
    CARD = 70
    WITHHELD = 71
    ACCEPTED = 72
    CONFLICT = 73
    PAIRING_CODE = 74
    STATUS = 75


_REQUESTS: dict[QueryKind, type[Request]] = {
    QueryKind.PAIR: Pair,
    QueryKind.SIGN_IN: SignIn,
    QueryKind.SIGN_OUT: SignOut,
    QueryKind.ASK_SESSION: AskSession,
    QueryKind.ASK_FLOOR: AskFloor,
    QueryKind.WATCH: Watch,
    QueryKind.ACKNOWLEDGE: Acknowledge,
    QueryKind.ASK_CARD: AskCard,
    QueryKind.ATTEND: Attend,
    QueryKind.WITHDRAW: Withdraw,
    QueryKind.ASK_STATUS: AskStatus,
    QueryKind.MINT_PAIRING: MintPairing,
}
_REPLIES: dict[QueryKind, type[Reply]] = {
    QueryKind.REFUSED: Refused,
    QueryKind.PAIRED: Paired,
    QueryKind.SIGNED_IN: SignedIn,
    QueryKind.SESSION_VIEW: SessionView,
    QueryKind.ROSTER: Roster,
    QueryKind.CARD_CHANGED: CardChanged,
    QueryKind.CARD: Card,
    QueryKind.WITHHELD: Withheld,
    QueryKind.ACCEPTED: Accepted,
    QueryKind.CONFLICT: Conflict,
    QueryKind.PAIRING_CODE: PairingCode,
    QueryKind.STATUS: Status,
}
_NUMBERS = frozenset(kind.value for kind in QueryKind)
_KINDS: dict[type, QueryKind] = {cls: kind for kind, cls in (*_REQUESTS.items(), *_REPLIES.items())}


def frame(number: int, message: Request | Reply) -> bytes:
    """The whole frame, length included.

    Raises:
        WireError: out of bounds, or larger than a frame may be.
    """
    encoded = cbor.encode([number, _KINDS[type(message)].value, schema.to_plain(message)])
    if len(encoded) > MAX_FRAME_BYTES:
        raise WireError(Reason.SIZE, f"a frame has at most {MAX_FRAME_BYTES} bytes")
    return len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded


def length(prefix: bytes) -> int:
    """The length in bytes of the frame behind a 4-byte prefix.

    Raises:
        WireError: larger than a frame may be.
    """
    size = int.from_bytes(prefix, "big")
    if len(prefix) != LENGTH_BYTES or not 1 <= size <= MAX_FRAME_BYTES:
        raise WireError(Reason.SIZE, f"a frame has 1 to {MAX_FRAME_BYTES} bytes")
    return size


def read_request(encoded: bytes) -> tuple[int, Request]:
    """Number and request of a frame without its length.

    Raises:
        WireError: not a request.
    """
    number, kind, body = _split(encoded)
    if kind not in _REQUESTS:
        raise WireError(Reason.SHAPE, "expected a request")
    return number, schema.from_plain(_REQUESTS[kind], body)


def read_reply(encoded: bytes) -> tuple[int, Reply]:
    """Number and reply of a frame without its length.

    Raises:
        WireError: not a reply.
    """
    number, kind, body = _split(encoded)
    if kind not in _REPLIES:
        raise WireError(Reason.SHAPE, "expected a reply")
    return number, schema.from_plain(_REPLIES[kind], body)


def _split(encoded: bytes) -> tuple[int, QueryKind, object]:
    match cbor.decode(encoded):
        case [number, kind, body] if type(number) is int and number >= 0 and type(kind) is int and kind in _NUMBERS:
            return number, QueryKind(kind), body
        case _:
            raise WireError(Reason.SHAPE, "expected [number, kind, body]")
