"""One satellite as the gateway hears it: in order, once, not too late, and only for its own nodes.

Pure: no I/O, no clock.
"""

from collections import Counter, deque
from dataclasses import replace
from enum import StrEnum
from typing import Final

from store_gateway.core.skew import STALE_MS, Skew
from wire import satellite, sighting
from wire.errors import WireError
from wire.sighting import Batch, Health

PAST_SESSIONS: Final = 64  # starts of the satellite whose frames are known for repeated
LOST_MOST: Final = 1_000_000  # of one gap: a number out of the air must not make a figure that says nothing


class Drop(StrEnum):
    """Why something that a receiver said was dropped; the name under which it is counted."""

    MALFORMED = "malformed"
    FOREIGN = "foreign"  # of a node that is not its own
    STALE = "stale"
    REPEATED = "repeated"
    RETAINED = "retained"  # kept by the broker: from any time
    FLOOD = "flood"


class Satellite:
    """See the module. `counts` has "frames", "lost" and each `Drop`."""

    __slots__ = ("_last", "_nodes", "_past", "_session", "_skew", "counts")

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self._nodes = frozenset(nodes)
        self._session = b""
        self._past: deque[bytes] = deque(maxlen=PAST_SESSIONS)
        self._last = 0
        self._skew = Skew()
        self.counts: Counter[str] = Counter()

    def take(self, payload: bytes, now_mono_s: float) -> Batch | Health | Drop:
        """What a message of this satellite says, its times by our own boot clock; or why it was dropped."""
        self.counts["frames"] += 1
        found = self._read(payload, now_mono_s)
        if isinstance(found, Drop):
            self.counts[found] += 1
        return found

    def _read(self, payload: bytes, now_mono_s: float) -> Batch | Health | Drop:
        try:
            frame = satellite.decode(payload)
            heard = sighting.decode(frame.datagram)
        except WireError:
            return Drop.MALFORMED
        if frame.session != self._session:
            if frame.session in self._past:
                return Drop.REPEATED
            if self._session:
                self._past.append(self._session)
            self._session, self._skew = frame.session, Skew()
        elif frame.number <= self._last:
            return Drop.REPEATED
        else:
            self.counts["lost"] += min(frame.number - self._last - 1, LOST_MOST)
        self._last = frame.number
        if self._skew.age_ms(frame.sent_ms, now_mono_s * 1000) > STALE_MS:
            return Drop.STALE
        if heard.node not in self._nodes:
            return Drop.FOREIGN
        return self._by_our_clock(heard)

    def _by_our_clock(self, heard: Batch | Health) -> Batch | Health:
        ours_ms = self._skew.ours_ms
        if isinstance(heard, Health):
            # 0 is "none yet", which no shift may change or make.
            at_ms = max(1, ours_ms(heard.last_advert_ms)) if heard.last_advert_ms else 0
            return replace(heard, last_advert_ms=at_ms)
        shifted = tuple(
            replace(one, first_ms=ours_ms(one.first_ms), last_ms=ours_ms(one.last_ms)) for one in heard.sightings
        )
        return Batch(heard.node, shifted)
