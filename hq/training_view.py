"""The view that models are learned from: a pseudonym, an item and a time for each line bought, and nothing else.

Of members alone who let the brand suggest from that list, in force now, and who are of age.
What is a gift, not the member's own, deleted or given back is not in it; nor what the catalog guards by a flag, what no
catalog knows, and what the member muted.

I/O: sqlalchemy.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from consent import occasions
from consent.grants import SUGGEST
from hq import catalogs, ledger, membership, purchases
from hq.audience import DAY_S, Known, is_of_age
from hq.custody_tables import member_keys
from hq.database import reading
from hq.keys import Keys
from hq.membership import Locked
from hq.publication import Policies
from hq.purchases_told import HISTORY_ONLINE, HISTORY_STORE, ONLINE, Bought, Held, Kind, Purchase, lines, scope_of
from hq.state import Standing, fold
from hq.synthetic_choices import is_synthetic
from hq.tables import stores
from wire.flags import is_for_all
from wire.items import MuteKind
from wire.member import SourceClass
from wire.policy import ScopeRule

SCOPES = (HISTORY_STORE, HISTORY_ONLINE)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One line. `person`: 16 bytes that name somebody in this reading alone. `day`: UTC days since 1970; rows of one
    person with the same `basket` were bought together, and later baskets have greater numbers.
    """

    person: bytes
    item: str
    day: int
    basket: int


@dataclass(frozen=True, slots=True, repr=False)
class _Granting:
    """A member who lets something be learned: from which scopes, and for how long the items of each count in days."""

    one: Locked
    standing: Standing
    days: dict[str, int]


class View:
    """What one brand's models may be learned from at `now_ms`, read a batch of members at a time."""

    def __init__(self, engine: Engine, keys: Keys, brand: str, now_ms: int) -> None:
        self._engine, self._keys, self._brand, self._now_s = engine, keys, brand, now_ms // 1000
        with reading(engine) as connection:
            wanted = select(stores.c.id).where(stores.c.policy == brand)
            self._stores = frozenset(connection.scalars(wanted))
        self._sorts: dict[str, tuple[tuple[str, ...], tuple[str, ...]] | None] = {}
        self.left_out = 0  # items that a flag guards, or that no catalog of the brand knows

    def grants(self) -> Iterator[tuple[bytes, str]]:
        """Who grants what: HQ's own name of a member, and a scope; for whoever compares it with a model's people."""
        for _, found in self._batches():
            for one in found:
                yield from ((one.one.reference, scope) for scope in one.days)

    def rows(self, name: Callable[[bytes], bytes], note: Callable[[bytes, str], None]) -> Iterator[Row]:
        """All lines, those of one person together and by time. `name` makes a pseudonym of HQ's own name of a member;
        `note` is told of whom and of which scope there are lines.
        """
        for connection, found in self._batches():
            held = purchases.of_members(connection, {one.one.reference: one.one for one in found})
            catalog = catalogs.of_brand(connection, self._brand)
            for one in found:
                kept = list(self._kept(one, held[one.one.reference], catalog))
                for scope in {scope_of(said) for said, _ in kept}:
                    note(one.one.reference, scope)
                yield from _numbered(name(one.one.reference), kept)

    def _batches(self) -> Iterator[tuple[Connection, list[_Granting]]]:
        after = b""
        while True:
            with reading(self._engine) as connection:
                wanted = select(member_keys.c.member).where(member_keys.c.member > after)
                listed = list(connection.scalars(wanted.order_by(member_keys.c.member).limit(_AT_ONCE)))
                if not listed:
                    return
                after = listed[-1]
                opened = membership.opened(connection, self._keys.custody, listed)
                events = ledger.of_members(connection, opened)
                policies = Policies(connection)
                found = [
                    granting
                    for reference, one in opened.items()
                    if not is_synthetic(one.about.id)
                    and (granting := self._granting(one, fold(events[reference]), policies)) is not None
                ]
                yield connection, found

    def _granting(self, one: Locked, standing: Standing, policies: Policies) -> _Granting | None:
        days: dict[str, int] = {}
        known = Known(one.about.age_at_least, one.about.jurisdiction, ())
        for said in standing.statements:
            if said.purpose != SUGGEST or said.store not in self._stores:
                continue
            if not (said.from_s <= self._now_s < said.until_s and standing.of_brand(said.event, self._brand)):
                continue
            policy = policies.of(said.store)
            if policy is None or not is_of_age(known, policy):
                continue
            rules = {rule.id: rule for rule in policy.main.scopes}
            for scope in SCOPES:
                rule = rules.get(scope)
                if scope in said.scopes and rule is not None and _may_be_used(rule, standing.is_own(said)):
                    days[scope] = max(days.get(scope, 0), rule.retention_days)
        return _Granting(one, standing, days) if days else None

    def _kept(
        self, one: _Granting, held: list[Held], catalog: catalogs.Catalogs
    ) -> Iterator[tuple[Purchase, Bought]]:  # fmt: skip
        back: list[tuple[int, str, int]] = []
        found: list[tuple[Purchase, Bought]] = []
        for said, line, is_back in lines(held, one.one.seal):
            if said.kind is Kind.RETURN and not said.of_reference:
                back.append((said.at_s, line.item, line.quantity))
            elif not is_back and self._counts(one, said):
                found.append((said, line))
        for said, line in _without(found, back):
            if self._is_harmless(line.item, catalog) and not self._is_muted(one.standing, line.item):
                yield said, line

    def _counts(self, one: _Granting, said: Purchase) -> bool:
        days = one.days.get(scope_of(said))
        is_here = said.store == ONLINE or said.store in self._stores
        return days is not None and is_here and self._now_s - days * DAY_S < said.at_s <= self._now_s

    def _is_harmless(self, item: str, catalog: catalogs.Catalogs) -> bool:
        if item not in self._sorts:
            told = catalog.item(item)
            harmless = told is not None and is_for_all(told.flags)
            self._sorts[item] = (told.path, told.themes) if told is not None and harmless else None
            self.left_out += not harmless
        return self._sorts[item] is not None

    def _is_muted(self, standing: Standing, item: str) -> bool:
        path, themes = self._sorts[item] or ((), ())
        places = {MuteKind.ITEM: (item,), MuteKind.CATEGORY: path, MuteKind.THEME: themes}
        return any(one.id in places[one.what] for one in standing.mutes)


def histories(rows: Iterable[Row]) -> list[tuple[tuple[int, tuple[str, ...]], ...]]:
    """The baskets of each person, as they are learned from: nobody is named in them any more.

    In the order of what is in them, so that the order tells nothing, and the same purchases give the same model.
    """
    found: dict[bytes, dict[int, tuple[int, list[str]]]] = {}
    for row in rows:
        found.setdefault(row.person, {}).setdefault(row.basket, (row.day, []))[1].append(row.item)
    return sorted(
        tuple((day, tuple(dict.fromkeys(items))) for _, (day, items) in sorted(baskets.items()))
        for baskets in found.values()
    )


def _may_be_used(rule: ScopeRule, is_own_grant: bool) -> bool:
    return (
        SUGGEST in (rule.used_for or ())
        and rule.least_source >= SourceClass.FIRST  # as what HQ makes of purchases is sent to stores
        and (not rule.special or is_own_grant)
    )


def _without(
    found: list[tuple[Purchase, Bought]], back: list[tuple[int, str, int]]
) -> list[tuple[Purchase, Bought]]:  # fmt: skip
    """What is left once what came back without a word of its purchase is taken off the newest purchase before it."""
    left = [(said, line, line.quantity) for said, line in sorted(found, key=lambda one: one[0].at_s)]
    for at_s, item, quantity in back:
        owed = quantity
        for place in range(len(left) - 1, -1, -1):
            said, line, number = left[place]
            if owed > 0 and number > 0 and line.item == item and said.at_s <= at_s:
                left[place] = said, line, max(0, number - owed)
                owed -= number
    return [(said, line) for said, line, number in left if number > 0]


def _numbered(person: bytes, kept: list[tuple[Purchase, Bought]]) -> Iterator[Row]:
    """What was bought on one day in one way is one basket, as in the store (`consent.offered`)."""
    began = occasions.days([line.item for _, line in kept], [said.at_s for said, _ in kept])
    placed = sorted((day, said.store == ONLINE, line.item) for day, (said, line) in zip(began, kept, strict=True))
    places = {place: number for number, place in enumerate(sorted({(day, online) for day, online, _ in placed}))}
    for day, online, item in placed:
        yield Row(person, item, day, places[day, online])
