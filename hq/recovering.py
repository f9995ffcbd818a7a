"""Brings HQ back after its database was restored from a backup: what stores know was taken back wins over it.

While a recovery goes on, every process refuses leases, answers no want and publishes nothing (docs/decisions/0044).
Each store is asked by an order what it holds; `hq.recovered` works out what that takes away. Every step may be broken
off and done again.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from hq import alarms, orders, records, recovered
from hq.alarms import Alarm
from hq.database import reading, writing
from hq.keys import Keys
from hq.notices_tables import policy_notices
from hq.recovery import State, doubt_contacts, under_way
from hq.recovery_tables import recoveries, recovery_instances, recovery_stores
from hq.state import channel_of
from hq.tables import chain_heads, instances, outbox, stores
from hq.tables import records as record_rows
from wire.recall import SINCE_BYTES
from wire.sync import Collection, Verb, instance

_AT_ONCE = 1000  # records renewed in one transaction


def begin(engine: Engine, now_ms: int) -> int:
    """Puts HQ into recovery, for all processes at once, or goes on with the one under way; its number.

    From here on every seq is of a new generation: greater than all that stores hold.
    """
    with writing(engine) as connection:
        connection.execute(select(chain_heads).with_for_update()).all()  # so that two commands begin one recovery
        known = under_way(connection)
        if known is not None:
            return known
        connection.execute(insert(recoveries).values(begun_ms=now_ms, ended_ms=None))
        number = int(connection.scalars(select(recoveries.c.id).where(recoveries.c.ended_ms.is_(None))).one())
        rows = connection.execute(select(instances).order_by(instances.c.id).with_for_update()).all()
        since = {one.name: one.seq for one in map(records.from_row, rows)}
        connection.execute(
            insert(recovery_instances),
            [{"recovery": number, "instance": name, "since": seq, "renew": False} for name, seq in since.items()],
        )
        connection.execute(update(instances).values(generation=instances.c.generation + 1))
        connection.execute(delete(outbox))  # of the time of the backup
        declared = connection.scalars(select(policy_notices.c.purpose).distinct())  # in force, or granted under earlier
        if any(channel_of(one) is not None for one in declared):
            doubt_contacts(connection, now_ms)
        for store in connection.scalars(select(stores.c.id).order_by(stores.c.id)).all():
            asked = since[instance(Collection.MEMBERS, store)]
            connection.execute(
                insert(recovery_stores).values(
                    recovery=number, store=store, since=asked, state=State.WAITING.value,
                    withdrawals=0, renewed=0, erased=0,
                )
            )  # fmt: skip
            _ask(connection, number, store, asked, now_ms)
        return number


def _ask(connection: Connection, number: int, store: str, since: int, now_ms: int) -> None:
    order = orders.issue(connection, store, Verb.RECALL, now_ms, subject=since.to_bytes(SINCE_BYTES, "big"))
    connection.execute(
        update(recovery_stores)
        .where(*_of(number, store))
        .values(since=since, order_id=order, asked_ms=now_ms, state=State.WAITING.value, result=None)
    )


def advance(engine: Engine, keys: Keys, number: int, now_ms: int) -> int:
    """Takes what has been answered; how many stores that were."""
    answered = select(recovery_stores.c.store).where(
        recovery_stores.c.recovery == number, recovery_stores.c.state == State.ANSWERED.value
    )
    with reading(engine) as connection:
        waiting = connection.scalars(answered.order_by(recovery_stores.c.store)).all()
        begun_ms = connection.scalar(select(recoveries.c.begun_ms).where(recoveries.c.id == number))
    for store in waiting:
        with reading(engine) as connection:
            row = connection.execute(select(recovery_stores).where(*_of(number, store))).one()
            since = dict(
                connection.execute(
                    select(recovery_instances.c.instance, recovery_instances.c.since).where(
                        recovery_instances.c.recovery == number
                    )
                ).all()
            )
        found = recovered.judge(engine, store, row.result, since)
        with writing(engine) as connection:
            for name in found.ahead:
                of_it = recovery_instances.c.recovery == number, recovery_instances.c.instance == name
                connection.execute(update(recovery_instances).where(*of_it).values(renew=True))
            if found.ask_since is not None:  # HQ had gone on after it was restored, before anybody saw it
                _ask(connection, number, store, found.ask_since, now_ms)
                continue
        erased = recovered.erase(engine, keys, store, found, now_ms)
        written = recovered.write(engine, keys, store, found, int(begun_ms or now_ms), now_ms)
        with writing(engine) as connection:
            connection.execute(
                update(recovery_stores)
                .where(*_of(number, store))
                .values(
                    state=State.TAKEN.value, result=None, withdrawals=written, renewed=len(found.renew),
                    erased=recovery_stores.c.erased + erased,
                )
            )  # fmt: skip
    return len(waiting)


def leave_out(engine: Engine, number: int, names: Iterable[str]) -> int:
    """Waits no more for these stores: all that HQ has of them gets new seqs, whatever they hold. How many they were."""
    listed = sorted(set(names))
    with writing(engine) as connection:
        gone = connection.execute(
            update(recovery_stores)
            .where(
                recovery_stores.c.recovery == number,
                recovery_stores.c.store.in_(listed),
                recovery_stores.c.state == State.WAITING.value,
            )
            .values(state=State.LEFT_OUT.value, result=None)
        ).rowcount
        own = select(instances.c.name).where(instances.c.store.in_(listed) | instances.c.store.is_(None))
        connection.execute(
            update(recovery_instances)
            .where(recovery_instances.c.recovery == number, recovery_instances.c.instance.in_(own))
            .values(renew=True)
        )
    return int(gone)


def end(engine: Engine, number: int, now_ms: int) -> Iterator[int]:
    """Renews what is to be renewed, then lets HQ serve; yields how many records were done, batch for batch.

    Broken off and begun again it renews again, which is harmless.
    """
    with reading(engine) as connection:
        named = connection.scalars(
            select(recovery_instances.c.instance).where(
                recovery_instances.c.recovery == number, recovery_instances.c.renew.is_(True)
            )
        ).all()
    for name in sorted(named):
        yield from _renew_all(engine, name, now_ms)
        with writing(engine) as connection:
            of_it = recovery_instances.c.recovery == number, recovery_instances.c.instance == name
            connection.execute(update(recovery_instances).where(*of_it).values(renew=False))
    with writing(engine) as connection:
        connection.execute(update(recoveries).where(recoveries.c.id == number).values(ended_ms=now_ms))
        for store in connection.scalars(select(stores.c.id)).all():
            alarms.clear(connection, Alarm.AHEAD_OF_HQ, store, now_ms)


def _renew_all(engine: Engine, name: str, now_ms: int) -> Iterator[int]:
    after = b""
    rows = record_rows
    while True:
        with writing(engine) as connection:
            commit = records.begin(connection, [name])
            found = commit.instances.get(name)
            if found is None:
                return  # a day of the keyring that is over
            keys = records.keys_of(connection, found)
            wanted = select(rows.c.key, rows.c.seq, rows.c.body).where(rows.c.instance == found.id, rows.c.key > after)
            batch = connection.execute(wanted.order_by(rows.c.key).limit(_AT_ONCE)).all()
            for row in batch:
                commit.renew(name, row.key, keys.open(row.key, row.seq, row.body))
            commit.write(now_ms)
        if not batch:
            return
        after = batch[-1].key
        yield len(batch)


def _of(number: int, store: str) -> tuple[Any, Any]:
    return recovery_stores.c.recovery == number, recovery_stores.c.store == store
