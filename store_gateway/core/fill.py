"""Decides what to ask HQ for where an instance differs: one descent of its tree, a few nodes at a time.

First fill, a week offline and repair after loss are this one mechanism (docs/protocol.md, section 6).

Pure: no I/O, no clock.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from wire.sync import RecordRange, Wanted

IN_FLIGHT = 8
RETRY_S = 5.0
ROUNDS = 3  # what does not agree after so many is quarantined
FIRST_QUARANTINE_S = 60.0
LAST_QUARANTINE_S = 3600.0
MAX_PARTS = 64  # of one range; so many are kept in memory until the last is there


class Start(Enum):
    """What became of a wish to fill an instance."""

    BEGUN = 1
    QUARANTINED = 2  # after 3 rounds that ended in another root
    NOT_NOW = 3


@dataclass(frozen=True, slots=True)
class _Asked:
    nonce: bytes
    at_mono_s: float


@dataclass(frozen=True, slots=True)
class _Parts:
    as_of: int
    arrived: dict[int, RecordRange]


class Fill:
    """The nodes of all differing instances that are to be asked for, are asked for, or wait after too many rounds."""

    __slots__ = ("_asked", "_ended", "_nodes", "_parts", "_quarantined_until", "_rounds")

    def __init__(self) -> None:
        self._nodes: deque[Wanted] = deque()
        self._asked: dict[Wanted, _Asked] = {}
        self._parts: dict[Wanted, _Parts] = {}
        self._rounds: dict[str, int] = {}
        self._ended: dict[str, float] = {}
        self._quarantined_until: dict[str, float] = {}

    def start(self, instance: str, compared_mono_s: float, now_mono_s: float) -> Start:
        """Begins a round for an instance that differs, unless one goes on already or it is quarantined.

        `compared_mono_s`: when HQ was asked for the root that differs; before the last round's end it tells nothing.
        """
        waits = now_mono_s < self._quarantined_until.get(instance, now_mono_s)
        if self.busy(instance) or waits or compared_mono_s < self._ended.get(instance, compared_mono_s):
            return Start.NOT_NOW
        rounds = self._rounds[instance] = self._rounds.get(instance, 0) + 1
        if rounds % (ROUNDS + 1) == 0:
            wait_s = min(LAST_QUARANTINE_S, FIRST_QUARANTINE_S * 2 ** (rounds // (ROUNDS + 1) - 1))
            self._quarantined_until[instance] = now_mono_s + wait_s
            return Start.QUARANTINED
        self._nodes.append(Wanted.node(instance, b""))
        return Start.BEGUN

    def agreed(self, instance: str) -> None:
        """The instance's roots are equal: its rounds are forgotten, what was asked for is not needed any more."""
        if instance in self._rounds:
            self.drop(instance)

    def drop(self, instance: str) -> None:
        """Forgets everything about an instance."""
        self._rounds.pop(instance, None)
        self._ended.pop(instance, None)
        self._quarantined_until.pop(instance, None)
        self._nodes = deque(node for node in self._nodes if node.instance != instance)
        self._asked = {node: asked for node, asked in self._asked.items() if node.instance != instance}
        self._parts = {node: parts for node, parts in self._parts.items() if node.instance != instance}

    def busy(self, instance: str) -> bool:
        """Whether a round of this instance goes on."""
        return any(node.instance == instance for node in self._nodes) or any(
            node.instance == instance for node in self._asked
        )

    def next_wants(self, nonce: bytes, now_mono_s: float) -> tuple[Wanted, ...]:
        """What to ask for now, under one nonce: new nodes up to 8 in flight, and those that got no answer in 5 s."""
        wants = [node for node, asked in self._asked.items() if now_mono_s - asked.at_mono_s >= RETRY_S]
        while self._nodes and len(self._asked) < IN_FLIGHT:
            node = self._nodes.popleft()
            if node not in self._asked:
                self._asked[node] = _Asked(nonce, now_mono_s)
                wants.append(node)
        for node in wants:
            self._asked[node] = _Asked(nonce, now_mono_s)
            self._parts.pop(node, None)
        return tuple(wants)

    def due(self, now_mono_s: float) -> bool:
        """Whether `next_wants` would ask for something."""
        return (bool(self._nodes) and len(self._asked) < IN_FLIGHT) or any(
            now_mono_s - asked.at_mono_s >= RETRY_S for asked in self._asked.values()
        )

    def is_asked(self, node: Wanted, nonce: bytes) -> bool:
        """Whether this is an answer to what we asked last; a recording or a late answer is not."""
        asked = self._asked.get(node)
        return asked is not None and asked.nonce == nonce

    def answered(self, node: Wanted, below: tuple[bytes, ...], now_mono_s: float) -> bool:
        """The node is done, its children with these prefixes are to be asked for; True where that ends the round."""
        self._asked.pop(node, None)
        self._parts.pop(node, None)
        # Depth first, so that never more than two levels of nodes are remembered.
        self._nodes.extendleft(Wanted.node(node.instance, prefix) for prefix in reversed(below))
        if self.busy(node.instance):
            return False
        self._ended[node.instance] = now_mono_s
        return True

    def collect(self, node: Wanted, part: RecordRange, now_mono_s: float) -> tuple[RecordRange, ...] | None:
        """All parts of a range in order, or None while some are missing."""
        if part.parts > MAX_PARTS or part.part > part.parts:
            return None
        kept = self._parts.get(node)
        if kept is None or kept.as_of < part.as_of:
            kept = self._parts[node] = _Parts(part.as_of, {})
        if kept.as_of == part.as_of:
            kept.arrived[part.part] = part
            self._asked[node] = _Asked(self._asked[node].nonce, now_mono_s)
        if len(kept.arrived) < part.parts:
            return None
        return tuple(kept.arrived[number] for number in sorted(kept.arrived))
