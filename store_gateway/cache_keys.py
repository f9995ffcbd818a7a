"""Reads and writes the cache's table of keys, the epochs that wrap them, and the orders that were done.

A bucket's row says which epoch wraps its key. `next` is the key of its next version while the bucket is re-sealed: a
row of the bucket is then under one of the two, and opens under no other.

I/O: sqlite3, on the cache's one connection.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from store_gateway.cache_rows import mapped

# What only this store writes and seals, with the column of its key.
LOCAL_KEYS = {
    "outbox": "number",
    "denies": "number",
    "tablets": "id",
    "good": "name",
    "log_state": "name",
    "done": "id",
    "pins": "number",
    "memories": "who",
}

LocalKey = int | str | bytes


@dataclass(frozen=True, slots=True, repr=False)
class BucketRow:
    """One bucket as the file holds it: `wrapped` the key of `version`, `next` that of the version after it."""

    instance: int
    bucket: int
    version: int
    epoch: int
    wrapped: bytes
    next: bytes | None


@dataclass(frozen=True, slots=True, repr=False)
class DoneRow:
    """How an order ended. `until_ms`: its not_after, after which nobody asks; `sealed`: the result, None: none.

    erased: of an order to erase, the column of the member's record: a keyed hash, since the member's name is gone.
    """

    id: bytes
    outcome: int
    until_ms: int
    sealed: bytes | None
    erased: bytes | None = None


class KeyTables:
    """What `Cache` has of its keys. Every method raises CacheError where the file fails."""

    __slots__ = ()
    _connection: sqlite3.Connection

    # --- buckets -----------------------------------------------------------------------------------------------------

    def bucket(self, instance: int, bucket: int) -> BucketRow | None:
        """A bucket's keys."""
        with mapped():
            found = self._connection.execute(
                "select instance, bucket, version, epoch, wrapped, next from buckets where instance = ? and bucket = ?",
                (instance, bucket),
            ).fetchone()
        return None if found is None else BucketRow(*found)

    def put_bucket(self, row: BucketRow) -> None:
        """Writes a bucket's keys in the place of what was held for it."""
        with mapped():
            self._connection.execute(
                "insert or replace into buckets (instance, bucket, version, epoch, wrapped, next)"
                " values (?, ?, ?, ?, ?, ?)",
                (row.instance, row.bucket, row.version, row.epoch, row.wrapped, row.next),
            )

    def has_buckets_below(self, instance: int, bucket: int) -> bool:
        """Whether an instance has a bucket of a smaller number."""
        with mapped():
            found = self._connection.execute(
                "select 1 from buckets where instance = ? and bucket < ? limit 1", (instance, bucket)
            )
            return found.fetchone() is not None

    def buckets_before(self, epoch: int, most: int) -> list[tuple[BucketRow, str | None]]:
        """Some buckets that an earlier epoch wraps, each with its instance's name; None: of no instance."""
        with mapped():
            found = self._connection.execute(
                "select b.instance, b.bucket, b.version, b.epoch, b.wrapped, b.next, i.name"
                " from buckets b left join instances i on i.id = b.instance where b.epoch < ? limit ?",
                (epoch, most),
            ).fetchall()
        return [(BucketRow(*columns), name) for *columns, name in found]

    def rows_between(
        self, instance: int, low: bytes, high: bytes, after: tuple[bytes, bytes], most: int
    ) -> list[tuple[bytes, bytes, int, bytes]]:
        """(path, key column, seq, sealed) of some live rows with `low` <= path <= `high`, past the place `after`."""
        with mapped():
            return self._connection.execute(
                "select path, key_column, seq, sealed from records where instance = ? and path between ? and ?"
                " and (path, key_column) > (?, ?) and sealed is not null order by path, key_column limit ?",
                (instance, max(low, after[0]), high, *after, most),
            ).fetchall()

    def put_sealed(self, instance: int, rows: Iterable[tuple[bytes, bytes, int, bytes]]) -> None:
        """Writes (path, key column, seq, sealed) of rows that are there with that seq."""
        with mapped():
            self._connection.executemany(
                "update records set sealed = ?4 where instance = ?5 and path = ?1 and key_column = ?2 and seq = ?3",
                [(*row, instance) for row in rows],
            )

    def local_between(self, table: str, after: LocalKey | None, most: int) -> list[tuple[LocalKey, bytes]]:
        """(key, sealed) of some rows that only this store writes, past a key."""
        column = LOCAL_KEYS[table]
        past = "" if after is None else f"and {column} > ?"
        asked = f"select {column}, sealed from {table} where sealed is not null {past} order by {column} limit ?"  # noqa: S608 - names of ours
        with mapped():
            return self._connection.execute(asked, (most,) if after is None else (after, most)).fetchall()

    def put_local_sealed(self, table: str, rows: Iterable[tuple[LocalKey, bytes]]) -> None:
        """Writes (key, sealed) of such rows."""
        change = f"update {table} set sealed = ?2 where {LOCAL_KEYS[table]} = ?1"  # noqa: S608 - names of ours
        with mapped():
            self._connection.executemany(change, list(rows))

    # --- epochs ------------------------------------------------------------------------------------------------------

    def epochs(self) -> dict[int, bytes]:
        """The epochs that wrap anything, ascending, each with its check: one, two while the keys are re-wrapped."""
        with mapped():
            return dict(self._connection.execute("select number, check_value from epochs order by number").fetchall())

    def add_epoch(self, number: int, check: bytes) -> None:
        """From now on this one wraps."""
        with mapped():
            self._connection.execute("insert into epochs (number, check_value) values (?, ?)", (number, check))

    def end_epochs(self, before: int) -> None:
        """No key is wrapped by an epoch before this one any more."""
        with mapped():
            self._connection.execute("delete from epochs where number < ?", (before,))

    def put_digest_key(self, instance: int, sealed: bytes) -> None:
        """An instance's digest key, sealed by another epoch."""
        with mapped():
            self._connection.execute("update instances set digest_key = ? where id = ?", (sealed, instance))

    # --- orders ------------------------------------------------------------------------------------------------------

    def done(self, order: bytes) -> DoneRow | None:
        """How an order ended; None: it was not done yet."""
        with mapped():
            found = self._connection.execute(
                "select id, outcome, until_ms, sealed, erased from done where id = ?", (order,)
            ).fetchone()
        return None if found is None else DoneRow(*found)

    def put_done(self, row: DoneRow) -> None:
        """Remembers how an order ended."""
        with mapped():
            self._connection.execute(
                "insert or replace into done (id, outcome, until_ms, sealed, erased) values (?, ?, ?, ?, ?)",
                (row.id, row.outcome, row.until_ms, row.sealed, row.erased),
            )

    def erased(self) -> list[bytes]:
        """The columns of the members who were erased by orders that are remembered."""
        with mapped():
            found = self._connection.execute("select distinct erased from done where erased is not null").fetchall()
        return [column for (column,) in found]

    def forget_done(self, before_ms: int) -> None:
        """Forgets orders that nobody asks for any more."""
        with mapped():
            self._connection.execute("delete from done where until_ms < ?", (before_ms,))

    def forget_results(self) -> None:
        """Erases the results of all orders; that they were done stays known."""
        with mapped():
            self._connection.execute("update done set sealed = null where sealed is not null")

    # --- the certificate for tablets ---------------------------------------------------------------------------------

    def certificate(self) -> bytes | None:
        """What was kept, sealed."""
        with mapped():
            found = self._connection.execute("select sealed from certificate where id = 1").fetchone()
        return None if found is None else bytes(found[0])

    def put_certificate(self, sealed: bytes | None) -> None:
        """Keeps this one; None: none."""
        with mapped():
            self._connection.execute("delete from certificate")
            if sealed is not None:
                self._connection.execute("insert into certificate (id, sealed) values (1, ?)", (sealed,))

    # --- the file ----------------------------------------------------------------------------------------------------

    def events_kept(self) -> int:
        """How many events HQ has not said to have stored."""
        with mapped():
            (count,) = self._connection.execute("select count(*) from outbox").fetchone()
        return int(count)

    def destroy_keys(self, order: bytes, events_lost: int) -> None:
        """Erases every key of the file, in one transaction: nothing sealed in it can be opened again.

        The file says so from then on by its incarnation, which is all zeros, and of which order that was.
        """
        with mapped(), self._connection:
            for statement in (
                "delete from buckets", "delete from epochs", "delete from done", "delete from certificate",
                "update instances set digest_key = x''",
                "update header set key_check = x'', ticket = x'', incarnation = zeroblob(16)",
            ):  # fmt: skip
                self._connection.execute(statement)
            self._connection.execute(
                "insert into done (id, outcome, until_ms, sealed) values (?, 0, ?, null)", (order, events_lost)
            )

    def destroyed(self) -> tuple[bytes, int]:
        """Of which order the keys were destroyed, and how many events went with them."""
        with mapped():
            found: tuple[bytes, int] = self._connection.execute("select id, until_ms from done").fetchone()
        return found

    def checkpoint(self, *, truncate: bool) -> None:
        """Writes what is in the log into the file; `truncate`: the log is cut to nothing, with what it held."""
        with mapped():
            self._connection.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if truncate else 'PASSIVE'})").fetchall()
