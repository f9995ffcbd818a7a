"""What HQ learned of shoppers' habits, as the bodies of the `affinity` collection: tables, no person, no program.

One `Affinity` is packed (CBOR by `wire.schema`, then zlib), cut into parts and published by their names: the head says
how many parts there are and the SHA-256 of them all, so that parts of two versions are never read as one.

    head = {0: format, 1: parts, 2: size in bytes, 3: SHA-256}        in the part `tables`
    tables-0001 … tables-9999                                         the packed bytes, in order

Columns are little-endian byte strings; their lengths, indices and numbers are checked here, so that whoever holds an
`Affinity` need not. Refused above all: a cluster of fewer than `LEAST_CLUSTER` people.

Pure: no I/O, no clock.
"""

import hashlib
import math
import sys
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from wire import schema
from wire.errors import Reason, WireError
from wire.limits import MAX_BODY_BYTES
from wire.schema import Count, Range, Size, exactly

FORMAT = 1
HEAD = "tables"
LEAST_CLUSTER = 20  # people; of fewer a table could be read back into baskets (disclosure 5)
MAX_PARTS = 1000
MAX_TABLES_BYTES = 48 * 2**20
MAX_ITEMS = 65_535
ITEM_COLUMNS = 4  # popularity, popularity of late, probability to be bought again, usual gap in days
MONTHS = 12
MAX_TREES = 256
MAX_FEATURES = 64

_Column = Annotated[bytes, Size(0, 32 * 2**20)]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each row some items with a weight, which is the entry's `weights` times the row's `scales`.

    `counts` u8 a row, `items` u16 and `weights` u8 an entry, `scales` f32 a row.
    """

    counts: _Column
    items: _Column
    weights: _Column
    scales: _Column

    def __repr__(self) -> str:
        return f"Neighbours({len(self.counts)} rows, {len(self.weights)} entries)"


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees: `roots` u16 a tree; a node is `features` i8 (-1: a leaf), `values` f32 (a threshold, or what the
    leaf adds) and two u16 `children`, the first for values up to the threshold; children stand behind their parent.
    """

    roots: _Column
    features: _Column
    values: _Column
    children: _Column


@dataclass(frozen=True, slots=True)
class Affinity:
    """All tables. `dated`: they know of days; otherwise only the order of baskets counts.

    `knobs` f32: decays and blends, as `consent.suggest.model` names them. `columns` f32, `ITEM_COLUMNS` an item;
    `seasons` u8, 12 an item or none at all (128: as all year, 16 steps double). `goes_with` has a row an item,
    `clusters` a row a cluster, `sizes` u32 the people behind each cluster, rounded down. `linear` f32: the intercept,
    then a coefficient a feature.
    """

    format: Annotated[int, Range(FORMAT, FORMAT)]
    dated: bool
    names: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(MAX_ITEMS)]
    knobs: _Column
    columns: _Column
    seasons: _Column
    goes_with: Neighbours
    clusters: Neighbours
    sizes: _Column
    linear: _Column
    trees: Trees

    def __repr__(self) -> str:
        return f"Affinity({len(self.names)} items, {len(self.sizes) // 4} clusters)"


@dataclass(frozen=True, slots=True)
class _Head:
    format: Annotated[int, Range(FORMAT, FORMAT)]
    parts: Annotated[int, Range(1, MAX_PARTS)]
    size_bytes: Annotated[int, Range(1, MAX_TABLES_BYTES)]  # of the packed bytes
    digest: Annotated[bytes, exactly(32)]


def encode(affinity: Affinity) -> dict[str, bytes]:
    """The parts by name, each of at most `MAX_BODY_BYTES`.

    Raises:
        WireError: what `decode` would refuse, or too large.
    """
    check(affinity)
    plain = schema.encode(affinity)
    packed = zlib.compress(plain, 9)
    if len(plain) > MAX_TABLES_BYTES or len(packed) > MAX_PARTS * MAX_BODY_BYTES:
        raise WireError(Reason.SIZE, f"at most {MAX_TABLES_BYTES} bytes of tables")
    cut = [packed[start : start + MAX_BODY_BYTES] for start in range(0, len(packed), MAX_BODY_BYTES)]
    head = _Head(FORMAT, len(cut), len(packed), hashlib.sha256(packed).digest())
    return {HEAD: schema.encode(head), **{part_name(number): body for number, body in enumerate(cut, 1)}}


def part_name(number: int) -> str:
    """The name of the part of that number, from 1."""
    return f"{HEAD}-{number:04d}"


def decode(part: Callable[[str], bytes | None]) -> Affinity | None:
    """The tables from their parts; None: there are none.

    Raises:
        WireError: a part is missing or of another version (keep what you have and ask again), or refused.
    """
    told = part(HEAD)
    if told is None:
        return None
    head = schema.decode(_Head, told)
    bodies = [part(part_name(number)) for number in range(1, head.parts + 1)]
    packed = b"".join(body for body in bodies if body is not None)
    if len(packed) != head.size_bytes or hashlib.sha256(packed).digest() != head.digest:
        raise WireError(Reason.SIGNATURE, "all parts of one version")
    affinity = schema.decode(Affinity, _unpacked(packed))
    check(affinity)
    return affinity


def version(parts: Callable[[str], bytes | None]) -> str | None:
    """16 hexadecimal digits that name the version of the tables, from their head alone; None: there are none.

    Raises:
        WireError: no head.
    """
    told = parts(HEAD)
    return None if told is None else schema.decode(_Head, told).digest.hex()[:16]


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(packed, MAX_TABLES_BYTES)
    except zlib.error as error:
        raise WireError(Reason.CBOR, "zlib") from error
    if not unpacking.eof or unpacking.unused_data:
        raise WireError(Reason.SIZE, f"one whole stream of at most {MAX_TABLES_BYTES} bytes")
    return plain


def floats(column: bytes) -> "array[float]":
    """A column of f32. Raises: WireError."""
    made = array("f")
    made.frombytes(_whole(column, 4))
    if sys.byteorder == "big":
        made.byteswap()
    return made


def shorts(column: bytes) -> "array[int]":
    """A column of u16. Raises: WireError."""
    return _numbers("H", column)


def words(column: bytes) -> "array[int]":
    """A column of u32. Raises: WireError."""
    return _numbers("I", column)


def column(kind: str, numbers: "array[int] | array[float] | list[int] | list[float]") -> bytes:
    """The bytes of a column of the `array` kind "f", "H" or "I". Raises: OverflowError."""
    made = array(kind, numbers)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def _numbers(kind: str, column: bytes) -> "array[int]":
    made: array[int] = array(kind)
    made.frombytes(_whole(column, made.itemsize))
    if sys.byteorder == "big":
        made.byteswap()
    return made


def _whole(column: bytes, size_bytes: int) -> bytes:
    _need(len(column) % size_bytes == 0, "columns of whole numbers")
    return column


def check(affinity: Affinity) -> None:
    """That columns fit each other, indices point at something and numbers are finite. Raises: WireError."""
    items = len(affinity.names)
    sizes = words(affinity.sizes)
    _need(len(set(affinity.names)) == items, "each item once")
    _need(len(affinity.columns) == items * ITEM_COLUMNS * 4, "a row of columns an item")
    _need(len(affinity.seasons) in (0, items * MONTHS), "twelve months an item, or none")
    _need(len(affinity.linear) <= 4 * (1 + MAX_FEATURES), f"at most {MAX_FEATURES} features")
    _need(all(size >= LEAST_CLUSTER for size in sizes), f"clusters of at least {LEAST_CLUSTER} people")
    for told in (affinity.knobs, affinity.columns, affinity.linear):
        _finite(floats(told))
    _check_rows(affinity.goes_with, items, items)
    _check_rows(affinity.clusters, len(sizes), items)
    _check_trees(affinity.trees)


def _check_rows(table: Neighbours, rows: int, items: int) -> None:
    entries = sum(table.counts)
    _need(len(table.counts) == rows and len(table.scales) == rows * 4, "a count and a scale a row")
    _need(len(table.items) == entries * 2 and len(table.weights) == entries, "an item and a weight an entry")
    _need(max(shorts(table.items), default=-1) < items, "items that are named")
    _finite(floats(table.scales))


def _check_trees(trees: Trees) -> None:
    nodes = len(trees.features)
    children = shorts(trees.children)
    features = array("b", trees.features)
    _need(nodes <= MAX_ITEMS, "nodes that 16 bits number")
    _need(len(trees.roots) <= 2 * MAX_TREES, f"at most {MAX_TREES} trees")
    _need(len(trees.values) == nodes * 4 and len(children) == nodes * 2, "a value and two children a node")
    _need(all(root < nodes for root in shorts(trees.roots)), "roots that are nodes")
    _finite(floats(trees.values))
    for node, feature in enumerate(features):
        _need(-1 <= feature < MAX_FEATURES, "features that there are")
        inner = feature >= 0
        behind = node < children[2 * node] < nodes and node < children[2 * node + 1] < nodes
        _need(behind if inner else children[2 * node] == children[2 * node + 1] == 0, "children behind their parent")


def _finite(numbers: "array[float]") -> None:
    _need(all(map(math.isfinite, numbers)), "finite numbers")


def _need(right: bool, expected: str) -> None:
    if not right:
        raise WireError(Reason.SHAPE, f"expected {expected}")
