"""Tells from one role's roster what bells, lights and headsets are to know: help waits in a zone, and no more.

Nobody is in it: no handle, sign, name or time of a visit, only the zone and how many calls wait in it. What is told
follows the roster that the role may see, so that a call which it does not show is not heard of either.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from consent.visit import Visit


class News(StrEnum):
    """What changed in a zone; of several at once the first of these."""

    ESCALATED = "help-escalated"  # nobody came in time
    WAITING = "help-waiting"  # a call that waits
    MOVED = "help-moved"  # whoever waits went from one zone to another; told of both
    ANSWERED = "help-answered"  # an associate attends
    OVER = "help-over"  # the call is on the roster no more: cancelled, withdrawn, or the store is dark
    NONE = "help-none"  # nothing: how a zone is when the gateway starts


@dataclass(frozen=True, slots=True)
class Bell:
    """A zone's news, and how many calls wait there now; with no zone None. `at_ms`: trusted time, None without it."""

    news: News
    zone: str | None
    zone_label: str | None
    waiting: int
    escalated: int
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class _Call:
    zone: str | None
    waits: bool
    escalated: bool


_RANK = {news: rank for rank, news in enumerate(News)}


class Bells:
    """See the module. `role`: whose roster it is; what is handed over to all of it waits for it at once."""

    __slots__ = ("_calls", "_labels", "_role")

    def __init__(self, role: str) -> None:
        self._role = role
        self._calls: dict[bytes, _Call] = {}
        self._labels: dict[str | None, str | None] = {}

    def look(self, visits: Iterable[Visit], labels: Mapping[str, str], now_ms: int | None) -> tuple[Bell, ...]:
        """What is news, one bell a zone; `visits` are those on the roster, `labels` the zones that are not blind."""
        calls = {visit.handle: _Call(visit.zone, self._waits(visit), visit.escalated) for visit in visits if visit.help}
        news: dict[str | None, News] = {}
        for zone in (None, *labels):
            if zone not in self._labels:
                news[zone] = News.NONE
        self._labels[None] = None
        self._labels.update(labels)
        for handle in self._calls.keys() | calls.keys():
            for zone, what in _changes(self._calls.get(handle), calls.get(handle)):
                news[zone] = min(what, news.get(zone, what), key=_RANK.__getitem__)
        self._calls = calls
        return tuple(self._bell(zone, news[zone], now_ms) for zone in sorted(news, key=lambda zone: zone or ""))

    def _waits(self, visit: Visit) -> bool:
        given = visit.handed_over
        return visit.attended_by is None or (given is not None and given.role == self._role)

    def _bell(self, zone: str | None, news: News, now_ms: int | None) -> Bell:
        waiting = [call for call in self._calls.values() if call.waits and call.zone == zone]
        escalated = sum(call.escalated for call in waiting)
        return Bell(news, zone, self._labels.get(zone), len(waiting), escalated, now_ms)


def _changes(before: _Call | None, now: _Call | None) -> tuple[tuple[str | None, News], ...]:
    waited = before if before is not None and before.waits else None
    if waited is None:
        if now is None or not now.waits:
            return ()
        return ((now.zone, News.ESCALATED if now.escalated else News.WAITING),)
    if now is None:
        return ((waited.zone, News.OVER),)
    if not now.waits:
        return ((waited.zone, News.ANSWERED),)
    found: tuple[tuple[str | None, News], ...] = ()
    if now.zone != waited.zone:
        found = ((waited.zone, News.MOVED), (now.zone, News.MOVED))
    if now.escalated is not waited.escalated:
        found += ((now.zone, News.ESCALATED if now.escalated else News.WAITING),)
    return found
