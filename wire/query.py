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
from wire.events import Seen as Seen
from wire.policy import Section
from wire.schema import Size
from wire.views import Accepted as Accepted
from wire.views import Card as Card
from wire.views import CardChanged as CardChanged
from wire.views import Conflict as Conflict
from wire.views import Counter as Counter
from wire.views import DarkReason as DarkReason
from wire.views import Entry as Entry
from wire.views import Handle as Handle
from wire.views import Lease as Lease
from wire.views import Light as Light
from wire.views import Line as Line
from wire.views import Millis as Millis
from wire.views import Name as Name
from wire.views import Outage as Outage
from wire.views import Paired as Paired
from wire.views import PairingCode as PairingCode
from wire.views import ProbeKit as ProbeKit
from wire.views import Radio as Radio
from wire.views import ReceiverState as ReceiverState
from wire.views import Refused as Refused
from wire.views import RefusedReason as RefusedReason
from wire.views import Restarts as Restarts
from wire.views import Roster as Roster
from wire.views import Secret as Secret
from wire.views import SessionView as SessionView
from wire.views import SignedIn as SignedIn
from wire.views import Status as Status
from wire.views import Text as Text
from wire.views import Visit as Visit
from wire.views import Why as Why
from wire.views import Withheld as Withheld

MAX_FRAME_BYTES = 256 * 1024
LENGTH_BYTES = 4


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


class Task(StrEnum):
    """What an operator can have done at once."""

    RETRY = "retry"  # what is quarantined
    CHECK = "check"  # the whole cache


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Something that the gateway does by itself is to be done at once; on the operator's socket only.

    → Accepted | Refused
    """

    task: Task


@dataclass(frozen=True, slots=True)
class AskProbe:
    """What a probe needs to be the synthetic member's phone and associate; on its socket only. → ProbeKit | Refused"""


@dataclass(frozen=True, slots=True)
class TellProbe:
    """What the probe's tablet shows of the synthetic member from now on. → Accepted | Refused"""

    seen: Seen


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
    | AskProbe
    | TellProbe
    | Upkeep
)


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
    | ProbeKit
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
    ASK_PROBE = 13
    TELL_PROBE = 14
    UPKEEP = 15
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
    PROBE_KIT = 76


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
    QueryKind.ASK_PROBE: AskProbe,
    QueryKind.TELL_PROBE: TellProbe,
    QueryKind.UPKEEP: Upkeep,
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
    QueryKind.PROBE_KIT: ProbeKit,
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
