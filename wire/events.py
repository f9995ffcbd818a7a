"""What a store tells HQ happened, and what HQ orders a store to do.

Times are Unix milliseconds UTC of trusted time. `wire.sync` sends them; `docs/protocol.md` gives each in CDDL.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from wire.limits import MAX_BODY_BYTES, Id16, Millis, Seq
from wire.schema import Count, Range, Size, exactly


class Verb(IntEnum):
    """What an order tells a store to do."""

    EXPORT = 1
    ERASE = 2
    LOCKDOWN = 3
    WIPE = 4
    ROLL = 5
    UNPAIR = 6
    LEAVE = 7


@dataclass(frozen=True, slots=True)
    RECALL = 8
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
    """`events`: a batch in the order of the numbers, kept by the store until a lease's `events_through`."""

    incarnation: Id16
    events: Annotated[tuple[Event, ...], Count(256)]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Body of WITHDRAWAL: the member asked in person. `scope` None: everything at this store."""

    scope: Annotated[str, Size(1, 64)] | None
    associate: Annotated[str, Size(1, 64)]
    tablet: Annotated[str, Size(1, 64)]


class ReasonCode(IntEnum):
    """Why an associate could look."""

    HELP = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Body of DISCLOSURE: who saw which fields (names, never values), and by which rule.

    `shown` False: a look that was refused. `roster` True: the visit stood on a roster.
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


class HelpStep(StrEnum):
    """What became of a call for help."""

    WAITING = "waiting"  # it stands on a roster
    ATTENDING = "attending"
    DONE = "done"
    CANCELLED = "cancelled"  # by the phone, which stopped calling
    TIMED_OUT = "timed-out"
    ESCALATED = "escalated"  # nobody came: all tablets and the manager were told


@dataclass(frozen=True, slots=True)
class Attendance:
    """Body of ATTENDANCE: what became of a call for help. `associate` is empty where nobody of the staff did it."""

    associate: Annotated[str, Size(0, 64)]
    action: HelpStep


@dataclass(frozen=True, slots=True)
class Applied:
    """Body of APPLIED: a withdrawal took effect, and how long after HQ's commit the last open tablet showed it."""

    seq: Seq
    delay_ms: Annotated[int, Range(0, 2**40)]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Body of PAIRING: a tablet was paired or unpaired."""

    tablet: Annotated[str, Size(1, 64)]
    paired: bool


EVENT_BODIES: dict[EventKind, type] = {
    EventKind.DISCLOSURE: Disclosure,
    EventKind.WITHDRAWAL: Withdrawal,
    EventKind.ATTENDANCE: Attendance,
    EventKind.APPLIED: Applied,
    EventKind.PAIRING: Pairing,
}
