"""Decides what to ask HQ for where an instance differs: one descent of its tree, a few spans of nodes at a time.

First fill, a week offline and repair after loss are this one mechanism (docs/protocol.md, section 6). A range that
arrived waits here until it is applied, and counts as in flight until then.

Pure: no I/O, no clock.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from wire.sync import Collection, RecordRange, Wanted, parse_instance
from wire.tree import MAX_PREFIX_BYTES

IN_FLIGHT = 4  # of at most 56 KiB each
RETRY_S = 5.0  # doubled with each repeat, up to 8 times
ROUNDS = 3  # what does not agree after so many is quarantined
FIRST_QUARANTINE_S = 60.0
LAST_QUARANTINE_S = 3600.0
MAX_PARTS = 64  # of one range; so many are kept in memory until the last is there
_LONG = 64  # nodes of one byte
_LANES = 4  # one long span is asked for as so many, so that HQ reads one while another is on its way
_GAP = 7  # equal nodes between two that differ: of these nothing comes where only what is new is asked for
# Small and gating ones first: the store is dark until all of these agree.
_ORDER = (
    Collection.POLICY, Collection.STAFF, Collection.KEYRING, Collection.MEMBERS, Collection.CATALOG, Collection.AFFINITY
)  # fmt: skip


class Start(Enum):
    """What became of a wish to fill an instance."""

    BEGUN = 1
    QUARANTINED = 2  # after 3 rounds that ended in another root
    NOT_NOW = 3


@dataclass(frozen=True, slots=True)
class Page:
    """All parts of one range that arrived and is not applied yet."""

    wanted: Wanted
    parts: tuple[RecordRange, ...]


class _Asked:
    __slots__ = ("at_mono_s", "nonce", "repeats", "wanted")

    def __init__(self, wanted: Wanted, nonce: bytes, at_mono_s: float) -> None:
        self.wanted = wanted
        self.nonce = nonce
        self.at_mono_s = at_mono_s
        self.repeats = 0

    @property
    def again_mono_s(self) -> float:
        return self.at_mono_s + RETRY_S * (1 << min(self.repeats, 3))


class _Round:
    """One instance that differs. `number`: of rounds since it agreed."""

    __slots__ = ("applying", "ended_mono_s", "nodes", "number", "quarantined", "until_mono_s")

    def __init__(self) -> None:
        self.number = 0
        self.nodes: deque[Wanted] | None = None  # None: no round goes on
        self.applying = 0  # pages that arrived and are not applied
        self.ended_mono_s = -math.inf
        self.quarantined = False
        self.until_mono_s = -math.inf


class Fill:
    """The nodes of all differing instances that are to be asked for, are asked for, or wait after too many rounds."""

    __slots__ = ("_asked", "_pages", "_parts", "_rounds")

    def __init__(self) -> None:
        self._rounds: dict[str, _Round] = {}
        self._asked: dict[tuple[str, bytes], _Asked] = {}  # by instance and first node: no two overlap
        self._parts: dict[tuple[str, bytes], dict[int, RecordRange]] = {}
        self._pages: deque[Page] = deque()

    # --- rounds ----------------------------------------------------------------------------------------------------

    def start(self, instance: str, since: int, compared_mono_s: float, now_mono_s: float) -> Start:
        """Begins a round for an instance that differs, unless one goes on already or it is quarantined.

        `since`: the store equalled HQ as of that seq, or 0; the first round asks for what came after it, further ones
        for all. `compared_mono_s`: when HQ was asked for the root that differs; before the last round's end it tells
        nothing.
        """
        found = self._rounds.setdefault(instance, _Round())
        if found.nodes is not None or now_mono_s < found.until_mono_s or compared_mono_s < found.ended_mono_s:
            return Start.NOT_NOW
        found.number += 1
        if found.number % (ROUNDS + 1) == 0:
            wait_s = min(LAST_QUARANTINE_S, FIRST_QUARANTINE_S * 2 ** (found.number // (ROUNDS + 1) - 1))
            found.until_mono_s, found.quarantined = now_mono_s + wait_s, True
            return Start.QUARANTINED
        found.nodes = deque([Wanted.node(instance, b"", since if found.number == 1 else 0)])
        return Start.BEGUN

    def agreed(self, instance: str) -> None:
        """The instance's roots are equal: its rounds are forgotten, what was asked for is not needed any more."""
        if instance in self._rounds:
            self.drop(instance)

    def drop(self, instance: str) -> None:
        """Forgets everything about an instance."""
        self._rounds.pop(instance, None)
        for place in [place for place in self._asked if place[0] == instance]:
            del self._asked[place]
            self._parts.pop(place, None)
        self._pages = deque(page for page in self._pages if page.wanted.instance != instance)

    def differs(self, instance: str) -> bool:
        """Whether it differed when it was compared last."""
        return instance in self._rounds

    def quarantined(self) -> tuple[str, ...]:
        """The instances that did not agree after 3 rounds, and have not since."""
        return tuple(sorted(name for name, found in self._rounds.items() if found.quarantined))

    def retry(self) -> int:
        """An operator's word: whatever waits is tried again at the next comparison; how many do."""
        waiting = [found for found in self._rounds.values() if found.quarantined]
        for found in waiting:
            found.number, found.until_mono_s = 0, -math.inf
        return len(waiting)

    # --- what goes up ----------------------------------------------------------------------------------------------

    def next_wants(self, nonce: bytes, now_mono_s: float) -> tuple[Wanted, ...]:
        """What to ask for now, under one nonce: new nodes while less than 4 are in flight, and what got no answer."""
        wants = []
        for place, asked in self._asked.items():
            if now_mono_s >= asked.again_mono_s:
                self._parts.pop(place, None)
                asked.nonce, asked.at_mono_s, asked.repeats = nonce, now_mono_s, asked.repeats + 1
                wants.append(asked.wanted)
        for _, found in sorted(self._rounds.items(), key=lambda one: _order(one[0])):
            while found.nodes and self._room():
                wanted = found.nodes.popleft()
                self._asked[wanted.instance, wanted.first] = _Asked(wanted, nonce, now_mono_s)
                wants.append(wanted)
        return tuple(wants)

    def due(self, now_mono_s: float) -> bool:
        """Whether `next_wants` would ask for something."""
        return (self._room() and any(found.nodes for found in self._rounds.values())) or any(
            now_mono_s >= asked.again_mono_s for asked in self._asked.values()
        )

    def relink(self) -> None:
        """The connection came back: what was asked for before may be lost, and is asked for again at once."""
        for asked in self._asked.values():
            asked.at_mono_s, asked.repeats = -math.inf, 0

    def _room(self) -> bool:
        return len(self._asked) + len(self._pages) < IN_FLIGHT

    # --- what comes down -------------------------------------------------------------------------------------------

    def asked(self, instance: str, first: bytes, nonce: bytes) -> Wanted | None:
        """What an answer answers, where we asked for it last by that nonce; a recording or a late answer is void."""
        found = self._asked.get((instance, first))
        return found.wanted if found is not None and found.nonce == nonce else None

    def on_children(self, wanted: Wanted, held: Iterable[bytes], absent: Iterable[bytes], now_mono_s: float) -> bool:
        """HQ named the children of a node; True where that ends the round.

        Those that differ are to be asked for: of `held` something is held, of `absent` nothing. Where nothing is, or
        where only what is new is wanted, or they are the lowest nodes, spans of them are; else each by its children.
        """
        self._asked.pop((wanted.instance, wanted.first), None)
        nodes = self._rounds[wanted.instance].nodes
        if nodes is None:
            return False
        lowest = len(wanted.first) + 1 == MAX_PREFIX_BYTES
        whole = sorted({*held, *absent}) if wanted.since or lowest else sorted(absent)
        spans = [
            Wanted(wanted.instance, first, last, wanted.since)
            for first, last in _spans(whole, _GAP if wanted.since else 0)
        ]
        below = [] if wanted.since or lowest else [Wanted.node(wanted.instance, prefix) for prefix in held]
        nodes.extendleft(sorted([*spans, *below], key=lambda one: one.first, reverse=True))
        return self._ended(wanted.instance, now_mono_s)

    def on_range(self, wanted: Wanted, part: RecordRange, now_mono_s: float) -> bool:
        """One part of a range; False where it cannot be one of what was asked for."""
        place = wanted.instance, wanted.first
        fits = part.part <= part.parts <= MAX_PARTS and part.since in (0, wanted.since)
        if not fits or not (part.last == wanted.last or wanted.first <= part.last < wanted.last):
            return False
        if len(part.last) != len(wanted.last):
            return False
        parts = self._parts.setdefault(place, {})
        if any((one.as_of, one.parts, one.last, one.since) != (part.as_of, part.parts, part.last, part.since)
               for one in parts.values()):  # fmt: skip
            if any(one.as_of > part.as_of for one in parts.values()):
                return True
            parts.clear()
        parts[part.part] = part
        self._asked[place].at_mono_s = now_mono_s
        if len(parts) == part.parts:
            del self._asked[place], self._parts[place]
            self._arrived(wanted, tuple(parts[number] for number in sorted(parts)))
        return True

    def _arrived(self, wanted: Wanted, parts: tuple[RecordRange, ...]) -> None:
        found = self._rounds[wanted.instance]
        self._pages.append(Page(wanted, parts))
        found.applying += 1
        if parts[0].last != wanted.last and found.nodes is not None:
            following = (int.from_bytes(parts[0].last, "big") + 1).to_bytes(MAX_PREFIX_BYTES, "big")
            found.nodes.appendleft(Wanted(wanted.instance, following, wanted.last, wanted.since))

    # --- what is applied -------------------------------------------------------------------------------------------

    @property
    def pages(self) -> tuple[Page, ...]:
        """The ranges that are not applied yet, as they arrived."""
        return tuple(self._pages)

    def applied(self, page: Page, now_mono_s: float) -> bool:
        """That range is applied, or cannot be; True where that ends the round."""
        if not self._pages or self._pages[0] is not page:
            return False  # its instance was dropped meanwhile
        self._pages.popleft()
        self._rounds[page.wanted.instance].applying -= 1
        return self._ended(page.wanted.instance, now_mono_s)

    def _ended(self, instance: str, now_mono_s: float) -> bool:
        found = self._rounds[instance]
        if found.nodes is None or found.nodes or found.applying or any(name == instance for name, _ in self._asked):
            return False
        found.nodes, found.ended_mono_s = None, now_mono_s
        return True


def _order(instance: str) -> tuple[int, str]:
    return _ORDER.index(parse_instance(instance)[0]), instance


def _spans(nodes: list[bytes], gap: int) -> list[tuple[bytes, bytes]]:
    """Neighbouring nodes of one length as spans of two-byte nodes; a single long one is cut in lanes."""
    runs: list[list[int]] = []
    width = 256 ** (MAX_PREFIX_BYTES - len(nodes[0])) if nodes else 1
    for number in (int.from_bytes(node, "big") for node in nodes):
        if runs and number - runs[-1][1] <= gap + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    if len(runs) == 1 and runs[0][1] - runs[0][0] >= _LONG and width > 1:
        low, count = runs[0][0], runs[0][1] - runs[0][0] + 1
        cuts = [low + count * lane // _LANES for lane in range(_LANES + 1)]
        runs = [[begin, end - 1] for begin, end in itertools.pairwise(cuts)]
    return [
        ((low * width).to_bytes(MAX_PREFIX_BYTES, "big"), (high * width + width - 1).to_bytes(MAX_PREFIX_BYTES, "big"))
        for low, high in runs
    ]
