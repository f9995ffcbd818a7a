"""Keeps the store's rows in one SQLite file by one connection; whatever is personal in them is sealed already.

WAL, synchronous=FULL, secure_delete=ON, and the file is locked for this process alone. A `transaction` is kept whole or
not at all, over a power cut too. Every failure is a CacheError, after which the file holds what it held before.

I/O: sqlite3, with `store_gateway.cache_schema`.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from store_gateway.cache_schema import INCARNATION_BYTES, Header, InstanceRow, Row, columns, migrate
from store_gateway.errors import CacheError, CacheReason
from wire.tree import PATH_BYTES, Node

MAX_SEQ = 2**63 - 1  # SQLite's integers are signed: generations up to 32,767
_BUSY_S = 1.0
_WAL_BYTES: Final = 16 * 1024 * 1024
_SLICE = 512

# As the rows lie in the file: by an index each of many small ones would be another page.
_BY_ROWID = """select rowid, key_column, path, seq, digest, sealed from records not indexed
    where rowid > ? and instance = ? and sealed is not null order by rowid limit ?"""
# Past the rows of other instances.
_BY_KEY = """select key_column, key_column, path, seq, digest, sealed from records
    where key_column > ? and instance = ? and sealed is not null order by key_column limit ?"""

# Result codes of SQLite (sqlite.org/rescode.html), the low byte of an extended code.
_REASONS: Final = {
    sqlite3.SQLITE_FULL: CacheReason.DISK_FULL,
    sqlite3.SQLITE_BUSY: CacheReason.IN_USE,
    sqlite3.SQLITE_LOCKED: CacheReason.IN_USE,
    sqlite3.SQLITE_CORRUPT: CacheReason.CORRUPT,
    sqlite3.SQLITE_NOTADB: CacheReason.CORRUPT,
    sqlite3.SQLITE_CONSTRAINT: CacheReason.CORRUPT,
    sqlite3.SQLITE_MISMATCH: CacheReason.CORRUPT,
    sqlite3.SQLITE_FORMAT: CacheReason.CORRUPT,
}


@contextmanager
def _mapped() -> Iterator[None]:
    """Foreign exceptions become ours here and nowhere else."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        raise CacheError(_REASONS.get((code or 0) & 0xFF, CacheReason.IO)) from error
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise CacheError(CacheReason.DISK_FULL if is_full else CacheReason.IO) from error


class Cache:
    """The open file."""

    __slots__ = ("_connection", "_db", "_tables", "header")

    def __init__(self, file: Path, entropy: Callable[[int], bytes]) -> None:
        """Opens the file, or makes one with a new incarnation.

        Raises: CacheError; the file is then as it was.
        """
        with _mapped():
            os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            # The state thread alone uses the connection, but the main thread may open it.
            self._connection = sqlite3.connect(file, timeout=_BUSY_S, check_same_thread=False)
            try:
                self._open(entropy)
            except BaseException:
                self._connection.close()
                raise

    def _open(self, entropy: Callable[[int], bytes]) -> None:
        # EXCLUSIVE before WAL: one process, and no index file in shared memory.
        for pragma in (
            "locking_mode=EXCLUSIVE",
            "secure_delete=ON",
            "temp_store=MEMORY",
            f"journal_size_limit={_WAL_BYTES}",
            "journal_mode=WAL",
            "synchronous=FULL",
        ):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._db, self._tables = migrate(self._connection)
        rows = list(self._tables["header"].rows)
        if not rows:
            self._tables["header"].insert({"id": 1, **columns(Header(entropy(INCARNATION_BYTES)))})
            rows = list(self._tables["header"].rows)
        self.header = Header(**{name: value for name, value in rows[0].items() if name != "id"})
        if len(self.header.incarnation) != INCARNATION_BYTES:
            raise CacheError(CacheReason.CORRUPT)

    def close(self) -> None:
        """Ends the use of the file."""
        with _mapped():
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is kept together, or none of it. Raises: CacheError."""
        before = self.header
        try:
            with _mapped(), self._db.atomic():
                yield
        except BaseException:
            self.header = before
            raise

    def put_header(self, header: Header) -> None:
        """Replaces the header, alone or as part of a transaction."""
        with _mapped():
            self._tables["header"].update(1, columns(header))
        self.header = header

    # --- instances -------------------------------------------------------------------------------------------------

    def instances(self) -> tuple[InstanceRow, ...]:
        """All instances held."""
        with _mapped():
            return tuple(InstanceRow(**row) for row in self._tables["instances"].rows_where(order_by="id"))

    def add_instance(self, name: str, sealed_digest_key: bytes) -> InstanceRow:
        """A new, empty instance."""
        with _mapped():
            last = max((row["id"] for row in self._tables["instances"].rows_where(select="id")), default=0)
            row = InstanceRow(last + 1, name, sealed_digest_key, Node().root, 0, 0, 0)
            self._tables["instances"].insert(columns(row))
            return row

    def put_instance(self, instance: int, root: bytes, count: int, seq: int) -> None:
        """What the instance's rows amount to now."""
        with _mapped():
            self._tables["instances"].update(instance, {"root": root, "count": count, "seq": seq})

    def drop_instance(self, instance: int) -> None:
        """Erases an instance with all that belongs to it."""
        with self.transaction():
            for name in ("records", "floors", "buckets"):
                self._tables[name].delete_where("instance = ?", [instance])
            self._tables["instances"].delete_where("id = ?", [instance])

    def bucket(self, instance: int, bucket: int) -> tuple[int, bytes] | None:
        """Version and wrapped key of a bucket."""
        with _mapped():
            rows = self._tables["buckets"].rows_where("instance = ? and bucket = ?", [instance, bucket])
            return next(((row["version"], row["wrapped"]) for row in rows), None)

    def add_bucket(self, instance: int, bucket: int, version: int, wrapped: bytes) -> None:
        """Keeps a new bucket's wrapped key."""
        with _mapped():
            self._tables["buckets"].insert(
                {"instance": instance, "bucket": bucket, "version": version, "wrapped": wrapped}
            )

    # --- records ---------------------------------------------------------------------------------------------------

    def row(self, instance: int, key_column: bytes) -> Row | None:
        """The record with this key column."""
        # Raw: the hot read; rows_where looks the table up in the schema and makes a dict each time.
        with _mapped():
            found = self._connection.execute(
                "select key_column, path, seq, digest, sealed from records where instance = ? and key_column = ?",
                (instance, key_column),
            ).fetchone()
        return None if found is None else Row(*found)

    def rows_below(self, instance: int, prefix: bytes) -> list[Row]:
        """All records whose path begins with `prefix`, without their bodies."""
        # Raw: as `row`.
        with _mapped():
            return [
                Row(key_column, path, seq, digest, None)
                for key_column, path, seq, digest in self._connection.execute(
                    "select key_column, path, seq, digest from records where instance = ? and path between ? and ?",
                    (instance, prefix, prefix.ljust(PATH_BYTES, b"\xff")),
                )
            ]

    def digests(self, instance: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(path, digest) of all records below a prefix, tombstones too; to be read to the end before another call."""
        # Raw: as `row`; a whole instance is walked through.
        with _mapped():
            yield from self._connection.execute(
                "select path, digest from records where instance = ? and path between ? and ?",
                (instance, prefix, prefix.ljust(PATH_BYTES, b"\xff")),
            )

    def slices(self, instance: int, *, large: bool) -> Iterator[list[Row]]:
        """All live records of an instance, some at a time; other calls may come between two slices.

        large: there are some thousand of kilobytes each, and not many small ones.
        """
        # Raw: as `row`.
        asked, after, most = (_BY_KEY, b"", 16) if large else (_BY_ROWID, 0, _SLICE)
        while True:
            with _mapped():
                found = self._connection.execute(asked, (after, instance, most)).fetchall()
            if not found:
                return
            after = found[-1][0]
            yield [Row(*columns) for _, *columns in found]

    def put_rows(self, instance: int, rows: Iterable[Row]) -> None:
        """Writes records, each in the place of what was held for its key column."""
        with _mapped():
            self._tables["records"].upsert_all(
                ({"instance": instance, **columns(row)} for row in rows), pk=("instance", "key_column")
            )

    def erase_rows(self, instance: int, key_columns: Iterable[bytes]) -> None:
        """Erases records; no tombstone stays."""
        with _mapped():
            for key_column in key_columns:
                self._tables["records"].delete_where("instance = ? and key_column = ?", [instance, key_column])

    # --- floors ----------------------------------------------------------------------------------------------------

    def floor(self, instance: int, path: bytes) -> int:
        """The highest floor of the ranges that hold a path; the whole instance's is in its own row."""
        # Raw: asked for every record that arrives.
        with _mapped():
            found = self._connection.execute(
                "select max(as_of) from floors where instance = ? and prefix in (?, ?, ?)",
                (instance, b"", path[:1], path[:2]),
            ).fetchone()
        return found[0] or 0

    def floor_around(self, instance: int, prefix: bytes) -> int:
        """The highest floor of the ranges above, at or below a prefix: a range older than any of them would undo it."""
        # Raw: sqlite-utils has no aggregates.
        with _mapped():
            found = self._connection.execute(
                "select max(as_of) from floors where instance = ? and (prefix in (?, ?, ?) or prefix between ? and ?)",
                (instance, b"", prefix[:1], prefix[:2], prefix, prefix.ljust(PATH_BYTES, b"\xff")),
            ).fetchone()
        return found[0] or 0

    def raise_floors(self, instance: int, prefixes: Iterable[bytes], as_of: int) -> None:
        """From now on nothing at or below `as_of` counts below these prefixes; a floor never sinks."""
        # Raw: an upsert of sqlite-utils sets a value, it cannot keep the greater one.
        with _mapped():
            self._connection.executemany(
                "insert into floors (instance, prefix, as_of) values (?, ?, ?)"
                " on conflict (instance, prefix) do update set as_of = max(as_of, excluded.as_of)",
                [(instance, prefix, as_of) for prefix in prefixes],
            )

    def settle(self, instance: int, as_of: int) -> None:
        """Roots agreed as of `as_of`: it is the whole instance's floor, and its tombstones up to there go."""
        with self.transaction():
            self._tables["instances"].update(instance, {"floor": as_of})
            self._tables["floors"].delete_where("instance = ? and as_of <= ?", [instance, as_of])
            self._tables["records"].delete_where("instance = ? and sealed is null and seq <= ?", [instance, as_of])

    # --- the outbox --------------------------------------------------------------------------------------------------

    def outbox_sizes(self, through: int = MAX_SEQ) -> dict[int, int]:
        """The bytes of the events up to a number, by kind."""
        # Raw: sqlite-utils has no aggregates.
        with _mapped():
            return dict(
                self._connection.execute(
                    "select kind, sum(size) from outbox where number <= ? group by kind", (through,)
                ).fetchall()
            )

    def outbox_size(self, number: int) -> int:
        """The bytes of one event."""
        with _mapped():
            return int(self._tables["outbox"].get(number)["size"])

    def oldest_events(self, kind: int, most: int) -> list[tuple[int, int]]:
        """(number, bytes) of the oldest events of a kind."""
        with _mapped():
            rows = self._tables["outbox"].rows_where(
                "kind = ?", [kind], select="number, size", order_by="number", limit=most
            )
            return [(row["number"], row["size"]) for row in rows]

    def has_leaf_without_event(self) -> bool:
        """Whether the log has a leaf whose disclosure is not in the outbox."""
        with _mapped():
            lone = self._tables["log"].rows_where("number not in (select number from outbox)", select="number", limit=1)
            return next(iter(lone), None) is not None

    # --- what only this store writes ---------------------------------------------------------------------------------

    def local(self, table: str, where: str | None = None, *where_args: Any, limit: int | None = None) -> list[Any]:
        """Rows of a table that only this store writes, as dicts, by their key ascending."""
        with _mapped():
            order = self._tables[table].pks[0]
            return list(self._tables[table].rows_where(where, list(where_args), order_by=order, limit=limit))

    def put_local(self, table: str, row: Mapping[str, Any]) -> None:
        """Writes one row of such a table."""
        with _mapped():
            self._tables[table].upsert(dict(row), pk=self._tables[table].pks[0])

    def erase_local(self, table: str, where: str, *where_args: Any) -> None:
        """Erases rows of such a table."""
        with _mapped():
            self._tables[table].delete_where(where, list(where_args))
