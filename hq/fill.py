"""Answers a wanted node of an instance's tree: by its children, or by the range of its records.

I/O: sqlalchemy; reads within the caller's snapshot, which also gave the instance's seq.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from hq.records import Instance
from hq.tables import records
from wire import tree
from wire.sync import Child, Children, Record, RecordRange, Wanted


def answer_node(connection: Connection, found: Instance, wanted: Wanted) -> list[Children] | list[RecordRange]:
    """One `children`, or a `range` in one part or more, as of the instance's seq in this snapshot."""
    prefix = wanted.first
    if wanted.first != wanted.last:
        return list(_span(connection, found, wanted))
    live = _below(found, prefix)
    size = select(func.count(), func.coalesce(func.sum(func.length(records.c.body)), 0)).where(*live)
    count, size_bytes = connection.execute(size).one()
    if len(prefix) == tree.MAX_PREFIX_BYTES or (count <= tree.RANGE_RECORDS and size_bytes <= tree.RANGE_BYTES):
        return list(_range(connection, found, replace(wanted, since=0), live))
    nodes: dict[int, tree.Node] = defaultdict(tree.Node)
    columns = select(records.c.key, records.c.path, records.c.seq, records.c.body_hash).where(*live)
    for row in connection.execute(columns.execution_options(yield_per=2000)):
        digest = tree.digest(found.digest_key, found.collection, row.key, row.seq, row.body_hash)
        byte = row.path[len(prefix)]
        nodes[byte] = nodes[byte].plus(digest)
    children = tuple(Child(byte, node.root, node.count) for byte, node in sorted(nodes.items()))
    return [Children(found.name, prefix, found.seq, children)]


def _span(connection: Connection, found: Instance, wanted: Wanted) -> Iterator[RecordRange]:
    """As many whole two-byte nodes as fit into one range; where not even the first one does, it alone, in parts."""
    wide = [
        records.c.instance == found.id,
        records.c.path >= wanted.first.ljust(tree.PATH_BYTES, b"\x00"),
        records.c.path <= wanted.last.ljust(tree.PATH_BYTES, b"\xff"),
    ]
    which = records.c.seq > wanted.since if wanted.since else records.c.body.is_not(None)
    columns = select(records.c.path, records.c.key, records.c.seq, records.c.body).where(*wide, which)
    fitting: list[tuple[bytes, Record]] = []
    size_bytes, next_node = 0, None
    for row in connection.execute(columns.order_by(records.c.path).limit(tree.SPAN_RECORDS + 1)):
        size_bytes += len(row.key) + len(row.body or b"") + tree.RECORD_BYTES
        if size_bytes > tree.SPAN_BYTES or len(fitting) == tree.SPAN_RECORDS:
            next_node = row.path[: tree.MAX_PREFIX_BYTES]
            break
        fitting.append((row.path[: tree.MAX_PREFIX_BYTES], Record(row.key, row.seq, row.body)))
    last = wanted.last
    if next_node is not None:
        fitting = [one for one in fitting if one[0] != next_node]
        if not fitting:
            upto = records.c.path <= next_node.ljust(tree.PATH_BYTES, b"\xff")
            yield from _range(connection, found, replace(wanted, last=next_node), [*wide, upto, which])
            return
        last = fitting[-1][0]
    chosen = tuple(record for _, record in fitting)
    yield RecordRange(found.name, wanted.first, last, wanted.since, found.seq, 1, 1, chosen)


def _below(found: Instance, prefix: bytes) -> list[ColumnElement[Any]]:
    conditions = [records.c.instance == found.id, records.c.body.is_not(None)]
    if prefix:
        conditions.append(records.c.path >= prefix.ljust(tree.PATH_BYTES, b"\x00"))
        conditions.append(records.c.path <= prefix.ljust(tree.PATH_BYTES, b"\xff"))
    return conditions


def _range(
    connection: Connection, found: Instance, wanted: Wanted, live: list[ColumnElement[Any]]
) -> Iterator[RecordRange]:
    columns = select(records.c.key, records.c.seq, records.c.body).where(*live).order_by(records.c.path, records.c.key)
    parts: list[list[Record]] = [[]]
    size_bytes = 0
    for row in connection.execute(columns):
        length = len(row.body or b"")
        over = size_bytes + length > tree.RANGE_BYTES or len(parts[-1]) >= tree.RANGE_RECORDS
        if parts[-1] and over:
            parts.append([])
            size_bytes = 0
        parts[-1].append(Record(row.key, row.seq, row.body))
        size_bytes += length
    for number, part in enumerate(parts, 1):
        yield RecordRange(
            found.name, wanted.first, wanted.last, wanted.since, found.seq, number, len(parts), tuple(part)
        )
