"""Computes digest trees from the records anew, and compares them with the nodes that are kept or puts them there.

I/O: sqlalchemy.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, Engine, delete, select, update

from hq import records
from hq.database import reading
from hq.errors import SealBroken
from hq.nodes import Shift, write
from hq.tables import instances, nodes
from hq.tables import records as record_rows
from wire import tree


def broken(engine: Engine) -> Iterator[str]:
    """The names of the instances whose root or nodes are not those of their records; each in a snapshot of its own."""
    with reading(engine) as connection:
        names = connection.scalars(select(instances.c.name).order_by(instances.c.id)).all()
    for name in names:
        with reading(engine) as connection:
            if differs(connection, name):
                yield name


def differs(connection: Connection, name: str) -> bool:
    """Whether an instance's root or nodes are not those of its records."""
    row = connection.execute(select(instances).where(instances.c.name == name)).first()
    return row is not None and not _is_right(connection, records.from_row(row))


def mend(connection: Connection, name: str) -> bool:
    """Makes root and nodes anew from the digests of the records, in a transaction that writes; False: they were right.

    What the records say must be right before. Stores that hold another tree ask again by themselves.
    """
    found = records.begin(connection, [name]).instances[name]
    if _is_right(connection, found):
        return False
    shift = Shift()
    live = select(record_rows.c.path, record_rows.c.digest).where(
        record_rows.c.instance == found.id, record_rows.c.body.is_not(None)
    )
    for path, digest in connection.execute(live):
        shift.plus(path, int.from_bytes(digest, "little"))
    connection.execute(delete(nodes).where(nodes.c.instance == found.id))
    write(connection, found.id, shift)
    root = {"root": shift.root.root, "live": shift.root.count}
    connection.execute(update(instances).where(instances.c.id == found.id).values(**root))
    return True


def _is_right(connection: Connection, found: records.Instance) -> bool:
    shift, keys = Shift(), records.keys_of(connection, found)
    live = select(record_rows).where(record_rows.c.instance == found.id, record_rows.c.body.is_not(None))
    for row in connection.execute(live.execution_options(yield_per=2000)):
        try:
            body = keys.open(row.key, row.seq, row.body) or b""
        except SealBroken:
            return False
        digest = tree.digest(keys.digest_key, found.collection, row.key, row.seq, tree.body_hash(body))
        if row.path != tree.path(keys.digest_key, row.key) or int.from_bytes(row.digest, "little") != digest:
            return False
        shift.plus(row.path, digest)
    kept = {}
    for place, digest, count in connection.execute(
        select(nodes.c.place, nodes.c.digest, nodes.c.live).where(nodes.c.instance == found.id)
    ):
        if count or int.from_bytes(digest, "little"):
            kept[place] = (digest, count)
    computed = {
        place: ((total % 2**128).to_bytes(tree.DIGEST_BYTES, "little"), count)
        for place, (total, count) in shift.changes.items()
    }
    return kept == computed and shift.root == found.node
