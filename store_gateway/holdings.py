"""Holds the instances of an unlocked cache: applies records and ranges, and knows each instance's digest tree.

What is written in one `transaction` is kept together with nodes and roots; where it fails, memory says what the file
says.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from store_gateway.buckets import Buckets
from store_gateway.cache import MAX_SEQ, Cache
from store_gateway.cache_rows import Columns
from store_gateway.cache_schema import InstanceRow, Row
from store_gateway.core.floors import Floors, bounds, kept
from store_gateway.core.ledger import Deltas, Place, judge_range, takes
from store_gateway.epochs import Epochs
from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import Entropy, bound_digest_key
from wire import sync, tree
from wire.sync import Collection, Record
from wire.tree import Node

Seen = Callable[["Instance", bytes, bytes | None], None]
SWEEP_ROWS = 128  # erased at once of what is not needed any more

_PREFIX = tree.MAX_PREFIX_BYTES


class Instance:
    """One instance in memory. `node`: root and count; `seq`: the highest applied; `floor`: the whole instance's."""

    __slots__ = ("collection", "day", "deltas", "digest_key", "floor", "floors", "id", "name", "node", "seq")

    def __init__(self, row: InstanceRow, digest_key: bytes, floors: Floors) -> None:
        self.id = row.id
        self.name = row.name
        self.collection, _, self.day = sync.parse_instance(row.name)
        self.digest_key = digest_key
        self.node = Node(int.from_bytes(row.root, "little"), row.count)
        self.seq = row.seq
        self.floor = row.floor
        self.floors = floors
        self.deltas = Deltas()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a range as it is applied: all its records below the two-byte nodes `first` to `last`, with paths.

    rows: how many it touches, at most and about.
    """

    rows: int
    first: bytes
    last: bytes
    since: int
    as_of: int
    records: tuple[tuple[bytes, Record], ...]


class _Staged:
    """What the running transaction does to one instance: its seq, its gains by seq and by two-byte node."""

    __slots__ = ("counts", "gains", "seq", "totals")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.gains: list[tuple[int, Node]] = []
        self.totals: dict[bytes, int] = {}
        self.counts: dict[bytes, int] = {}

    def plus(self, path: bytes, digest: bytes) -> None:
        """A live row comes; of a tombstone the digest is empty."""
        if digest:
            place = path[:_PREFIX]
            self.totals[place] = self.totals.get(place, 0) + int.from_bytes(digest, "little")
            self.counts[place] = self.counts.get(place, 0) + 1

    def minus(self, path: bytes, digest: bytes) -> None:
        """A row goes, or another takes its place."""
        if digest:
            place = path[:_PREFIX]
            self.totals[place] = self.totals.get(place, 0) - int.from_bytes(digest, "little")
            self.counts[place] = self.counts.get(place, 0) - 1

    def gained(self, depth: int) -> dict[bytes, tuple[int, int]]:
        """(total, count) that each node of so many bytes gains."""
        if depth == _PREFIX:
            return {place: (total, self.counts[place]) for place, total in self.totals.items()}
        found: dict[bytes, tuple[int, int]] = {}
        for place, total in self.totals.items():
            before = found.get(place[:depth], (0, 0))
            found[place[:depth]] = before[0] + total, before[1] + self.counts[place]
        return found


class Holdings:
    """All instances that this store holds, by name in `instances`."""

    __slots__ = ("_epochs", "_staged", "buckets", "cache", "instances", "stale")

    def __init__(self, cache: Cache, epochs: Epochs, entropy: Entropy) -> None:
        """Opens what the cache holds. Raises: CacheError, CORRUPT where a root is not the sum of its nodes.

        Whether the nodes are the sums of the rows is told by `store_gateway.proof`, in its own time.
        """
        self.cache = cache
        self._epochs = epochs
        self._staged: dict[str, _Staged] = {}
        self.buckets = Buckets(cache, epochs, entropy)
        self.instances: dict[str, Instance] = {}
        self.stale = 0  # records and ranges that said nothing new
        for row in cache.instances():
            digest_key = epochs.open(row.digest_key, bound_digest_key(row.name))
            held = Instance(row, digest_key, Floors(cache.floors(row.id)))
            if _joined(cache.nodes(held.id, 1, b"\x00", b"\xff").values()) != held.node:
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
            with self.cache.transaction():
                if held is not None:
                    self.cache.drop_instance(held.id)
                sealed = self._epochs.close(given.key, bound_digest_key(given.instance))
                row = self.cache.add_instance(given.instance, sealed)
            self.buckets.forget()
            self.instances[given.instance] = Instance(row, given.key, Floors())
            begun.append(given.instance)
        return tuple(begun)

    def drop(self, name: str) -> Instance:
        """Forgets an instance, inside of a transaction or as one; `sweep` erases its rows. Raises: CacheError."""
        held = self.instances[name]
        with self.cache.transaction():
            self.cache.drop_instance(held.id)
        self.buckets.forget()
        return self.instances.pop(name)

    def sweep(self) -> bool:
        """Erases some of what is not needed any more; whether there was anything. Raises: CacheError."""
        with self.cache.transaction():
            return self.cache.sweep(SWEEP_ROWS)

    def held(self) -> tuple[sync.Held, ...]:
        """What a hello says of each instance."""
        return tuple(
            sync.Held(held.name, held.node.root, held.node.count, held.seq) for held in self.instances.values()
        )

    def body(self, held: Instance, key: bytes) -> bytes | None:
        """The body of a record; None: none, or a tombstone. Raises: CacheError."""
        row = self.cache.row(held.id, tree.path(held.digest_key, key), tree.column(held.digest_key, key))
        return None if row is None or row.sealed is None else self.open(held, row)[1]

    def record(self, held: Instance, key: bytes) -> tuple[bytes, int] | None:
        """Body and seq of a live record. Raises: CacheError."""
        row = self.cache.row(held.id, tree.path(held.digest_key, key), tree.column(held.digest_key, key))
        return None if row is None or row.sealed is None else (self.open(held, row)[1], row.seq)

    def walk(self, held: Instance) -> Iterator[tuple[bytes, bytes]]:
        """(key, body) of all live records, in slices, as long as the instance is held. Raises: CacheError."""
        for rows in self.cache.slices(held.id):
            if self.instances.get(held.name) is not held:
                return  # its keys are gone already, and its rows are going
            opened = self.buckets.opening(held.id, held.name)  # its keys may be others when the next slice is asked for
            yield from [opened(row.path, row.key_column, row.seq, row.sealed) for row in rows if row.sealed is not None]

    def nodes_below(self, held: Instance, prefix: bytes) -> dict[bytes, Node]:
        """Digest and count of each node one byte below `prefix` under which anything lives."""
        return self.cache.nodes(held.id, len(prefix) + 1, prefix + b"\x00", prefix + b"\xff")

    def settle(self, agreed: Iterable[tuple[Instance, int]]) -> None:
        """Roots agreed as of these seqs. Raises: CacheError."""
        agreed = tuple(agreed)
        risen = [(held, as_of) for held, as_of in agreed if as_of > held.floor]
        if risen:
            with self.cache.transaction():
                for held, as_of in risen:
                    self.cache.settle(held.id, as_of)
        for held, as_of in risen:
            held.floor = as_of
            held.floors.settle(as_of)
        for held, as_of in agreed:
            held.deltas.forget_through(as_of)

    # --- what changes -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, now_mono_s: float) -> Iterator[None]:
        """What is applied inside is kept with the new nodes and roots, or not at all. Raises: CacheError."""
        self._staged = {}
        nodes: dict[str, Node] = {}
        try:
            with self.cache.transaction():
                yield
                for name, staged in self._staged.items():
                    nodes[name] = self._write_nodes(self.instances[name], staged)
        except BaseException:
            self.buckets.forget()
            for held in (self.instances[name] for name in self._staged if name in self.instances):
                held.floors = Floors(self.cache.floors(held.id))
            self._staged = {}
            raise
        for name, staged in self._staged.items():
            held = self.instances[name]
            held.node, held.seq = nodes[name], staged.seq
            held.deltas.forget(now_mono_s)
            for seq, gain in staged.gains:
                held.deltas.add(seq, gain, now_mono_s)
        self._staged = {}

    def _write_nodes(self, held: Instance, staged: _Staged) -> Node:
        """Keeps what the rows amount to; the new root."""
        for depth in range(1, _PREFIX + 1):
            self.cache.add_to_nodes(held.id, depth, staged.gained(depth))
        total, count = staged.gained(0).get(b"", (0, 0))
        root = held.node.join(Node(total, count))
        if root != held.node or staged.seq != held.seq:
            self.cache.put_instance(held.id, root.root, root.count, staged.seq)
        return root

    def apply(self, held: Instance, records: Iterable[Record], seen: Seen) -> None:
        """Applies live records inside of a transaction; `seen` is told each that counted."""
        staged = self._stage(held)
        written: dict[bytes, Row] = {}
        for record in records:
            column, path = tree.column(held.digest_key, record.key), tree.path(held.digest_key, record.key)
            pending = written.get(column)
            before = (pending.seq, pending.digest) if pending is not None else self.cache.head(held.id, path, column)
            floor = max(held.floor, held.floors.at(path))
            if record.seq > MAX_SEQ or not takes(record.seq, before[0] if before else 0, floor):
                self.stale += 1
                continue
            row = written[column] = self._row(held, column, path, record)
            gain = _plus(Node(), row.digest).less(_plus(Node(), before[1] if before else b""))
            staged.minus(path, before[1] if before else b"")
            staged.plus(path, row.digest)
            staged.gains.append((record.seq, gain))
            staged.seq = max(staged.seq, record.seq)
            seen(held, record.key, record.body)
        self.cache.put_rows(held.id, written.values())

    def pieces(self, held: Instance, answer: tuple[sync.RecordRange, ...], most: int) -> Iterator[Span]:
        """All parts of one range, cut between two-byte nodes so that each piece is about at most so many rows.

        A record that is not below the nodes that were asked for is left out: HQ's answer is not to be relied on there.
        """
        first, last = bounds(answer[0].first, answer[0].last)
        since, as_of = answer[0].since, answer[0].as_of
        offered: dict[bytes, list[tuple[bytes, Record]]] = {}
        for part in answer:
            for record in part.records:
                path = tree.path(held.digest_key, record.key)
                if first <= path[:_PREFIX] <= last:
                    offered.setdefault(path[:_PREFIX], []).append((path, record))
        counts = {place: len(records) for place, records in offered.items()}
        if held.node.count and not since:  # else what is held there is not read
            for place, node in self.cache.nodes(held.id, _PREFIX, first, last).items():
                counts[place] = max(node.count, counts.get(place, 0))
        begin, rows = first, 0
        pending: list[tuple[bytes, Record]] = []
        for place in sorted(counts):
            if rows and rows + counts[place] > most:
                end = (int.from_bytes(place, "big") - 1).to_bytes(_PREFIX, "big")
                yield Span(rows, begin, end, since, as_of, tuple(pending))
                begin, pending, rows = place, [], 0
            pending += offered.get(place, ())
            rows += counts[place]
        yield Span(rows, begin, last, since, as_of, tuple(pending))

    def apply_span(self, held: Instance, span: Span, seen: Seen) -> int | None:
        """Applies a piece of a range inside of a transaction; how many rows changed, None where it is too old."""
        offered = {(path, tree.column(held.digest_key, record.key)): record for path, record in span.records}
        if span.since:
            heads = ((place, self.cache.head(held.id, *place)) for place in offered)
            before = {place: head for place, head in heads if head is not None}
        else:
            rows = self.cache.heads(held.id, span.first, span.last)
            before = {(path, column): (seq, digest) for path, column, seq, digest in rows}
        judged = judge_range(
            span.as_of,
            max(held.floor, held.floors.around(span.first, span.last)),
            {place: record.seq for place, record in offered.items()},
            {place: seq for place, (seq, _) in before.items()},
            span.since,
            frozenset(place for place, (_, digest) in before.items() if not digest),
        )
        if judged is None or span.as_of > MAX_SEQ or any(record.seq > span.as_of for record in offered.values()):
            self.stale += 1
            return None
        staged = self._stage(held)
        for path, column in judged.erase:
            staged.minus(path, before[path, column][1])
            row = self.cache.row(held.id, path, column)
            if row is not None and row.sealed is not None:
                seen(held, self.open(held, row)[0], None)
        self.cache.erase_rows(held.id, judged.erase)
        written = self._written(held, span, [(place, offered[place]) for place in judged.write], staged, before, seen)
        self.raise_floor(held, span.first, span.last, span.as_of)
        return written + len(judged.erase)

    def remove(self, held: Instance, key: bytes, seen: Seen) -> bool:
        """Erases a live record inside of a transaction, before HQ says so; False where there is none.

        The roots differ until HQ takes it away as well: a fill would bring back what HQ still holds, but no recording
        of the message that brought it does.
        """
        path, column = tree.path(held.digest_key, key), tree.column(held.digest_key, key)
        row = self.cache.row(held.id, path, column)
        if row is None or row.sealed is None:
            return False
        self._stage(held).minus(path, row.digest)
        self.cache.put_rows(held.id, [Row(column, path, row.seq, b"", None)])
        seen(held, key, None)
        return True

    def _written(
        self,
        held: Instance,
        span: Span,
        chosen: list[tuple[Place, Record]],
        staged: _Staged,
        before: dict[Place, tuple[int, bytes]],
        seen: Seen,
    ) -> int:
        """Writes a range's records; how many. The way on which a first fill spends its time."""
        rows: list[Columns] = []
        highest = staged.seq
        close = self.buckets.closing(held.id, held.name)
        for (path, column), record in chosen:
            key, seq, body = record.key, record.seq, record.body
            if (path, column) in before:
                staged.minus(path, before[path, column][1])
            if body is None:
                if not span.since:
                    continue  # a range of all that lives has no tombstones
                rows.append((held.id, path, column, seq, b"", None))
            else:
                digest = tree.digest_bytes(held.digest_key, held.collection, key, seq, tree.body_hash(body))
                rows.append((held.id, path, column, seq, digest, close(path, column, seq, key, body)))
                staged.plus(path, digest)
            highest = max(highest, seq)
            seen(held, key, body)
        staged.seq = highest
        self.cache.put_columns(rows)
        return len(rows)

    def raise_floor(self, held: Instance, first: bytes, last: bytes, as_of: int) -> None:
        """HQ said all of these nodes as of `as_of`, inside of a transaction."""
        self._stage(held)
        first, last = bounds(first, last)
        self.cache.raise_floor(held.id, kept(first, last), as_of)
        held.floors.raise_(first, last, as_of)

    def _stage(self, held: Instance) -> _Staged:
        return self._staged.setdefault(held.name, _Staged(held.seq))

    def _row(self, held: Instance, column: bytes, path: bytes, record: Record) -> Row:
        if record.body is None:
            return Row(column, path, record.seq, b"", None)
        digest = tree.digest_bytes(
            held.digest_key, held.collection, record.key, record.seq, tree.body_hash(record.body)
        )
        sealed = self.buckets.close_row(held.id, held.name, column, path, record.seq, record.key, record.body)
        return Row(column, path, record.seq, digest, sealed)

    def open(self, held: Instance, row: Row) -> tuple[bytes, bytes]:
        """Key and body of a live row. Raises: CacheError, CORRUPT where it is not the one that was written there."""
        assert row.sealed is not None  # asked for live rows only
        return self.buckets.open_row(held.id, held.name, row.key_column, row.path, row.seq, row.sealed)


def _plus(node: Node, digest: bytes) -> Node:
    return node.plus(int.from_bytes(digest, "little")) if digest else node


def _joined(nodes: Iterable[Node]) -> Node:
    found = Node()
    for node in nodes:
        found = found.join(node)
    return found
