"""What an associate does to a visit: looks at its card, helps, and takes back for the shopper what the shopper says.

Every act is recorded before it has effect. A visit that this role may not see is answered as one that never was.

I/O: the cache, through the replica.
"""

from dataclasses import replace

from store_gateway.asking import Effects
from store_gateway.calls import Calls
from store_gateway.core.presence import Presence
from store_gateway.doors import DARK, Session
from store_gateway.errors import CacheError
from store_gateway.floor import Floor
from store_gateway.looks import WITHHELD, Looks
from store_gateway.replica import Replica
from store_gateway.standing import Standing
from wire import query, sync
from wire.query import Action, Refused, RefusedReason
from wire.scopes import is_scope


class Acts:
    """See the module."""

    REQUESTS: frozenset[type[query.Request]] = frozenset({query.AskCard, query.Attend, query.Withdraw})

    def __init__(
        self,
        replica: Replica,
        standing: Standing,
        presence: Presence,
        looks: Looks,
        calls: Calls,
        floor: Floor,
        effects: Effects,
    ) -> None:
        self._replica = replica
        self._standing = standing
        self._presence = presence
        self._looks = looks
        self._calls = calls
        self._floor = floor
        self._effects = effects

    def answer(self, asked: query.Request, session: Session, now_mono_s: float) -> query.Reply:
        """The answer to one of `REQUESTS`."""
        match asked:
            case query.AskCard(_, handle, section):
                now_ms = self._live_ms(now_mono_s)
                return DARK if now_ms is None else self._looks.card(session, handle, section, now_mono_s, now_ms)
            case query.Attend():
                return self._attend(asked, session, now_mono_s)
            case query.Withdraw():
                return self._withdraw(asked, session, now_mono_s)
            case _:
                return Refused(RefusedReason.MALFORMED)

    def _live_ms(self, now_mono_s: float) -> int | None:
        """Trusted time while the store may disclose, else None."""
        return self._replica.trusted_ms(now_mono_s) if self._replica.live(now_mono_s) else None

    def _seen(self, session: Session, handle: bytes, now_ms: int | None) -> bytes | None:
        """The pseudonym of a visit that this session may act on; in the dark, of one that it saw before."""
        pseudonym = self._presence.find(handle)
        visit = self._presence.visit(pseudonym) if pseudonym is not None else None
        if pseudonym is None or visit is None:
            return None
        if now_ms is None:
            return pseudonym if self._floor.stood(session.role, handle) else None
        return pseudonym if self._standing.allows(pseudonym, visit, session.role, now_ms) else None

    def _attend(self, asked: query.Attend, session: Session, now_mono_s: float) -> query.Reply:
        now_ms = self._live_ms(now_mono_s)
        if now_ms is None:
            return DARK
        pseudonym = self._seen(session, asked.handle, now_ms)
        visit = self._presence.visit(pseudonym) if pseudonym is not None else None
        if pseudonym is None or visit is None:
            return WITHHELD
        if visit.attended_by is not None and visit.attended_by != session.associate:
            return query.Conflict(visit.attended_name or visit.attended_by)
        if asked.action is Action.ATTENDING and visit.attended_by == session.associate:
            return query.Accepted()
        step = sync.HelpStep.ATTENDING if asked.action is Action.ATTENDING else sync.HelpStep.DONE
        try:
            self._calls.said(pseudonym, session.associate, step, now_mono_s)
        except CacheError:
            return DARK
        if asked.action is Action.ATTENDING:
            self._effects.moved(self._presence.attend(pseudonym, session.associate, session.name), now_mono_s)
        else:
            self._effects.moved(self._presence.done(pseudonym), now_mono_s)
        return query.Accepted()

    def _withdraw(self, asked: query.Withdraw, session: Session, now_mono_s: float) -> query.Reply:
        """Works while the store is dark too: leaving needs nobody's leave."""
        if asked.scope is not None and not is_scope(asked.scope):
            return Refused(RefusedReason.MALFORMED)
        pseudonym = self._seen(session, asked.handle, self._live_ms(now_mono_s))
        if pseudonym is None:
            return WITHHELD
        withdrawal = sync.Withdrawal(asked.scope, session.associate, session.tablet)
        try:
            changes = self._replica.deny(pseudonym, asked.scope, withdrawal, now_mono_s)
        except CacheError:
            return DARK
        self._effects.took(replace(changes, members=changes.members | {pseudonym}), now_mono_s)
        self._effects.stir()
        return query.Accepted()
