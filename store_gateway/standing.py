"""Knows the members who are on a visit, and decides whose visit may stand on a role's roster.

Records of members on a visit are kept opened while the visit lasts, so that an answer reads no disk; whatever changes
them drops them here first.

I/O: the cache, through the replica.
"""

from typing import Protocol

from consent.decide import Allow, presence
from consent.visit import Denied, Visit
from store_gateway.core.presence import Presence
from wire import synthetic
from wire.member import Member
from wire.policy import Policy

_MOST_KNOWN = 4096


class Records(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def member(self, pseudonym: bytes) -> Member | None: ...
    def denied(self, pseudonym: bytes) -> Denied: ...


class Standing:
    """See the module."""

    def __init__(self, records: Records, presence: Presence) -> None:
        self._records = records
        self._presence = presence
        self._known: dict[bytes, tuple[Member | None, Denied]] = {}
        self._by_role: dict[str, tuple[int, tuple[tuple[bytes, Visit], ...]]] = {}

    def record(self, pseudonym: bytes) -> tuple[Member | None, Denied]:
        """The member's record and what was denied in the store."""
        found = self._known.get(pseudonym)
        if found is None:
            found = self._records.member(pseudonym), self._records.denied(pseudonym)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[pseudonym] = found
        return found

    def drop(self, pseudonym: bytes) -> None:
        """The record or the denial changed, or the visit is over."""
        self._known.pop(pseudonym, None)
        self._by_role.clear()

    def drop_all(self) -> None:
        """Everything may have changed."""
        self._known.clear()
        self._by_role.clear()

    def moved(self) -> None:
        """A visit came, went or changed."""
        self._by_role.clear()

    def allows(self, pseudonym: bytes, visit: Visit, role: str, now_ms: int) -> bool:
        """Whether this visit may stand on this role's roster now."""
        policy = self._records.policy()
        member, denied = self.record(pseudonym)
        if policy is None or member is None:
            return False
        return isinstance(presence(member, denied, role, visit, policy, now_ms // 1000), Allow)

    def may_stand(self, pseudonym: bytes, visit: Visit, now_ms: int) -> bool:
        """Whether this visit may stand on any role's roster. Keeps nothing: who hides leaves no record opened."""
        policy = self._records.policy()
        known = self._known.get(pseudonym)
        member, denied = known or (self._records.member(pseudonym), self._records.denied(pseudonym))
        if policy is None or member is None:
            return False
        verdicts = (presence(member, denied, role.id, visit, policy, now_ms // 1000) for role in policy.main.roles)
        return any(isinstance(verdict, Allow) for verdict in verdicts)

    def visible(self, role: str, now_ms: int) -> tuple[tuple[bytes, Visit], ...]:
        """The visits that may stand on this role's roster: unanswered calls first, the oldest of them first."""
        now_s = now_ms // 1000
        kept = self._by_role.get(role)
        if kept is None or kept[0] != now_s:
            found = [one for one in self._presence.visits() if self.allows(*one, role, now_ms)]
            found.sort(key=_order)
            kept = self._by_role[role] = (now_s, tuple(found))
        return kept[1]

    def waiting(self, now_ms: int, *, some: bool) -> int:
        """Calls that wait and that every role of people sees that sees the floor; or, with `some`, at least one."""
        policy = self._records.policy()
        seen = [
            {visit.handle for _, visit in self.visible(role.id, now_ms) if visit.help and visit.attended_by is None}
            for role in (policy.main.roles if policy is not None else ())
            if role.sees_floor and role.id != synthetic.ROLE
        ]
        if not seen:
            return 0
        return len(set.union(*seen) if some else set.intersection(*seen))


def _order(one: tuple[bytes, Visit]) -> tuple[int, int]:
    visit = one[1]
    if visit.waiting_since_ms is not None:
        waits = visit.attended_by is None or visit.handed_over is not None
        return (0 if waits else 1), visit.waiting_since_ms
    return 2, visit.arrived_ms
