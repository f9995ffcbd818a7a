"""Reads and writes the cache's instances: their rows, the nodes of their digest trees, their floors.

Raw SQL throughout: these are the hot ways, and sqlite-utils has no words for a table without rowid, a range of keys or
an upsert that keeps the greater value.

I/O: sqlite3, on the cache's one connection.
"""

import errno
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from store_gateway.cache_schema import InstanceRow, Row
from store_gateway.errors import CacheError, CacheReason
from wire.tree import DIGEST_BYTES, PATH_BYTES, Node

MAX_SEQ = 2**63 - 1  # SQLite's integers are signed: generations up to 32,767
_SLICE_ROWS = 256
_DENSE = 16  # nodes so near to each other are read together, whatever lies between
_MODULUS = 2 ** (8 * DIGEST_BYTES)
_SLICE_BYTES = 256 * 1024
_DROPPED = "~"  # no instance's name begins so: this one is being erased
Head = tuple[bytes, bytes, int, bytes]  # path, key column, seq, digest
Columns = tuple[int, bytes, bytes, int, bytes, bytes | None]  # instance, path, key column, seq, digest, sealed

_ERASE_TOMBSTONES = """delete from records where (instance, path, key_column) in
    (select instance, path, key_column from records where instance = ? and sealed is null and seq <= ? limit ?)"""
_ERASE_FLOORS = """delete from floors where (instance, prefix) in
    (select instance, prefix from floors where instance = ? and as_of <= ? limit ?)"""
_ERASE_NODES = """delete from nodes where (instance, depth, prefix) in
    (select instance, depth, prefix from nodes where instance = ? and count <= ? limit ?)"""

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
def mapped() -> Iterator[None]:
    """Foreign exceptions become ours here and nowhere else."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        raise CacheError(_REASONS.get((code or 0) & 0xFF, CacheReason.IO)) from error
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise CacheError(CacheReason.DISK_FULL if is_full else CacheReason.IO) from error


class RowTables:
    """What `Cache` has of its instances. Every method raises CacheError where the file fails."""

    __slots__ = ("_connection",)
    _connection: sqlite3.Connection

    # --- instances -------------------------------------------------------------------------------------------------

    def instances(self) -> tuple[InstanceRow, ...]:
        """All instances held; those that are being erased are none."""
        with mapped():
            found = self._connection.execute(
                "select id, name, digest_key, root, count, seq, floor from instances"
                " where substr(name, 1, 1) != ? order by id",
                (_DROPPED,),
            )
            return tuple(InstanceRow(*columns) for columns in found)

    def add_instance(self, name: str, sealed_digest_key: bytes) -> InstanceRow:
        """A new, empty instance."""
        with mapped():
            (last,) = self._connection.execute("select max(id) from instances").fetchone()
            row = InstanceRow((last or 0) + 1, name, sealed_digest_key, Node().root, 0, 0, 0)
            self._connection.execute(
                "insert into instances (id, name, digest_key, root, count, seq, floor) values (?, ?, ?, ?, ?, ?, ?)",
                (row.id, row.name, row.digest_key, row.root, row.count, row.seq, row.floor),
            )
            return row

    def put_instance(self, instance: int, root: bytes, count: int, seq: int) -> None:
        """What the instance's rows amount to now."""
        with mapped():
            self._connection.execute(
                "update instances set root = ?, count = ?, seq = ? where id = ?", (root, count, seq, instance)
            )

    def drop_instance(self, instance: int) -> None:
        """Forgets an instance with the keys of its buckets, inside of a transaction; `sweep` erases its rows."""
        with mapped():
            self._connection.execute("delete from buckets where instance = ?", (instance,))
            self._connection.execute(
                "update instances set name = ? || id, digest_key = ?, root = ?, count = 0 where id = ?",
                (_DROPPED, b"", Node().root, instance),
            )

    def settle(self, instance: int, as_of: int) -> None:
        """Roots agreed as of `as_of`: it is the whole instance's floor; `sweep` takes what that makes needless."""
        with mapped():
            self._connection.execute("update instances set floor = ? where id = ?", (as_of, instance))

    # --- records ---------------------------------------------------------------------------------------------------

    def row(self, instance: int, path: bytes, key_column: bytes) -> Row | None:
        """The record at this place of the tree."""
        with mapped():
            found = self._connection.execute(
                "select key_column, path, seq, digest, sealed from records"
                " where instance = ? and path = ? and key_column = ?",
                (instance, path, key_column),
            ).fetchone()
        return None if found is None else Row(*found)

    def head(self, instance: int, path: bytes, key_column: bytes) -> tuple[int, bytes] | None:
        """Seq and digest of the record at this place."""
        with mapped():
            found: tuple[int, bytes] | None = self._connection.execute(
                "select seq, digest from records where instance = ? and path = ? and key_column = ?",
                (instance, path, key_column),
            ).fetchone()
        return found

    def heads(self, instance: int, first: bytes, last: bytes) -> list[Head]:
        """All records, tombstones too, whose path begins with something from `first` to `last`; without bodies."""
        with mapped():
            return self._connection.execute(
                "select path, key_column, seq, digest from records where instance = ? and path between ? and ?",
                (instance, first, last.ljust(PATH_BYTES, b"\xff")),
            ).fetchall()

    def after(self, instance: int, path: bytes, key_column: bytes, most: int, most_bytes: int) -> list[Row]:
        """The next records behind a place, tombstones too; one at least where there is any."""
        with mapped():
            found = self._connection.execute(
                "select key_column, path, seq, digest, sealed from records"
                " where instance = ? and (path, key_column) > (?, ?) order by path, key_column limit ?",
                (instance, path, key_column, most),
            )
            rows: list[Row] = []
            for columns in found:
                rows.append(Row(*columns))
                most_bytes -= len(columns[4] or b"")
                if most_bytes <= 0:
                    break
            return rows

    def slices(self, instance: int) -> Iterator[list[Row]]:
        """All live records of an instance by their path, some at a time; other calls may come between two slices."""
        path = key_column = b""
        while rows := self.after(instance, path, key_column, _SLICE_ROWS, _SLICE_BYTES):
            path, key_column = rows[-1].path, rows[-1].key_column
            yield [row for row in rows if row.sealed is not None]

    def put_rows(self, instance: int, rows: Iterable[Row]) -> None:
        """Writes records, each in the place of what was held there."""
        self.put_columns((instance, row.path, row.key_column, row.seq, row.digest, row.sealed) for row in rows)

    def put_columns(self, rows: Iterable[Columns]) -> None:
        """The same of rows as tuples, as a fill makes thousands of them."""
        with mapped():
            self._connection.executemany(
                "insert into records (instance, path, key_column, seq, digest, sealed) values (?, ?, ?, ?, ?, ?)"
                " on conflict do update set seq = excluded.seq, digest = excluded.digest, sealed = excluded.sealed",
                rows,
            )

    def erase_rows(self, instance: int, places: Iterable[tuple[bytes, bytes]]) -> None:
        """Erases records by path and key column; no tombstone stays."""
        with mapped():
            self._connection.executemany(
                "delete from records where instance = ? and path = ? and key_column = ?",
                [(instance, path, key_column) for path, key_column in places],
            )

    # --- nodes -----------------------------------------------------------------------------------------------------

    def nodes(self, instance: int, depth: int, first: bytes, last: bytes) -> dict[bytes, Node]:
        """The nodes of prefixes of `depth` bytes from `first` to `last` under which anything lives."""
        with mapped():
            found = self._connection.execute(
                "select prefix, digest, count from nodes where instance = ? and depth = ? and prefix between ? and ?",
                (instance, depth, first, last.ljust(depth, b"\xff")),
            )
            return {prefix: Node(int.from_bytes(digest, "little"), count) for prefix, digest, count in found}

    def add_to_nodes(self, instance: int, depth: int, gains: Mapping[bytes, tuple[int, int]]) -> None:
        """Adds (total, count) to each node; one under which nothing lives any more goes.

        Raises: CacheError, CORRUPT where what results cannot be a sum of rows.
        """
        written, gone = [], []
        with mapped():
            before = self._nodes_around(instance, depth, sorted(gains))
            for prefix, (total, count) in gains.items():
                digest, held = before.get(prefix, (b"", 0))
                total, count = (int.from_bytes(digest, "little") + total) % _MODULUS, held + count
                if count < 0 or (count == 0 and total):
                    raise CacheError(CacheReason.CORRUPT)
                if count:
                    written.append((instance, depth, prefix, total.to_bytes(DIGEST_BYTES, "little"), count))
                elif held:
                    gone.append((instance, depth, prefix))
            self._connection.executemany(
                "insert into nodes (instance, depth, prefix, digest, count) values (?, ?, ?, ?, ?)"
                " on conflict do update set digest = excluded.digest, count = excluded.count",
                written,
            )
            self._connection.executemany("delete from nodes where instance = ? and depth = ? and prefix = ?", gone)

    def _nodes_around(self, instance: int, depth: int, prefixes: list[bytes]) -> dict[bytes, tuple[bytes, int]]:
        """Digest and count of at least these nodes; neighbours are read together."""
        runs: list[tuple[bytes, bytes]] = []
        last = -_DENSE - 1
        for prefix in prefixes:
            number = int.from_bytes(prefix, "big")
            runs.append((prefix, prefix) if number - last > _DENSE else (runs.pop()[0], prefix))
            last = number
        found: dict[bytes, tuple[bytes, int]] = {}
        for first, until in runs:
            for prefix, digest, count in self._connection.execute(
                "select prefix, digest, count from nodes where instance = ? and depth = ? and prefix between ? and ?",
                (instance, depth, first, until),
            ):
                found[prefix] = digest, count
        return found

    # --- floors ----------------------------------------------------------------------------------------------------

    def floors(self, instance: int) -> list[tuple[bytes, int]]:
        """(nodes as `core.floors.kept` names them, as_of) of all; the whole instance's floor is in its own row."""
        with mapped():
            return self._connection.execute(
                "select prefix, as_of from floors where instance = ?", (instance,)
            ).fetchall()

    def raise_floor(self, instance: int, nodes: bytes, as_of: int) -> None:
        """From now on nothing at or below `as_of` counts below these nodes; a floor never sinks."""
        with mapped():
            self._connection.execute(
                "insert into floors (instance, prefix, as_of) values (?, ?, ?)"
                " on conflict (instance, prefix) do update set as_of = max(as_of, excluded.as_of)",
                (instance, nodes, as_of),
            )

    # --- what is not needed any more -------------------------------------------------------------------------------

    def sweep(self, most: int) -> bool:
        """Erases some of what no instance needs any more, inside of a transaction; False where there is nothing.

        Rows of dropped instances, tombstones and floors up to the floor of the whole instance.
        """
        with mapped():
            found = self._connection.execute(
                "select id from instances where substr(name, 1, 1) = ? limit 1", (_DROPPED,)
            ).fetchone()
            if found is not None:
                self._sweep_dropped(found[0], most)
                return True
            for instance, floor in self._connection.execute("select id, floor from instances").fetchall():
                for erase in (_ERASE_TOMBSTONES, _ERASE_FLOORS):
                    if self._connection.execute(erase, (instance, floor, most)).rowcount:
                        return True
        return False

    def _sweep_dropped(self, instance: int, most: int) -> None:
        rows = self._connection.execute(
            "select path, key_column, length(sealed) from records where instance = ? order by path, key_column limit ?",
            (instance, most),
        ).fetchall()
        left_bytes = _SLICE_BYTES
        for number, (path, key_column, length) in enumerate(rows, 1):
            left_bytes -= length or 0
            if left_bytes <= 0 or number == len(rows):
                self._connection.execute(
                    "delete from records where instance = ? and (path, key_column) <= (?, ?)",
                    (instance, path, key_column),
                )
                return
        for erase in (_ERASE_NODES, _ERASE_FLOORS):
            if self._connection.execute(erase, (instance, MAX_SEQ, most)).rowcount:
                return
        # An earlier version made keys for rows that were going. The next instance may get the number.
        self._connection.execute("delete from buckets where instance = ?", (instance,))
        self._connection.execute("delete from instances where id = ?", (instance,))
