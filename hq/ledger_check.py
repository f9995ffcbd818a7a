"""Folds every member's events anew and compares with what is published to the stores; on demand it is mended.

Member by member in batches, each under the members' row locks, so that HQ goes on working meanwhile. What time alone
has made due, and the clock job has not yet done, is no fault.

I/O: sqlalchemy.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row, exists, func, select

from hq import keyring_check, ledger, ledger_facts, membership, publication, records, tree_check
from hq.database import reading, writing
from hq.errors import SealBroken
from hq.keys import Keys
from hq.ledger_tables import consent_facts
from hq.membership import Locked
from hq.state import Event, fold
from hq.synthetic_choices import is_synthetic
from hq.tables import audience, instances, members
from hq.tables import records as record_rows
from wire import schema
from wire.sync import Collection, instance

AT_ONCE = 200


class Fault(StrEnum):
    """What is not as the events say."""

    RECORD = "record"  # a member's record at a store says something else, is missing, or does not open
    PLACE = "place"  # HQ's own note of who is in a store's audience
    NOBODYS = "nobodys"  # a record at a store of somebody whom HQ does not know there
    FACTS = "facts"  # what is counted of the events
    KEYRING = "keyring"  # a bucket of day keys is not that of the phones that the store may recognise
    TREE = "tree"  # the digest tree is not that of the records


Faults = Counter[tuple[str, Fault]]


@dataclass(frozen=True, slots=True)
class Report:
    """How many members were looked at, and how often each fault was found, by store (empty: of no store)."""

    members: int
    faults: Faults


def run(
    engine: Engine, keys: Keys, now_ms: int, *, mend: bool = False, progress: Callable[[int], None] = lambda count: None
) -> Report:
    """Looks at everybody; `mend`: writes anew what is wrong. `progress` is told how many members each batch had.

    Raises:
        DatabaseUnavailable: the batches before are done; run it again.
    """
    looked, faults = 0, Faults()
    for batch in _batches(engine):
        with writing(engine) as connection:
            locked = membership.lock(connection, keys.custody, batch)
            _look(connection, keys, locked, now_ms, mend, faults)
        looked += len(locked)
        progress(len(batch))
    with reading(engine) as connection:
        names = connection.execute(
            select(instances.c.name, instances.c.store)
            .where(instances.c.collection == int(Collection.MEMBERS))
            .order_by(instances.c.id)
        ).all()
        rings = connection.execute(
            select(instances.c.name, instances.c.store)
            .where(instances.c.collection == int(Collection.KEYRING))
            .order_by(instances.c.id)
        ).all()
    for name, store in names:
        with writing(engine) as connection:
            _look_for_nobodys(connection, name, store or "", now_ms, mend, faults)
    for name, store in rings:
        with writing(engine) as connection:
            wrong = keyring_check.faults(connection, keys, name, store or "", now_ms, mend=mend)
            if wrong:
                faults[store or "", Fault.KEYRING] += wrong
            if (tree_check.mend if mend else tree_check.differs)(connection, name):
                faults[store or "", Fault.TREE] += 1
    return Report(looked, faults)


def count(engine: Engine) -> int:
    """How many members there are to look at."""
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).where(members.c.content.is_not(None))) or 0


def _batches(engine: Engine) -> Iterator[list[bytes]]:
    last = b""
    while True:
        wanted = (
            select(members.c.id)
            .where(members.c.id > last, members.c.content.is_not(None))
            .order_by(members.c.id)
            .limit(AT_ONCE)
        )
        with reading(engine) as connection:
            found = list(connection.scalars(wanted))
        if not found:
            return
        yield found
        last = found[-1]


def _look(
    connection: Connection, keys: Keys, locked: dict[bytes, Locked], now_ms: int, mend: bool, faults: Faults
) -> None:  # fmt: skip
    now_s = now_ms // 1000
    numbered = ledger.numbered(connection, locked)
    standing = {one: fold(event for _, event in numbered[one]) for one in locked}
    fields = membership.fields(connection, locked)
    seats = publication.seats_of(connection, standing)
    held = _Held(connection)
    wrong: set[bytes] = set()
    renewed: list[tuple[str, bytes, bytes | None]] = []
    for seat, place in publication.judged(connection, locked, standing, fields, seats, now_s):
        row = seat.row
        if row is not None and row.due_s is not None and row.due_s <= now_s:
            continue  # the clock job will see to it
        body = None if place.body is None else schema.encode(place.body)
        noted = None if row is None else (bool(row.present), row.due_s)
        if noted != (body is not None, place.due_s) and (row is not None or body is not None):
            faults[seat.store, Fault.PLACE] += 1
            wrong.add(seat.member)
        if row is not None and not held.is_right(seat.store, row.pseudonym, body):
            faults[seat.store, Fault.RECORD] += 1
            wrong.add(seat.member)
            renewed.append((instance(Collection.MEMBERS, seat.store), row.pseudonym, body))
    if mend and wrong:
        publication.refresh(
            connection, keys, {one: locked[one] for one in wrong}, now_ms, urgent=True, phones_changed=True
        )  # fmt: skip
        # A body that was changed under its digest looks right to `refresh`: it is written anew in any case.
        commit = records.begin(connection, {name for name, *_ in renewed})
        for name, key, body in renewed:
            commit.renew(name, key, body)
        commit.write(now_ms, urgent=True)
    _look_at_facts(connection, locked, numbered, mend, faults)


class _Held:
    """The members' records of stores, each store's instance and keys read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: dict[str, records.Instance | None] = {}

    def is_right(self, store: str, key: bytes, body: bytes | None) -> bool:
        """Whether the record is this body, opens, and has the digest of it."""
        if store not in self._found:
            wanted = select(instances).where(instances.c.name == instance(Collection.MEMBERS, store))
            row = self._connection.execute(wanted).first()
            self._found[store] = None if row is None else records.from_row(row)
        found = self._found[store]
        if found is None:
            return body is None
        wanted = select(record_rows).where(record_rows.c.instance == found.id, record_rows.c.key == key)
        row = self._connection.execute(wanted).first()
        if row is None or body is None:
            return body is None and (row is None or row.body is None)
        try:
            return records.holds(self._connection, found, row, body)
        except SealBroken:
            return False


def _look_for_nobodys(
    connection: Connection, name: str, store: str, now_ms: int, mend: bool, faults: Faults
) -> None:  # fmt: skip
    commit = records.begin(connection, [name])
    known = exists().where(
        audience.c.store == store, audience.c.pseudonym == record_rows.c.key, audience.c.member == members.c.id,
        members.c.content.is_not(None),
    )  # fmt: skip
    wanted = select(record_rows.c.key).where(
        record_rows.c.instance == commit.instances[name].id, record_rows.c.body.is_not(None), ~known
    )
    for key in connection.scalars(wanted).all():
        faults[store, Fault.NOBODYS] += 1
        commit.put(name, key, None)
    if mend:
        commit.write(now_ms, urgent=True)
    if (tree_check.mend if mend else tree_check.differs)(connection, name):
        faults[store, Fault.TREE] += 1


def _look_at_facts(
    connection: Connection, locked: dict[bytes, Locked], numbered: dict[bytes, list[tuple[int, Event]]], mend: bool,
    faults: Faults,
) -> None:  # fmt: skip
    kept: dict[bytes, list[Row[Any]]] = {}
    wanted = select(consent_facts).where(consent_facts.c.member.in_(sorted(locked))).order_by(consent_facts.c.id)
    for row in connection.execute(wanted):
        kept.setdefault(row.member, []).append(row)
    for member, one in locked.items():
        if is_synthetic(one.about.id):
            continue
        stated = ledger_facts.rows_of(numbered[member])
        told = [tuple(getattr(row, name) for name in ledger_facts.COMPARED) for row in kept.get(member, ())]
        if sorted(map(repr, stated)) != sorted(map(repr, told)):
            faults["", Fault.FACTS] += 1
            if mend:
                ledger_facts.mend(connection, member, numbered[member])
