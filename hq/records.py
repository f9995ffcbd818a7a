"""Commits changed records: counter rows locked in ascending id, seq, root and count, rows, and the outbox.

All within the caller's transaction: consent event, records, counters and what must be published are one commit. Who
computes a body from other rows does so after `begin`, under the counters' locks: no later seq carries an older truth.
The nodes of the digest tree are kept in the same transaction (hq.nodes).

I/O: sqlalchemy.
"""

from collections import defaultdict
from collections.abc import Collection as Several
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, bindparam, delete, exists, insert, select, update

from hq import custody
from hq import nodes as tree_nodes
from hq.custody import InstanceKeys, Place, Purpose, Seal, bound
from hq.errors import SealBroken
from hq.recovery_tables import recoveries
from hq.tables import instances, links, nodes, outbox, records, store_instances
from wire import schema, tree
from wire.sync import (
    GENERATION,
    KINDS,
    MAX_BODY_BYTES,
    Collection,
    Message,
    Part,
    Record,
    Records,
    instance,
)
from wire.tree import DIGEST_KEY_BYTES

DOWN, NOW = "down", "now"
SHARED = frozenset({Collection.POLICY, Collection.CATALOG, Collection.AFFINITY})
_CHUNK = 500  # bound parameters of one statement
_MESSAGE_BYTES = 48 * 1024  # bodies in one message; with the rest it stays below 64 KiB
_MESSAGE_RECORDS = 256
_RECORD_BYTES = 96  # key, seq and framing of one record, at most
_OVER = -1  # `filled` of a keyring whose day is over
_DAYS_REMEMBERED = 4  # of each store that are over: a clock that was wrong once ends two of them, and begins two others
KEYRINGS = (instances.c.collection == int(Collection.KEYRING), instances.c.filled != _OVER)  # of days not over


@dataclass(frozen=True, slots=True, repr=False)
class Instance:
    """One row of `instances`, as it is under lock or in a snapshot."""

    id: int
    name: str
    collection: Collection
    store: str | None
    day: int | None
    filled: int
    wrapped: bytes  # its keys, for hq.custody
    generation: int
    n: int
    node: tree.Node

    @property
    def seq(self) -> int:
        """The highest seq given."""
        return self.generation * GENERATION + self.n


def from_row(row: Row[Any]) -> Instance:
    """The instance of a row of `instances`."""
    return from_columns(tuple(row._mapping[column.name] for column in instances.c))


def from_columns(columns: Sequence[Any]) -> Instance:
    """The instance of the columns of `instances`, in their order."""
    number, name, collection, store, day, filled, wrapped, generation, n, root, live, *_ = columns
    node = tree.Node(int.from_bytes(root, "little"), live)
    return Instance(number, name, Collection(collection), store, day, filled, wrapped, generation, n, node)


def make_instance(
    connection: Connection, collection: Collection, name: str, day: int | None = None, *, filled: int = 0
) -> int:
    """Makes an instance with its digest key where it is missing; its id. Shared ones are given to stores by `give`.

    A day that was over begins again with the digest key and the seq that it had.
    """
    title = instance(collection, name, day)
    known = connection.scalar(select(instances.c.id).where(instances.c.name == title))
    if known is not None:
        again = update(instances).where(instances.c.id == known, instances.c.filled == _OVER).values(filled=filled)
        if connection.execute(again).rowcount:
            connection.execute(insert(store_instances).values(store=name, instance=known))
        return int(known)
    connection.execute(
        insert(instances).values(
            name=title,
            collection=int(collection),
            store=None if collection in SHARED else name,
            day=day,
            filled=filled,
            wrapped=custody.of(connection).make_instance(title),
            generation=0,
            n=0,
            root=tree.Node().root,
            live=0,
        )
    )
    made = connection.scalars(select(instances.c.id).where(instances.c.name == title)).one()
    if collection not in SHARED:
        connection.execute(insert(store_instances).values(store=name, instance=made))
    return int(made)


def give(connection: Connection, store: str, shared: int) -> None:
    """Lists a shared instance, by its id, among those that a store replicates."""
    there = (store_instances.c.store == store, store_instances.c.instance == shared)
    if connection.scalar(select(store_instances.c.store).where(*there)) is None:
        connection.execute(insert(store_instances).values(store=store, instance=shared))


def keys_of(connection: Connection, found: Instance) -> InstanceKeys:
    """What opens an instance's records. Raises: SealBroken, KeyMismatch."""
    return custody.of(connection).instance(found.name, found.wrapped)


def end_day(connection: Connection, found: Instance) -> None:
    """Deletes a keyring's rows, and the key of their bodies; its counter row is locked.

    Counter and digest key stay, of the last days that ended: if only HQ's clock was wrong, the day goes on from there.
    Under smaller seqs it would make every store that still holds it look as if HQ came from a backup.
    """
    for table in (records, nodes, store_instances):
        connection.execute(delete(table).where(table.c.instance == found.id))
    over = {"filled": _OVER, "wrapped": _without_bodies(connection, found), "root": tree.Node().root, "live": 0}
    connection.execute(update(instances).where(instances.c.id == found.id).values(**over))
    ended = instances.c.store == found.store, instances.c.filled == _OVER
    newest = connection.scalars(select(instances.c.id).where(*ended).order_by(instances.c.id.desc())).all()
    connection.execute(delete(instances).where(instances.c.id.in_(newest[_DAYS_REMEMBERED:])))


def _without_bodies(connection: Connection, found: Instance) -> bytes:
    """Its digest key with another key for bodies: what was sealed opens no more, wherever a copy of it lies."""
    kept, owner = custody.of(connection), custody.instance_owner(found.name)
    made = kept.make_instance(found.name)
    with suppress(SealBroken):  # then the row was changed outside of HQ, and the digest key is gone
        made = kept.wrap(keys_of(connection, found).digest_key + kept.unwrap(made, owner)[DIGEST_KEY_BYTES:], owner)
    return made


def of_store(connection: Connection, store: str) -> list[Instance]:
    """A store's instances with the shared ones, in one indexed read."""
    wanted = (
        select(instances)
        .join(store_instances, store_instances.c.instance == instances.c.id)
        .where(store_instances.c.store == store)
    )
    return [from_row(row) for row in connection.execute(wanted.order_by(instances.c.id))]


def keyrings(connection: Connection, names: Several[str]) -> list[Instance]:
    """The keyring instances of these stores, of days that are not over."""
    wanted = select(instances).where(instances.c.store.in_(sorted(names)), *KEYRINGS)
    return [from_row(row) for row in connection.execute(wanted.order_by(instances.c.id))]


class Commit:
    """The changes of one transaction to some instances, whose counter rows it holds locked."""

    def __init__(self, connection: Connection, locked: Iterable[Instance]) -> None:
        self._connection = connection
        self.instances = {one.name: one for one in locked}
        self._changes: dict[str, dict[bytes, bytes | None]] = {}
        self._renewed: dict[str, set[bytes]] = defaultdict(set)

    def put(self, name: str, key: bytes, body: bytes | None) -> None:
        """Notes a record's new body; None is `null`, and none at all where the record never was."""
        if body is not None and len(body) > MAX_BODY_BYTES:
            raise ValueError(f"a body has at most {MAX_BODY_BYTES} bytes")
        self._changes.setdefault(name, {})[key] = body

    def bodies(self, name: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The live bodies of these records as they are before this commit. Raises: SealBroken."""
        found = self.instances[name]
        opening = keys_of(self._connection, found)
        opened: dict[bytes, bytes] = {}
        for row in _rows_of(self._connection, found.id, keys, records.c.key, records.c.seq, records.c.body):
            body = opening.open(row.key, row.seq, row.body)
            if body is not None:
                opened[row.key] = body
        return opened

    def renew(self, name: str, key: bytes, body: bytes | None) -> None:
        """Notes a record that gets a new seq though it may say what it said; of what never was, `null`."""
        self.put(name, key, body)
        self._renewed[name].add(key)

    def write(self, now_ms: int, *, urgent: bool = False) -> int:
        """Writes what differs from what is there; returns how many records that was.

        `urgent`: on the fast lane too.
        """
        parts = []
        for name in sorted(self._changes, key=lambda name: self.instances[name].id):
            written = self._write_one(self.instances[name], self._changes[name])
            if written:
                parts.append((self.instances[name], written))
        self._changes = {}
        _post(self._connection, parts, now_ms, urgent)
        return sum(len(written) for _, written in parts)

    def _write_one(self, found: Instance, changes: dict[bytes, bytes | None]) -> list[Record]:
        held = _held(self._connection, found.id, changes)
        renewed = self._renewed.pop(found.name, set())
        seq = found.seq + 1
        keys = keys_of(self._connection, found)
        shift = tree_nodes.Shift()
        new, known, written = [], [], []
        for key, body in sorted(changes.items()):
            old = held.get(key)
            was = None if old is None else old.digest
            if key not in renewed and was == _digest(found, keys, key, 0 if old is None else old.seq, body):
                continue
            place = tree.path(keys.digest_key, key) if old is None else old.path
            digest = _digest(found, keys, key, seq, body)
            if was is not None:
                shift.minus(place, int.from_bytes(was, "little"))
            if digest is not None:
                shift.plus(place, int.from_bytes(digest, "little"))
            sealed = keys.close(key, seq, body)
            if old is None:
                new.append({"instance": found.id, "key": key, "path": place, "seq": seq, "digest": digest,
                            "body": sealed})  # fmt: skip
            else:
                known.append({"b_instance": found.id, "b_key": key, "b_seq": seq, "b_digest": digest,
                              "b_body": sealed})  # fmt: skip
            written.append(Record(key, seq, body))
        if not written:
            return []
        if new:
            self._connection.execute(insert(records), new)
        if known:
            self._connection.execute(_UPDATE, known)
        tree_nodes.write(self._connection, found.id, shift)
        node = found.node.join(shift.root)
        self._connection.execute(
            update(instances).where(instances.c.id == found.id).values(n=found.n + 1, root=node.root, live=node.count)
        )
        return written


_UPDATE = (
    update(records)
    .where(records.c.instance == bindparam("b_instance"), records.c.key == bindparam("b_key"))
    .values(seq=bindparam("b_seq"), digest=bindparam("b_digest"), body=bindparam("b_body"))
)


def _digest(found: Instance, keys: InstanceKeys, key: bytes, seq: int, body: bytes | None) -> bytes | None:
    """A live record's digest, little endian; None of a tombstone. Without the instance's key it tells nothing."""
    if body is None:
        return None
    digest = tree.digest(keys.digest_key, found.collection, key, seq, tree.body_hash(body))
    return digest.to_bytes(tree.DIGEST_BYTES, "little")


def holds(connection: Connection, found: Instance, row: Row[Any], expected: bytes) -> bool:
    """Whether a live record's row is this body: what is sealed, and its digest. Raises: SealBroken."""
    keys = keys_of(connection, found)
    digest = _digest(found, keys, row.key, row.seq, expected)
    return keys.open(row.key, row.seq, row.body) == expected and row.digest == digest


def begin(connection: Connection, names: Iterable[str]) -> Commit:
    """Locks the counter rows of these instances, in ascending id, and begins a commit on them."""
    wanted = select(instances).where(instances.c.name.in_(sorted(set(names)))).order_by(instances.c.id)
    return Commit(connection, [from_row(row) for row in connection.execute(wanted.with_for_update())])


def body(connection: Connection, name: str, key: bytes) -> bytes | None:
    """The live body of one record, or None."""
    row = connection.execute(_BODY, {"name": name, "key": key}).first()
    return None if row is None else custody.of(connection).instance(name, row.wrapped).open(key, row.seq, row.body)


_BODY = (
    select(records.c.seq, records.c.body, instances.c.wrapped)
    .join(instances, instances.c.id == records.c.instance)
    .where(instances.c.name == bindparam("name"), records.c.key == bindparam("key"))
)


def bodies(connection: Connection, name: str) -> Iterator[bytes]:
    """The live bodies of all records of an instance, one by one."""
    wanted = (
        select(records.c.key, records.c.seq, records.c.body, instances.c.wrapped)
        .join(instances, instances.c.id == records.c.instance)
        .where(instances.c.name == name, records.c.body.is_not(None))
    )
    keys = None
    for row in connection.execute(wanted):
        keys = keys or custody.of(connection).instance(name, row.wrapped)
        opened = keys.open(row.key, row.seq, row.body)
        if opened is not None:
            yield opened


def _held(connection: Connection, found: int, keys: Iterable[bytes]) -> dict[bytes, Row[Any]]:
    columns = (records.c.key, records.c.path, records.c.seq, records.c.digest)
    return {row.key: row for row in _rows_of(connection, found, keys, *columns)}


def _rows_of(connection: Connection, found: int, keys: Iterable[bytes], *columns: Column[Any]) -> Iterator[Row[Any]]:
    listed = sorted(keys)
    for start in range(0, len(listed), _CHUNK):
        chunk = listed[start : start + _CHUNK]
        among = records.c.key.between(chunk[0], chunk[-1]) if _is_run(chunk) else records.c.key.in_(chunk)
        yield from connection.execute(select(*columns).where(records.c.instance == found, among))


def _is_run(ascending: list[bytes]) -> bool:
    """Whether it is all keys of one length from the first to the last, such as the buckets of a day."""
    first, last = ascending[0], ascending[-1]
    return len(first) == len(last) <= 2 and int.from_bytes(last) - int.from_bytes(first) + 1 == len(ascending)


def _post(connection: Connection, parts: list[tuple[Instance, list[Record]]], now_ms: int, urgent: bool) -> None:
    """Puts the change into the outbox of every store that it concerns and that has ever said hello."""
    if not parts:
        return
    if connection.scalar(select(_RECOVERING)):
        return  # no store may learn anything from a restored HQ before HQ has learned from the stores
    wanted = (
        select(store_instances.c.store, store_instances.c.instance)
        .join(links, links.c.store == store_instances.c.store)
        .where(store_instances.c.instance.in_([one.id for one, _ in parts]))
    )
    concerned: dict[str, set[int]] = defaultdict(set)
    for row in connection.execute(wanted):
        concerned[row.store].add(row.instance)
    messages: list[tuple[str, Message]] = []
    for store, ids in sorted(concerned.items()):
        own = [(one.name, written) for one, written in parts if one.id in ids]
        messages += [(store, message) for message in _messages(own, now_ms if urgent else None)]
    post(connection, messages, now_ms, urgent=urgent)


def post(connection: Connection, messages: Iterable[tuple[str, Message]], now_ms: int, *, urgent: bool) -> None:
    """Puts messages into the outbox, each for its store, sealed; `urgent`: on the fast lane too."""
    lanes = (NOW, DOWN) if urgent else (DOWN,)
    listed = list(messages)
    if not listed:
        return
    seal = custody.of(connection).to_seal(connection, Purpose.OUTBOX)
    rows = []
    for store, message in listed:
        kind, encoded = KINDS[type(message)], schema.encode(message)
        sealed = seal.close(encoded, bound(Place.OUTBOX, store.encode(), bytes([kind])))
        rows += [
            {"store": store, "lane": lane, "kind": int(kind), "message": sealed, "made_ms": now_ms} for lane in lanes
        ]
    connection.execute(insert(outbox), rows)


def posted(seal: Seal, row: Row[Any]) -> bytes:
    """The message of a row of the outbox as its CBOR; `seal` is that of `Purpose.OUTBOX`. Raises: SealBroken."""
    return seal.open(row.message, bound(Place.OUTBOX, row.store.encode(), bytes([row.kind])))


_RECOVERING = exists().where(recoveries.c.ended_ms.is_(None))


def _messages(parts: list[tuple[str, list[Record]]], committed_ms: int | None) -> Iterator[Records]:
    """The records in as few messages as fit; any split is safe, because seq judges each record by itself."""
    pending: dict[str, list[Record]] = {}
    size_bytes = count = 0
    for name, written in parts:
        for record in written:
            more_bytes = len(record.body or b"") + _RECORD_BYTES
            if count and (size_bytes + more_bytes > _MESSAGE_BYTES + _RECORD_BYTES or count >= _MESSAGE_RECORDS):
                yield _message(pending, committed_ms)
                pending, size_bytes, count = {}, 0, 0
            pending.setdefault(name, []).append(record)
            size_bytes += more_bytes
            count += 1
    if count:
        yield _message(pending, committed_ms)


def _message(pending: dict[str, list[Record]], committed_ms: int | None) -> Records:
    return Records(tuple(Part(name, tuple(written)) for name, written in pending.items()), committed_ms)
