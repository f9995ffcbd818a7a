"""The gateway's side of the probe, which is phone, receiver and associate of the store's synthetic member.

Whoever takes the probe over gets nothing by it: its datagrams are heard only where they hold the synthetic phone's own
token, its tablet takes nobody but the synthetic associate, and that role sees the synthetic member alone.

I/O: the cache, through the replica.
"""

from collections.abc import Callable
from typing import Protocol

from store_gateway.errors import CacheError
from wire import query, sync, synthetic
from wire.member import Staff
from wire.query import Refused, RefusedReason
from wire.sighting import Batch
from wire.token import SLOT_S, Kind, day_key, day_of_slot, token

_LEAST_S = 0.2  # between two reports
_SLOT_MS = SLOT_S * 1000


class Keeper(Protocol):
    """What is needed of the replica."""

    def members_key(self) -> bytes | None: ...
    def staff(self, associate: str) -> Staff | None: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def record(self, now_mono_s: float, *entries: tuple[sync.EventKind, bytes | None, object]) -> int: ...


class Probe:
    """See the module. `mint(now_mono_s)` gives a pairing code that is for the probe's tablet only."""

    def __init__(self, keeper: Keeper, mint: Callable[[float], str]) -> None:
        self._keeper = keeper
        self._mint = mint
        self._told: query.Seen | None = None
        self._told_mono_s = 0.0
        self._tokens: tuple[bytes, int, frozenset[bytes]] = (b"", 0, frozenset())

    def answer(self, request: query.Request, now_mono_s: float) -> query.Reply:
        """What the probe asks on its own socket."""
        match request:
            case query.AskProbe():
                return self._kit(now_mono_s)
            case query.TellProbe(seen):
                return self._take(seen, now_mono_s)
            case _:
                return Refused(RefusedReason.FORBIDDEN)

    def heard(self, batch: Batch, now_mono_s: float) -> Batch | None:
        """What of a probe's datagram may be heard: the synthetic phone's tokens of this slot and those beside it."""
        key, now_ms = self._keeper.members_key(), self._keeper.trusted_ms(now_mono_s)
        if key is None or now_ms is None or batch.node != synthetic.NODE:
            return None
        slot = now_ms // _SLOT_MS
        if self._tokens[:2] != (key, slot):
            secret = synthetic.phone_secret(key)
            slots = [one for one in (slot - 1, slot, slot + 1) if one >= 0]
            made = frozenset(token(day_key(secret, day_of_slot(one)), Kind.PRESENCE, one) for one in slots)
            self._tokens = (key, slot, made)
        own = tuple(one for one in batch.sightings if one.token in self._tokens[2])
        return Batch(batch.node, own) if own else None

    def _kit(self, now_mono_s: float) -> query.Reply:
        key, now_ms = self._keeper.members_key(), self._keeper.trusted_ms(now_mono_s)
        # Before HQ's first round nobody may sign in, and each try would lengthen the next one's wait.
        if key is None or now_ms is None or self._keeper.staff(synthetic.ASSOCIATE) is None:
            return Refused(RefusedReason.DARK, 1)
        return query.ProbeKit(
            synthetic.phone_secret(key), synthetic.ASSOCIATE, synthetic.pin(key), self._mint(now_mono_s), now_ms
        )

    def _take(self, seen: query.Seen, now_mono_s: float) -> query.Reply:
        if seen is self._told:
            return query.Accepted()
        if now_mono_s - self._told_mono_s < _LEAST_S:
            return Refused(RefusedReason.BUSY, 1)
        try:
            self._keeper.record(now_mono_s, (sync.EventKind.SYNTHETIC, None, sync.Synthetic(seen)))
        except CacheError:
            return Refused(RefusedReason.DARK, 1)
        self._told, self._told_mono_s = seen, now_mono_s
        return query.Accepted()
