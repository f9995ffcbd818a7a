"""What keeps a store's tablets and PINs in order: a manager's requests, and those of them that operators make too.

I/O: the cache, through the replica.
"""

from collections.abc import Callable
from typing import Protocol

from store_gateway.day_figures import DayFigures
from store_gateway.doors import DARK, Doors, Session
from store_gateway.errors import CacheError
from store_gateway.pairing import is_probe
from store_gateway.pin_codes import CODE_S
from store_gateway.replica import Tablet
from wire import query, synthetic
from wire.doors import MOST_STAFF, MOST_TABLETS
from wire.member import Staff
from wire.query import Refused, RefusedReason


class Keeper(Protocol):
    """What is needed of the replica."""

    def staff(self, associate: str) -> Staff | None: ...
    def all_staff(self) -> tuple[tuple[str, Staff], ...]: ...
    def tablets(self) -> tuple[Tablet, ...]: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...


class Management:
    """See the module. Who may ask is judged before (`store_gateway.rights`). `stir`: something looks different now."""

    REQUESTS: frozenset[type[query.Request]] = frozenset(
        {query.AskStaff, query.MintPinCode, query.MintTabletCode, query.AskTablets, query.Unpair, query.AskFigures}
    )

    def __init__(self, keeper: Keeper, doors: Doors, figures: DayFigures, stir: Callable[[], None]) -> None:
        self._keeper = keeper
        self._doors = doors
        self._figures = figures
        self._stir = stir

    def answer(self, asked: query.Request, session: Session, now_mono_s: float) -> query.Reply:
        """The answer to a manager."""
        match asked:
            case query.AskStaff():
                return self._staff()
            case query.MintPinCode(_, associate):
                return self._pin_code(associate, session.associate, now_mono_s)
            case query.AskFigures():
                now_ms = self._keeper.trusted_ms(now_mono_s)
                return DARK if now_ms is None else self._figures.told(now_ms)
            case query.MintTabletCode():
                return self._doors.pairing.mint(now_mono_s)
            case _:
                return self.kept(asked, session, now_mono_s)

    def kept(self, asked: query.Request, session: Session | None, now_mono_s: float) -> query.Reply:
        """The answer to a manager, or to an operator, who has no session."""
        match asked:
            case query.AskTablets():
                return self._tablets(session, now_mono_s)
            case query.Unpair(_, tablet):
                try:
                    known = self._doors.pairing.unpair(tablet, now_mono_s)
                except CacheError:
                    return DARK
                self._stir()
                return query.Accepted() if known else query.Withheld()
            case _:
                return Refused(RefusedReason.MALFORMED)

    def _staff(self) -> query.StaffList:
        active = [
            query.StaffLine(associate, staff.name, staff.role, bool(staff.pin_verifier))
            for associate, staff in self._keeper.all_staff()
            if staff.active and associate != synthetic.ASSOCIATE
        ]
        active.sort(key=lambda one: (one.name.casefold(), one.associate))
        return query.StaffList(tuple(active[:MOST_STAFF]))

    def _pin_code(self, associate: str, by: str, now_mono_s: float) -> query.PinCode | query.Withheld:
        staff = self._keeper.staff(associate)
        if staff is None or not staff.active or associate == synthetic.ASSOCIATE:
            return query.Withheld()
        code = self._doors.pin_codes.mint(associate, by, now_mono_s)
        return query.PinCode(code, associate, staff.name, CODE_S)

    def _tablets(self, asker: Session | None, now_mono_s: float) -> query.Tablets:
        signed_in = {one.tablet: one for one in self._doors.held.all()}
        now_ms = self._keeper.trusted_ms(now_mono_s)
        lines = []
        for tablet in self._keeper.tablets():
            if is_probe(tablet):
                continue
            session = signed_in.get(tablet.id)
            asked_mono_s = self._doors.pairing.asked_mono_s(tablet.id)
            seen_ms = None
            if now_ms is not None and asked_mono_s is not None:
                seen_ms = max(0, now_ms - int((now_mono_s - asked_mono_s) * 1000))
            lines.append(
                query.TabletLine(
                    id=tablet.id,
                    label=tablet.label,
                    browser=self._doors.pairing.browser(tablet),
                    paired_ms=tablet.paired_ms,
                    seen_ms=seen_ms,
                    associate=session.name if session is not None else None,
                    locked=session is not None and session.locked,
                    own=asker is not None and asker.tablet == tablet.id,
                )
            )
        lines.sort(key=lambda one: (-one.paired_ms, one.id))
        return query.Tablets(tuple(lines[:MOST_TABLETS]))
