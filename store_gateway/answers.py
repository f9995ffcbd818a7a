"""Answers every request: who may ask it, and which part of the gateway knows the answer.

I/O: the cache, through the replica.
"""

from collections.abc import Iterable

from store_gateway.asking import Asker, Checking, Effects, Part
from store_gateway.chronicle import Chronicle
from store_gateway.doors import DARK, SIGNED_OUT, Doors, Session
from store_gateway.floor import Floor
from store_gateway.probe import Probe
from store_gateway.replica import Replica
from store_gateway.status import StatusBoard
from wire import query, trust
from wire.query import Refused, RefusedReason

_FORBIDDEN = Refused(RefusedReason.FORBIDDEN)
_UNTOUCHED = (query.AskSession, query.Watch, query.Acknowledge)  # the page asks by itself: nobody touched the tablet


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
        parts: Iterable[Part],
        effects: Effects,
    ) -> None:
        self._replica = replica
        self._doors = doors
        self._probe = probe
        self._floor = floor
        self._chronicle = chronicle
        self._board = board
        self._effects = effects
        self._parts = {kind: part for part in parts for kind in part.REQUESTS}

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
                return self._doors.mint(now_mono_s) if asker.operator else _FORBIDDEN
            case query.Upkeep(task):
                if not asker.operator:
                    return _FORBIDDEN
                return query.Accepted() if self._replica.upkeep(task, now_mono_s) else DARK
            case query.Pair():
                return self._doors.pair(request, now_mono_s)
            case query.SignIn():
                begun = self._doors.begin(request, now_mono_s)
                return begun if isinstance(begun, Refused) else Checking(begun)
            case query.SignOut():
                self._doors.sign_out(request.session)
                self._effects.stir()
                return query.Accepted()
        session = self._doors.session(request.session, now_mono_s, active=not isinstance(request, _UNTOUCHED))
        return SIGNED_OUT if session is None else self._signed_in(request, session, asker, now_mono_s)

    def _certificates(self, held: tuple[bytes, ...], now_mono_s: float) -> query.Reply:
        found = self._replica.trust.certificates(self._replica.trusted_ms(now_mono_s))
        return query.Accepted() if tuple(one.id for one in found.kits) == held else found

    def _signed_in(self, request: query.Request, session: Session, asker: Asker, now_mono_s: float) -> query.Reply:
        match request:
            case query.AskSession():
                return self._doors.view(session, now_mono_s)
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
