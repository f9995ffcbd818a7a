"""Turns recognised sightings into visits: who arrived, who left, who waits for help, and where.

Everything is keyed by pseudonym and lives in memory; a visit has a new random handle. The rules: docs/presence.md.
Two clocks: `now_mono_s` (boot clock) for every timer, `now_ms` (trusted time, Unix milliseconds) for opening hours and
for what is shown. The call of who was just heard first is felt at the sighting; all else at the tick, when every node
had its say: so who calls from a blind zone is not told of as calling where they were before.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from enum import Enum, auto

from consent.visit import HandedOver, Visit
from store_gateway.core.blindness import Blindness
from store_gateway.core.directory import Resolved
from store_gateway.core.hours import OpenNow
from store_gateway.core.table import SLOT_MS
from store_gateway.core.track import Call, Track
from wire.policy import StorePolicy, Zone
from wire.sighting import Health
from wire.token import Kind

HANDLE_BYTES = 16
TAKE_S = 60.0  # so long a visit that was handed over waits for those to whom; then it is everybody's again
WEAK_S = 30.0  # below exit_dbm for so long is gone
LOOK_S = 1.0  # so often at least everybody is looked at


class What(Enum):
    """What happened to a visit."""

    ARRIVED = auto()
    LEFT = auto()
    MOVED = auto()  # another zone, or another sign
    CALLED = auto()
    ESCALATED = auto()
    CALL_ENDED = auto()


class Ended(Enum):
    """Why a call for help is over."""

    DONE = auto()  # an associate said so
    CANCELLED = auto()  # the phone says presence again, or nothing; or the member chose otherwise
    TIMED_OUT = auto()


URGENT = frozenset({What.CALLED, What.ESCALATED, What.CALL_ENDED})


@dataclass(frozen=True, slots=True, repr=False)
class Move:
    """One thing that happened to one member's visit."""

    what: What
    pseudonym: bytes
    handle: bytes  # of the visit that arrived, left or moved; empty where none is shown
    why: Ended | None = None  # of CALL_ENDED


class Presence:
    """See the module. `entropy(n)` gives n random bytes.

    `may_stand(pseudonym, visit, now_ms)`: whether anybody may be shown this visit. Where nobody may, in a zone that the
    member excludes for one, there is none: a handle that came back could be joined with the one before.
    """

    __slots__ = (
        "_blindness", "_entropy", "_handles", "_may_stand", "_open", "_places", "_policy", "_spent", "_tracks",
        "_zones",
    )  # fmt: skip

    def __init__(self, entropy: Callable[[int], bytes], may_stand: Callable[[bytes, Visit, int], bool]) -> None:
        self._entropy = entropy
        self._may_stand = may_stand
        self._policy: StorePolicy | None = None
        self._zones: dict[str, Zone] = {}
        self._places: dict[str, str] = {}
        self._open = OpenNow()
        self._blindness = Blindness()
        self._tracks: dict[bytes, Track] = {}
        self._handles: dict[bytes, bytes] = {}
        self._spent: dict[bytes, int] = {}  # help token -> its slot: it called once and does not call again

    def govern(self, policy: StorePolicy | None) -> None:
        """From now on this policy holds; None: nobody arrives."""
        self._policy = policy
        zones = policy.zones if policy is not None else ()
        self._zones = {node: zone for zone in reversed(zones) for node in zone.nodes}
        self._places = {node: zone.id for node, zone in self._zones.items()}
        self._open = OpenNow()
        self._blindness.govern(policy)
        self._all_due()

    def radio(self, health: Health, now_mono_s: float) -> None:
        """How a node's radio fares; a radio of a blind zone that hears nothing hides (docs/presence.md)."""
        self._blindness.radio(health, now_mono_s)

    def alive(self, node: str, now_mono_s: float) -> None:
        """A node heard a candidate token of anybody."""
        self._blindness.alive(node, now_mono_s)

    def hear(
        self, who: Resolved, token: bytes, node: str, rssi_dbm: int | None, now_mono_s: float, now_ms: int
    ) -> tuple[Move, ...]:
        """A member's phone was heard at a node."""
        if self._policy is None:
            return ()
        track = self._tracks.get(who.pseudonym)
        if track is None:
            track = self._tracks[who.pseudonym] = Track(who.pseudonym, now_mono_s)
        track.heard(node, rssi_dbm, now_mono_s)
        moves: list[Move] = []
        if who.kind is Kind.HELP:
            self._hear_help(track, who, token, now_mono_s, now_ms, moves)
        else:
            track.says_presence(who.slot, who.phone, now_mono_s)
        if not self._blindness.is_blind(node):
            track.counts(who.kind is Kind.PRESENCE, rssi_dbm is not None, now_mono_s)
            call = track.call
            if call is not None and not call.was_passed and track.handle is None and track.signals.settling(now_mono_s):
                self._place(track, now_mono_s, now_ms, moves)
        return tuple(moves)

    def tick(self, now_mono_s: float, now_ms: int | None, ill: Set[str] = frozenset()) -> tuple[Move, ...]:
        """Everything that only time does. `ill`: nodes whose radio is ill; nobody leaves whom they alone hear."""
        moves: list[Move] = []
        if self._blindness.tick(now_mono_s) or (now_ms is not None and self._open.turns(now_ms)):
            self._all_due()
        for track in list(self._tracks.values()):
            if now_mono_s >= track.due_mono_s:
                self._look(track, now_mono_s, now_ms, ill, moves)
        if now_ms is not None:
            passed = now_ms // SLOT_MS - 1
            for token in [token for token, slot in self._spent.items() if slot < passed]:
                del self._spent[token]
        return tuple(moves)

    def forget(self, pseudonym: bytes) -> tuple[Move, ...]:
        """The member is gone, quiet, or withdrew: nothing is known of it from now on."""
        track = self._tracks.pop(pseudonym, None)
        if track is None:
            return ()
        moves: list[Move] = []
        self._end_call(track, Ended.CANCELLED, moves)
        self._leave(track, moves)
        return tuple(moves)

    def leave(self, pseudonym: bytes) -> tuple[Move, ...]:
        """The visit ends, though the phone may still be heard: in mode `help` when the call ended."""
        moves: list[Move] = []
        track = self._tracks.get(pseudonym)
        if track is not None:
            self._end_call(track, Ended.CANCELLED, moves)
            self._leave(track, moves)
        return tuple(moves)

    def attend(self, pseudonym: bytes, associate: str, name: str) -> tuple[Move, ...]:
        """This associate helps; whoever asks first checks `visit().attended_by`."""
        track = self._tracks.get(pseudonym)
        if track is None or track.handle is None:
            return ()
        track.attended, track.handed_over = (associate, name), None
        if track.call is not None:
            track.call.attended_by = associate
            track.call.escalated = False
        return (Move(What.CALLED if track.call else What.MOVED, pseudonym, track.handle),)

    def hand_over(
        self, pseudonym: bytes, associate: str, name: str, given: HandedOver, now_mono_s: float
    ) -> tuple[Move, ...]:
        """This associate helps until somebody else takes it; nobody within `TAKE_S`: then nobody helps."""
        moves = self.attend(pseudonym, associate, name)
        if moves:
            self._tracks[pseudonym].handed_over = given, now_mono_s + TAKE_S
        return moves

    def introduce(self, pseudonym: bytes) -> tuple[Move, ...]:
        """The member said who they are, on this visit."""
        track = self._tracks.get(pseudonym)
        if track is None or track.handle is None:
            return ()
        track.invited = True
        return (Move(What.MOVED, pseudonym, track.handle),)

    def done(self, pseudonym: bytes) -> tuple[Move, ...]:
        """The associate is done; the call is over, and its tokens do not call again."""
        track = self._tracks.get(pseudonym)
        if track is None or track.handle is None:
            return ()
        moves: list[Move] = []
        track.unattended()
        self._end_call(track, Ended.DONE, moves)
        return tuple(moves) or (Move(What.MOVED, pseudonym, track.handle),)

    def counts(self, pseudonym: bytes) -> bool:
        """Whether the member's phone counts as heard, on a visit or not."""
        return pseudonym in self._tracks

    def find(self, handle: bytes) -> bytes | None:
        """The pseudonym of the visit with this handle."""
        return self._handles.get(handle)

    def visit(self, pseudonym: bytes) -> Visit | None:
        """The member's visit now."""
        track = self._tracks.get(pseudonym)
        return None if track is None or track.handle is None else self._shown(track, track.handle)

    def visits(self) -> Iterator[tuple[bytes, Visit]]:
        """All visits, in the order in which their phones were first heard."""
        for pseudonym, track in self._tracks.items():
            if track.handle is not None:
                yield pseudonym, self._shown(track, track.handle)

    def _shown(self, track: Track, handle: bytes) -> Visit:
        call, attended = track.call if track.call is None or track.call.told else None, track.attended
        return Visit(
            handle=handle,
            arrived_ms=track.arrived_ms,
            zone=track.zone,
            help=call is not None,
            invited=track.invited,
            waiting_since_ms=call.since_ms if call is not None else None,
            escalated=call is not None and call.escalated,
            sign=call.sign if call is not None else None,
            attended_by=attended[0] if attended is not None else None,
            attended_name=attended[1] if attended is not None else None,
            handed_over=track.handed_over[0] if track.handed_over is not None else None,
        )

    def _all_due(self) -> None:
        for track in self._tracks.values():
            track.due_mono_s = 0.0

    def _look(self, track: Track, now_mono_s: float, now_ms: int | None, ill: Set[str], moves: list[Move]) -> None:
        """One member at a tick."""
        policy = self._policy
        frozen = bool(ill) and ill >= track.signals.lately()
        if frozen:
            track.freeze(now_mono_s)
        if policy is None or track.silent(now_mono_s):
            moves += self.forget(track.pseudonym)
            return
        if track.handed_over is not None and now_mono_s >= track.handed_over[1] and track.handle is not None:
            track.unattended()
            moves.append(Move(What.CALLED if track.call else What.MOVED, track.pseudonym, track.handle))
        call = track.call
        if call is not None:
            waited_s = now_mono_s - call.since_mono_s
            if waited_s >= policy.help_s:
                self._end_call(track, Ended.TIMED_OUT, moves)
            elif call.cancelled(now_mono_s):
                self._end_call(track, Ended.CANCELLED, moves)
            elif not call.escalated and call.attended_by is None and waited_s >= policy.help_escalate_s:
                call.escalated = True
                moves.append(Move(What.ESCALATED, track.pseudonym, track.handle or b""))
        track.weigh(self._blindness.enter_dbm(policy), policy.exit_dbm, now_mono_s)
        if track.call is None and track.weak_for(now_mono_s) >= WEAK_S:
            self._leave(track, moves)
        else:
            self._place(track, now_mono_s, now_ms, moves)
        if track.call is not None and track.handle is not None:
            self._tell_call(track, track.call, track.handle, moves)
        hurried = track.call is not None or track.signals.settling(now_mono_s)
        track.due_mono_s = now_mono_s if hurried else now_mono_s + LOOK_S

    def _hear_help(
        self, track: Track, who: Resolved, token: bytes, now_mono_s: float, now_ms: int, moves: list[Move]
    ) -> None:
        call = track.call
        if token in self._spent and (call is None or token not in call.tokens):
            return  # of a call that is over
        self._spent[token] = who.slot
        if call is None:
            track.calls(Call(token, now_mono_s, now_ms, who.slot, who.phone, who.sign))
            return
        call.goes_on(token, who.slot, who.phone, now_mono_s)
        if who.slot > call.slot:
            call.slot, call.phone, call.sign = who.slot, who.phone, who.sign
            moves.append(Move(What.MOVED, track.pseudonym, track.handle or b""))

    def _tell_call(self, track: Track, call: Call, handle: bytes, moves: list[Move]) -> None:
        if not call.told:
            call.told = track.invited = True
            moves.append(Move(What.CALLED, track.pseudonym, handle))

    def _end_call(self, track: Track, why: Ended, moves: list[Move]) -> None:
        if track.call is not None:
            track.call = None
            track.unattended()
            moves.append(Move(What.CALL_ENDED, track.pseudonym, track.handle or b"", why))

    def _leave(self, track: Track, moves: list[Move]) -> None:
        if track.handle is not None:
            self._handles.pop(track.handle, None)
            moves.append(Move(What.LEFT, track.pseudonym, track.handle))
        track.ended()

    def _place(self, track: Track, now_mono_s: float, now_ms: int | None, moves: list[Move]) -> None:
        """Zone, blindness, hours, arrival."""
        policy = self._policy
        if policy is None:
            return
        track.signals.settle(now_mono_s, self._places)
        if self._blindness.hides(track, policy, now_mono_s):
            self._leave(track, moves)
            return
        owner = track.signals.owner
        zone = self._zones.get(owner) if owner is not None else None
        if now_ms is None:
            is_open = track.handle is not None  # the store is dark; who is there is not sent away for it
        else:
            hours = policy.hours if zone is None or zone.hours is None else zone.hours
            is_open = self._open.at(hours, policy.time_zone, now_ms)
        if not is_open:
            self._leave(track, moves)
            return
        name = zone.id if zone is not None else None
        if track.handle is not None:
            if name != track.zone:
                track.zone = name
                if now_ms is None or not self._may_stand(track.pseudonym, self._shown(track, track.handle), now_ms):
                    self._leave(track, moves)
                else:
                    moves.append(Move(What.MOVED, track.pseudonym, track.handle))
            return
        if now_ms is None:
            return
        if track.call is None:
            if not track.may_arrive(policy.dwell_s, now_mono_s):
                return
        elif (track.call.was_passed and track.signals.settling(now_mono_s)) or (
            len(self._zones) > 1 and self._blindness.doubts(track, policy, now_mono_s)
        ):
            return
        track.zone, track.arrived_ms = name, now_ms
        track.invited = track.call is not None
        if track.call is not None:
            track.call.told = True  # with the arrival
        if not self._may_stand(track.pseudonym, self._shown(track, b""), now_ms):
            return
        track.handle = self._entropy(HANDLE_BYTES)
        self._handles[track.handle] = track.pseudonym
        moves.append(Move(What.ARRIVED, track.pseudonym, track.handle))
        if track.call is not None:
            moves.append(Move(What.CALLED, track.pseudonym, track.handle))
