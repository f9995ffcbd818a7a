"""Draws the roster's lines: once for all sessions of a role, and anew only where a visit changed.

A hundred tablets follow the floor, and a roster may have a thousand lines: what is the same for many is the very same
object, which compares and encodes at no cost.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import replace

from consent import row
from consent.visit import Visit
from store_gateway.doors import Session
from wire import query
from wire.policy import Policy

Lines = tuple[query.Visit, ...]


class Shared:
    """What all sessions of a role see alike: made once for all of them, and by visit from what it was before.

    `lines` are as somebody sees them who attends none and was given none; `personal` are the places of visits that
    somebody attends or was given.
    """

    __slots__ = ("drawn", "lines", "personal", "policy", "seen")

    def __init__(self) -> None:
        self.seen: tuple[tuple[bytes, Visit], ...] | None = None
        self.policy: Policy | None = None
        self.drawn: dict[bytes, tuple[Visit, query.Visit]] = {}
        self.lines: tuple[query.Visit, ...] = ()
        self.personal: tuple[int, ...] = ()

    def follow(self, seen: tuple[tuple[bytes, Visit], ...], policy: Policy | None) -> None:
        """These visits stand on the role's roster now."""
        before = self.drawn if policy is self.policy else {}
        labels = {zone.id: zone.label for zone in policy.store.zones} if policy is not None else {}
        drawn = {}
        for _, visit in seen:
            kept = before.get(visit.handle)
            drawn[visit.handle] = kept if kept is not None and kept[0] == visit else (visit, row.line(visit, labels))
        self.seen, self.policy, self.drawn = seen, policy, drawn
        self.lines = tuple(line for _, line in drawn.values())
        self.personal = tuple(
            at for at, (_, visit) in enumerate(seen) if visit.attended_by is not None or visit.handed_over is not None
        )


def for_session(line: query.Visit, visit: Visit, session: Session) -> query.Visit:
    """The same line for whoever attends the visit, or was given it."""
    return replace(
        line,
        attended_by_me=visit.attended_by == session.associate,
        handed_over=visit.handed_to(session.associate, session.role),
    )


def is_urgent(before: Lines, after: Lines) -> bool:
    """Whether a visit is gone, or a call for help is another: judged by what is visible alone."""
    return bool(_calls(before) ^ _calls(after)) or bool(_handles(before) - _handles(after))


def _calls(visits: Iterable[query.Visit]) -> set[tuple[bytes, bool, bool, bool]]:
    return {
        (one.handle, one.escalated, one.attended_by is None, one.handed_over is not None)
        for one in visits
        if one.help or one.handed_over is not None
    }


def _handles(visits: Iterable[query.Visit]) -> set[bytes]:
    return {one.handle for one in visits}
