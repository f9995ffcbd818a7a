"""Knows how every receiver of the store fares: who hears, who is ill, who fell silent, who was never heard.

Nothing here depends on who is heard: only what edges and satellites say of their own radios counts. `now_mono_s` is
the gateway's boot clock; instants of the far end's clock are not compared with it.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from consent.decide import is_blind
from wire.policy import Zone
from wire.sighting import Health, RadioReason, RadioState
from wire.views import MOST_RADIOS, Outage, Radio, ReceiverState, Restarts

AWAY_S = 15.0  # three reports: the edge or satellite does not run, or is cut off
# Departures wait at most so long for a receiver that is out (decision 0040)…
FREEZE_S = 600.0
# …and it may make them wait again only after it heard for longer than anybody may be silent before being gone.
STEADY_S = 180.0
FORGET_S = 600.0  # what is in no zone and says nothing for so long is not there any more
MOST_UNPLACED = 64  # in no zone: a flood of made-up names finds no room, and takes none from the store's own
OUT = frozenset({ReceiverState.ILL, ReceiverState.AWAY})

_STATES = {
    RadioState.HEARING: ReceiverState.HEARING,
    RadioState.RECOVERING: ReceiverState.RECOVERING,
    RadioState.ILL: ReceiverState.ILL,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A receiver that went out, or came back."""

    node: str
    state: ReceiverState
    reason: RadioReason | None  # why it is ill


class _Node:
    __slots__ = ("advert_mono_s", "came_mono_s", "health", "steady_mono_s", "told_out", "trouble_mono_s")

    def __init__(self, health: Health, now_mono_s: float) -> None:
        self.health = health
        self.came_mono_s = now_mono_s
        self.advert_mono_s: float | None = now_mono_s if health.state is RadioState.HEARING else None
        self.trouble_mono_s: float | None = None  # when the trouble began that is not over yet
        self.steady_mono_s: float | None = None  # since when it hears again
        self.told_out = False

    def heard(self, health: Health, now_mono_s: float) -> None:
        if health.last_advert_ms != self.health.last_advert_ms:
            self.advert_mono_s = now_mono_s
        self.health, self.came_mono_s = health, now_mono_s

    def state(self, now_mono_s: float) -> ReceiverState:
        if now_mono_s - self.came_mono_s >= AWAY_S:
            return ReceiverState.AWAY
        return _STATES[self.health.state]

    def settle(self, now_mono_s: float) -> None:
        """When trouble began and whether it is over."""
        state = self.state(now_mono_s)
        if state in OUT:
            self.steady_mono_s = None
            if self.trouble_mono_s is None:
                self.trouble_mono_s = now_mono_s
        elif state is ReceiverState.RECOVERING:
            self.steady_mono_s = None
        elif self.trouble_mono_s is not None:
            if self.steady_mono_s is None:
                self.steady_mono_s = now_mono_s
            elif now_mono_s - self.steady_mono_s >= STEADY_S:
                self.trouble_mono_s = self.steady_mono_s = None

    def freezes(self, now_mono_s: float) -> bool:
        """Whether departures wait for it: out, or not well again since, and that not for too long."""
        if self.trouble_mono_s is None or self.state(now_mono_s) is ReceiverState.HEARING:
            return False
        return now_mono_s - self.trouble_mono_s < FREEZE_S


class Receivers:
    """See the module."""

    __slots__ = ("_nodes", "_places", "_zones")

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._zones: tuple[Zone, ...] = ()
        self._places: dict[str, int] = {}  # of a node its zone's place in the policy

    def govern(self, zones: Iterable[Zone]) -> None:
        """From now on the nodes of these zones are expected."""
        self._zones = tuple(zones)
        placed = [(node, place) for place, zone in enumerate(self._zones) for node in zone.nodes]
        self._places = dict(reversed(placed))  # named twice: the first zone's, as where members are placed

    def heard(self, health: Health, now_mono_s: float) -> None:
        """A receiver says how it fares."""
        known = self._nodes.get(health.node)
        if known is not None:
            known.heard(health, now_mono_s)
        elif health.node in self._places or len(self._nodes.keys() - self._places.keys()) < MOST_UNPLACED:
            self._nodes[health.node] = _Node(health, now_mono_s)

    def tick(self, now_mono_s: float) -> tuple[Turn, ...]:
        """Which receivers went out or came back; to be called before what follows, several times a second."""
        turns = []
        for name, node in list(self._nodes.items()):
            if name not in self._places and now_mono_s - node.came_mono_s >= FORGET_S:
                del self._nodes[name]
                continue
            node.settle(now_mono_s)
            state = node.state(now_mono_s)
            out = state in OUT or (node.told_out and state is not ReceiverState.HEARING)
            if out is not node.told_out:
                node.told_out = out
                reason = node.health.reason if state is ReceiverState.ILL else None
                turns.append(Turn(name, state, reason))
        return tuple(turns)

    def ill(self, now_mono_s: float) -> frozenset[str]:
        """The receivers for which departures wait: nobody leaves now whom they alone heard."""
        return frozenset(name for name, node in self._nodes.items() if node.freezes(now_mono_s))

    def outages(self) -> tuple[Outage, ...]:
        """The zones with a receiver that is out, in the policy's order; last one without a label for all the others."""
        out = {self._places.get(name) for name, node in self._nodes.items() if node.told_out}
        found = [
            Outage(zone.label or zone.id, is_blind(zone)) for place, zone in enumerate(self._zones) if place in out
        ]
        if None in out:
            found.append(Outage("", False))
        return tuple(found)

    def views(self, now_mono_s: float, *, operator: bool) -> tuple[Radio, ...]:
        """Every receiver, those of the policy by zone, those in no zone last; with too many, those that are out first.

        Counts of what may be phones are the operator's; of a blind zone nobody else learns how much was heard.
        """
        last = len(self._zones)
        names = sorted(self._nodes.keys() | self._places.keys(), key=lambda name: (self._places.get(name, last), name))
        views = [self._view(name, now_mono_s, operator=operator) for name in names]
        if len(views) > MOST_RADIOS:
            views = sorted(views, key=lambda view: view.state not in OUT)[:MOST_RADIOS]
        return tuple(views)

    def _view(self, name: str, now_mono_s: float, *, operator: bool) -> Radio:
        zone = self._zones[self._places[name]] if name in self._places else None
        node = self._nodes.get(name)
        label = None if zone is None else zone.label or zone.id
        if node is None:
            return Radio(name, label, ReceiverState.NEVER_HEARD, None, None, None, None, None, ())
        health = node.health
        counted = operator or not (zone is not None and is_blind(zone))
        silent_s = None if node.advert_mono_s is None else int(now_mono_s - node.advert_mono_s)
        return Radio(
            node=name,
            zone_label=label,
            state=node.state(now_mono_s),
            reason=health.reason,
            silent_s=silent_s if counted else None,
            adverts=health.adverts if counted else None,
            candidates=health.candidates if operator else None,
            drops=health.drops if counted else None,
            restarts=tuple(Restarts(reason, count) for reason, count in health.restarts),
        )
