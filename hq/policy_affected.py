"""How many members a change of a policy concerns: counts by purpose and store, and nothing of anybody.

I/O: sqlalchemy.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from hq.ledger_proof import Status
from hq.ledger_tables import consent_facts

_GIVEN = frozenset({Status.GIVEN.value, Status.RENEWED.value})


@dataclass(frozen=True, slots=True)
class Affected:
    """How many members granted a purpose at a store (empty: for the whole brand) and have not withdrawn since."""

    purpose: str
    store: str
    members: int


def count(connection: Connection, policy: str, purposes: Collection[str]) -> list[Affected]:
    """Of these purposes of one policy, by the last thing that each member said of each; by purpose and store."""
    newest = (
        select(func.max(consent_facts.c.id).label("id"))
        .where(
            consent_facts.c.brand == policy, consent_facts.c.purpose.in_(list(purposes)),
            consent_facts.c.member.is_not(None), consent_facts.c.partial.is_(False),
            consent_facts.c.status != Status.INVALIDATED.value,
        )
        .group_by(consent_facts.c.member, consent_facts.c.purpose, consent_facts.c.store)
        .subquery()
    )  # fmt: skip
    by = (consent_facts.c.purpose, consent_facts.c.store)
    wanted = (
        select(*by, func.count())
        .join(newest, newest.c.id == consent_facts.c.id)
        .where(consent_facts.c.status.in_(_GIVEN))
        .group_by(*by)
        .order_by(*by)
    )
    return [Affected(purpose, store, members) for purpose, store, members in connection.execute(wanted)]
