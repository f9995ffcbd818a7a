"""Keeps what felt creepy to a member: the line is noted, its item muted, and the policy's rule counted.

The note is the member's, sealed, and ends with them; of the count nothing leads back to anybody.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from dataclasses import dataclass
from typing import Annotated

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from consent.suggest.choose import EVERYTHING
from hq import choices, choosing, publication, suggestion_rules
from hq.choosing_tables import felt, felt_counts
from hq.custody import Place, bound
from hq.database import writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.membership import Locked
from hq.office import Office
from wire import schema
from wire.errors import WireError
from wire.items import MuteKind
from wire.member import Muted, Name, Scope
from wire.schema import Size

_ID_BYTES = 16
_DAY_MS = 86_400_000
MOST_KEPT = 200  # of a member; what comes after is muted, and neither noted nor counted


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """A line of a card, as the mirror or a receipt shows it: which field of which store, and for which purpose.

    `item`: of a list's entry, its id. `receipt`: the event's name where it is about one (hq.receipts). `reason`: of a
    suggestion, the kind of reason that stood first; it is the rule that counts then, and else the scope.
    """

    store: Annotated[str, Size(1, 40)]
    scope: Scope
    purpose: Name
    item: Annotated[str, Size(1, 64)] | None = None
    receipt: Annotated[str, Size(1, 96)] | None = None
    reason: Name | None = None

    @property
    def rule(self) -> str:
        """The rule by which the line was shown."""
        return self.reason or self.scope


@dataclass(frozen=True, slots=True, repr=False)
class Noted:
    """One note, at Unix milliseconds UTC."""

    at_ms: int
    line: Line


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a rule of a policy felt so on a day (days since 1970 UTC). `scope`: or a suggestion's reason."""

    policy: str
    purpose: str
    scope: str
    day: int
    times: int


def note(office: Office, member: str, line: Line, now_ms: int, method: str) -> bool:
    """Notes a line; True: its item was muted by it. However often a member says it, a rule counts once of theirs.

    Raises:
        Refused: no such member or store, or its policy declares no such scope for this purpose.
    """
    try:
        content = schema.encode(line)
    except WireError as error:
        raise Refused(Reason.MALFORMED, "line", error.hint) from error
    with writing(office.engine) as connection:
        one = choosing.lock(connection, office, member)
        found = publication.Policies(connection)
        policy = _policy(found, line)
        before = [noted.line for noted in _noted(connection, one)]
        if line not in before and len(before) < MOST_KEPT:
            made = os.urandom(_ID_BYTES)
            sealed = one.seal.close(content, bound(Place.FELT, one.reference, made))
            connection.execute(insert(felt).values(id=made, member=one.reference, at_ms=now_ms, content=sealed))
            rules = {(found.name(old.store), old.purpose, old.rule) for old in before}
            if (policy, line.purpose, line.rule) not in rules:
                _count(connection, policy, line, now_ms)
    if line.item is not None:
        office.mute(member, Muted(MuteKind.ITEM, line.item), now_ms, method)
    return line.item is not None


def of_member(connection: Connection, keys: Keys, member: str) -> list[Noted]:
    """What one member noted, the newest first. Raises: Refused."""
    return _noted(connection, choices.opened(connection, keys, member))


def counts(connection: Connection, policy: str) -> list[Counted]:
    """How often the rules of a policy felt so, by day: what tells its author which of them to drop."""
    wanted = select(felt_counts).where(felt_counts.c.policy == policy)
    rows = connection.execute(wanted.order_by(felt_counts.c.day, felt_counts.c.purpose, felt_counts.c.scope))
    return [Counted(row.policy, row.purpose, row.scope, row.day, row.times) for row in rows]


def _noted(connection: Connection, one: Locked) -> list[Noted]:
    whose = one.reference
    rows = connection.execute(select(felt).where(felt.c.member == whose).order_by(felt.c.at_ms.desc(), felt.c.id))
    return [
        Noted(row.at_ms, schema.decode(Line, one.seal.open(row.content, bound(Place.FELT, whose, row.id))))
        for row in rows
    ]


def _policy(found: publication.Policies, line: Line) -> str:
    """The name of the policy whose rule it was."""
    name = found.name(line.store)
    main = None if name is None else found.main(name)
    if name is None or main is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "the id of a store")
    if line.purpose not in {one.id for one in main.purposes}:
        raise Refused(Reason.UNDECLARED_PURPOSE, "purpose", "a purpose that the store's policy declares")
    if line.scope not in {one.id for one in main.scopes}:
        raise Refused(Reason.UNDECLARED_SCOPE, "scope", "a scope that the store's policy declares")
    if line.reason is not None and (line.scope != EVERYTHING or line.reason not in suggestion_rules.rules(main)):
        raise Refused(Reason.MALFORMED, "reason", "a kind of reason, of a line of suggestions")
    return name


def _count(connection: Connection, policy: str, line: Line, now_ms: int) -> None:
    of_it = {"policy": policy, "purpose": line.purpose, "scope": line.rule, "day": now_ms // _DAY_MS}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # One statement: two members may be the day's first at the same time.
    first = dialect.insert(felt_counts).values(**of_it, times=1)
    again = {"times": felt_counts.c.times + 1}
    connection.execute(first.on_conflict_do_update(index_elements=list(of_it), set_=again))
