"""Answers a wanted node of an instance's tree: by its children, or by the range of its records.

A record's body goes from its row into the message with nothing but its seal opened: a first fill is many thousands.

I/O: sqlalchemy; reads within the caller's snapshot, which also gave the instance's seq.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from hq import nodes, records
from hq.custody import SEALED_MORE_BYTES, InstanceKeys
from hq.records import Instance
from hq.tables import records as rows_of
from wire import cbor, schema, tree
from wire.sync import GENERATION, Children, Kind, Wanted

Fields = tuple[bytes, int, bytes | None]  # key, seq, body
_FIELDS = (rows_of.c.key, rows_of.c.seq, rows_of.c.body)
_NODE_BYTES = tree.MAX_PREFIX_BYTES


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A message as its CBOR."""

    kind: Kind
    encoded: bytes


@dataclass(frozen=True, slots=True, repr=False)
class _Source:
    """An instance in a snapshot, and what opens its bodies."""

    connection: Connection
    found: Instance
    keys: InstanceKeys


def answer_node(connection: Connection, found: Instance, wanted: Wanted) -> list[Answer]:
    """`children`, or a `range` in one part or more, as of the instance's seq in this snapshot."""
    since = wanted.since
    if since > found.seq or since // GENERATION != found.generation:
        since = 0  # what the store equalled is no part of what HQ is now
    wide = _between(found, wanted.first, wanted.last, since)
    source = _Source(connection, found, records.keys_of(connection, found))
    if len(wanted.first) == _NODE_BYTES:
        return list(_span(source, wanted, since, wide))
    if since or _live(connection, found, wanted.first) <= tree.RANGE_RECORDS:
        chosen = select(*_FIELDS).where(*wide).limit(tree.RANGE_RECORDS + 1)
        rows: Sequence[Any] = connection.execute(chosen).all()
        if len(rows) <= tree.RANGE_RECORDS and sum(_length(row[2]) for row in rows) <= tree.RANGE_BYTES:
            return [_range(source, wanted.first, wanted.last, since, 1, 1, rows)]
    children = Children(found.name, wanted.first, found.seq, nodes.children(connection, found.id, wanted.first))
    return [Answer(Kind.CHILDREN, schema.encode(children))]


def _length(sealed: bytes | None) -> int:
    """The length of a record's body, as it is told to the store; of a tombstone 0."""
    return len(sealed) - SEALED_MORE_BYTES if sealed is not None else 0


def _live(connection: Connection, found: Instance, prefix: bytes) -> int:
    return nodes.live_below(connection, found.id, prefix) if prefix else found.node.count


def _between(found: Instance, first: bytes, last: bytes, since: int) -> list[ColumnElement[Any]]:
    return [
        rows_of.c.instance == found.id,
        rows_of.c.path >= first.ljust(tree.PATH_BYTES, b"\x00"),
        rows_of.c.path <= last.ljust(tree.PATH_BYTES, b"\xff"),
        # Of what came after `since`, what went too.
        rows_of.c.seq > since if since else rows_of.c.body.is_not(None),
    ]


def _span(source: _Source, wanted: Wanted, since: int, wide: list[ColumnElement[Any]]) -> Iterator[Answer]:
    """As many whole two-byte nodes as fit into one range; where not even the first one does, it alone, in parts."""
    chosen = select(rows_of.c.path, *_FIELDS).where(*wide).order_by(rows_of.c.path)
    fitting: list[tuple[bytes, Fields]] = []
    size_bytes, beyond = 0, None
    for path, key, seq, body in source.connection.execute(chosen.limit(tree.SPAN_RECORDS + 1)):
        size_bytes += len(key) + _length(body) + tree.RECORD_BYTES
        if size_bytes > tree.SPAN_BYTES or len(fitting) == tree.SPAN_RECORDS:
            beyond = path[:_NODE_BYTES]
            break
        fitting.append((path[:_NODE_BYTES], (key, seq, body)))
    if beyond is None:
        yield _range(source, wanted.first, wanted.last, since, 1, 1, [fields for _, fields in fitting])
        return
    while fitting and fitting[-1][0] == beyond:
        fitting.pop()
    if fitting:
        yield _range(source, wanted.first, fitting[-1][0], since, 1, 1, [fields for _, fields in fitting])
        return
    yield from _parts(source, wanted.first, beyond, since)


def _parts(source: _Source, first: bytes, last: bytes, since: int) -> Iterator[Answer]:
    wide = _between(source.found, first, last, since)
    parts: list[list[Fields]] = [[]]
    size_bytes = 0
    chosen = select(*_FIELDS).where(*wide).order_by(rows_of.c.path, rows_of.c.key)
    for key, seq, body in source.connection.execute(chosen):
        length = _length(body)
        if parts[-1] and (size_bytes + length > tree.RANGE_BYTES or len(parts[-1]) >= tree.RANGE_RECORDS):
            parts.append([])
            size_bytes = 0
        parts[-1].append((key, seq, body))
        size_bytes += length
    for number, part in enumerate(parts, 1):
        yield _range(source, first, last, since, number, len(parts), part)


def _range(
    source: _Source, first: bytes, last: bytes, since: int, part: int, parts: int, rows: Sequence[Sequence[Any]]
) -> Answer:
    """The CBOR of a `wire.sync.RecordRange`."""
    found, opened = source.found, source.keys.open
    plain: dict[int, Any] = {
        0: found.name, 1: first, 2: last, 3: since, 4: found.seq, 5: part, 6: parts,
        7: [[key, seq, opened(key, seq, body)] for key, seq, body in rows],
    }  # fmt: skip
    return Answer(Kind.RANGE, cbor.encode(plain))
