"""What the gateway may answer: rosters, cards, and the domain's other "no"s and "yes"es.

Nothing that is not declared here can leave the gateway towards a tablet. Times are Unix milliseconds UTC of the
store's trusted time.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.concluded import Concluded
from wire.condition import Condition
from wire.events import HandOverReason
from wire.hints import CardHint
from wire.member import Mode
from wire.policy import Section
from wire.schema import Count, Packed, Range, Size, exactly
from wire.sighting import RadioReason
from wire.suggested import Suggested
from wire.trust import CertificateView

Handle = Annotated[bytes, exactly(16)]  # of a visit: random, new each visit
Secret = Annotated[bytes, exactly(32)]  # of a tablet or a session
Name = Annotated[str, Size(1, 64)]
Text = Annotated[str, Size(0, 512)]
Millis = Annotated[int, Range(0, 2**53)]
MOST_RADIOS = 192  # in a status: with the longest labels they still fit a frame


class RefusedReason(StrEnum):
    """Why a request was not taken; none of them depends on a member."""

    UNPAIRED = "unpaired"
    SIGNED_OUT = "signed-out"
    LOCKED = "locked"  # the session waits for its associate's PIN
    WRONG = "wrong"  # code, name or PIN: never which
    THROTTLED = "throttled"
    FORBIDDEN = "forbidden"  # the role may not
    DARK = "dark"
    BUSY = "busy"
    MALFORMED = "malformed"
    WEAK = "weak"  # a PIN that is tried first, or too short
    OUTDATED = "outdated"  # the browser is older than policy lets in


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
    QUARANTINED = "quarantined"  # the records do not agree after three rounds, and are tried again later
    NO_POLICY = "no-policy"
    REFUSED = "refused"
    RESTORED = "restored"  # the cache is an old copy, or another box uses its identity
    HQ_RESTORED = "hq-restored"  # HQ knows less than the store, and is being brought up to it
    KEYS_ENDED = "keys-ended"  # HQ speaks, and by keys whose time is over
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
    handed_over: HandOverReason | None = None  # to me or my role, and nobody took it yet: why


@dataclass(frozen=True, slots=True)
class Outage:
    """A zone with a receiver that does not hear now; an empty label: a receiver in no zone."""

    ROW = True
    zone_label: Text
    blind: bool  # nobody in it is ever shown


@dataclass(frozen=True, slots=True, repr=False)
class Roster:
    """All visits that the session's role may see, oldest unanswered help first. Empty unless live.

    `radios`: the zones whose receivers are out; nothing about who is or was there.
    """

    version: int
    as_of_ms: Millis
    lease: Lease
    visits: Annotated[tuple[Visit, ...], Packed(2048)]  # most are as they were on the roster before
    urgent: bool  # a withdrawal, a call for help or darkness is in it: goes at once
    radios: Annotated[tuple[Outage, ...], Count(129)] = ()


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
    """One entry of a list on a card. `item`: of a suggestion, its id in the catalog; `suggested`: of one of ours.

    `concluded`: what the store concludes, in the place of anything that the record says; `text` is then its kind.
    """

    text: Text
    at_ms: Millis | None
    quantity: Annotated[int, Range(-100_000, 100_000)] | None
    returned: bool
    item: Annotated[str, Size(1, 64)] | None = None
    suggested: Suggested | None = None
    concluded: Concluded | None = None


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
    hint: CardHint | None = None
    handed_over: HandOverReason | None = None
    mode: Mode = Mode.HELP


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


@dataclass(frozen=True, slots=True, repr=False)
class ProbeKit:
    """What a probe needs: its phone's presence secret, its associate, and a one-time code to pair its tablet with.

    `now_ms` is trusted time, by which the phone makes its tokens.
    """

    secret: Secret
    associate: Name
    pin: Annotated[str, Size(1, 64)]
    code: Annotated[str, Size(1, 64)]
    now_ms: Millis


@dataclass(frozen=True, slots=True)
class Counter:
    """One figure for `/metrics`: a name in Prometheus' form, perhaps one label, and a count."""

    ROW = True
    name: Name
    label: Annotated[str, Size(0, 64)]
    value: int


class ReceiverState(StrEnum):
    """How a receiver fares, as the gateway sees it."""

    HEARING = "hearing"
    RECOVERING = "recovering"
    ILL = "ill"
    AWAY = "away"  # it was heard of, and says nothing any more
    NEVER_HEARD = "never-heard"  # policy names it, and nothing was heard of it since the gateway started


@dataclass(frozen=True, slots=True)
class Restarts:
    """How many steps of recovery a radio took for a reason, since its edge started."""

    ROW = True
    reason: RadioReason
    count: int


@dataclass(frozen=True, slots=True)
class Radio:
    """How one receiver fares; counts run since its edge started.

    `zone_label` None: in no zone of the policy. `reason`: what keeps it from hearing, as it said last. `silent_s`:
    since the last advert of anybody, to within a report. None: not known, or not for whoever asks.
    """

    node: Name
    zone_label: Text | None
    state: ReceiverState
    reason: RadioReason | None
    silent_s: int | None
    adverts: int | None
    candidates: int | None  # adverts that may be members': the operator's alone
    drops: int | None
    restarts: Annotated[tuple[Restarts, ...], Count(16)]


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
    radios: Annotated[tuple[Radio, ...], Count(MOST_RADIOS)] = ()
    certificates: Annotated[tuple[CertificateView, ...], Count(4)] = ()  # what the box shows to tablets
    condition: Condition | None = None  # its disk, what agrees with HQ, its software
