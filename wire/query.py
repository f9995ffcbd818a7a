"""What the tablet API asks the gateway over its Unix stream socket, and what it may be answered.

A frame is u32be length ‖ CBOR `[number, kind, body]`, at most 256 KiB. A request's number is chosen by the asker;
its replies bear the same. `Watch` is answered by a reply after each change until either side closes; every other
request by exactly one reply. Times are Unix milliseconds UTC of the store's trusted time.

Pure: no I/O, no clock.
"""

from enum import IntEnum

from wire import acts, cbor, coaching, schema, trust
from wire.asked import Acknowledge as Acknowledge
from wire.asked import Action as Action
from wire.asked import AskCard as AskCard
from wire.asked import AskFloor as AskFloor
from wire.asked import AskProbe as AskProbe
from wire.asked import AskSession as AskSession
from wire.asked import AskStatus as AskStatus
from wire.asked import Attend as Attend
from wire.asked import MintPairing as MintPairing
from wire.asked import Pair as Pair
from wire.asked import SignIn as SignIn
from wire.asked import SignOut as SignOut
from wire.asked import Task as Task
from wire.asked import TellProbe as TellProbe
from wire.asked import Upkeep as Upkeep
from wire.asked import Watch as Watch
from wire.asked import Withdraw as Withdraw
from wire.doors import AskLocked as AskLocked
from wire.doors import AskStaff as AskStaff
from wire.doors import AskTablets as AskTablets
from wire.doors import LockedView as LockedView
from wire.doors import LockSession as LockSession
from wire.doors import MintPinCode as MintPinCode
from wire.doors import MintTabletCode as MintTabletCode
from wire.doors import PinCode as PinCode
from wire.doors import SetPin as SetPin
from wire.doors import StaffLine as StaffLine
from wire.doors import StaffList as StaffList
from wire.doors import TabletLine as TabletLine
from wire.doors import Tablets as Tablets
from wire.doors import Unlock as Unlock
from wire.doors import Unpair as Unpair
from wire.doors import bound as bound
from wire.errors import Reason, WireError
from wire.events import Seen as Seen
from wire.explained import Explain as Explain
from wire.explained import Explained as Explained
from wire.leaving import Leave as Leave
from wire.store_figures import AskFigures as AskFigures
from wire.store_figures import StoreFigures as StoreFigures
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
    | acts.Introduce
    | acts.HandOver
    | acts.AskColleagues
    | acts.Respond
    | acts.MuteFor
    | acts.Propose
    | acts.AskCatalog
    | Leave
    | coaching.DismissHint
    | AskStatus
    | trust.AskCertificates
    | MintPairing
    | AskProbe
    | TellProbe
    | Upkeep
    | LockSession
    | Unlock
    | AskLocked
    | AskStaff
    | MintPinCode
    | SetPin
    | MintTabletCode
    | AskTablets
    | Unpair
    | AskFigures
    | Explain
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
    | trust.Certificates
    | ProbeKit
    | acts.Colleagues
    | acts.CatalogFound
    | LockedView
    | StaffList
    | PinCode
    | Tablets
    | StoreFigures
    | Explained
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
    INTRODUCE = 16
    HAND_OVER = 17
    ASK_COLLEAGUES = 18
    RESPOND = 19
    MUTE_FOR = 20
    PROPOSE = 21
    ASK_CATALOG = 22
    EXPLAIN = 23
    LOCK_SESSION = 24
    UNLOCK = 25
    ASK_LOCKED = 26
    ASK_STAFF = 27
    MINT_PIN_CODE = 28
    SET_PIN = 29
    MINT_TABLET_CODE = 30
    ASK_TABLETS = 31
    UNPAIR = 32
    ASK_FIGURES = 33
    LEAVE = 40
    DISMISS_HINT = 44
    ASK_CERTIFICATES = 48
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
    COLLEAGUES = 80
    CATALOG_FOUND = 81
    EXPLAINED = 82
    LOCKED_VIEW = 84
    STAFF_LIST = 85
    PIN_CODE = 86
    TABLETS = 87
    STORE_FIGURES = 88
    CERTIFICATES = 100


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
    QueryKind.LEAVE: Leave,
    QueryKind.DISMISS_HINT: coaching.DismissHint,
    QueryKind.ASK_STATUS: AskStatus,
    QueryKind.ASK_CERTIFICATES: trust.AskCertificates,
    QueryKind.MINT_PAIRING: MintPairing,
    QueryKind.ASK_PROBE: AskProbe,
    QueryKind.TELL_PROBE: TellProbe,
    QueryKind.UPKEEP: Upkeep,
    QueryKind.INTRODUCE: acts.Introduce,
    QueryKind.HAND_OVER: acts.HandOver,
    QueryKind.ASK_COLLEAGUES: acts.AskColleagues,
    QueryKind.RESPOND: acts.Respond,
    QueryKind.MUTE_FOR: acts.MuteFor,
    QueryKind.PROPOSE: acts.Propose,
    QueryKind.ASK_CATALOG: acts.AskCatalog,
    QueryKind.EXPLAIN: Explain,
    QueryKind.LOCK_SESSION: LockSession,
    QueryKind.UNLOCK: Unlock,
    QueryKind.ASK_LOCKED: AskLocked,
    QueryKind.ASK_STAFF: AskStaff,
    QueryKind.MINT_PIN_CODE: MintPinCode,
    QueryKind.SET_PIN: SetPin,
    QueryKind.MINT_TABLET_CODE: MintTabletCode,
    QueryKind.ASK_TABLETS: AskTablets,
    QueryKind.UNPAIR: Unpair,
    QueryKind.ASK_FIGURES: AskFigures,
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
    QueryKind.CERTIFICATES: trust.Certificates,
    QueryKind.PROBE_KIT: ProbeKit,
    QueryKind.COLLEAGUES: acts.Colleagues,
    QueryKind.CATALOG_FOUND: acts.CatalogFound,
    QueryKind.EXPLAINED: Explained,
    QueryKind.LOCKED_VIEW: LockedView,
    QueryKind.STAFF_LIST: StaffList,
    QueryKind.PIN_CODE: PinCode,
    QueryKind.TABLETS: Tablets,
    QueryKind.STORE_FIGURES: StoreFigures,
}
_NUMBERS = frozenset(kind.value for kind in QueryKind)
_KINDS: dict[type, QueryKind] = {cls: kind for kind, cls in (*_REQUESTS.items(), *_REPLIES.items())}


def frame(number: int, message: Request | Reply) -> bytes:
    """The whole frame, length included.

    Raises:
        WireError: out of bounds, or larger than a frame may be.
    """
    kind = _KINDS[type(message)].value
    encoded = cbor.array([cbor.encode(number), cbor.encode(kind), schema.encode(message)])
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
