"""Tells HQ what happens by itself: visits that end, withdrawals that take effect, and each hour how the store is.

What cannot be recorded waits here, within bounds, and is tried again; nothing of it keeps anybody from a card.

I/O: the cache, through the replica.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from consent.insight import zones_kept_out
from store_gateway.core.presence import Move, Presence, What
from store_gateway.day_figures import DayFigures
from store_gateway.errors import CacheError
from store_gateway.standing import Standing
from wire.policy import Policy
from wire.query import Light
from wire.sync import Applied, Dwell, EventKind, StoreHealth, VisitEnd

ACKNOWLEDGE_S = 10.0  # a tablet that did not say by then that it shows a withdrawal is told as one that did not
HEALTH_S = 3600.0
MOST_WAITING = 256
MOST_ZONES = 64  # of one visit, in one event
AGAIN_S = 2.0  # after a write failed

Entry = tuple[EventKind, bytes | None, object]


class Keeper(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def record(self, now_mono_s: float, *entries: Entry) -> int: ...
    def disk(self) -> tuple[int, int, int]: ...


@dataclass(frozen=True, slots=True, repr=False)
class _Stay:
    """A visit that goes on: the zones so far, each with the instant at which it began (trusted ms)."""

    arrived_ms: int
    zones: list[tuple[str, int]]


class _Effect:
    """A withdrawal that was applied, and who has not shown it yet: sessions with the versions that do."""

    __slots__ = ("committed_ms", "last_ms", "open", "seq", "until_mono_s", "waits")

    def __init__(self, seq: int, committed_ms: int, now_ms: int, now_mono_s: float, waits: dict[bytes, int]) -> None:
        self.seq = seq
        self.committed_ms = committed_ms
        self.last_ms = now_ms  # of the apply, then of each acknowledgement
        self.until_mono_s = now_mono_s + ACKNOWLEDGE_S
        self.waits = waits
        self.open = len(waits)


class Chronicle:
    """See the module. `unshown()` gives, by session, the version that an open tablet has not acknowledged yet."""

    def __init__(
        self,
        keeper: Keeper,
        standing: Standing,
        presence: Presence,
        unshown: Callable[[], dict[bytes, int]],
        dropped: Callable[[], int],
        software: str,
    ) -> None:
        self._keeper = keeper
        self._standing = standing
        self._presence = presence
        self._unshown = unshown
        self._dropped = dropped
        self._software = software
        self._stays: dict[bytes, _Stay] = {}
        self._applied: list[tuple[int, int]] = []  # not told to the tablets yet
        self._effects: list[_Effect] = []
        self._waiting: list[Entry] = []
        self._again_mono_s = 0.0
        self.figures = DayFigures()
        self._began_mono_s: float | None = None
        self._seen_mono_s = 0.0
        self._dark_s = 0.0
        self._health_mono_s = 0.0

    # --- visits -----------------------------------------------------------------------------------------------------

    def moved(self, move: Move, now_mono_s: float) -> None:
        """Presence says what happened; to be told before the member's record is dropped."""
        now_ms = self._keeper.trusted_ms(now_mono_s)
        if now_ms is None:
            return
        match move.what:
            case What.ARRIVED | What.MOVED:
                visit = self._presence.visit(move.pseudonym)
                if visit is None:
                    return
                stay = self._stays.setdefault(move.pseudonym, _Stay(visit.arrived_ms, []))
                zone = visit.zone or ""
                if not stay.zones or stay.zones[-1][0] != zone:
                    stay.zones.append((zone, now_ms if stay.zones else visit.arrived_ms))
            case What.LEFT:
                ended = self._stays.pop(move.pseudonym, None)
                if ended is not None:
                    self._left(move.pseudonym, ended, now_ms)
            case _:
                pass

    def _left(self, pseudonym: bytes, stay: _Stay, now_ms: int) -> None:
        policy = self._keeper.policy()
        member, denied = self._standing.record(pseudonym)
        if policy is None or member is None:
            return
        kept_out = zones_kept_out(member, denied, policy, now_ms // 1000)
        if kept_out is None:
            return
        ends = [*(since_ms for _, since_ms in stay.zones[1:]), now_ms]
        zones = tuple(
            Dwell(zone, max(0, until_ms - since_ms) // 1000)
            for (zone, since_ms), until_ms in zip(stay.zones, ends, strict=True)
            if zone not in kept_out
        )
        body = VisitEnd(stay.arrived_ms, max(stay.arrived_ms, now_ms), zones[:MOST_ZONES])
        self._add((EventKind.VISIT, pseudonym, body))

    # --- withdrawals ------------------------------------------------------------------------------------------------

    def withdrawn(self, changes: tuple[tuple[int, int], ...]) -> None:
        """These (seq, HQ's commit in ms) were applied; `told` comes after the tablets were told."""
        self._applied += changes

    def told(self, now_mono_s: float) -> None:
        """Every open tablet was given what changed: from here on their acknowledgements are awaited."""
        applied, self._applied = self._applied, []
        now_ms = self._keeper.trusted_ms(now_mono_s)
        if now_ms is None:
            return
        for seq, committed_ms in applied[:MOST_WAITING]:
            self._effects.append(_Effect(seq, committed_ms, now_ms, now_mono_s, self._unshown()))
        del self._effects[:-MOST_WAITING]

    def acknowledged(self, session: bytes, version: int, now_mono_s: float) -> None:
        """A tablet shows this version."""
        now_ms = self._keeper.trusted_ms(now_mono_s)
        for effect in self._effects:
            if now_ms is not None and version >= effect.waits.get(session, version + 1):
                del effect.waits[session]
                effect.last_ms = max(effect.last_ms, now_ms)

    def _settle(self, now_mono_s: float) -> None:
        over = [one for one in self._effects if not one.waits or now_mono_s >= one.until_mono_s]
        for effect in over:
            self._effects.remove(effect)
            delay_ms = max(0, effect.last_ms - effect.committed_ms)
            now_ms = self._keeper.trusted_ms(now_mono_s)
            if now_ms is not None:
                self.figures.delayed(delay_ms, now_ms)
            shown = effect.open - len(effect.waits)
            self._add((EventKind.APPLIED, None, Applied(effect.seq, min(delay_ms, 2**40), shown, effect.open)))

    # --- health -----------------------------------------------------------------------------------------------------

    def _pulse(self, light: Light, now_mono_s: float) -> None:
        if self._began_mono_s is None:
            self._began_mono_s = self._seen_mono_s = self._health_mono_s = now_mono_s
        if light is not Light.LIVE:
            self._dark_s += now_mono_s - self._seen_mono_s
        self._seen_mono_s = now_mono_s
        if light is not Light.LIVE or now_mono_s - self._health_mono_s < HEALTH_S:
            return
        self._health_mono_s = now_mono_s
        free_bytes, cache_bytes, waiting = self._keeper.disk()
        up_s = int(now_mono_s - self._began_mono_s)
        body = StoreHealth(
            self._software, up_s, int(self._dark_s), free_bytes, cache_bytes, waiting, self._dropped()
        )  # fmt: skip
        self._add((EventKind.HEALTH, None, body))

    # --- what waits -------------------------------------------------------------------------------------------------

    def flush(self, light: Light, now_mono_s: float) -> None:
        """Records what is due; where that fails it goes on waiting."""
        self._settle(now_mono_s)
        self._pulse(light, now_mono_s)
        self.figures.passed(light, self._keeper.trusted_ms(now_mono_s), now_mono_s)
        if not self._waiting or now_mono_s < self._again_mono_s:
            return
        try:
            self._keeper.record(now_mono_s, *self._waiting)
        except CacheError:
            self._again_mono_s = now_mono_s + AGAIN_S
            return
        self._waiting.clear()

    def _add(self, entry: Entry) -> None:
        self._waiting.append(entry)
        del self._waiting[:-MOST_WAITING]
