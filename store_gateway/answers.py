"""Answers every request: who may ask it, and which part of the gateway knows the answer.

I/O: the cache, through the replica.
"""

from collections.abc import Iterable

from store_gateway.asking import Asker, Checking, Effects, Part
from store_gateway.chronicle import Chronicle
from store_gateway.doors import DARK, Doors, PinCheck, PinMaking, Session
from store_gateway.explaining import Explaining
from store_gateway.floor import Floor
from store_gateway.management import Management
from store_gateway.probe import Probe
from store_gateway.replica import Replica
from store_gateway.rights import may
from store_gateway.status import StatusBoard
from wire import query, trust
from wire.query import Refused, RefusedReason

_FORBIDDEN = Refused(RefusedReason.FORBIDDEN)
# The page asks by itself: nobody touched the tablet. Of a card it depends on which are open (`store_gateway.looks`).
_UNTOUCHED = (query.AskSession, query.Watch, query.Acknowledge, query.AskCard)


class Answers:
    """See the module. `parts` share the requests of signed-in associates that are not the floor's own."""

    def __init__(
        self,
        replica: Replica,
        doors: Doors,
        probe: Probe,
        floor: Floor,
        chronicle: Chronicle,
        board: StatusBoard,
        management: Management,
        parts: Iterable[Part],
        effects: Effects,
        explaining: Explaining,
    ) -> None:
        self._replica = replica
        self._doors = doors
        self._probe = probe
        self._floor = floor
        self._chronicle = chronicle
        self._board = board
        self._management = management
        self._effects = effects
        self._explaining = explaining
        self._parts = {kind: part for part in (management, *parts) for kind in part.REQUESTS}

    def answer(self, request: query.Request, asker: Asker, now_mono_s: float) -> query.Reply | Checking:
        """The answer, or what it waits for."""
        if asker.probe or isinstance(request, query.AskProbe | query.TellProbe):
            return self._probe.answer(request, now_mono_s) if asker.probe else _FORBIDDEN
        match request:
            case query.AskStatus():
                return self._board.status(now_mono_s, operator=asker.operator)
            case trust.AskCertificates(held):
                return _FORBIDDEN if asker.operator else self._certificates(held, now_mono_s)
            case query.MintPairing():
                return self._doors.pairing.mint(now_mono_s) if asker.operator else _FORBIDDEN
            case query.Upkeep(task):
                if not asker.operator:
                    return _FORBIDDEN
                return query.Accepted() if self._replica.upkeep(task, now_mono_s) else DARK
            case query.Explain():
                return self._explaining.answer(request, now_mono_s) if asker.operator else _FORBIDDEN
            case query.Pair():
                return self._doors.pairing.pair(request, now_mono_s)
            case query.SignIn():
                return self._begun(self._doors.begin(request, now_mono_s))
            case query.Unlock():
                return self._begun(self._doors.begin_unlock(request, now_mono_s))
            case query.SetPin():
                return self._begun(self._doors.begin_pin(request, now_mono_s))
            case query.AskLocked(bound):
                return self._doors.locked(bound, now_mono_s)
            case query.AskTablets(None) | query.Unpair(None):
                return self._management.kept(request, None, now_mono_s) if asker.operator else _FORBIDDEN
            case query.SignOut():
                self._doors.sign_out(request.session, now_mono_s)
                self._effects.stir()
                return query.Accepted()
        if request.session is None:
            return _FORBIDDEN
        session = self._doors.session(request.session, now_mono_s, active=not isinstance(request, _UNTOUCHED))
        if isinstance(session, Refused):
            return session
        return self._signed_in(request, session, asker, now_mono_s) if may(type(request), session.role) else _FORBIDDEN

    def _begun(self, begun: PinCheck | PinMaking | query.SessionView | Refused) -> query.Reply | Checking:
        """What waits for a PIN, or the answer at once; a browser that is too old may have lost its pairing by it."""
        if isinstance(begun, PinCheck | PinMaking):
            return Checking(begun)
        self._effects.stir()
        return begun

    def _certificates(self, held: tuple[bytes, ...], now_mono_s: float) -> query.Reply:
        found = self._replica.trust.certificates(self._replica.trusted_ms(now_mono_s))
        return query.Accepted() if tuple(one.id for one in found.kits) == held else found

    def _signed_in(self, request: query.Request, session: Session, asker: Asker, now_mono_s: float) -> query.Reply:
        match request:
            case query.AskSession():
                return self._doors.view(session, now_mono_s)
            case query.LockSession():
                self._doors.lock(session)
                self._effects.stir()
                return query.Accepted()
            case query.AskFloor():
                return self._floor.roster(session, now_mono_s)
            case query.Watch():
                if asker.watcher is None:
                    return Refused(RefusedReason.MALFORMED)
                return self._floor.watch(session, asker.watcher, now_mono_s) or Refused(RefusedReason.BUSY, 5)
            case query.Acknowledge(_, version):
                self._floor.acknowledge(session, version)
                self._chronicle.acknowledged(session.key, version, now_mono_s)
                return query.Accepted()
        part = self._parts.get(type(request))
        return Refused(RefusedReason.MALFORMED) if part is None else part.answer(request, session, now_mono_s)
