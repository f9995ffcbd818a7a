"""What a store tells HQ happened, and what HQ orders a store to do.

Times are Unix milliseconds UTC of trusted time. `wire.sync` sends them; `docs/protocol.md` gives each in CDDL.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from wire.items import ItemList as ItemList
from wire.items import Mute as Mute
from wire.items import MuteKind as MuteKind
from wire.items import Proposal as Proposal
from wire.items import Response as Response
from wire.items import SuggestionOutcome as SuggestionOutcome
from wire.limits import MAX_BODY_BYTES, Id16, Millis
from wire.schema import Count, Range, Size, exactly

EventNumber = Annotated[int, Range(0, 2**63 - 1)]
Hash32 = Annotated[bytes, exactly(32)]


class Verb(IntEnum):
    """What an order tells a store to do."""

    EXPORT = 1
    ERASE = 2
    LOCKDOWN = 3
    WIPE = 4
    ROLL = 5
    UNPAIR = 6
    LEAVE = 7
    RECALL = 8


@dataclass(frozen=True, slots=True)
class Order:
    """`order`: doing it twice is doing it once. `subject`: a pseudonym or a tablet's id, as the verb needs."""

    id: Id16
    verb: Verb
    incarnation: Id16
    not_after_ms: Millis
    subject: Annotated[bytes, Size(1, 64)] | None
    code: Annotated[str, Size(8, 8)] | None


class Outcome(IntEnum):
    """How an order ended."""

    DONE = 0
    NOTHING_TO_DO = 1
    TOO_LATE = 2
    FAILED = 3


@dataclass(frozen=True, slots=True, repr=False)
class Done:
    """`done`: the result of an order, in numbered parts 1..parts."""

    order: Id16
    outcome: Outcome
    part: Annotated[int, Range(1, 65_535)]
    parts: Annotated[int, Range(1, 65_535)]
    result: Annotated[bytes, Size(0, MAX_BODY_BYTES)]


class EventKind(IntEnum):
    """What happened in the store."""

    DISCLOSURE = 1
    WITHDRAWAL = 2
    MUTE = 3
    OUTCOME = 4
    ATTENDANCE = 5
    VISIT = 6
    APPLIED = 7
    PAIRING = 8
    HEALTH = 9
    LOG_HEAD = 10
    ERASED = 11
    SYNTHETIC = 12
    PIN_SET = 13
    PROPOSAL = 14


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """One event; `body` is the CBOR of the dataclass of its kind below."""

    ROW = True
    number: Annotated[int, Range(1, 2**63 - 1)]
    kind: EventKind
    at_ms: Millis  # trusted time
    pseudonym: Annotated[bytes, exactly(16)] | None
    body: Annotated[bytes, Size(0, 4096)]


@dataclass(frozen=True, slots=True, repr=False)
class Events:
    """`events`: all that the store still holds of the numbers after `after` and up to `through`, in their order.

    What is missing in between was let go. Everything up to `freed` a lease said to be stored, and it is gone from the
    store. let_go: how many events of this incarnation the store let go, altogether.
    """

    incarnation: Id16
    events: Annotated[tuple[Event, ...], Count(256)]
    after: EventNumber
    through: EventNumber
    freed: EventNumber
    let_go: EventNumber


class Surface(StrEnum):
    """Where somebody gave a leave code."""

    TABLET = "tablet"  # an associate's
    PAGE = "page"  # HQ's public one


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Body of WITHDRAWAL: the member asked in person. `scope` None: everything at this store.

    by_code: where the member left by code instead; then `scope` is None and presence at this store is withdrawn.
    `associate` and `tablet` are empty where none took part.
    """

    scope: Annotated[str, Size(1, 64)] | None
    associate: Annotated[str, Size(0, 64)]
    tablet: Annotated[str, Size(0, 64)]
    by_code: Surface | None = None


class ReasonCode(IntEnum):
    """Why an associate could look."""

    HELP = 1
    OPEN = 2


INTRODUCED = "introduced"  # the rule of a disclosure that lets the name be shown from here on


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Body of DISCLOSURE: who saw which fields (names, never values), and by which rule.

    `shown` False: a look that was refused. `roster` True: the visit stood on a roster. `rule` INTRODUCED, without
    scopes: the shopper said who they are. Each is a leaf of the log (`wire.merkle.leaf_of`); the two salts are random,
    and given when it is appended.
    """

    visit: Id16  # the visit's handle, which nothing outlives but this record
    associate: Annotated[str, Size(1, 64)]
    role: Annotated[str, Size(1, 64)]
    tablet: Annotated[str, Size(1, 64)]
    scopes: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(64)]
    purposes: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(16)]
    rule: Annotated[str, Size(0, 64)]
    reason: ReasonCode | None
    shown: bool
    roster: bool
    salt: Id16 = b""
    staff_salt: Id16 = b""  # hides the staff in the leaf, so that a receipt names nobody


@dataclass(frozen=True, slots=True, repr=False)
class LogEntry:
    """What a leaf of the log hashes behind its salt: the disclosure as its member may see it.

    staff: SHA-256 of `staff_salt ‖ CBOR([associate, tablet])`.
    """

    number: EventNumber
    at_ms: Millis
    pseudonym: Annotated[bytes, exactly(16)] | None
    visit: Id16
    role: Annotated[str, Size(1, 64)]
    scopes: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(64)]
    purposes: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(16)]
    rule: Annotated[str, Size(0, 64)]
    reason: ReasonCode | None
    shown: bool
    roster: bool
    staff: Hash32


@dataclass(frozen=True, slots=True, repr=False)
class Erased:
    """Body of ERASED: an event of this number and of kind `was` was erased before it went up.

    leaf: of a disclosure, the hash that stays in the log.
    """

    was: EventKind
    leaf: Hash32 | None


@dataclass(frozen=True, slots=True, repr=False)
class LogHead:
    """Body of LOG_HEAD: the log of all disclosures with smaller numbers, signed by the box's identity.

    `signature` is over `wire.merkle.head_input` with the event's `at_ms`; `peaks` is the frontier, greatest first.
    """

    size: Annotated[int, Range(0, 2**62)]  # so that HQ can count on from there
    root: Hash32
    peaks: Annotated[tuple[Hash32, ...], Count(63)]
    signature: Annotated[bytes, exactly(64)]


class HelpStep(StrEnum):
    """What became of a call for help."""

    WAITING = "waiting"  # it stands on a roster
    ATTENDING = "attending"
    DONE = "done"
    CANCELLED = "cancelled"  # by the phone, which stopped calling
    TIMED_OUT = "timed-out"
    ESCALATED = "escalated"  # nobody came: all tablets and the manager were told
    HANDED_OVER = "handed-over"  # somebody else is to come


class HandOverReason(StrEnum):
    """Why somebody else is to help; there is no free text."""

    NEEDS_EXPERT = "needs-expert"
    OTHER_ZONE = "other-zone"
    LANGUAGE = "language"
    BREAK = "break"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Attendance:
    """Body of ATTENDANCE: what became of a call for help. `associate` is empty where nobody of the staff did it.

    The rest of HANDED_OVER alone: the role of whoever did it, and to which associate or role, and why.
    """

    associate: Annotated[str, Size(0, 64)]
    action: HelpStep
    role: Annotated[str, Size(1, 64)] | None = None
    to: Annotated[str, Size(1, 64)] | None = None
    to_role: Annotated[str, Size(1, 64)] | None = None
    reason: HandOverReason | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """Body of APPLIED: a withdrawal took effect, and how long after HQ's commit the last open tablet showed it.

    Of the `open` tablets on which something had to change, `acknowledged` said within 10 s that they show it;
    `delay_ms` is to the last of these, or to the apply where none did or none was open. seq: of the record.
    """

    seq: Annotated[int, Range(0, 2**63 - 1)]  # so that HQ can keep it
    delay_ms: Annotated[int, Range(0, 2**40)]
    acknowledged: Annotated[int, Range(0, 65_535)]
    open: Annotated[int, Range(0, 65_535)]


@dataclass(frozen=True, slots=True)
class Dwell:
    """How long a visit was in a zone; an empty name is none that is known."""

    ROW = True
    zone: Annotated[str, Size(0, 64)]
    dwell_s: Annotated[int, Range(0, 2**32)]


@dataclass(frozen=True, slots=True, repr=False)
class VisitEnd:
    """Body of VISIT: a visit that ended, of a member who agreed to be counted; zones in the order of arrival."""

    arrived_ms: Millis
    left_ms: Millis
    zones: Annotated[tuple[Dwell, ...], Count(64)]


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """Body of HEALTH, hourly: counts run since the gateway's start."""

    software: Annotated[str, Size(1, 64)]
    up_s: Annotated[int, Range(0, 2**40)]
    dark_s: Annotated[int, Range(0, 2**40)]
    disk_free_bytes: int
    cache_bytes: int
    events_waiting: int
    dropped: int  # messages, sightings and requests


@dataclass(frozen=True, slots=True)
class Pairing:
    """Body of PAIRING: a tablet was paired or unpaired."""

    tablet: Annotated[str, Size(1, 64)]
    paired: bool


@dataclass(frozen=True, slots=True, repr=False)
class PinSet:
    """Body of PIN_SET: an associate set a PIN by a one-time code, which the manager `by` had made.

    verifier: argon2id, PHC string; empty where HQ keeps the event, which has it in `staff`. Of two PINs the one with
    the greater `set_ms` holds.
    """

    associate: Annotated[str, Size(1, 64)]
    by: Annotated[str, Size(1, 64)]
    tablet: Annotated[str, Size(1, 64)]
    verifier: Annotated[str, Size(0, 256)]
    set_ms: Millis


class Seen(StrEnum):
    """What the probe's tablet shows of the store's synthetic member."""

    SHOWN = "shown"
    GONE = "gone"  # the store is live, and does not show it
    DARK = "dark"  # nobody is shown anything


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Body of SYNTHETIC: what the probe's tablet shows from now on; told at each change."""

    seen: Seen


EVENT_BODIES: dict[EventKind, type] = {
    EventKind.DISCLOSURE: Disclosure,
    EventKind.WITHDRAWAL: Withdrawal,
    EventKind.MUTE: Mute,
    EventKind.OUTCOME: SuggestionOutcome,
    EventKind.ATTENDANCE: Attendance,
    EventKind.VISIT: VisitEnd,
    EventKind.APPLIED: Applied,
    EventKind.PAIRING: Pairing,
    EventKind.HEALTH: StoreHealth,
    EventKind.LOG_HEAD: LogHead,
    EventKind.ERASED: Erased,
    EventKind.SYNTHETIC: Synthetic,
    EventKind.PIN_SET: PinSet,
    EventKind.PROPOSAL: Proposal,
}
