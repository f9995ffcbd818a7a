"""What an associate does to a visit: looks at its card, helps, hands over, and does what the shopper says.

Every act is recorded before it has effect. A visit that this role may not see is answered as one that never was.

I/O: the cache, through the replica.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from consent.visit import HandedOver, Visit
from store_gateway.asking import Effects
from store_gateway.calls import Calls
from store_gateway.core.presence import Presence
from store_gateway.doors import DARK, Session
from store_gateway.errors import CacheError
from store_gateway.floor import Floor
from store_gateway.looks import WITHHELD, Looks
from store_gateway.replica import Replica
from store_gateway.standing import Standing
from wire import acts, query, sync, synthetic
from wire.query import Action, Refused, RefusedReason
from wire.scopes import is_scope


class Acts:
    """See the module. `signed_in()` gives all sessions, open or locked."""

    REQUESTS: frozenset[type[query.Request]] = frozenset(
        {query.AskCard, query.Attend, acts.HandOver, acts.AskColleagues, acts.Introduce, query.Withdraw}
    )

    def __init__(
        self,
        replica: Replica,
        standing: Standing,
        presence: Presence,
        looks: Looks,
        calls: Calls,
        floor: Floor,
        signed_in: Callable[[], Iterable[Session]],
        effects: Effects,
    ) -> None:
        self._replica = replica
        self._standing = standing
        self._presence = presence
        self._looks = looks
        self._calls = calls
        self._floor = floor
        self._signed_in = signed_in
        self._effects = effects

    def answer(self, asked: query.Request, session: Session, now_mono_s: float) -> query.Reply:
        """The answer to one of `REQUESTS`."""
        match asked:
            case query.AskCard(_, handle, section):
                now_ms = self.live_ms(now_mono_s)
                return DARK if now_ms is None else self._looks.card(session, handle, section, now_mono_s, now_ms)
            case query.Attend():
                return self._attend(asked, session, now_mono_s)
            case acts.HandOver():
                return self._hand_over(asked, session, now_mono_s)
            case acts.AskColleagues():
                return self._colleagues(session)
            case acts.Introduce():
                return self._introduce(asked, session, now_mono_s)
            case query.Withdraw():
                return self._withdraw(asked, session, now_mono_s)
            case _:
                return Refused(RefusedReason.MALFORMED)

    def live_ms(self, now_mono_s: float) -> int | None:
        """Trusted time while the store may disclose, else None."""
        return self._replica.trusted_ms(now_mono_s) if self._replica.live(now_mono_s) else None

    def seen(self, session: Session, handle: bytes, now_ms: int | None) -> tuple[bytes, Visit] | None:
        """Pseudonym and visit that this session may act on; in the dark, of one that it saw before."""
        pseudonym = self._presence.find(handle)
        visit = self._presence.visit(pseudonym) if pseudonym is not None else None
        if pseudonym is None or visit is None:
            return None
        if now_ms is None:
            may = self._floor.stood(session.role, handle)
        else:
            may = self._standing.allows(pseudonym, visit, session.role, now_ms)
        return (pseudonym, visit) if may else None

    def _attend(self, asked: query.Attend, session: Session, now_mono_s: float) -> query.Reply:
        now_ms = self.live_ms(now_mono_s)
        if now_ms is None:
            return DARK
        found = self.seen(session, asked.handle, now_ms)
        if found is None:
            return WITHHELD
        pseudonym, visit = found
        taken = _taken(visit, session)
        if taken is not None:
            return taken
        attending = asked.action is Action.ATTENDING
        if attending and visit.attended_by == session.associate and visit.handed_over is None:
            return query.Accepted()
        step = sync.HelpStep.ATTENDING if attending else sync.HelpStep.DONE
        try:
            self._calls.said(pseudonym, sync.Attendance(session.associate, step), now_mono_s)
        except CacheError:
            return DARK
        if attending:
            self._effects.moved(self._presence.attend(pseudonym, session.associate, session.name), now_mono_s)
        else:
            self._effects.moved(self._presence.done(pseudonym), now_mono_s)
        self._effects.stir()
        return query.Accepted()

    def _hand_over(self, asked: acts.HandOver, session: Session, now_mono_s: float) -> query.Reply:
        """Whether those to whom it goes may see the visit decides nothing here: that would tell what is hidden."""
        now_ms = self.live_ms(now_mono_s)
        if now_ms is None:
            return DARK
        targets = self._colleagues(session)
        ids = {one.associate for one in targets.associates} if asked.role is None else set()
        roles = {one.id for one in targets.roles} if asked.associate is None else set()
        found = self.seen(session, asked.handle, now_ms)
        if found is None or (asked.associate not in ids and asked.role not in roles):
            return WITHHELD
        pseudonym, visit = found
        taken = _taken(visit, session)
        if taken is not None:
            return taken
        body = sync.Attendance(
            session.associate, sync.HelpStep.HANDED_OVER, session.role, asked.associate, asked.role, asked.reason
        )
        try:
            self._calls.said(pseudonym, body, now_mono_s)
        except CacheError:
            return DARK
        given = HandedOver(session.associate, asked.associate, asked.role, asked.reason)
        moves = self._presence.hand_over(pseudonym, session.associate, session.name, given, now_mono_s)
        self._effects.moved(moves, now_mono_s)
        self._effects.stir()
        return query.Accepted()

    def _colleagues(self, session: Session) -> acts.Colleagues:
        policy = self._replica.policy()
        roles = {
            one.id: one for one in (policy.main.roles if policy else ()) if one.sees_floor and one.id != synthetic.ROLE
        }
        there = {
            one.associate: acts.Colleague(one.associate, one.name, one.role)
            for one in self._signed_in()
            if not one.locked and one.role in roles and one.associate != session.associate
        }
        return acts.Colleagues(
            tuple(sorted(there.values(), key=lambda one: (one.name, one.associate)))[: acts.MOST_COLLEAGUES],
            tuple(acts.FloorRole(one.id, one.label) for one in roles.values()),
        )

    def _introduce(self, asked: acts.Introduce, session: Session, now_mono_s: float) -> query.Reply:
        now_ms = self.live_ms(now_mono_s)
        if now_ms is None:
            return DARK
        found = self.seen(session, asked.handle, now_ms)
        if found is None:
            return WITHHELD
        pseudonym, visit = found
        if visit.invited:  # by a call for help, or somebody said it before
            return query.Accepted()
        try:
            self._looks.introduced(pseudonym, visit, session, now_mono_s)
        except CacheError:
            return DARK
        self._effects.moved(self._presence.introduce(pseudonym), now_mono_s)
        self._effects.stir()
        return query.Accepted()

    def _withdraw(self, asked: query.Withdraw, session: Session, now_mono_s: float) -> query.Reply:
        """Works while the store is dark too: leaving needs nobody's leave. Nor does it need that the visit goes on.

        A visit ends by a radio's gap, by help that is done, by a step into a blind zone, while the shopper stands there
        and asks. So whoever's card this session was shown some minutes ago can leave, whatever became of the visit: the
        answer tells nothing of it.
        """
        if asked.scope is not None and not is_scope(asked.scope):
            return Refused(RefusedReason.MALFORMED)
        found = self.seen(session, asked.handle, self.live_ms(now_mono_s))
        pseudonym = found[0] if found is not None else self._looks.lately(session, asked.handle, now_mono_s)
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


def _taken(visit: Visit, session: Session) -> query.Conflict | None:
    """Who was first, where somebody else helps and did not hand over to this session."""
    mine = (
        visit.attended_by in (None, session.associate) or visit.handed_to(session.associate, session.role) is not None
    )
    return None if mine else query.Conflict(visit.attended_name or visit.attended_by or "")
