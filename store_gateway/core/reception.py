"""Everything that comes over the store's own broker: which receiver says it, what it says, and how each of them fares.

Used by one thread at a time. A stranger's advert ends here: it moves a count, and nothing of it is kept.

Pure: no I/O, no clock.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from store_gateway.core.satellite import Drop, Satellite
from wire import raw_adverts, receivers
from wire.errors import WireError
from wire.receivers import Receiver, ReceiverKind
from wire.sighting import NO_ADAPTER, Batch, Health, RadioReason, RadioState, Sighting

HEALTH_S: Final = 5.0
RECEIVER_SILENT_S: Final = 30.0  # a shop is never silent (docs/radio.md)
# What one receiver may say: several times what a full hall makes, and little enough that none drowns the others.
MESSAGES_PER_S: Final = {ReceiverKind.SATELLITE: 200.0}
ADVERTS_PER_S: Final = 500.0
_ONLINE: Final = b"online"
_OFFLINE: Final = b"offline"
_FIGURE_MOST: Final = 2**53


class Allowance:
    """So many a second, and twice as many at once."""

    __slots__ = ("_at_mono_s", "_left", "_per_s")

    def __init__(self, per_s: float, now_mono_s: float) -> None:
        self._per_s = per_s
        self._left = 2 * per_s
        self._at_mono_s = now_mono_s

    def spend(self, now_mono_s: float) -> bool:
        """Whether one more is within it."""
        self._left = min(2 * self._per_s, self._left + max(0.0, now_mono_s - self._at_mono_s) * self._per_s)
        self._at_mono_s = now_mono_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _CheapReceiver:
    """A cheap receiver: it tells adverts, and the broker tells whether it is there.

    While it is away nothing is told of it, as of any receiver that is away.
    """

    def __init__(self, receiver: Receiver, company_id: int, now_mono_s: float) -> None:
        (self._node,) = receiver.nodes
        self._company_id = company_id
        self._since_mono_s = now_mono_s  # of the last advert, or of the beginning
        self._last_advert_ms = 0
        self._away = False
        self.counts: Counter[str] = Counter()

    def hear(self, payload: bytes, now_mono_s: float) -> Batch | None:
        try:
            advert = raw_adverts.read(payload, self._company_id)
        except WireError:
            self.counts[Drop.MALFORMED] += 1
            return None
        if advert is None:
            return None
        self.counts["adverts"] += 1
        self._away = False
        self._since_mono_s = now_mono_s
        now_ms = self._last_advert_ms = int(now_mono_s * 1000)
        if not advert.tokens:
            return None
        self.counts["candidates"] += 1
        return Batch(
            self._node,
            tuple(Sighting(self._node, token, advert.rssi_dbm, 1, now_ms, now_ms) for token in advert.tokens),
        )

    def learn(self, payload: bytes, now_mono_s: float) -> Health | None:
        said = payload.strip().lower()
        if said not in (_ONLINE, _OFFLINE):
            self.counts[Drop.MALFORMED] += 1
            return None
        before, self._away = self._away, said == _OFFLINE
        return self._health(now_mono_s) if self._away and not before else None

    def health(self, now_mono_s: float) -> Health | None:
        return None if self._away else self._health(now_mono_s)

    def wait_anew(self, now_mono_s: float) -> None:
        """From now on it may be silent for as long as one that was just heard."""
        self._since_mono_s = now_mono_s

    def _health(self, now_mono_s: float) -> Health:
        if self._away:
            state, reason = RadioState.ILL, RadioReason.NO_ANSWER
        elif now_mono_s - self._since_mono_s >= RECEIVER_SILENT_S:
            state, reason = RadioState.ILL, RadioReason.SILENT
        elif not self._last_advert_ms:
            state, reason = RadioState.RECOVERING, RadioReason.SILENT
        else:
            state, reason = RadioState.HEARING, None
        drops = sum(self.counts[drop] for drop in Drop)
        adverts, heard = self.counts["adverts"], self.counts["candidates"]
        return Health(self._node, NO_ADAPTER, state, reason, self._last_advert_ms, adverts, heard, drops, ())


class Reception:
    """See the module. `topics` are what to subscribe to."""

    def __init__(self, store: str, there: Iterable[Receiver], company_id: int, now_mono_s: float) -> None:
        self._satellites: dict[str, Satellite] = {}  # by topic
        self._adverts: dict[str, _CheapReceiver] = {}  # by the beginning of the topic
        self._states: dict[str, _CheapReceiver] = {}  # by topic
        self._named: dict[str, Satellite | _CheapReceiver] = {}
        self._allowances: dict[str, Allowance] = {}
        self._names: dict[str, str] = {}  # by topic or its beginning
        self._unknown = 0
        self._due_mono_s = now_mono_s
        self._up = False
        for one in there:
            per_s = MESSAGES_PER_S.get(one.kind, ADVERTS_PER_S)
            self._allowances[one.name] = Allowance(per_s, now_mono_s)
            if one.kind is ReceiverKind.SATELLITE:
                topic = receivers.satellite_topic(store, one.name)
                self._named[one.name] = self._satellites[topic] = Satellite(one.nodes)
                self._names[topic] = one.name
            else:
                cheap = _CheapReceiver(one, company_id, now_mono_s)
                below, state = receivers.adverts_topic(one.name), receivers.state_topic(one.name)
                self._named[one.name] = self._adverts[below] = self._states[state] = cheap
                self._names[below] = self._names[state] = one.name

    @property
    def topics(self) -> tuple[str, ...]:
        """The subscriptions that bring everything that is taken, and nothing else."""
        return (*self._satellites, *(f"{below}/#" for below in self._adverts), *self._states)

    def take(self, topic: str, payload: bytes, retained: bool, now_mono_s: float) -> Batch | Health | None:
        """What a message says; None where it says nothing, or was dropped and counted."""
        below = "/".join(topic.split("/", 3)[:3])
        at = topic if topic in self._names else below
        name = self._names.get(at)
        if name is None or (at in self._states and at != topic):
            self._unknown += 1
            return None
        receiver = self._named[name]
        if not self._allowances[name].spend(now_mono_s):
            receiver.counts[Drop.FLOOD] += 1
            return None
        if at in self._states:
            return self._states[at].learn(payload, now_mono_s)
        if retained:
            receiver.counts[Drop.RETAINED] += 1
            return None
        if at in self._satellites:
            found = self._satellites[at].take(payload, now_mono_s)
            return None if isinstance(found, Drop) else found
        return self._adverts[at].hear(payload, now_mono_s)

    def link(self, up: bool, now_mono_s: float) -> None:
        """The connection to the broker came or went: who was not heard meanwhile may be well."""
        self._up = up
        for cheap in self._states.values():
            cheap.wait_anew(now_mono_s)

    def tick(self, now_mono_s: float) -> tuple[Health, ...]:
        """How the receivers fare that do not say so themselves; each 5 s, none between and none without a broker."""
        if not self._up or now_mono_s < self._due_mono_s:
            return ()
        self._due_mono_s = now_mono_s + HEALTH_S
        healths = (cheap.health(now_mono_s) for cheap in self._states.values())
        return tuple(health for health in healths if health is not None)

    def counters(self) -> dict[str, int]:
        """Figures over all receivers since the start; none of them tells of members alone."""
        whole: Counter[str] = Counter({"unknown": self._unknown})
        for one in self._named.values():
            whole.update(one.counts)
        del whole["candidates"]
        return {f"receivers_{what}_total": min(number, _FIGURE_MOST) for what, number in sorted(whole.items())}

    def figures(self) -> dict[str, dict[str, int]]:
        """The same by the receiver's name, for a line a minute."""
        return {name: dict(sorted(one.counts.items())) for name, one in self._named.items()}
