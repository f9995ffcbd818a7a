"""What HQ and a store say to each other over MQTT: topics, instances, records and the messages' bodies.

A message is one of the dataclasses below, sealed and signed by `wire.envelope`. `docs/protocol.md` gives each in CDDL.
Times are Unix milliseconds UTC.

Pure: no I/O, no clock.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from wire.errors import Reason, WireError
from wire.events import EVENT_BODIES as EVENT_BODIES
from wire.events import Applied as Applied
from wire.events import Attendance as Attendance
from wire.events import Disclosure as Disclosure
from wire.events import Done as Done
from wire.events import Dwell as Dwell
from wire.events import Erased as Erased
from wire.events import Event as Event
from wire.events import EventKind as EventKind
from wire.events import EventNumber as EventNumber
from wire.events import Events as Events
from wire.events import HelpStep as HelpStep
from wire.events import LogEntry as LogEntry
from wire.events import LogHead as LogHead
from wire.events import Mute as Mute
from wire.events import MuteKind as MuteKind
from wire.events import Order as Order
from wire.events import Outcome as Outcome
from wire.events import Pairing as Pairing
from wire.events import PinSet as PinSet
from wire.events import ReasonCode as ReasonCode
from wire.events import Response as Response
from wire.events import Seen as Seen
from wire.events import StoreHealth as StoreHealth
from wire.events import SuggestionOutcome as SuggestionOutcome
from wire.events import Surface as Surface
from wire.events import Synthetic as Synthetic
from wire.events import Verb as Verb
from wire.events import VisitEnd as VisitEnd
from wire.events import Withdrawal as Withdrawal
from wire.limits import MAX_BODY_BYTES as MAX_BODY_BYTES
from wire.limits import MAX_PAYLOAD_BYTES as MAX_PAYLOAD_BYTES
from wire.limits import Epoch as Epoch
from wire.limits import Id16 as Id16
from wire.limits import InstanceId as InstanceId
from wire.limits import Millis as Millis
from wire.limits import Seq as Seq
from wire.limits import StoreId as StoreId
from wire.schema import Count, Range, Size, exactly
from wire.trust import Certificate as Certificate
from wire.trust import CertificateFault as CertificateFault
from wire.unlock import DigestKey as DigestKey
from wire.unlock import EpochShare as EpochShare
from wire.unlock import Unlock as Unlock

HQ = "@hq"  # HQ's name as sender and recipient; no store can have it
GENERATION = 2**48  # seq = generation * GENERATION + n
LAST_NONCES = 8  # so many hellos may be on their way at once
CHALLENGE_S = 60  # a challenge that is echoed later proves nothing
KEYRING_BUCKETS = 4096

_STORE = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


class Collection(IntEnum):
    """The collections; the number stands in every digest."""

    MEMBERS = 1
    KEYRING = 2
    STAFF = 3
    POLICY = 4
    CATALOG = 5
    AFFINITY = 6


GATING = frozenset({Collection.MEMBERS, Collection.KEYRING, Collection.POLICY, Collection.STAFF})


class Kind(IntEnum):
    """The kind of a message, as it stands in the header."""

    RECORDS = 1
    CHALLENGE = 2
    UNLOCK = 3
    LEASE = 4
    REFUSAL = 5
    CHILDREN = 6
    RANGE = 7
    ORDER = 8
    CERTIFICATE = 9
    HELLO = 16
    WANT = 17
    EVENTS = 18
    DONE = 19


def is_store(text: str) -> bool:
    """Whether `text` may be a store's id: `[a-z0-9-]{1,40}`."""
    return _STORE.fullmatch(text) is not None


def down(store: str) -> str:
    """The topic HQ → store."""
    return f"consentry/1/{store}/down"


def now(store: str) -> str:
    """The fast lane HQ → store, which overtakes any backlog on `down`."""
    return f"consentry/1/{store}/now"


def up(store: str) -> str:
    """The topic store → HQ."""
    return f"consentry/1/{store}/up"


UP_OF_ALL = "consentry/1/+/up"


def instance(collection: Collection, name: str, day: int | None = None) -> str:
    """An instance's id: `members/berlin-1`, `policy/acme`; a keyring's has its UTC day: `keyring/berlin-1/20778`."""
    if (day is not None) != (collection is Collection.KEYRING) or not is_store(name):
        raise WireError(Reason.SHAPE, "an instance is collection/name, a keyring's collection/name/day")
    return f"{collection.name.lower()}/{name}" + (f"/{day}" if day is not None else "")


def parse_instance(text: str) -> tuple[Collection, str, int | None]:
    """Collection, name and (of a keyring) day of an instance's id.

    Raises:
        WireError: not the id of an instance.
    """
    word, *rest = text.split("/")
    try:
        collection = Collection[word.upper()]
        name, day = (rest[0], int(rest[1])) if collection is Collection.KEYRING else (rest[0], None)
        if instance(collection, name, day) == text:
            return collection, name, day
    except (KeyError, IndexError, ValueError):
        pass
    raise WireError(Reason.SHAPE, "expected the id of an instance")


def bucket_key(pseudonym: bytes) -> bytes:
    """The key of the keyring record that holds a pseudonym's day keys: its first 12 bits, u16be."""
    return (int.from_bytes(pseudonym[:2], "big") >> 4).to_bytes(2, "big")


# --- records -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """One record of an instance; without a body it is a tombstone. The body is opaque to sync."""

    ROW = True
    key: Annotated[bytes, Size(1, 64)]
    seq: Seq
    body: Annotated[bytes, Size(0, MAX_BODY_BYTES)] | None

    def __repr__(self) -> str:
        return f"Record(seq={self.seq}, {'…' if self.body is not None else 'null'})"


@dataclass(frozen=True, slots=True)
class Part:
    """Some records of one instance."""

    ROW = True
    instance: InstanceId
    records: Annotated[tuple[Record, ...], Count(1024)]


@dataclass(frozen=True, slots=True)
class Records:
    """`records`: what one transaction at HQ changed; applied in one transaction.

    committed_ms: HQ's clock at a commit that takes something away; the store says when it took effect (`applied`).
    """

    parts: Annotated[tuple[Part, ...], Count(64)]
    committed_ms: Millis | None = None


# --- lease ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds of one instance."""

    ROW = True
    instance: InstanceId
    root: Id16
    count: int
    seq: Seq  # the highest applied


@dataclass(frozen=True, slots=True)
class LetGo:
    """How many events of a kind the store had to drop for want of space."""

    ROW = True
    kind: Annotated[int, Range(0, 2**31 - 1)]  # of a later version perhaps
    count: Annotated[int, Range(0, 2**53)]


class Readiness(IntEnum):
    """What a store can do, as its hello tells."""

    LOCKED = 0
    DARK = 1
    LIVE = 2


@dataclass(frozen=True, slots=True)
class Hello:
    """`hello`: the heartbeat. The header's nonce echoes HQ's last challenge (empty: none yet)."""

    nonce: Id16
    incarnation: Id16
    sealing_key: Annotated[bytes, exactly(1216)]  # of this boot, whose private half lives in memory only
    held: Annotated[tuple[Held, ...], Count(64)]
    last_event: EventNumber  # the highest event number given in this incarnation; 0: none
    key_set_version: Annotated[int, Range(0, 2**32)]
    readiness: Readiness
    ticket: Annotated[bytes, Size(0, 16)]
    let_go: Annotated[tuple[LetGo, ...], Count(32)]
    software: Annotated[str, Size(1, 64)]
    quarantined: Annotated[tuple[InstanceId, ...], Count(64)] = ()  # did not agree after 3 rounds
    epoch: Epoch = 0  # locked, the oldest that the cache needs; else the newest whose share is here; 0: none
    certificate: Id16 | None = None  # the one that it was sent last; None: it has none
    certificate_fault: CertificateFault | None = None  # why it did not take that one


@dataclass(frozen=True, slots=True)
class Challenge:
    """`challenge`: answers a hello that echoed no fresh challenge."""

    challenge: Id16


@dataclass(frozen=True, slots=True)
class Root:
    """What HQ holds of one instance as of `as_of`."""

    ROW = True
    instance: InstanceId
    root: Id16
    count: int
    as_of: Seq


@dataclass(frozen=True, slots=True)
class Lease:
    """`lease`: answers the hello whose nonce is in the header."""

    lease_s: Annotated[int, Range(1, 86_400)]
    heartbeat_s: Annotated[int, Range(1, 3_600)]
    hq_ms: Millis
    roots: Annotated[tuple[Root, ...], Count(64)]
    key_days: Annotated[tuple[int, ...], Count(4)]
    events_through: int  # HQ has durably stored this incarnation's events up to this number
    challenge: Id16


class RefusalReason(IntEnum):
    """Why HQ gives no lease."""

    STALE_TICKET = 1
    AHEAD_OF_HQ = 2
    NOT_THIS_STORE = 3
    LOCKDOWN = 4
    RECOVERING = 5
    SHARE_LOST = 6  # nobody can open this cache any more: the store begins a new one


@dataclass(frozen=True, slots=True)
class Refusal:
    """`refusal`: no lease, and why."""

    reason: RefusalReason
    challenge: Id16


# --- fill and repair ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A node of an instance's tree, `first` = `last` = its prefix; or of two-byte nodes all from `first` to `last`.

    since: the store equalled HQ as of this seq, and needs only what came after; 0: everything.
    """

    ROW = True
    instance: InstanceId
    first: Annotated[bytes, Size(0, 2)]
    last: Annotated[bytes, Size(0, 2)]
    since: Seq

    @classmethod
    def node(cls, instance: str, prefix: bytes, since: int = 0) -> "Wanted":
        """The node of a prefix."""
        return cls(instance, prefix, prefix, since)


@dataclass(frozen=True, slots=True)
class Want:
    """`want`: each is answered by children or a range, with this nonce in the header."""

    nonce: Id16
    nodes: Annotated[tuple[Wanted, ...], Count(16)]


@dataclass(frozen=True, slots=True)
class Child:
    """One child of a node that has live records."""

    ROW = True
    byte: Annotated[int, Range(0, 255)]
    digest: Id16
    count: int


@dataclass(frozen=True, slots=True)
class Children:
    """`children`: the nodes one byte below; a child that is not named is empty."""

    instance: InstanceId
    prefix: Annotated[bytes, Size(0, 1)]
    as_of: Seq
    nodes: Annotated[tuple[Child, ...], Count(256)]


@dataclass(frozen=True, slots=True)
class RecordRange:
    """`range`: all live records below the nodes from `first` to `last` as of `as_of`, in parts 1..parts (mostly one).

    since: where it is not 0, only what has a greater seq, and of that the tombstones too.
    """

    instance: InstanceId
    first: Annotated[bytes, Size(0, 2)]
    last: Annotated[bytes, Size(0, 2)]
    since: Seq
    as_of: Seq
    part: Annotated[int, Range(1, 65_535)]
    parts: Annotated[int, Range(1, 65_535)]
    records: Annotated[tuple[Record, ...], Count(1024)]


Down = Records | Challenge | Unlock | Lease | Refusal | Children | RecordRange | Order | Certificate
Message = Down | Hello | Want | Events | Done

SCHEMAS: dict[Kind, type[Message]] = {
    Kind.RECORDS: Records,
    Kind.CHALLENGE: Challenge,
    Kind.UNLOCK: Unlock,
    Kind.LEASE: Lease,
    Kind.REFUSAL: Refusal,
    Kind.CHILDREN: Children,
    Kind.RANGE: RecordRange,
    Kind.ORDER: Order,
    Kind.CERTIFICATE: Certificate,
    Kind.HELLO: Hello,
    Kind.WANT: Want,
    Kind.EVENTS: Events,
    Kind.DONE: Done,
}
KINDS: dict[type[Message], Kind] = {schema: kind for kind, schema in SCHEMAS.items()}
