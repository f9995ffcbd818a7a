"""Keeps no profile of anybody below the least age: no value and no purchase is taken, and what was there is removed.

An age that is not known counts as below (docs/decisions/0113): nothing comes in, and what is there waits.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, select

from hq import membership, regulation
from hq.errors import Reason, Refused
from hq.membership import About, Locked
from hq.purchases_tables import purchases
from hq.purchases_told import WHOLE, Mark, marks_of
from wire.policy import MainPolicy


def least(jurisdiction: str, mains: Iterable[MainPolicy]) -> int:
    """The age in years from which on a profile is kept: the law's, or what the laxest of these policies asks above it.

    `jurisdiction` empty: not known; then the strictest of each policy's rules. One brand's stricter rule keeps that
    brand's stores from seeing anything (`hq.audience`), and not the profile from another's.
    """
    ruled = [[one.least_age for one in main.ages if jurisdiction in ("", one.jurisdiction)] for main in mains]
    return max(regulation.of(jurisdiction).least_age, min((max(ages) for ages in ruled if ages), default=0))


def may_keep(about: About, mains: Sequence[MainPolicy]) -> bool:
    """Whether a profile of this member is kept. Age 0: unknown, which counts as the policies say."""
    if about.age_at_least == 0:
        return any(one.unknown_age_is_of_age for one in mains)
    return about.age_at_least >= least(about.jurisdiction, mains)


def check(about: About, mains: Sequence[MainPolicy], where: str) -> None:
    """Passes a member of whom a profile is kept. Raises: Refused."""
    if not may_keep(about, mains):
        hint = "a member who is known to have reached the least age of their jurisdiction"
        raise Refused(Reason.NO_PROFILE_BELOW_AGE, where, hint)


def clear(connection: Connection, locked: Mapping[bytes, Locked], mains: Sequence[MainPolicy]) -> set[bytes]:
    """Removes values and purchases of those of these locked members of whom no profile is kept; whose that were.

    What they deleted themselves stays deleted. The caller publishes.
    """
    barred = {member: one for member, one in locked.items() if not may_keep(one.about, mains)}
    if not barred:
        return set()
    held = membership.fields(connection, barred)
    membership.put_fields(connection, barred, dict.fromkeys(held, ()))
    found = set(held)
    for row in connection.execute(select(purchases).where(purchases.c.member.in_(sorted(barred)))).all():
        marks = marks_of(barred[row.member].seal, row.marks, row.member, row.id)
        if marks.get(WHOLE) is not Mark.DELETED:
            connection.execute(delete(purchases).where(purchases.c.id == row.id))
            found.add(row.member)
    return found
