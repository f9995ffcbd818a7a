"""Compares the buckets of a keyring with the day keys of the phones that its store may recognise; on demand mends them.

I/O: sqlalchemy.
"""

from sqlalchemy import Connection, select

from hq import publication, records
from hq.errors import SealBroken
from hq.keys import Keys
from hq.tables import audience
from hq.tables import records as record_rows
from wire.sync import Collection, instance

_AT_ONCE = 500


def faults(connection: Connection, keys: Keys, name: str, store: str, now_ms: int, *, mend: bool) -> int:
    """How many of its built buckets are not what they must be, in a transaction that writes; `mend` writes those anew.

    With the counter of the store's members, so that nobody enters or leaves the audience meanwhile.
    """
    commit = records.begin(connection, [instance(Collection.MEMBERS, store), name])
    ring = commit.instances[name]
    rows = record_rows.c
    held = select(rows.key).where(rows.instance == ring.id, rows.body.is_not(None))
    due = select(audience.c.bucket).where(audience.c.store == store, audience.c.present.is_(True)).distinct()
    named = {int.from_bytes(key, "big") for key in connection.scalars(held)}
    named |= {bucket for bucket in connection.scalars(due) if bucket < ring.filled}
    wrong = 0
    listed = sorted(named)
    for start in range(0, len(listed), _AT_ONCE):
        chunk = listed[start : start + _AT_ONCE]
        expected = publication.buckets(connection, keys.custody, ring, chunk)
        keyed = [bucket.to_bytes(2, "big") for bucket in chunk]
        found = {
            row.key: row
            for row in connection.execute(select(record_rows).where(rows.instance == ring.id, rows.key.in_(keyed)))
        }
        for bucket, key in zip(chunk, keyed, strict=True):
            body, row = expected[bucket], found.get(key)
            if bucket >= ring.filled:
                body = None  # not built yet, so nothing may stand there
            try:
                if row is None or row.body is None:
                    is_right = body is None
                else:
                    is_right = body is not None and records.holds(connection, ring, row, body)
            except SealBroken:
                is_right = False
            if not is_right:
                wrong += 1
                commit.renew(name, key, body)
    if mend and wrong:
        commit.write(now_ms, urgent=True)
    return wrong
