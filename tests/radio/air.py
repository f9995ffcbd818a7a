"""What is on the air of each radio: members' phones that rotate every few seconds, and strangers.

I/O: none of its own; waits by asyncio.
"""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final

from demo.phones import Format, Phone, adverts, current_token
from demo.strangers import stranger
from tests.radio.controller import Controller
from tests.radio.radios import CROWD, DUPLICATES, TESTED, UNIT, Radio
from wire.air import TEST_COMPANY, candidates
from wire.token import Kind

ROTATE_S: Final = 5.0  # ten minutes of a real phone
SLOT_S: Final = 600
STEADY_S: Final = 1e9  # a phone before a controller that drops duplicates keeps its token
PHONE_S: Final = 1.2  # four adverts a token: BlueZ may be between two scans for a moment
STRANGER_S: Final = 10.0  # of one stranger, each time with another address and contents
BEGIN_S: Final = 1_800_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """A token was on the air of one node from `first_s` to `last_s` (boot clock)."""

    node: str
    form: Format
    token: bytes = field(repr=False)
    first_s: float
    last_s: float


@dataclass(slots=True)
class _Walker:
    """One who is near a radio: what it says now, until when, and how often."""

    radio: Radio
    phone: Phone | None  # None for a stranger
    number: int
    every_s: float
    rotate_s: float
    until_s: float = 0.0
    turns: int = 0


class Air:
    """The air of every radio in `controllers` (by address); `said` is what members' phones said, as it ended."""

    def __init__(self, controllers: dict[str, Controller], boot_s: Callable[[], float]) -> None:
        self._controllers = controllers
        self._boot_s = boot_s
        self._chance = Random(1)
        self._order = count()
        self._numbers = count()
        self._due: list[tuple[float, int, _Walker]] = []
        self._open: dict[int, Said] = {}
        self.said: list[Said] = []
        self.foreign: set[bytes] = set()  # what strangers said that looks like a token
        self.strangers = 0  # adverts of strangers that were reported
        self.steady: dict[bytes, Format] = {}  # tokens that stay, of those before a controller that drops duplicates
        for radio in (*TESTED, UNIT):
            self._people(radio)

    def _people(self, radio: Radio) -> None:
        rotate_s = STEADY_S if radio is DUPLICATES else ROTATE_S
        # An iPhone's F1 and F3 alternate: from a controller that drops duplicates, one format each is easier to judge.
        forms = (Format.BEACON, Format.COMPANY, Format.SERVICE) if radio is DUPLICATES else tuple(Format)
        for form in forms:
            phone = Phone(self._chance.randbytes(32), form, rssi_dbm=-60)
            walker = _Walker(radio, phone, next(self._numbers), PHONE_S, rotate_s)
            if radio is DUPLICATES:
                self.steady[current_token(phone, Kind.PRESENCE, BEGIN_S)] = form
            self._put(walker)
        every_s = STRANGER_S if radio is CROWD else 3.0
        for _ in range(radio.strangers):
            self._put(_Walker(radio, None, next(self._numbers), every_s, ROTATE_S))

    def _put(self, walker: _Walker) -> None:
        due_s = self._boot_s() + self._chance.uniform(0, walker.every_s)
        walker.until_s = due_s + self._chance.uniform(0.2, 1) * walker.rotate_s
        heapq.heappush(self._due, (due_s, next(self._order), walker))

    async def blow(self) -> None:
        """Everybody says what they have to say in their time, until cancelled."""
        while True:
            due_s, _, walker = self._due[0]
            now_s = self._boot_s()
            if due_s > now_s:
                await asyncio.sleep(min(due_s - now_s, 0.05))
                continue
            self._say(walker, now_s)
            # One that is late goes on from now: an emulated processor must not run after lost adverts.
            next_s = max(due_s, now_s - 0.1) + walker.every_s * self._chance.uniform(0.95, 1.05)
            heapq.heapreplace(self._due, (next_s, next(self._order), walker))

    def _say(self, walker: _Walker, now_s: float) -> None:
        if now_s >= walker.until_s:
            walker.turns += 1
            walker.until_s = now_s + walker.rotate_s
            self._end(walker)
        controller = self._controllers.get(walker.radio.address)
        if controller is None:
            return
        if walker.phone is None:
            heard = stranger(walker.number + 100_000 * walker.turns)
            self.strangers += controller.report(heard.address, heard.raw, heard.rssi_dbm)
            self.foreign.update(candidates(heard.raw, TEST_COMPANY))
            return
        unix_s = BEGIN_S + SLOT_S * walker.turns
        for heard in adverts(walker.phone, Kind.PRESENCE, unix_s, self._chance):
            controller.report(heard.address, heard.raw, heard.rssi_dbm)
        token = current_token(walker.phone, Kind.PRESENCE, unix_s)
        first_s = self._open[walker.number].first_s if walker.number in self._open else now_s
        self._open[walker.number] = Said(walker.radio.node, walker.phone.format, token, first_s, now_s)

    def _end(self, walker: _Walker) -> None:
        ended = self._open.pop(walker.number, None)
        if ended is not None:
            self.said.append(ended)

    def saying(self) -> list[Said]:
        """What members' phones say now."""
        return list(self._open.values())

    def said_within(self, node: str, from_s: float, to_s: float) -> list[Said]:
        """The tokens of a node's members that came and went within a span of time."""
        return [said for said in self.said if said.node == node and from_s <= said.first_s and said.last_s <= to_s]
