"""The doors as the fake gateway answers them: locked sessions, codes, tablets and staff; what a test put there.

Pure: no I/O, no clock.
"""

from typing import TYPE_CHECKING

from wire import query
from wire.query import Accepted, Refused, RefusedReason, Reply, Request, Withheld

if TYPE_CHECKING:
    from tests.fakes.gateway import FakeGateway

REQUESTS = (
    query.LockSession, query.Unlock, query.AskLocked, query.AskStaff, query.MintPinCode, query.SetPin,
    query.MintTabletCode, query.AskTablets, query.Unpair, query.AskFigures,
)  # fmt: skip
PIN_CODE = "48213907"


def line(number: int, label: str, associate: str | None = None, **more: object) -> query.TabletLine:
    """A paired tablet."""
    shown: dict[str, object] = {
        "id": f"tablet-{number:08x}",
        "label": label,
        "browser": "Chrome 128",
        "paired_ms": 1_788_000_000_000 + number * 86_400_000,
        "seen_ms": 1_788_999_000_000 if associate else None,
        "associate": associate,
        "locked": False,
        "own": False,
    }
    return query.TabletLine(**(shown | more))  # type: ignore[arg-type]


def answer(gateway: "FakeGateway", asked: Request, session: bytes) -> Reply:
    """As scripted: `tablet_lines` are paired, `locked` are sessions that wait for the PIN."""
    if isinstance(asked, query.SetPin):
        return _set_pin(gateway, asked)
    view = gateway.sessions.get(session)
    if view is None:
        return Refused(RefusedReason.SIGNED_OUT)
    if isinstance(asked, query.AskLocked):
        return query.LockedView(view.associate, view.name, view.store_label)
    if isinstance(asked, query.Unlock):
        if session in gateway.locked and asked.pin != gateway.associates[view.associate][2]:
            return Refused(RefusedReason.WRONG)
        gateway.locked.discard(session)
        return view
    if session in gateway.locked:
        return Refused(RefusedReason.LOCKED)
    if isinstance(asked, query.LockSession):
        gateway.lock(session)
        return Accepted()
    return _managed(gateway, asked) if view.role == "manager" else Refused(RefusedReason.FORBIDDEN)


def _managed(gateway: "FakeGateway", asked: Request) -> Reply:
    match asked:
        case query.AskStaff():
            listed = sorted(gateway.associates.items())
            return query.StaffList(tuple(query.StaffLine(one, name, role, True) for one, (name, role, _) in listed))
        case query.MintPinCode(_, associate):
            if associate not in gateway.associates:
                return Withheld()
            gateway.pin_codes[associate] = PIN_CODE
            return query.PinCode(PIN_CODE, associate, gateway.associates[associate][0], 600)
        case query.MintTabletCode():
            code = f"CODE{len(gateway.codes):022d}"
            gateway.codes.add(code)
            return query.PairingCode(code, gateway.code_s)
        case query.AskFigures():
            return query.StoreFigures(gateway.figure_days)
        case query.AskTablets():
            return query.Tablets(gateway.tablet_lines)
        case query.Unpair(_, tablet):
            left = tuple(one for one in gateway.tablet_lines if one.id != tablet)
            known, gateway.tablet_lines = left != gateway.tablet_lines, left
            return Accepted() if known else Withheld()
        case _:
            return Refused(RefusedReason.MALFORMED)


def _set_pin(gateway: "FakeGateway", asked: query.SetPin) -> Reply:
    if asked.tablet not in gateway.tablets:
        return Refused(RefusedReason.UNPAIRED)
    if asked.pin in ("1234", "0000"):
        return Refused(RefusedReason.WEAK)
    if gateway.pin_codes.get(asked.associate) != asked.code.replace(" ", ""):
        return Refused(RefusedReason.WRONG)
    del gateway.pin_codes[asked.associate]
    name, role, _ = gateway.associates[asked.associate]
    gateway.associates[asked.associate] = (name, role, asked.pin)
    return Accepted()
