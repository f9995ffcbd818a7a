"""Holds the instances of an unlocked cache: applies records and ranges, and knows each instance's root.

What is written in one `transaction` is kept together with the roots; where it fails, memory says what the file says.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from store_gateway.buckets import Buckets
from store_gateway.cache import MAX_SEQ, Cache
from store_gateway.cache_schema import InstanceRow, Row
from store_gateway.core.ledger import Deltas, judge_range, takes
from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import Entropy, Seal
from wire import sync, tree
from wire.sync import Collection, Record
from wire.tree import Node

Seen = Callable[["Instance", bytes, bytes | None], None]


class Instance:
    """One instance in memory. `node`: root and count; `seq`: the highest applied; `floor`: the whole instance's."""

    __slots__ = ("collection", "day", "deltas", "digest_key", "floor", "id", "name", "node", "seq")

    def __init__(self, row: InstanceRow, digest_key: bytes) -> None:
        self.id = row.id
        self.name = row.name
        self.collection, _, self.day = sync.parse_instance(row.name)
        self.digest_key = digest_key
        self.node = Node(int.from_bytes(row.root, "little"), row.count)
        self.seq = row.seq
        self.floor = row.floor
        self.deltas = Deltas()


@dataclass(frozen=True, slots=True)
class _Staged:
    node: Node
    seq: int
    gains: list[tuple[int, Node]] = field(default_factory=list)


def _digest_key_bound(name: str) -> bytes:
    return b"digest-key" + name.encode()


class Holdings:
    """All instances that this store holds, by name in `instances`."""

    __slots__ = ("_cache", "_epoch", "_staged", "buckets", "instances", "stale")

    def __init__(self, cache: Cache, epoch: Seal, entropy: Entropy) -> None:
        """Opens what the cache holds. Raises: CacheError, CORRUPT where a root is not the sum of its rows."""
        self._cache = cache
        self._epoch = epoch
        self._staged: dict[str, _Staged] = {}
        self.buckets = Buckets(cache, epoch, entropy)
        self.instances: dict[str, Instance] = {}
        self.stale = 0  # records and ranges that said nothing new
        for row in cache.instances():
            held = Instance(row, epoch.open(row.digest_key, _digest_key_bound(row.name)))
            if sum_of(digest for _, digest in cache.digests(held.id, b"")) != held.node:
                raise CacheError(CacheReason.CORRUPT)
            self.instances[row.name] = held

    def of(self, collection: Collection) -> Iterator[Instance]:
        """The instances of one collection."""
        return (held for held in self.instances.values() if held.collection is collection)

    # --- what is held ------------------------------------------------------------------------------------------------

    def learn(self, digest_keys: Iterable[sync.DigestKey]) -> tuple[str, ...]:
        """Takes HQ's digest keys; the names of instances that are new or begin again. Raises: CacheError.

        Another key than the one held is another instance of the same name: what was held under the old one goes.
        """
        begun = []
        for given in digest_keys:
            held = self.instances.get(given.instance)
            if held is not None and held.digest_key == given.key:
                continue
            with self._cache.transaction():
                if held is not None:
                    self._cache.drop_instance(held.id)
                sealed = self._epoch.close(given.key, _digest_key_bound(given.instance))
                row = self._cache.add_instance(given.instance, sealed)
            self.buckets.forget()
            self.instances[given.instance] = Instance(row, given.key)
            begun.append(given.instance)
        return tuple(begun)

    def drop(self, name: str) -> Instance:
        """Erases an instance. Raises: CacheError."""
        held = self.instances[name]
        self._cache.drop_instance(held.id)
        self.buckets.forget()
        return self.instances.pop(name)

    def held(self) -> tuple[sync.Held, ...]:
        """What a hello says of each instance."""
        return tuple(
            sync.Held(held.name, held.node.root, held.node.count, held.seq) for held in self.instances.values()
        )

    def body(self, held: Instance, key: bytes) -> bytes | None:
        """The body of a record; None: none, or a tombstone. Raises: CacheError."""
        row = self._cache.row(held.id, tree.column(held.digest_key, key))
        return None if row is None or row.sealed is None else self._open(held, row)[1]

    def walk(self, held: Instance) -> Iterator[tuple[bytes, bytes]]:
        """(key, body) of all live records, in slices. Raises: CacheError."""
        for rows in self._cache.slices(held.id, large=held.collection is Collection.KEYRING):
            for row in rows:
                yield self._open(held, row)

    def nodes_below(self, held: Instance, prefix: bytes) -> dict[bytes, Node]:
        """Digest and count of each node one byte below `prefix` under which anything is held, tombstones too."""
        digests: dict[bytes, list[bytes]] = {}
        for path, digest in self._cache.digests(held.id, prefix):
            digests.setdefault(path[: len(prefix) + 1], []).append(digest)
        return {below: sum_of(found) for below, found in digests.items()}

    def settle(self, held: Instance, as_of: int) -> None:
        """Roots agreed as of `as_of`. Raises: CacheError."""
        if as_of > held.floor:
            self._cache.settle(held.id, as_of)
            held.floor = as_of
        held.deltas.forget_through(as_of)

    # --- what changes -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, now_mono_s: float) -> Iterator[None]:
        """What is applied inside is kept with the new roots, or not at all. Raises: CacheError."""
        self._staged = {}
        try:
            with self._cache.transaction():
                yield
                for name, staged in self._staged.items():
                    self._cache.put_instance(self.instances[name].id, staged.node.root, staged.node.count, staged.seq)
        except BaseException:
            self._staged = {}
            self.buckets.forget()
            raise
        for name, staged in self._staged.items():
            held = self.instances[name]
            held.node, held.seq = staged.node, staged.seq
            held.deltas.forget(now_mono_s)
            for seq, gain in staged.gains:
                held.deltas.add(seq, gain, now_mono_s)
        self._staged = {}

    def apply(self, held: Instance, records: Iterable[Record], seen: Seen) -> None:
        """Applies live records inside of a transaction; `seen` is told each that counted."""
        staged = self._stage(held)
        node, highest, gains = staged.node, staged.seq, staged.gains
        written: dict[bytes, Row] = {}
        for record in records:
            column, path = tree.column(held.digest_key, record.key), tree.path(held.digest_key, record.key)
            before = written.get(column) or self._cache.row(held.id, column)
            floor = max(held.floor, self._cache.floor(held.id, path))
            if record.seq > MAX_SEQ or not takes(record.seq, before.seq if before else 0, floor):
                self.stale += 1
                continue
            row = self._row(held, column, path, record)
            written[column] = row
            gain = _joined(Node(), row).less(_joined(Node(), before) if before else Node())
            node, highest = node.join(gain), max(highest, record.seq)
            gains.append((record.seq, gain))
            seen(held, record.key, record.body)
        self._cache.put_rows(held.id, written.values())
        self._staged[held.name] = _Staged(node, highest, gains)

    def apply_range(self, held: Instance, prefix: bytes, as_of: int, records: Iterable[Record], seen: Seen) -> bool:
        """Applies a whole range inside of a transaction; False where it is too old to say anything."""
        offered = {tree.column(held.digest_key, record.key): record for record in records}
        before = {row.key_column: row for row in self._cache.rows_below(held.id, prefix)}
        judged = judge_range(
            as_of,
            max(held.floor, self._cache.floor_around(held.id, prefix)),
            {column: record.seq for column, record in offered.items()},
            {column: row.seq for column, row in before.items()},
        )
        if judged is None or as_of > MAX_SEQ or any(record.seq > as_of for record in offered.values()):
            self.stale += 1
            return False
        staged = self._stage(held)
        node, highest = staged.node, staged.seq
        for column in judged.erase:
            node = node.less(_joined(Node(), before[column]))
            row = self._cache.row(held.id, column)
            if row is not None and row.sealed is not None:
                seen(held, self._open(held, row)[0], None)
        self._cache.erase_rows(held.id, judged.erase)
        rows = []
        for column in judged.write:
            record = offered[column]
            path = tree.path(held.digest_key, record.key)
            if not path.startswith(prefix) or record.body is None:
                continue  # not below this node, or no live record: HQ's answer is not to be relied on there
            row = self._row(held, column, path, record)
            rows.append(row)
            node = node.less(_joined(Node(), before[column])) if column in before else node
            node, highest = _joined(node, row), max(highest, record.seq)
            seen(held, record.key, record.body)
        self._cache.put_rows(held.id, rows)
        self._cache.raise_floors(held.id, [prefix], as_of)
        self._staged[held.name] = _Staged(node, highest, staged.gains)
        return True

    def _stage(self, held: Instance) -> _Staged:
        return self._staged.get(held.name) or _Staged(held.node, held.seq)

    def _row(self, held: Instance, column: bytes, path: bytes, record: Record) -> Row:
        if record.body is None:
            return Row(column, path, record.seq, b"", None)
        digest = tree.digest(
            held.digest_key, held.collection, record.key, record.seq, tree.body_hash(record.body)
        ).to_bytes(tree.DIGEST_BYTES, "little")
        sealed = self.buckets.close_row(held.id, held.name, column, path, record.seq, record.key, record.body)
        return Row(column, path, record.seq, digest, sealed)

    def _open(self, held: Instance, row: Row) -> tuple[bytes, bytes]:
        assert row.sealed is not None  # asked for live rows only
        return self.buckets.open_row(held.id, held.name, row.key_column, row.path, row.seq, row.sealed)


def _joined(node: Node, row: Row) -> Node:
    return node.plus(int.from_bytes(row.digest, "little")) if row.digest else node


def sum_of(digests: Iterable[bytes]) -> Node:
    """The node of some records' digests; those of tombstones are empty and count nothing."""
    live = [int.from_bytes(digest, "little") for digest in digests if digest]
    return Node(sum(live) % 2**128, len(live))
