"""Tells whether a member may be in a blind zone, also while that zone's radio hears nothing (docs/presence.md).

Pure: no I/O, no clock.
"""

from consent.decide import is_blind
from store_gateway.core.signals import FORGET_S, FRESH_S
from store_gateway.core.track import Track
from wire.policy import StorePolicy
from wire.sighting import Health, RadioState

NEAR_DB = 15  # above enter_dbm: a phone that is heard so strongly is beside that radio, with no wall between
SILENT_S = 15.0  # three reports of an edge's health: it does not run, or is cut off
UNPROVEN_S = 90.0  # by then a radio that hears nothing was reported as ill (docs/radio.md)


class Blindness:
    """Which nodes are blind, and whether each of them is known to hear.

    Unwatched is a store in which some blind node does not say that it hears, or said nothing for 15 s.
    """

    __slots__ = ("_alive_mono_s", "_deaf", "_nodes", "_said", "_unwatched")

    def __init__(self) -> None:
        self._nodes: frozenset[str] = frozenset()
        self._alive_mono_s: dict[str, float] = {}  # of a blind node: when it surely heard somebody
        self._said: dict[str, tuple[int, float]] = {}  # its adverts of anybody, as it said last, and when
        self._deaf: set[str] = set()
        self._unwatched = False

    def govern(self, policy: StorePolicy | None) -> None:
        """From now on this policy holds."""
        zones = policy.zones if policy is not None else ()
        self._nodes = frozenset(node for zone in zones if is_blind(zone) for node in zone.nodes)
        self._alive_mono_s = {node: at for node, at in self._alive_mono_s.items() if node in self._nodes}
        self._said = {node: said for node, said in self._said.items() if node in self._nodes}
        self._deaf &= self._nodes
        self._unwatched = bool(self._nodes - self._said.keys() - self._alive_mono_s.keys())

    def is_blind(self, node: str) -> bool:
        """Whether the node is in a blind zone."""
        return node in self._nodes

    def alive(self, node: str, now_mono_s: float) -> None:
        """A node heard somebody now."""
        if node in self._nodes:
            self._alive_mono_s[node] = now_mono_s

    def radio(self, health: Health, now_mono_s: float) -> None:
        """A radio's own word. Adverts counted since its last word were heard after that one; an edge that was started
        again counts from 0.
        """
        node = health.node
        if node not in self._nodes:
            return
        if health.state is RadioState.HEARING:
            self._deaf.discard(node)
        else:
            self._deaf.add(node)
        before = self._said.get(node)
        self._said[node] = health.adverts, now_mono_s
        if before is not None and health.adverts not in (0, before[0]):
            self._alive_mono_s[node] = max(before[1], self._alive_mono_s.get(node, 0.0))

    def tick(self, now_mono_s: float) -> bool:
        """Looks whether the blind nodes hear; whether that changes who may be shown."""
        before = self._unwatched
        self._unwatched = not all(self._hears(node, now_mono_s) for node in self._nodes)
        return before != self._unwatched

    def enter_dbm(self, policy: StorePolicy) -> int:
        """The strength at which a member may arrive now."""
        return policy.enter_dbm + NEAR_DB if self._unwatched else policy.enter_dbm

    def hides(self, track: Track, policy: StorePolicy, now_mono_s: float) -> bool:
        """Whether the member is, or may be, in a blind zone."""
        if not self._nodes:
            return False
        signals = track.signals
        # A slow radio in a blind zone is not taken for one that hears nothing any more.
        nearest = signals.strongest()
        # One strong half second there is enough, else who walks in would be shown until the filter follows.
        there = signals.reaches(self._nodes, signals.level(nearest))
        for node in (there, signals.strongest(FORGET_S), signals.owner):
            if node is not None and node in self._nodes:
                track.hider = signals.owner = node  # in at once, out only by 6 dB for 3 s
                return True
        if track.hider is not None:
            heard_mono_s = signals.heard_mono_s(track.hider)
            silent_s = now_mono_s - heard_mono_s
            proven = self._alive_mono_s.get(track.hider, 0.0) > heard_mono_s
            if FRESH_S <= silent_s < UNPROVEN_S and not proven:
                return True  # that radio has heard nobody since: it may hear nothing at all
            track.hider = None
        return self._unwatched and signals.level(nearest) < policy.enter_dbm + NEAR_DB

    def doubts(self, track: Track, policy: StorePolicy, now_mono_s: float) -> bool:
        """Whether a call should wait until every node that hears the phone has said so: it is new and not near."""
        signals = track.signals
        if not signals.settling(now_mono_s):
            return False
        return signals.level(signals.strongest()) < policy.enter_dbm + NEAR_DB

    def _hears(self, node: str, now_mono_s: float) -> bool:
        if node in self._deaf:
            return False
        said = self._said.get(node)
        last_mono_s = max(self._alive_mono_s.get(node, -SILENT_S), said[1] if said is not None else -SILENT_S)
        return now_mono_s - last_mono_s < SILENT_S
