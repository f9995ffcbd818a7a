"""The state thread: takes what the other threads put into the inbox, one after the other, and lets time pass.

I/O: none of its own; it calls the gateway, and publishes what the replica has to say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from runtime import garbage
from runtime.logs import Log
from store_gateway.counts import Counts
from store_gateway.doors import PinCheck, PinMaking
from store_gateway.gateway import Asker, Checking, Gateway
from store_gateway.inbox import Inbox
from store_gateway.keyring import Built
from store_gateway.streams import Door, Line
from wire import query, sighting
from wire.errors import WireError
from wire.sighting import Batch, Health

TICK_S = 0.1
COUNTS_S = 60.0
SLICE_S = 0.015  # what work that nobody waits for may take at a time: an answer may wait so long
LEAST_ROWS, MOST_ROWS = 64, 512  # of one slice
_TURNS = 8  # items between two slices of work that nobody waits for, when the inbox is never empty

_log = Log("loop")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on a line."""

    line: Line
    number: int
    request: query.Request


@dataclass(frozen=True, slots=True)
class Verdict:
    """A PIN was verified, or its verifier made; `asked` waits for the answer."""

    check: PinCheck | PinMaking
    right: bool | str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Gone:
    """A line was closed."""

    line: Line


@dataclass(frozen=True, slots=True, repr=False)
class Datagram:
    """Something from an edge, or from the probe, not read yet."""

    content: bytes
    probe: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Heard:
    """What a satellite or a cheap receiver said over the store's own broker, read already."""

    content: Batch | Health


@dataclass(frozen=True, slots=True, repr=False)
class Payload:
    """Something from the broker; `fast`: on the topic `now`."""

    content: bytes
    fast: bool


@dataclass(frozen=True, slots=True)
class Linked:
    """The connection to the broker came or went."""

    up: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """The program ends."""


Item = Asked | Verdict | Gone | Datagram | Heard | Payload | Linked | Built | Stop


class PinDesk(Protocol):
    """Who verifies PINs."""

    def submit(self, check: PinCheck | PinMaking, token: object) -> None: ...


class Loop:
    """See the module. `clock()` gives CLOCK_BOOTTIME in seconds; `publish` sends one envelope on the topic `up`."""

    def __init__(
        self,
        gateway: Gateway,
        inbox: Inbox[Item],
        pins: PinDesk,
        publish: Callable[[bytes], object],
        alive: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._gateway = gateway
        self._inbox = inbox
        self._pins = pins
        self._publish = publish
        self._alive = alive
        self._clock = clock
        self._ticked_mono_s = 0.0
        self._counted_mono_s = clock()
        self._told = (0, 0, 0)
        self._rows = LEAST_ROWS

    def run(self) -> None:
        """Until `Stop` is taken."""
        more, turn = False, 0
        while True:
            left_s = max(0.0, self._ticked_mono_s + TICK_S - self._clock())
            item = self._inbox.take(0.0 if more else left_s)
            now_mono_s = self._clock()
            if isinstance(item, Stop):
                return
            if item is not None:
                self._take(item, now_mono_s)
            if now_mono_s - self._ticked_mono_s >= TICK_S:
                self._ticked_mono_s = now_mono_s
                self._gateway.tick(now_mono_s)
                self._alive()
                self._count(now_mono_s)
            if self._gateway.eager:
                self._gateway.tell(now_mono_s)
            self._publish_all()
            turn = (turn + 1) % _TURNS
            if item is None or turn == 0:
                more = self._work(now_mono_s)
                self._publish_all()
                garbage.between()

    def _publish_all(self) -> None:
        for payload in self._gateway.outgoing():
            self._publish(payload)

    def _work(self, began_mono_s: float) -> bool:
        """A slice; the next is smaller or larger, by how long this one took on this box and its disk."""
        more = self._gateway.work(began_mono_s, self._rows)
        if more:
            spent_s = self._clock() - began_mono_s
            if spent_s > SLICE_S:
                self._rows = max(LEAST_ROWS, self._rows // 2)
            elif spent_s < SLICE_S / 2:
                self._rows = min(MOST_ROWS, self._rows + LEAST_ROWS)
        return more

    def _take(self, item: Item, now_mono_s: float) -> None:
        match item:
            case Asked():
                self._answer(item, now_mono_s)
            case Verdict(check, right, asked):
                self._reply(asked, self._gateway.pin_checked(check, right, now_mono_s), now_mono_s)
            case Gone(line):
                self._gateway.unwatch(line)
            case Datagram(content, probe):
                try:
                    heard = sighting.decode(content)
                except WireError:
                    self._gateway.counts.malformed += 1
                    return
                if probe:
                    self._gateway.on_probe(heard, now_mono_s)
                else:
                    self._gateway.on_sighting(heard, now_mono_s)
            case Heard(heard):
                self._gateway.on_sighting(heard, now_mono_s)
            case Payload(content, fast):
                self._gateway.on_message(content, fast, now_mono_s)
            case Linked(up):
                self._gateway.on_link(up, now_mono_s)
            case Built():
                self._gateway.on_built(item, now_mono_s)
                tokens = sum(len(table) for table in item.tables.values())
                _log.info("directory", slots=len(item.tables), phones=self._gateway.phones, tokens=tokens)

    def _answer(self, asked: Asked, now_mono_s: float) -> None:
        line, request = asked.line, asked.request
        if isinstance(request, query.Watch):
            line.watched(asked.number)
        asker = Asker(line.door is Door.OPERATOR, line, line.door is Door.PROBE)
        reply = self._gateway.answer(request, asker, now_mono_s)
        if isinstance(reply, Checking):
            self._pins.submit(reply.check, asked)
        else:
            self._reply(asked, reply, now_mono_s)

    def _reply(self, asked: Asked, reply: query.Reply, began_mono_s: float) -> None:
        asked.line.reply(asked.number, reply)
        outcome = reply.reason.value if isinstance(reply, query.Refused) else type(reply).__name__.lower()
        microseconds = round((self._clock() - began_mono_s) * 1e6)
        _log.info("query", kind=type(asked.request).__name__.lower(), outcome=outcome, microseconds=microseconds)

    def _count(self, now_mono_s: float) -> None:
        if now_mono_s - self._counted_mono_s < COUNTS_S:
            return
        self._counted_mono_s = now_mono_s
        counts: Counts = self._gateway.counts
        told = (counts.sightings, counts.resolved, counts.dropped)
        since = [now - before for now, before in zip(told, self._told, strict=True)]
        self._told = told
        _log.info("adverts", sightings=since[0], resolved=since[1], dropped=since[2], seconds=round(COUNTS_S))
