"""Answers a wanted node of an instance's tree: by its children, or by the range of its records.

I/O: sqlalchemy; reads within the caller's snapshot, which also gave the instance's seq.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from hq.records import Instance
from hq.tables import records
from wire import tree
from wire.sync import Child, Children, Record, RecordRange


def answer_node(connection: Connection, found: Instance, prefix: bytes) -> list[Children] | list[RecordRange]:
    """One `children`, or a `range` in one part or more, as of the instance's seq in this snapshot."""
    live = _below(found, prefix)
    size = select(func.count(), func.coalesce(func.sum(func.length(records.c.body)), 0)).where(*live)
    count, size_bytes = connection.execute(size).one()
    if len(prefix) == tree.MAX_PREFIX_BYTES or (count <= tree.RANGE_RECORDS and size_bytes <= tree.RANGE_BYTES):
        return list(_range(connection, found, prefix, live))
    nodes: dict[int, tree.Node] = defaultdict(tree.Node)
    columns = select(records.c.key, records.c.path, records.c.seq, records.c.body_hash).where(*live)
    for row in connection.execute(columns.execution_options(yield_per=2000)):
        digest = tree.digest(found.digest_key, found.collection, row.key, row.seq, row.body_hash)
        byte = row.path[len(prefix)]
        nodes[byte] = nodes[byte].plus(digest)
    children = tuple(Child(byte, node.root, node.count) for byte, node in sorted(nodes.items()))
    return [Children(found.name, prefix, found.seq, children)]


def _below(found: Instance, prefix: bytes) -> list[ColumnElement[Any]]:
    conditions = [records.c.instance == found.id, records.c.body.is_not(None)]
    if prefix:
        conditions.append(records.c.path >= prefix.ljust(tree.PATH_BYTES, b"\x00"))
        conditions.append(records.c.path <= prefix.ljust(tree.PATH_BYTES, b"\xff"))
    return conditions


def _range(
    connection: Connection, found: Instance, prefix: bytes, live: list[ColumnElement[Any]]
) -> Iterator[RecordRange]:
    columns = select(records.c.key, records.c.seq, records.c.body).where(*live).order_by(records.c.path, records.c.key)
    parts: list[list[Record]] = [[]]
    size_bytes = 0
    for row in connection.execute(columns):
        over = size_bytes + len(row.body) > tree.RANGE_BYTES or len(parts[-1]) >= tree.RANGE_RECORDS
        if parts[-1] and over:
            parts.append([])
            size_bytes = 0
        parts[-1].append(Record(row.key, row.seq, row.body))
        size_bytes += len(row.body)
    for number, part in enumerate(parts, 1):
        yield RecordRange(found.name, prefix, found.seq, number, len(parts), tuple(part))
