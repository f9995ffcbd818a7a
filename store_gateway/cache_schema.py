"""What the cache file holds: its tables, step by step as they came to be, and its rows as dataclasses.

A step is never changed once released; whoever needs another column or table adds a further step at the end. A file of
any earlier step opens and works.

I/O: sqlite_utils; its only importer.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from store_gateway.errors import CacheError, CacheReason
from store_gateway.without import without
from wire.tree import MAX_PREFIX_BYTES, Node

with without("numpy"):  # 20 MB, to know its types; only the child of `build_table` is to have it
    from sqlite_utils import Database
    from sqlite_utils.db import Table
    from sqlite_utils.migrations import Migrations

INCARNATION_BYTES = 16
_LARGE_BYTES = 128 * 1024 * 1024
TABLES: Final = (
    "header",
    "instances",
    "buckets",
    "records",
    "floors",
    "outbox",
    "denies",
    "tablets",
    "good",
    "log",
    "log_state",
    "let_go",
    "pins",
    "certificate",
    "memories",
)

migrations = Migrations("store_gateway.cache")

_TREE = """
create table placed (
    instance integer not null, path blob not null, key_column blob not null, seq integer not null,
    digest blob not null, sealed blob, primary key (instance, path, key_column)
) strict, without rowid;
insert into placed (instance, path, key_column, seq, digest, sealed)
    select instance, path, key_column, seq, digest, sealed from records order by instance, path, key_column;
drop table records;
alter table placed rename to records;
create index tombstones on records (instance, seq) where sealed is null;
create table nodes (
    instance integer not null, depth integer not null, prefix blob not null, digest blob not null,
    count integer not null, primary key (instance, depth, prefix)
) strict, without rowid
"""


@migrations(name="0001_first")
def _first(db: Database) -> None:
    """The first schema."""
    for name, of, pk, may_be_null in (
        (
            "header",  # one row, unsealed: what is needed before the unlock
            {
                "id": int,
                "incarnation": bytes,
                "ticket": bytes,
                "key_check": bytes,
                "key_set": bytes,
                "trusted_ms": int,
                "last_event": int,
            },
            "id",
            (),
        ),
        (
            "instances",  # seq: the highest applied; floor: of the whole instance
            {
                "id": int,
                "name": str,
                "digest_key": bytes,
                "root": bytes,
                "count": int,
                "seq": int,
                "floor": int,
            },
            "id",
            (),
        ),
        ("buckets", {"instance": int, "bucket": int, "version": int, "wrapped": bytes}, ("instance", "bucket"), ()),
        (
            "records",  # sealed: nonce ‖ (u8 length ‖ key ‖ body); null in a tombstone, whose digest is empty
            {"instance": int, "key_column": bytes, "path": bytes, "seq": int, "digest": bytes, "sealed": bytes},
            ("instance", "key_column"),
            ("sealed",),
        ),
        ("floors", {"instance": int, "prefix": bytes, "as_of": int}, ("instance", "prefix"), ()),
        ("outbox", {"number": int, "sealed": bytes}, "number", ()),
        ("denies", {"number": int, "sealed": bytes}, "number", ()),
        ("tablets", {"id": str, "secret_hash": bytes, "sealed": bytes}, "id", ()),
        ("good", {"name": str, "sealed": bytes}, "name", ()),  # the last good policy bodies
    ):
        _table(db, name).create(of, pk=pk, not_null=[column for column in of if column not in may_be_null], strict=True)
    _table(db, "instances").create_index(["name"], unique=True)
    _table(db, "records").create_index(["instance", "path"])
    _table(db, "tablets").create_index(["secret_hash"], unique=True)


@migrations(name="0002_tree")
def _tree(db: Database) -> None:
    """The nodes of the digest trees, and the rows as they lie in the tree: by path, in one b-tree without rowid.

    A fill then appends, a range is read from neighbouring pages, and no index beside it is written.
    """
    for statement in _TREE.split(";"):
        db.execute(statement)  # sqlite-utils has no words for a table without rowid
    nodes: dict[tuple[int, bytes], Node] = {}
    for instance, path, digest in db.execute("select instance, path, digest from records where sealed is not null"):
        for depth in range(1, MAX_PREFIX_BYTES + 1):
            place = instance, path[:depth]
            nodes[place] = nodes.get(place, Node()).plus(int.from_bytes(digest, "little"))
    db.conn.executemany(
        "insert into nodes (instance, depth, prefix, digest, count) values (?, ?, ?, ?, ?)",
        ((instance, len(prefix), prefix, node.root, node.count) for (instance, prefix), node in nodes.items()),
    )


@migrations(name="0003_epochs")
def _epochs(db: Database) -> None:
    """Keys that are wrapped anew: which epoch wraps each, and the next version's key while a bucket is re-sealed.

    What an older file holds is wrapped by epoch 1.
    """
    buckets = _table(db, "buckets")
    buckets.add_column("epoch", int, not_null_default=1)
    buckets.add_column("next", bytes)
    _table(db, "epochs").create(
        {"number": int, "check_value": bytes}, pk="number", not_null=["number", "check_value"], strict=True
    )
    _table(db, "done").create(  # sealed: the result; until_ms: the order's not_after
        {"id": bytes, "outcome": int, "until_ms": int, "sealed": bytes},
        pk="id", not_null=["id", "outcome", "until_ms"], strict=True,
    )  # fmt: skip
    db.execute("insert into epochs (number, check_value) select 1, key_check from header where key_check != x''")


@migrations(name="0004_log")
def _log(db: Database) -> None:
    """The log of disclosures, and what the outbox needs to let go and to erase without opening rows.

    Rows that are there already get kind 0 until the next unlock gives them theirs.
    """
    outbox = _table(db, "outbox")
    outbox.add_column("kind", int, not_null_default=0)
    outbox.add_column("size", int, not_null_default=0)  # bytes, with what the row costs besides
    outbox.add_column("who", bytes)  # a keyed tag of the member
    outbox.create_index(["kind", "number", "size"])
    outbox.create_index(["who"])
    for name, of, pk in (
        ("log", {"number": int, "leaf": bytes}, "number"),  # of the disclosures that wait in the outbox
        ("log_state", {"name": str, "sealed": bytes}, "name"),
        ("let_go", {"kind": int, "count": int}, "kind"),
    ):
        _table(db, name).create(of, pk=pk, not_null=list(of), strict=True)
    db.execute("update outbox set size = length(sealed)")  # sqlite-utils has no words for it


@migrations(name="0005_erased")
def _erased(db: Database) -> None:
    """Of an order to erase, the column of the member's record: an HQ that forgot the erasure is told by it."""
    _table(db, "done").add_column("erased", bytes)


@migrations(name="0006_pins")
def _pins(db: Database) -> None:
    """PINs that were set in the store, until HQ's record of the associate has them."""
    columns_of = {"number": int, "sealed": bytes}
    _table(db, "pins").create(columns_of, pk="number", not_null=list(columns_of), strict=True)


@migrations(name="0007_certificate")
def _certificate(db: Database) -> None:
    """The certificate for tablets that HQ delivered, under a key of the box's secret alone; one row at most."""
    columns_of = {"id": int, "sealed": bytes}
    _table(db, "certificate").create(columns_of, pk="id", not_null=list(columns_of), strict=True)


@migrations(name="0008_memories")
def _memories(db: Database) -> None:
    """What became of suggestions, a row for each member, under a keyed tag."""
    columns_of = {"who": bytes, "sealed": bytes}
    _table(db, "memories").create(columns_of, pk="who", not_null=list(columns_of), strict=True)


def _table(db: Database, name: str) -> Table:
    found = db[name]
    assert isinstance(found, Table)  # there are no views
    return found


@dataclass(frozen=True, slots=True, repr=False)
class Header:
    """What the cache says before it is unlocked. Empty bytes: not there yet; `trusted_ms` 0: no time yet."""

    incarnation: bytes
    ticket: bytes = b""
    key_check: bytes = b""
    key_set: bytes = b""  # signed by HQ's root, newer than the file of provisioning
    trusted_ms: int = 0
    last_event: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class InstanceRow:
    """One instance as the file holds it; `digest_key` sealed, `root` 16 bytes little endian."""

    id: int
    name: str
    digest_key: bytes
    root: bytes
    count: int
    seq: int
    floor: int


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One record as the file holds it; `sealed` None and `digest` empty: a tombstone."""

    key_column: bytes
    path: bytes
    seq: int
    digest: bytes
    sealed: bytes | None


_STEPS: Final = {one.name for one in migrations._migrations}


def migrate(connection: sqlite3.Connection) -> tuple[Database, dict[str, Table]]:
    """Brings an open file to the newest step; its tables by name.

    Raises: CacheError, NEWER where a later version wrote it, CORRUPT where it is not sound; the file is then as it was.
    """
    db = Database(connection, execute_plugins=False)
    known = {one.name for one in migrations.pending(db)} | {one.name for one in migrations.applied(db)}
    if known != _STEPS:
        raise CacheError(CacheReason.NEWER)
    if not _is_sound(connection, db.table_names()):
        raise CacheError(CacheReason.CORRUPT)
    migrations.apply(db)
    return db, {name: _table(db, name) for name in TABLES}


def _is_sound(connection: sqlite3.Connection, tables: list[str]) -> bool:
    """Whether SQLite finds the file's structure whole; of a large one all but the records.

    Those are most of it, would take a box many seconds before it serves, and are proved row by row later.
    """
    (pages,), (page_bytes,) = (connection.execute(f"PRAGMA {one}").fetchone() for one in ("page_count", "page_size"))
    small = pages * page_bytes <= _LARGE_BYTES
    checks = (
        ["PRAGMA quick_check(1)"] if small else [f"PRAGMA quick_check({one})" for one in tables if one != "records"]
    )
    return all(connection.execute(check).fetchone() == ("ok",) for check in checks)


def columns(row: Header | InstanceRow | Row) -> dict[str, Any]:
    """A row's values by column."""
    return {name: getattr(row, name) for name in row.__slots__}
