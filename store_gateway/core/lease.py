"""Keeps the lease: which of HQ's answers count, until when the store may disclose, and what time it is.

`now_mono_s` is the boot clock (CLOCK_BOOTTIME): it goes on in standby, and no wall clock can lengthen a lease.

Pure: no I/O, no clock.
"""

import math
from collections import deque
from dataclasses import dataclass

from wire import sync
from wire.query import DarkReason, Lease, Light

WAIT_S = 3.0  # for messages under way, before a differing instance is asked for
TIME_AGE_S = 10.0  # an answer older than this tells no time
CHALLENGE_S = 45.0  # of the 60 s that HQ takes an echo; the rest is for its way to HQ and back
FIRST_HELLO_S = 2.0
HELLO_S = 15.0
STALE_HELLO_S = 60.0  # of a restored image or a clone, which only a person can help
_GROWTH = 1.5
_JITTER = 0.2
_BURST = 4  # so many hellos may go at once within _BURST_S; HQ's answers cannot make the store shout
_BURST_S = 2.0
_REFUSED = {
    sync.RefusalReason.STALE_TICKET: DarkReason.RESTORED,
    sync.RefusalReason.AHEAD_OF_HQ: DarkReason.HQ_RESTORED,
    sync.RefusalReason.RECOVERING: DarkReason.HQ_RESTORED,
    sync.RefusalReason.LOCKDOWN: DarkReason.LOCKDOWN,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A lease that HQ offered: it begins once the roots agree. `sent_mono_s`: when its hello was sent.

    `waits_mono_s`: since when roots differ, offer after offer; else a short heartbeat would renew the wait for ever.
    """

    sent_mono_s: float
    waits_mono_s: float
    lease: sync.Lease

    @property
    def until_mono_s(self) -> float:
        """When it ends, whether it began or not."""
        return self.sent_mono_s + self.lease.lease_s


class Keeper:
    """The lease of one boot. `offer`: the newest that has not begun."""

    __slots__ = (
        "_begun",
        "_challenge_at",
        "_heard_mono_s",
        "_hello_at",
        "_hello_s",
        "_newest_mono_s",
        "_nonces",
        "_offset_ms",
        "challenge",
        "keys_ended",
        "offer",
        "refused",
    )

    def __init__(self) -> None:
        self._nonces: deque[tuple[bytes, float]] = deque(maxlen=sync.LAST_NONCES)
        self._newest_mono_s = -math.inf  # when the newest hello was sent that a lease or a refusal answered
        self._begun: Offer | None = None
        self.offer: Offer | None = None
        self.refused: sync.RefusalReason | None = None
        self.challenge = b""
        self.keys_ended = False  # HQ speaks, and by keys that have ended
        self._challenge_at = -math.inf
        self._heard_mono_s: float | None = None
        self._offset_ms: int | None = None
        self._hello_s = FIRST_HELLO_S
        self._hello_at = -math.inf

    # --- hellos ----------------------------------------------------------------------------------------------------

    def hello_due(self, now_mono_s: float) -> bool:
        """Whether it is time to say hello."""
        return now_mono_s >= self._hello_at

    def hello_soon(self, now_mono_s: float) -> None:
        """Say hello at once, or as soon as a burst of them allows."""
        recent = [sent for _, sent in self._nonces if sent > now_mono_s - _BURST_S]
        soonest = recent[-_BURST] + _BURST_S if len(recent) >= _BURST else now_mono_s
        self._hello_at = min(self._hello_at, soonest)

    def hello_within(self, seconds: float) -> None:
        """Say hello at the latest so many seconds after the last one."""
        last = self._nonces[-1][1] if self._nonces else -math.inf
        self._hello_at = min(self._hello_at, last + seconds)

    def said_hello(self, nonce: bytes, now_mono_s: float, chance: float) -> None:
        """A hello with this nonce goes out now. `chance` in [0, 1) spreads the next one by ±20 %."""
        self._nonces.append((nonce, now_mono_s))
        self._hello_at = now_mono_s + self._hello_s * (1 - _JITTER + 2 * _JITTER * chance)
        if self._begun is None and self.offer is None and self.refused is not sync.RefusalReason.STALE_TICKET:
            self._hello_s = min(HELLO_S, self._hello_s * _GROWTH)

    def sent_at(self, nonce: bytes) -> float | None:
        """When the hello with this nonce was sent; None: not one of the last 8."""
        return next((sent for known, sent in self._nonces if known == nonce), None)

    # --- answers ---------------------------------------------------------------------------------------------------

    def heard(self, now_mono_s: float) -> None:
        """HQ answered one of the last hellos."""
        self._heard_mono_s = now_mono_s

    def take_challenge(self, challenge: bytes, now_mono_s: float) -> None:
        """HQ's newest challenge, to be echoed."""
        self.challenge, self._challenge_at = challenge, now_mono_s

    def challenge_fresh(self, now_mono_s: float) -> bool:
        """Whether HQ will conclude something from an echo of it."""
        return bool(self.challenge) and now_mono_s - self._challenge_at < CHALLENGE_S

    def on_lease(self, lease: sync.Lease, sent_mono_s: float, now_mono_s: float) -> bool:
        """Takes an answer to the hello sent at `sent_mono_s`; False: an older one than we already have.

        Every answer that is young enough tells the time; only the newest hello's offers a lease.
        """
        if now_mono_s - sent_mono_s <= TIME_AGE_S:
            offset_ms = lease.hq_ms - int(sent_mono_s * 1000)  # HQ read its clock after the hello was sent
            self._offset_ms = offset_ms if self._offset_ms is None else max(self._offset_ms, offset_ms)
        if sent_mono_s <= self._newest_mono_s:
            return False
        self._newest_mono_s = sent_mono_s
        waits_mono_s = now_mono_s if self.offer is None else self.offer.waits_mono_s
        self.offer = Offer(sent_mono_s, waits_mono_s, lease)
        self.refused = None
        self._hello_s = float(lease.heartbeat_s)
        return True

    def begin(self) -> None:
        """The roots agree: the offer is the lease now."""
        self._begun, self.offer = self.offer or self._begun, None

    def on_refusal(self, reason: sync.RefusalReason, sent_mono_s: float) -> None:
        """HQ gives no lease; what it gave for earlier hellos ends, and a recording of it begins nothing again."""
        if sent_mono_s > self._newest_mono_s:
            self._newest_mono_s = sent_mono_s
            self.refused, self._begun, self.offer = reason, None, None
            if reason is sync.RefusalReason.STALE_TICKET:
                self._hello_s = STALE_HELLO_S
                self._hello_at = max(self._hello_at, sent_mono_s + STALE_HELLO_S)

    def end(self, now_mono_s: float) -> None:
        """The lease ends here, and answers to what was said before begin none: the cache is another."""
        self._newest_mono_s = now_mono_s
        self.refused, self._begun, self.offer = None, None, None

    # --- what holds ------------------------------------------------------------------------------------------------

    def left_s(self, now_mono_s: float) -> float:
        """Seconds until the lease ends; 0 where none has begun or it ended."""
        return max(0.0, self._begun.until_mono_s - now_mono_s) if self._begun is not None else 0.0

    def wait_over(self, now_mono_s: float) -> bool:
        """Whether messages under way had their time since an offer first differed."""
        return self.offer is not None and now_mono_s - self.offer.waits_mono_s >= WAIT_S

    def trusted_ms(self, now_mono_s: float) -> int | None:
        """HQ's time plus the boot clock since the hello: ahead by at most an answer's way, never stepped back."""
        return None if self._offset_ms is None else self._offset_ms + int(now_mono_s * 1000)

    def view(self, now_mono_s: float, *, locked: bool, failed: bool, policy: bool, quarantined: bool = False) -> Lease:
        """The lease as a page shows it, with the reason why the store is dark."""
        last_word_ms = None if self._heard_mono_s is None else self.trusted_ms(self._heard_mono_s)
        light, reason = self._light(now_mono_s, locked, failed, policy)
        if reason is DarkReason.CATCHING_UP and quarantined:
            reason = DarkReason.QUARANTINED
        if light is not Light.LIVE or self._begun is None:
            return Lease(light, reason, 0, 0, last_word_ms)
        left_s, length_s = math.ceil(self.left_s(now_mono_s)), self._begun.lease.lease_s
        if self.offer is not None and left_s * 2 <= length_s:
            reason = DarkReason.CATCHING_UP  # HQ answers, so that is not why the lease runs out
        return Lease(light, reason, left_s, length_s, last_word_ms)

    def _light(self, now_mono_s: float, locked: bool, failed: bool, policy: bool) -> tuple[Light, DarkReason]:
        if failed:
            return (Light.LOCKED if locked else Light.DARK), DarkReason.DISK
        if self.refused is not None:
            return (Light.LOCKED if locked else Light.DARK), _REFUSED.get(self.refused, DarkReason.REFUSED)
        if locked:
            return Light.LOCKED, DarkReason.KEYS_ENDED if self.keys_ended else DarkReason.STARTING
        if self.left_s(now_mono_s) > 0:
            return (Light.LIVE, DarkReason.NONE) if policy else (Light.DARK, DarkReason.NO_POLICY)
        if self.keys_ended:
            return Light.DARK, DarkReason.KEYS_ENDED
        if self._is_answering(now_mono_s):
            return Light.DARK, DarkReason.CATCHING_UP
        return Light.DARK, DarkReason.NO_WORD

    def _is_answering(self, now_mono_s: float) -> bool:
        """HQ's last answer is no older than the lease that it could have begun."""
        if self.offer is not None:
            return now_mono_s < self.offer.until_mono_s
        return self._begun is None and self._heard_mono_s is not None and now_mono_s - self._heard_mono_s < HELLO_S
