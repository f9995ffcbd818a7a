"""Steadies one member's signals at the nodes, and says at which node the member is.

Phones differ by up to 17 dB between advertising channels, so a mean misleads (docs/radio.md): per node the 80th
percentile over 3 s, then an exponential average. Places are compared, not radios: two radios of one zone help each
other (docs/presence.md).

Pure: no I/O, no clock.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Set
from math import ceil, inf

WINDOW_S = 3.0
PERCENTILE = 0.8
SMOOTHING = 0.3  # of a sighting half a second after the one before; the longer it was silent, the more
FOLD_S = 0.5  # the edge folds half seconds
FRESH_S = 10.0  # a node that was silent for longer owns nobody
CHALLENGE_DB = 6.0
CHALLENGE_S = 3.0
FORGET_S = 25.0  # a steady phone may be reported once in 10.24 s, and one of those missed; what is older says nothing
SETTLING_S = 0.8  # a fold, a satellite's batch, and some slack: by then every node that hears a phone has said so
SLOW_S = 5.0  # a node that was silent for so long and heard again…
SLOW_FOR_S = 30.0  # …is slow for so long: it is given FORGET_S before it counts as silent
_LATELY_S = 30.0
_MOST_SAMPLES = 32  # of one window: the edge sends two a second
_UNKNOWN_DBM = -128.0  # heard, strength not known: weaker than any that is


class _Node:
    __slots__ = ("_before", "_samples", "_step_s", "dbm", "heard_mono_s", "measured_mono_s", "newest_dbm",
                 "slow_until_mono_s")  # fmt: skip

    def __init__(self, now_mono_s: float) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=_MOST_SAMPLES)
        self._before: float | None = None
        self.measured_mono_s = now_mono_s
        self._step_s = 0.0
        self.dbm: float | None = None
        self.heard_mono_s = now_mono_s
        self.newest_dbm = -128
        self.slow_until_mono_s = inf  # until it was heard again, nobody knows

    def heard(self, now_mono_s: float) -> None:
        gap_s = now_mono_s - self.heard_mono_s
        if gap_s >= SLOW_S:
            self.slow_until_mono_s = now_mono_s + SLOW_FOR_S
        elif gap_s > 0 and self.slow_until_mono_s == inf:
            self.slow_until_mono_s = 0.0
        self.heard_mono_s = now_mono_s

    def add(self, rssi_dbm: int, now_mono_s: float) -> None:
        samples = self._samples
        if now_mono_s != self.measured_mono_s or self.dbm is None:
            self._step_s = now_mono_s - self.measured_mono_s
            self._before = None if self._step_s > FORGET_S else self.dbm
            self.measured_mono_s = now_mono_s
            self.newest_dbm = rssi_dbm
        self.newest_dbm = max(self.newest_dbm, rssi_dbm)
        while samples and now_mono_s - samples[0][0] > WINDOW_S:
            samples.popleft()
        samples.append((now_mono_s, rssi_dbm))
        ranked = sorted(dbm for _, dbm in samples)
        level = ranked[ceil(PERCENTILE * len(ranked)) - 1]
        # What comes at one instant is one step, in whatever order.
        if self._before is None:
            self.dbm = float(level)
        else:
            kept = (1 - SMOOTHING) ** (self._step_s / FOLD_S)
            self.dbm = level + kept * (self._before - level)

    def patience_s(self, now_mono_s: float) -> float:
        return FRESH_S if now_mono_s >= self.slow_until_mono_s else FORGET_S


class Signals:
    """One member's signals. `owner` is the node where the member is, None before the first sighting.

    `places`: node to the name of its place; a node that has none there is a place of its own.
    """

    __slots__ = ("_began_mono_s", "_newest_mono_s", "_nodes", "_since_mono_s", "owner")

    def __init__(self, now_mono_s: float) -> None:
        self.owner: str | None = None
        self._nodes: dict[str, _Node] = {}
        self._since_mono_s: dict[object, float] = {}  # of each place that beats the owner's: since when
        self._began_mono_s = now_mono_s
        # A node's silence counts against nodes that hear: when all fall silent, nothing moves.
        self._newest_mono_s = now_mono_s

    def add(self, node: str, rssi_dbm: int | None, now_mono_s: float) -> None:
        """Heard at a node, with a strength or without one (no measurement)."""
        known = self._nodes.get(node)
        if known is None:
            known = self._nodes[node] = _Node(now_mono_s)
        known.heard(now_mono_s)
        self._newest_mono_s = now_mono_s
        if rssi_dbm is not None:
            known.add(rssi_dbm, now_mono_s)

    def settling(self, now_mono_s: float) -> bool:
        """Whether some node may not have said yet that it hears this member."""
        return now_mono_s - self._began_mono_s < SETTLING_S

    def settle(self, now_mono_s: float, places: Mapping[str, str]) -> None:
        """A place that beats the owner's by 6 dB for 3 s takes over, or at once when the owner's is silent."""
        best: str | None = None
        here: str | None = None
        best_dbm = here_dbm = _UNKNOWN_DBM - 1
        owned: object = None if self.owner is None else places.get(self.owner, (self.owner,))
        for name, dbm in self._audible():
            if dbm > best_dbm or (dbm == best_dbm and best is not None and name < best):
                best, best_dbm = name, dbm
            if places.get(name, (name,)) == owned and (
                dbm > here_dbm or (dbm == here_dbm and here is not None and name < here)
            ):
                here, here_dbm = name, dbm
        place: object = None if best is None else places.get(best, (best,))
        if best is not None and (here is None or place == owned or self.settling(now_mono_s)):
            self.owner = best
        elif here is not None and best_dbm >= here_dbm + CHALLENGE_DB:
            self.owner = self._challenged(here, here_dbm, now_mono_s, places)
            return
        elif here is not None:
            self.owner = here
        self._since_mono_s.clear()

    def _challenged(self, here: str, here_dbm: float, now_mono_s: float, places: Mapping[str, str]) -> str:
        """The node that owns now: the best of those whose places have beaten the owner's for long enough, or none."""
        strong: dict[object, tuple[float, str]] = {}
        for name, dbm in self._audible():
            place = places.get(name, (name,))
            if dbm >= here_dbm + CHALLENGE_DB:
                strong[place] = min(strong.get(place, (-dbm, name)), (-dbm, name))
        self._since_mono_s = {place: self._since_mono_s.get(place, now_mono_s) for place in strong}
        full = [one for place, one in strong.items() if now_mono_s - self._since_mono_s[place] >= CHALLENGE_S]
        if not full:
            return here
        self._since_mono_s.clear()
        return min(full)[1]

    def _audible(self) -> Iterator[tuple[str, float]]:
        """The nodes that are not silent, and how strong each hears the member."""
        newest_mono_s = self._newest_mono_s
        for name, node in self._nodes.items():
            if newest_mono_s - node.heard_mono_s < node.patience_s(newest_mono_s):
                yield name, _UNKNOWN_DBM if node.dbm is None else node.dbm

    def strongest(self, within_s: float | None = None) -> str | None:
        """The node with the strongest signal of those that are not silent; or heard within so many seconds."""
        newest_mono_s = self._newest_mono_s
        best: str | None = None
        best_dbm = _UNKNOWN_DBM - 1
        for name, node in self._nodes.items():
            most_s = node.patience_s(newest_mono_s) if within_s is None else within_s
            if newest_mono_s - node.heard_mono_s < most_s:
                dbm = _UNKNOWN_DBM if node.dbm is None else node.dbm
                if dbm > best_dbm or (dbm == best_dbm and best is not None and name < best):
                    best, best_dbm = name, dbm
        return best

    def level(self, node: str | None) -> float:
        """The steadied strength in dBm at a node; -128 where none is known."""
        known = self._nodes.get(node) if node is not None else None
        return _UNKNOWN_DBM if known is None or known.dbm is None else known.dbm

    def reaches(self, nodes: Set[str], dbm: float) -> str | None:
        """The one of these nodes that heard the member at `dbm` or stronger, steadied or in its newest half second."""
        found: str | None = None
        for name, node in self._nodes.items():
            if name in nodes and self._newest_mono_s - node.heard_mono_s < FRESH_S and node.dbm is not None:
                reached_dbm = max(node.dbm, node.newest_dbm)
                if reached_dbm > dbm or (reached_dbm == dbm and (found is None or name < found)):
                    found, dbm = name, reached_dbm
        return found

    def heard_mono_s(self, node: str) -> float:
        """When this node, which heard the member, did so last."""
        return self._nodes[node].heard_mono_s

    def measured_mono_s(self, node: str) -> float:
        """When this node, which heard the member, measured how strong it is last."""
        return self._nodes[node].measured_mono_s

    def lately(self) -> set[str]:
        """The nodes that heard the member last: within 30 s before the newest sighting, however old that is."""
        newest = max((node.heard_mono_s for node in self._nodes.values()), default=0.0)
        return {name for name, node in self._nodes.items() if newest - node.heard_mono_s <= _LATELY_S}
