"""Whether this is a moment to ask a member about one purpose, and about which: at most one, seldom, where it fits.

What may be asked at all is the notices' rule (`hq.notices.why_ask`); here it is only made less.

I/O: sqlalchemy.
"""

from collections.abc import Collection as Several
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from hq import membership, notices
from hq.asking import Why
from hq.choosing_tables import asks
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.state import PRESENCE, channel_of

REST_MS: Final = 7 * 86_400_000  # between two moments at which anything is asked
SAME_REST_MS: Final = 30 * 86_400_000  # until the same purpose is asked again, where nothing was answered


class Moment(StrEnum):
    """What just happened in the app."""

    OPENED = "opened"
    STORE_ADDED = "store-added"
    HELP_DONE = "help-done"
    BOUGHT = "bought"


@dataclass(frozen=True, slots=True)
class Ask:
    """One purpose to ask about, and why it may be asked."""

    purpose: str
    why: Why


# What fits which moment, best first; a name with a dot at its end stands for the channels. When the app is merely
# opened nothing new is asked, only what ended or changed.
_FITS: Final = {
    Moment.OPENED: (),
    Moment.STORE_ADDED: (PRESENCE, "assist"),
    Moment.HELP_DONE: ("assist", "suggest", "insight"),
    Moment.BOUGHT: ("suggest", "contact.", "assist"),
}


def fitting(moment: Moment, may_ask: dict[str, Why], rested: Several[str]) -> Ask | None:
    """The one purpose to ask about, or none; `rested`: purposes that were asked about too lately. Pure."""
    left = {purpose: why for purpose, why in may_ask.items() if purpose not in rested}
    again = [purpose for purpose, why in left.items() if why is not Why.NEVER]
    new = [purpose for part in _FITS[moment] for purpose in left if _is(purpose, part)]
    chosen = next(iter((*new, *again)), None)
    return None if chosen is None else Ask(chosen, left[chosen])


def _is(purpose: str, part: str) -> bool:
    return purpose == part or (part.endswith(".") and channel_of(purpose) is not None)


def ask(
    connection: Connection, keys: Keys, member: str, moment: Moment, now_ms: int, store: str | None = None
) -> Ask | None:  # fmt: skip
    """What to ask about now, noted as asked; None: nothing, now. In a transaction that writes.

    Raises:
        Refused: no such member.
    """
    # Locked, so that of two calls at once the second sees what the first asked.
    locked = membership.lock_by_id(connection, keys.custody, [member])
    if not locked:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    (one,) = locked.values()
    of_it = asks.c.member == one.reference
    latest = connection.scalar(select(func.max(asks.c.at_ms)).where(of_it))
    if latest is not None and latest > now_ms - REST_MS:
        return None
    lately = select(asks.c.purpose).where(of_it, asks.c.at_ms > now_ms - SAME_REST_MS)
    found = fitting(
        moment, notices.why_ask(connection, keys, member, now_ms, store), connection.scalars(lately).all()
    )  # fmt: skip
    if found is not None:
        connection.execute(delete(asks).where(of_it, asks.c.purpose == found.purpose))
        connection.execute(insert(asks).values(member=one.reference, purpose=found.purpose, at_ms=now_ms))
    return found
