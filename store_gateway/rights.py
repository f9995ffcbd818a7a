"""Who may ask what of the gateway: one table, and what is not in it nobody may ask.

The floor's requests are judged again for each visit, role and scope (`consent.decide`): a role that may see nobody gets
an empty floor, and of each handle what it would get of one that never was.

Pure: no I/O, no clock.
"""

from enum import Enum, auto
from typing import Final

from wire import acts, coaching, doors, query, trust


class Right(Enum):
    """What somebody must be, to ask."""

    PROGRAM = auto()  # whoever may use the tablets' socket: the tablet API for itself, or a tablet that is not paired
    TABLET = auto()  # a paired tablet
    SESSION = auto()  # a session on its own tablet, locked or not
    SIGNED_IN = auto()  # an open session, whatever the role
    FLOOR = auto()  # likewise; what it shows is judged visit by visit
    MANAGER = auto()  # an open session of the role `manager`
    KEEPER = auto()  # likewise, or an operator on the operator's socket
    OPERATOR = auto()
    PROBE = auto()


RIGHTS: Final[dict[type, Right]] = {
    query.Pair: Right.PROGRAM,
    query.AskStatus: Right.PROGRAM,
    trust.AskCertificates: Right.PROGRAM,
    query.SignIn: Right.TABLET,
    query.SetPin: Right.TABLET,
    query.SignOut: Right.SESSION,
    query.Unlock: Right.SESSION,
    query.AskLocked: Right.SESSION,
    query.AskSession: Right.SIGNED_IN,
    query.LockSession: Right.SIGNED_IN,
    query.AskFloor: Right.FLOOR,
    query.Watch: Right.FLOOR,
    query.Acknowledge: Right.FLOOR,
    query.AskCard: Right.FLOOR,
    query.Attend: Right.FLOOR,
    query.Withdraw: Right.FLOOR,
    query.Leave: Right.FLOOR,
    acts.Introduce: Right.FLOOR,
    acts.HandOver: Right.FLOOR,
    acts.AskColleagues: Right.FLOOR,
    acts.Respond: Right.FLOOR,
    acts.MuteFor: Right.FLOOR,
    acts.Propose: Right.FLOOR,
    acts.AskCatalog: Right.FLOOR,
    coaching.DismissHint: Right.SIGNED_IN,
    query.AskStaff: Right.MANAGER,
    query.MintPinCode: Right.MANAGER,
    query.MintTabletCode: Right.MANAGER,
    query.AskFigures: Right.MANAGER,
    query.AskTablets: Right.KEEPER,
    query.Unpair: Right.KEEPER,
    query.MintPairing: Right.OPERATOR,
    query.Upkeep: Right.OPERATOR,
    query.Explain: Right.OPERATOR,
    query.AskProbe: Right.PROBE,
    query.TellProbe: Right.PROBE,
}

_OPEN: Final = frozenset({Right.SIGNED_IN, Right.FLOOR})
_MANAGERS: Final = frozenset({Right.MANAGER, Right.KEEPER})


def may(asked: type, role: str) -> bool:
    """Whether somebody of this role, in an open session, may ask this."""
    right = RIGHTS.get(asked)
    return right in _OPEN or (right in _MANAGERS and role == doors.MANAGER)
