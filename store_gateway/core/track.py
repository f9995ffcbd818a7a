"""What is known of one member's live phones: when heard, how strong, and a call for help.

Pure: no I/O, no clock.
"""

from collections import deque
from math import ceil

from consent.visit import HandedOver
from store_gateway.core.signals import Signals
from wire.token import SLOT_S, day_of_slot

APART_S = 1.0  # two sightings at least so far apart…
WITHIN_S = 25.0  # …within this: some controllers report a steady phone once in 10.24 s
LEAVE_LEAST_S = 60.0
LEAVE_MOST_S = 180.0
LEAVE_GAPS = 8
GAP_PERCENTILE = 0.95
CANCEL_S = 2.0  # BlueZ can report an old presence token beside the help token; only without the latter it cancels
_MOST_GAPS = 64
_SLOT_MS = SLOT_S * 1000
_ANOTHERS = 2**32  # no slot: later than all
_STEP_S = 0.4  # the edge folds half seconds; sightings of several nodes in one of them count once


class Call:
    """A call for help: its tokens, the instants of the first and the newest, which phone calls, and what that shows."""

    __slots__ = (
        "_heard_mono_s", "_presence_mono_s", "attended_by", "escalated", "phone", "sign", "since_mono_s",
        "since_ms", "slot", "tokens", "told", "was_passed",
    )  # fmt: skip

    def __init__(
        self, token: bytes, now_mono_s: float, now_ms: int, slot: int, phone: bytes, sign: tuple[str, str] | None
    ) -> None:
        self.tokens = {token}
        self.since_mono_s = now_mono_s
        self.since_ms = now_ms
        self._heard_mono_s = {slot: now_mono_s}  # of each slot's token; of another phone's in `_ANOTHERS`
        self.slot = slot
        self.phone = phone
        self.sign = sign
        self.escalated = False
        self.attended_by: str | None = None
        self.told = False  # once every node had its say on where the member is
        self.was_passed = slot < now_ms // _SLOT_MS  # then the first token may be from BlueZ's memory
        self._presence_mono_s: dict[int, float] = {}  # of each slot's token

    def goes_on(self, token: bytes, slot: int, phone: bytes, now_mono_s: float) -> None:
        """One of its tokens was heard."""
        self.tokens.add(token)
        self._heard_mono_s[slot if phone == self.phone else _ANOTHERS] = now_mono_s

    def put_away(self, slot: int, phone: bytes, now_mono_s: float) -> None:
        """A presence token was heard. On one day another phone's day key is another: that phone never called."""
        if phone == self.phone or day_of_slot(slot) != day_of_slot(self.slot):
            self._presence_mono_s[slot] = now_mono_s

    def cancelled(self, now_mono_s: float) -> bool:
        """A presence token was heard after the last help token, and no help token for two seconds.

        A token of either kind of an older slot than the newest of the other is from BlueZ's memory, and none.
        """
        said = {slot: at for slot, at in self._presence_mono_s.items() if slot >= self.slot}
        if not said:
            return False
        newest = max(said)
        heard = [at for slot, at in self._heard_mono_s.items() if slot >= newest]
        heard_mono_s = max(heard, default=self.since_mono_s)
        return max(said.values()) > heard_mono_s and now_mono_s - heard_mono_s >= CANCEL_S


class Track:
    """One member's phones while they are heard. `handle` is set while the member is on a visit.

    `due_mono_s`: when somebody should look at it though nothing was heard. `hider`: the node in a blind zone that
    heard the member most strongly last; None once the member was seen to be elsewhere.
    """

    __slots__ = (
        "_above_mono_s", "_gaps", "_heard", "_held_mono_s", "_last_mono_s", "_measured_mono_s", "_newest_mono_s",
        "_newest_slot", "_patience_s", "_said", "_said_mono_s", "_weak_mono_s", "_weighable",
        "arrived_ms", "attended", "call", "due_mono_s", "handed_over", "handle", "hider", "invited",
        "pseudonym", "signals", "zone",
    )  # fmt: skip

    def __init__(self, pseudonym: bytes, now_mono_s: float) -> None:
        self.pseudonym = pseudonym
        self.signals = Signals(now_mono_s)
        self.call: Call | None = None
        self.due_mono_s = now_mono_s
        self.hider: str | None = None
        self._gaps: deque[float] = deque(maxlen=_MOST_GAPS)
        self._patience_s: float | None = LEAVE_LEAST_S
        self._last_mono_s = now_mono_s
        self._said: set[tuple[int, bytes]] = set()  # presence tokens of the newest instant
        self._said_mono_s = 0.0
        self._newest_slot: dict[bytes, int] = {}  # of each phone's presence tokens
        self.ended()

    def ended(self) -> None:
        """The visit is over, or has not begun: the next one starts from nothing."""
        self.handle: bytes | None = None
        self.zone: str | None = None
        self.arrived_ms = 0
        self.invited = False
        self.unattended()
        self._heard: deque[float] = deque()
        self._newest_mono_s = 0.0
        self._held_mono_s = 0.0
        self._above_mono_s: float | None = None
        self._measured_mono_s = 0.0
        self._weak_mono_s: float | None = None
        self._weighable = False

    def unattended(self) -> None:
        """Nobody helps, and nobody was asked to."""
        self.attended: tuple[str, str] | None = None
        self.handed_over: tuple[HandedOver, float] | None = None  # and until when it is theirs to take
        if self.call is not None:
            self.call.attended_by = None

    def heard(self, node: str, rssi_dbm: int | None, now_mono_s: float) -> None:
        """Any of the member's tokens was heard."""
        gap = now_mono_s - self._last_mono_s
        if gap > 0:
            self._gaps.append(gap)
            self._patience_s = None
            self._last_mono_s = now_mono_s
        self.signals.add(node, rssi_dbm, now_mono_s)
        self.due_mono_s = now_mono_s

    def calls(self, call: Call) -> None:
        """A call for help begins, but by a token of a passed slot of a phone that said presence in a later one.

        Presence tokens of this very instant came before or after it by chance.
        """
        if call.was_passed and self._is_old(call):
            return
        self.call = call
        for slot, phone in self._said:
            if self._said_mono_s == call.since_mono_s:
                call.put_away(slot, phone, call.since_mono_s)

    def says_presence(self, slot: int, phone: bytes, now_mono_s: float) -> None:
        """A presence token was heard."""
        self._newest_slot[phone] = max(slot, self._newest_slot.get(phone, slot))
        if self.call is not None and not self.call.told and self.call.was_passed and self._is_old(self.call):
            self.call = None  # and nobody heard of it
        if self.call is not None:
            self.call.put_away(slot, phone, now_mono_s)
            return
        if now_mono_s != self._said_mono_s:
            self._said_mono_s = now_mono_s
            self._said.clear()
        self._said.add((slot, phone))

    def _is_old(self, call: Call) -> bool:
        return call.slot < self._newest_slot.get(call.phone, call.slot)

    def counts(self, is_presence: bool, is_measured: bool, now_mono_s: float) -> None:
        """What was heard counts for arrival and departure: it was not heard in a blind zone."""
        if is_measured:
            self._weighable = True
        if not is_presence:
            return
        if is_measured:
            if self._above_mono_s is not None and now_mono_s - self._measured_mono_s > WITHIN_S:
                self._above_mono_s = None
            self._measured_mono_s = now_mono_s
        self._newest_mono_s = now_mono_s
        if not self._heard or now_mono_s - self._heard[-1] >= _STEP_S:
            self._heard.append(now_mono_s)
        while now_mono_s - self._heard[0] > WITHIN_S:
            self._heard.popleft()

    def weigh(self, enter_dbm: int, exit_dbm: int, now_mono_s: float) -> None:
        """Judges the strongest signal against the two thresholds, once every node had its say."""
        if not self._weighable:
            return
        self._weighable = False
        strongest = self.signals.strongest()
        dbm = self.signals.level(strongest)
        if dbm >= exit_dbm:
            self._weak_mono_s = None
        elif self._weak_mono_s is None:
            self._weak_mono_s = now_mono_s
        if dbm < enter_dbm or strongest is None:
            self._above_mono_s = None
            return
        self._held_mono_s = self.signals.measured_mono_s(strongest)
        if self._above_mono_s is None and self._heard:
            self._above_mono_s = self._held_mono_s

    def may_arrive(self, dwell_s: float, now_mono_s: float) -> bool:
        """Heard twice, strong enough, and that for the dwelling time."""
        if self._above_mono_s is None or not self._heard or now_mono_s - self._heard[-1] > WITHIN_S:
            return False
        return self._newest_mono_s - self._heard[0] >= APART_S and self._held_mono_s - self._above_mono_s >= dwell_s

    def silent(self, now_mono_s: float) -> bool:
        """Nothing was heard for eight times the usual longest gap, between 60 and 180 s."""
        silent_s = now_mono_s - self._last_mono_s
        return silent_s >= LEAVE_LEAST_S and silent_s >= self.patience_s()

    def patience_s(self) -> float:
        """How long this member may be silent before it counts as gone, in seconds."""
        if self._patience_s is None:
            ranked = sorted(self._gaps)
            usual = ranked[ceil(GAP_PERCENTILE * len(ranked)) - 1]
            self._patience_s = min(LEAVE_MOST_S, max(LEAVE_LEAST_S, LEAVE_GAPS * usual))
        return self._patience_s

    def weak_for(self, now_mono_s: float) -> float:
        """For how many seconds the signal has been below the leaving threshold."""
        return 0.0 if self._weak_mono_s is None else now_mono_s - self._weak_mono_s

    def freeze(self, now_mono_s: float) -> None:
        """The radio that alone hears this member is ill: silence and weakness count from now."""
        self._last_mono_s = now_mono_s
        if self._weak_mono_s is not None:
            self._weak_mono_s = now_mono_s
