"""Does what only time asks for: grants that begin or end, values that grow old, days of the keyring, calls for help.

It may run anywhere and any number of times: what is done already is left as it is.

I/O: sqlalchemy.
"""

from collections.abc import Collection as Several

from sqlalchemy import Connection, Engine, func, select, update

from hq import (
    erasure,
    exports,
    felt_watch,
    figures_delays,
    help_state,
    key_watch,
    ledger_heads,
    membership,
    office,
    orders,
    profile_age,
    proposals,
    publication,
    purchases,
    records,
    repeats,
)
from hq.database import reading, writing
from hq.days import buckets_due, valid_days
from hq.keys import Keys
from hq.tables import audience, instances, stores
from wire.sync import KEYRING_BUCKETS, Collection, instance

_MEMBERS_AT_ONCE = 200
_BUCKETS_AT_ONCE = 256
_ROUNDS = 1000  # of one tick; the next one goes on


def tick(engine: Engine, keys: Keys, now_ms: int) -> int:
    """Does all that is due at `now_ms`; returns how many records changed."""
    changed = 0
    for _ in range(_ROUNDS):
        members, written = evaluate_due(engine, keys, now_ms)
        changed += written
        if not members:
            break
    help_state.forget(engine, now_ms)
    proposals.forget(engine, now_ms)
    exports.forget(engine, now_ms)
    repeats.forget(engine, now_ms)
    purchases.forget(engine, keys, now_ms)
    erasure.forget(engine)
    key_watch.look(engine, keys, now_ms)
    ledger_heads.tick(engine, keys, now_ms)
    figures_delays.note(engine, now_ms)
    orders.tick(engine, now_ms)
    changed += felt_watch.tick(engine, keys, now_ms)
    return changed + keep_days(engine, keys, now_ms)


def evaluate_due(engine: Engine, keys: Keys, now_ms: int) -> tuple[int, int]:
    """One batch of the members whose place time may have changed: how many they were, how many records changed."""
    now_s = now_ms // 1000
    with writing(engine) as connection:
        due = select(audience.c.member).where(audience.c.due_s <= now_s).distinct().limit(_MEMBERS_AT_ONCE)
        locked = membership.lock(connection, keys.custody, connection.scalars(due).all())
        if locked:  # a policy may have become stricter; whose age is not known waits for it
            known = {member: one for member, one in locked.items() if one.about.age_at_least}
            profile_age.clear(connection, known, office.all_policies(connection))
        return len(locked), publication.refresh(connection, keys, locked, now_ms, urgent=True)


def keep_days(engine: Engine, keys: Keys, now_ms: int) -> int:
    """Builds the keyrings that are due and drops those of days that are over; returns how many records changed."""
    now_s = now_ms // 1000
    days = valid_days(now_s)
    today = now_s // 86_400
    with reading(engine) as connection:
        if _are_kept(connection, days, now_s):
            return 0
        listed = connection.scalars(select(stores.c.id)).all()
        rings = {(one.store or "", one.day or 0): one for one in records.keyrings(connection, listed)}
    changed = 0
    for store in listed:
        for day in days:
            ring = rings.get((store, day))
            if ring is None and day < today:
                continue  # it was never there; nobody needs it any more
            target = KEYRING_BUCKETS if day <= today else buckets_due(day, now_s)
            filled = -1 if ring is None else ring.filled
            while filled < target:
                filled, written = _build(engine, keys, store, day, target, now_ms)
                changed += written
    for (store, day), ring in rings.items():
        if day < min(days) or day > today + 1:
            _end(engine, store, ring.name)
    return changed


def _are_kept(connection: Connection, days: Several[int], now_s: int) -> bool:
    """Whether each store's keyrings are as they should be now: the database counts, so that ten thousand stores for
    which nothing is due cost one small answer."""
    today = now_s // 86_400
    count = connection.scalar(select(func.count()).select_from(stores)) or 0
    rings = (
        select(instances.c.day, func.min(instances.c.filled).label("least"), func.count().label("holders"))
        .where(*records.KEYRINGS)
        .group_by(instances.c.day)
    )
    found = {row.day: row for row in connection.execute(rings)}
    if any(day < min(days) or day > today + 1 for day in found):
        return False
    for day in days:
        ring = found.get(day)
        if day >= today and (ring is None or ring.holders < count):
            return False
        if ring is not None and ring.least < (KEYRING_BUCKETS if day <= today else buckets_due(day, now_s)):
            return False
    return True


def _build(engine: Engine, keys: Keys, store: str, day: int, target: int, now_ms: int) -> tuple[int, int]:
    title = instance(Collection.KEYRING, store, day)
    with writing(engine) as connection:
        records.make_instance(connection, Collection.KEYRING, store, day)
        # With the members' counter: nobody may enter or leave the audience meanwhile.
        commit = records.begin(connection, [instance(Collection.MEMBERS, store), title])
        filled = commit.instances[title].filled
        until = min(target, filled + _BUCKETS_AT_ONCE)
        if until <= filled:
            return filled, 0
        publication.put_buckets(connection, keys.custody, commit, store, range(filled, until), only_day=day)
        connection.execute(update(instances).where(instances.c.name == title).values(filled=until))
        return until, commit.write(now_ms)


def _end(engine: Engine, store: str, name: str) -> None:
    with writing(engine) as connection:
        locked = records.begin(connection, [instance(Collection.MEMBERS, store), name])
        records.end_day(connection, locked.instances[name])
