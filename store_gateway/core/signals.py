"""Steadies one member's signals at the nodes, and says at which node the member is.

Phones differ by up to 17 dB between advertising channels, so a mean misleads (docs/radio.md): per node the 80th
percentile over 3 s, then an exponential average.

Pure: no I/O, no clock.
"""

from collections import deque
from math import ceil

WINDOW_S = 3.0
PERCENTILE = 0.8
SMOOTHING = 0.3
FRESH_S = 10.0  # a node that was silent for longer owns nobody
CHALLENGE_DB = 6.0
CHALLENGE_S = 3.0
FORGET_S = 25.0  # a steady phone may be reported once in 10.24 s, and one of those missed; what is older says nothing
_LATELY_S = 30.0
_MOST_SAMPLES = 32  # of one window: the edge sends two a second
_UNKNOWN_DBM = -128.0  # heard, strength not known: weaker than any that is


class _Node:
    __slots__ = ("dbm", "heard_mono_s", "samples")

    def __init__(self, now_mono_s: float) -> None:
        self.samples: deque[tuple[float, int]] = deque(maxlen=_MOST_SAMPLES)
        self.dbm: float | None = None
        self.heard_mono_s = now_mono_s

    def add(self, rssi_dbm: int, now_mono_s: float) -> None:
        samples = self.samples
        if samples and now_mono_s - samples[-1][0] > FORGET_S:
            self.dbm = None
        while samples and now_mono_s - samples[0][0] > WINDOW_S:
            samples.popleft()
        samples.append((now_mono_s, rssi_dbm))
        ranked = sorted(dbm for _, dbm in samples)
        level = ranked[ceil(PERCENTILE * len(ranked)) - 1]
        self.dbm = level if self.dbm is None else self.dbm + SMOOTHING * (level - self.dbm)


class Signals:
    """One member's signals. `owner` is the node where the member is, None before the first sighting."""

    __slots__ = ("_challenger", "_nodes", "_since_mono_s", "owner")

    def __init__(self) -> None:
        self.owner: str | None = None
        self._nodes: dict[str, _Node] = {}
        self._challenger: str | None = None
        self._since_mono_s = 0.0

    def add(self, node: str, rssi_dbm: int | None, now_mono_s: float) -> None:
        """Heard at a node, with a strength or without one (no measurement)."""
        known = self._nodes.get(node)
        if known is None:
            known = self._nodes[node] = _Node(now_mono_s)
        known.heard_mono_s = now_mono_s
        if rssi_dbm is not None:
            known.add(rssi_dbm, now_mono_s)
        self.settle(now_mono_s)

    def settle(self, now_mono_s: float) -> None:
        """A challenger that beats the owner by 6 dB for 3 s takes over, or at once when the owner is silent."""
        best = self.strongest(now_mono_s)
        if best is None or best == self.owner:
            self._challenger = None
            return
        owner = self._nodes.get(self.owner) if self.owner is not None else None
        if owner is None or now_mono_s - owner.heard_mono_s >= FRESH_S:
            self.owner, self._challenger = best, None
        elif self.level(best) < self.level(self.owner) + CHALLENGE_DB:
            self._challenger = None
        elif self._challenger != best:
            self._challenger, self._since_mono_s = best, now_mono_s
        elif now_mono_s - self._since_mono_s >= CHALLENGE_S:
            self.owner, self._challenger = best, None

    def strongest(self, now_mono_s: float, within_s: float = FRESH_S) -> str | None:
        """The node with the strongest signal among those that heard within so many seconds."""
        fresh = [name for name, node in self._nodes.items() if now_mono_s - node.heard_mono_s < within_s]
        return max(fresh, key=self.level, default=None)

    def level(self, node: str | None) -> float:
        """The steadied strength in dBm at a node; -128 where none is known."""
        known = self._nodes.get(node) if node is not None else None
        return _UNKNOWN_DBM if known is None or known.dbm is None else known.dbm

    def lately(self) -> set[str]:
        """The nodes that heard the member last: within 30 s before the newest sighting, however old that is."""
        newest = max((node.heard_mono_s for node in self._nodes.values()), default=0.0)
        return {name for name, node in self._nodes.items() if newest - node.heard_mono_s <= _LATELY_S}
