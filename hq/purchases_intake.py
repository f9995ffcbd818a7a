"""Takes purchases, returns and service cases of other systems, one transaction a batch.

    {"member": "m-1", "reference": "4711", "kind": "purchase", "store": "berlin-1", "at": "2026-11-01T10:00:00Z",
     "items": [{"item": "b-12", "label": "Boots", "quantity": 1}]}
    {"member": "m-1", "reference": "4712", "kind": "return", "store": "berlin-1", "at": 1772359200,
     "items": [{"item": "b-12", "label": "Boots"}], "of": {"reference": "4711", "store": "berlin-1"}}
    {"member": "m-1", "reference": "R-9", "kind": "service", "store": "berlin-1", "at": 1772359200,
     "subject": "Heel is being repaired", "open": true}

Without `store` it was online.

I/O: sqlalchemy.
"""

from collections import defaultdict
from dataclasses import replace

from sqlalchemy import Connection, Engine

from hq import ledger, membership, publication, purchases
from hq.audience import DAY_S
from hq.database import writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.membership import Locked
from hq.purchases_told import MOST_LINES, ONLINE, Bought, Held, Kind, Purchase, bought, name, scope_of
from hq.state import Standing, fold
from hq.systems import System
from hq.systems_intake import Reach, Taken, problem
from hq.systems_line import Line, Row

_KEYS = "member reference kind store at items of subject open"


def take(engine: Engine, keys: Keys, system: System, batch: list[Line], now_ms: int) -> Taken:
    """One transaction. Raises: DatabaseUnavailable."""
    with writing(engine) as connection:
        return _Batch(connection, keys, system, batch, now_ms).take()


class _Batch:
    def __init__(self, connection: Connection, keys: Keys, system: System, batch: list[Line], now_ms: int) -> None:
        self._connection, self._keys, self._batch, self._now_ms = connection, keys, batch, now_ms
        self._system = system.id
        self._reach = Reach(connection, system)
        named = {str(one.said.get("member", "")) for one in batch}
        self._references, self._locked = membership.lock_named(connection, keys.custody, named)
        events = ledger.of_members(connection, self._locked)
        self._standing = {one: fold(events[one]) for one in self._locked}
        self._gone = membership.gone(connection, self._locked)
        held = purchases.with_deleted(connection, self._locked)
        self._known = {one: {each.id: each for each in held[one] if not each.is_deleted} for one in self._locked}
        self._deleted = {one: {each.id: each for each in held[one] if each.is_deleted} for one in self._locked}

    def take(self) -> Taken:
        """Takes what is good of it."""
        refused = []
        changed: dict[bytes, dict[bytes, tuple[Purchase, int]]] = defaultdict(dict)
        for line in self._batch:
            try:
                one, said, until_ms = self._judged(line)
                made = name(one.seal, said.store, said.reference)
                if made in self._deleted[one.reference]:
                    raise Refused(Reason.DELETED, "reference", "what the member did not delete")
                if said.at_s <= self._gone[one.reference].get((scope_of(said), ""), -1):
                    raise Refused(Reason.DELETED, "at", "what happened after the member deleted it")
                before = changed[one.reference].get(made)
                held = before[0] if before else self._told(one, made)
                if held is not None and held.kind is not said.kind:
                    raise Refused(Reason.EXISTS, "reference", "a reference that is no other thing's in this place")
                is_full = len(self._known[one.reference]) + len(changed[one.reference]) >= purchases.MOST_OF_A_MEMBER
                if held is None and is_full:
                    raise Refused(Reason.TOO_MANY, "member", f"at most {purchases.MOST_OF_A_MEMBER} of a member")
                # Who told of it first stays its source: another system that tells the same says nothing new.
                if held is None or replace(said, system=held.system) != held:
                    changed[one.reference][made] = (said, until_ms)
            except Refused as error:
                refused.append(problem(line, error))
        written = {one: found for one, found in changed.items() if found}
        for whose, found in written.items():
            one = self._locked[whose]
            purchases.put(self._connection, one, found.values(), self._known[whose])
            for made, (said, _) in found.items():
                of = bought(said, one.seal)
                if of in self._deleted[whose]:
                    purchases.outlive(self._connection, of, [made])
        locked = {one: self._locked[one] for one in written}
        known = {one: self._held(one, written[one]) for one in written}
        touched = purchases.renew(self._connection, locked, self._now_ms, known)
        publication.refresh(self._connection, self._keys, touched, self._now_ms)
        return Taken(sum(map(len, written.values())), refused)

    def _held(self, whose: bytes, changed: dict[bytes, tuple[Purchase, int]]) -> list[Held]:
        """All of a member as it is now, the newest first and the deleted among them."""
        known = dict(self._known[whose])
        for made, (said, _) in changed.items():
            known[made] = Held(made, said, known[made].marks if made in known else {})
        return purchases.newest_first([*known.values(), *self._deleted[whose].values()])

    def _told(self, one: Locked, made: bytes) -> Purchase | None:
        held: Held | None = self._known[one.reference].get(made)
        return None if held is None else held.said

    def _judged(self, line: Line) -> tuple[Locked, Purchase, int]:
        now_s = self._now_ms // 1000
        said = parse(line.said, self._system, now_s)
        reference = self._references.get(line.said["member"])
        one = None if reference is None else self._locked.get(reference)
        if said.store != ONLINE:
            self._reach.check_store(said.store, "store")
        if one is None:
            raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
        self._reach.check_age(one.about, "member")
        standing: Standing = self._standing[one.reference]
        scope = scope_of(said)
        self._reach.check_scope(standing, scope, "kind", now_s)
        until_s = said.at_s + self._reach.retention_days(scope) * DAY_S
        if until_s <= now_s:
            raise Refused(Reason.ALREADY_OVER, "at", "what policy lets HQ keep for longer")
        return one, said, until_s * 1000


def parse(told: object, system: str, now_s: int) -> Purchase:
    """A line, its forms judged. Raises: Refused."""
    row = Row(told, _KEYS)
    row.text("member", most_bytes=64)
    kind = row.word("kind", Kind, Kind.PURCHASE)
    items = row.rows("items", "item label quantity", MOST_LINES)
    of = row.row("of", "reference store")
    if (kind is Kind.SERVICE) is bool(items):
        raise row.wrong("items", "what was bought or given back; none for a service case")
    if of is not None and kind is not Kind.RETURN:
        raise row.wrong("of", "this for a return only")
    for key in ("subject", "open"):
        if key in row and kind is not Kind.SERVICE:
            raise row.wrong(key, "this for a service case only")
    lines = tuple(
        Bought(one.text("item", most_bytes=64), one.text("label"), one.whole("quantity", 1, 100_000, 1))
        for one in items
    )
    if len({one.item for one in lines}) != len(lines):
        raise row.wrong("items", "each item once, with its quantity")
    return Purchase(
        reference=row.text("reference", most_bytes=64),
        kind=kind,
        store=row.text("store", ONLINE, most_bytes=40),
        system=system,
        at_s=row.past("at", now_s),
        lines=lines,
        of_reference="" if of is None else of.text("reference", most_bytes=64),
        of_store="" if of is None else of.text("store", ONLINE, most_bytes=40),
        subject=row.text("subject") if kind is Kind.SERVICE else "",
        is_open=row.flag("open", missing=True) if kind is Kind.SERVICE else False,
    )
