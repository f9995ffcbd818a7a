"""What a stream sends next: from the roster shown before and the newest one, never from a backlog.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wire.query import CardChanged, DarkReason, Lease, Light, Outage, Roster, Visit

MAX_CARDS: Final = 256  # more cards than a roster is likely to hold: then whoever shows one fetches the roster anyway


class EventName(StrEnum):
    """The `event:` of a server-sent event."""

    ROSTER = "roster"
    CHANGE = "change"
    CARD = "card"
    DARK = "dark"
    BEAT = "beat"


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """What differs. `order` is None where the same visits stand in the same order; `radios` are all that are out."""

    version: int
    as_of_ms: int
    lease: Lease
    visits: tuple[Visit, ...]
    gone: tuple[bytes, ...]
    order: tuple[bytes, ...] | None
    radios: tuple[Outage, ...]


def no_gateway() -> Roster:
    """What is shown while the gateway is away: nothing."""
    lease = Lease(Light.DARK, DarkReason.NO_GATEWAY, 0, 0, None)
    return Roster(version=0, as_of_ms=0, lease=lease, visits=(), urgent=True)


_Visits = tuple[Visit, ...]
_Differing = tuple[_Visits, tuple[bytes, ...], tuple[bytes, ...] | None]  # visits, gone, order
_MOST_KEPT: Final = 64
_differing: dict[tuple[int, int], tuple[_Visits, _Visits, _Differing]] = {}  # by identity of the rosters' visits


def between(old: Roster, new: Roster) -> Change:
    """What `new` shows otherwise than `old`."""
    # Streams of one role mostly go from the very same visits to the very same: found out for the first of them.
    key = id(old.visits), id(new.visits)
    kept = _differing.get(key)
    if kept is None or kept[0] is not old.visits or kept[1] is not new.visits:
        kept = old.visits, new.visits, _compare(old.visits, new.visits)
        if len(_differing) >= _MOST_KEPT:
            _differing.clear()
        _differing[key] = kept
    visits, gone, order = kept[2]
    return Change(new.version, new.as_of_ms, new.lease, visits, gone, order, new.radios)


def _compare(old: _Visits, new: _Visits) -> _Differing:
    before = {visit.handle: visit for visit in old}
    after = {visit.handle: visit for visit in new}
    return (
        tuple(visit for visit in new if not _same(before.get(visit.handle), visit)),
        tuple(handle for handle in before if handle not in after),
        None if list(before) == list(after) else tuple(after),
    )


def _same(old: Visit | None, new: Visit) -> bool:
    return old is new or old == new  # what did not change is mostly the very same object, which is quicker to see


class Slot:
    """The one slot of a stream: the newest roster, and which cards changed. Whoever is slow gets the newest state."""

    __slots__ = ("cards", "newest", "shown", "urgent")

    def __init__(self) -> None:
        self.shown: Roster | None = None
        self.newest: Roster | None = None
        self.cards: dict[bytes, CardChanged] = {}
        self.urgent = False

    def put(self, reply: Roster | CardChanged) -> None:
        """The gateway said this."""
        if isinstance(reply, CardChanged):
            # A card that shrinks is a withdrawal as often as not: it goes at once.
            self.cards[reply.handle] = reply
            self.urgent = True
            while len(self.cards) > MAX_CARDS:
                self.cards.pop(next(iter(self.cards)))
            return
        went_dark = reply.lease.light is not Light.LIVE
        self.urgent = self.urgent or reply.urgent or went_dark or self.shown is None
        self.newest = reply

    @property
    def waits(self) -> bool:
        """Whether something is to be sent."""
        return self.newest is not None or bool(self.cards)

    def take(self) -> list[tuple[EventName, Roster | Change | CardChanged]]:
        """What to send now; the slot is empty afterwards."""
        events: list[tuple[EventName, Roster | Change | CardChanged]] = []
        if self.newest is not None:
            events.append(self._of_roster(self.newest))
            self.shown, self.newest = self.newest, None
        if self.shown is not None and self.shown.lease.light is Light.LIVE:
            events += [(EventName.CARD, card) for card in self.cards.values()]
        self.cards.clear()
        self.urgent = False
        return events

    def _of_roster(self, new: Roster) -> tuple[EventName, Roster | Change]:
        if new.lease.light is not Light.LIVE:
            return EventName.DARK, new
        if self.shown is None or self.shown.lease.light is not Light.LIVE:
            return EventName.ROSTER, new
        return EventName.CHANGE, between(self.shown, new)
