"""Takes the lines of a call of another system: what is good is written, what is not is listed with line, field, reason.

Lines of one member stay in their order and come into one transaction; a batch is one transaction. Sent again, the same
lines change nothing.

I/O: sqlalchemy.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from hq import profile_age, publication, systems_refused
from hq.database import writing
from hq.errors import Reason, Refused
from hq.importer import Problem
from hq.membership import About
from hq.state import Standing
from hq.systems import System
from hq.systems_line import Line
from hq.tables import stores
from runtime.logs import Log
from wire.member import Statement

LINES_AT_ONCE = 500
_LOG = Log("systems_intake")
_UNRULED = "add the jurisdiction to [[ages]] of a policy, or have the system correct it"


@dataclass(frozen=True, slots=True)
class Report:
    """How a call went: lines taken, how many of them said something new, and those refused, in ascending line.

    `doubts`: of lines that were taken, what will not do what was meant.
    """

    taken: int
    new: int
    refused: tuple[Problem, ...]
    doubts: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """How one transaction went: how many of its lines said something new, those refused, and what is in doubt."""

    new: int
    refused: list[Problem]
    doubts: Sequence[Problem] = ()


Take = Callable[[list[Line]], Taken]


def run(engine: Engine, system: str, call: str, lines: Iterable[Line], take: Take, now_ms: int, *, key: str = "member"
        ) -> Report:  # fmt: skip
    """Takes all lines by `take`, which is given some of them at a time; keeps which were refused.

    `key`: of what lines stay together.

    Raises:
        DatabaseUnavailable: the batches before are in; the call may be made again.
    """
    listed = list(lines)
    good = [one for one in listed if isinstance(one.said, dict)]
    refused = [found for one in listed if (found := no_object(one)) is not None]
    # So that what a member has is read once: the sort is stable, each member's own lines keep their order.
    good.sort(key=lambda one: str(one.said.get(key, "")))
    new = 0
    doubts: list[Problem] = []
    for batch in _batches(good):
        done = take(batch)
        new += done.new
        refused += done.refused
        doubts += done.doubts
    refused.sort(key=lambda one: (one.line, one.field))
    doubts.sort(key=lambda one: (one.line, one.field))
    if refused or doubts:
        with writing(engine) as connection:
            systems_refused.keep(connection, system, call, (*refused, *doubts), now_ms)
    if unruled := sum(one.reason is Reason.UNRULED_JURISDICTION for one in doubts):
        _LOG.warning("unruled_jurisdiction", system=system, call=call, lines=unruled, remedy=_UNRULED)
    return Report(len(listed) - len({one.line for one in refused}), new, tuple(refused), tuple(doubts))


def _batches(listed: list[Line]) -> Iterator[list[Line]]:
    for start in range(0, len(listed), LINES_AT_ONCE):
        yield listed[start : start + LINES_AT_ONCE]


def no_object(line: Line) -> Problem | None:
    """What is told of a line that is no JSON object; None of one that is."""
    return None if isinstance(line.said, dict) else Problem(line.number, "", Reason.MALFORMED, "a JSON object")


def problem(line: Line, error: Refused) -> Problem:
    """What is told of a line that was refused."""
    return Problem(line.number, error.field, error.reason, error.hint)


class Reach:
    """What one system may touch, by the policies as they stand in this transaction."""

    def __init__(self, connection: Connection, system: System) -> None:
        self.system = system
        self.policies = publication.Policies(connection)
        self._brands = {row.id: row.policy for row in connection.execute(select(stores.c.id, stores.c.policy))}
        self.brands = frozenset(brand for store, brand in self._brands.items() if system.reaches(store, brand))
        # Brands that are the system's own as a whole: what is said for a brand and no store.
        self.brands_in_full = frozenset(
            brand for brand in self.brands if system.is_everywhere or brand in system.brands
        )
        found = [self.policies.main(brand) for brand in sorted(self.brands)]
        self.mains = [one for one in found if one is not None]

    @property
    def open_stores(self) -> list[str]:
        """The stores that are open to the system, ascending."""
        return sorted(store for store in self._brands if self.has(store))

    def has(self, store: str) -> bool:
        """Whether this is a store, and open to the system."""
        return store in self._brands and self.system.reaches(store, self._brands[store])

    def check_store(self, store: str, where: str) -> None:
        """Passes a store that is open to the system. Raises: Refused."""
        if store not in self._brands:
            raise Refused(Reason.UNKNOWN_STORE, where, "the id of a store")
        if not self.has(store):
            raise Refused(Reason.FORBIDDEN, where, "a store or brand that this system was given")

    def check_everywhere(self, where: str) -> None:
        """Passes a system to which no brand is closed. Raises: Refused."""
        if not self.system.is_everywhere:
            raise Refused(Reason.FORBIDDEN, where, "a system that was given all brands")

    def check_age(self, about: About, where: str) -> None:
        """Passes a member of whom a profile is kept. Raises: Refused, `no-profile-below-age`."""
        profile_age.check(about, self.mains, where)

    def check_scope(self, standing: Standing, scope: str, where: str, now_s: int) -> None:
        """Passes a scope that a policy has a purpose for, and that this member granted and did not withdraw.

        Raises:
            Refused: `no-purpose`, `no-consent`.
        """
        if not any(rule.id == scope and rule.all_purposes for main in self.mains for rule in main.scopes):
            raise Refused(Reason.NO_PURPOSE, where, "what a policy declares a purpose for")
        if not any(self._allows(standing, one, scope, now_s) for one in standing.statements):
            raise Refused(Reason.NO_CONSENT, where, "what this member granted and did not withdraw")

    def _allows(self, standing: Standing, one: Statement, scope: str, now_s: int) -> bool:
        if scope not in one.scopes or not one.from_s <= now_s < one.until_s or not self.has(one.store):
            return False
        brand = self._brands[one.store]
        main = self.policies.main(brand) if standing.of_brand(one.event, brand) else None
        return main is not None and any(rule.id == scope and one.purpose in rule.all_purposes for rule in main.scopes)

    def retention_days(self, scope: str) -> int:
        """How long a value of this scope may be kept, in days: the longest that a policy allows."""
        return max((rule.retention_days for main in self.mains for rule in main.scopes if rule.id == scope), default=0)
