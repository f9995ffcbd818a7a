"""Keeps the store's rows in one SQLite file by one connection; whatever is personal in them is sealed already.

WAL, synchronous=FULL, secure_delete=ON, and the file is locked for this process alone. A `transaction` is kept whole or
not at all, over a power cut too. Every failure is a CacheError, after which the file holds what it held before.

I/O: sqlite3, with `store_gateway.cache_schema`.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from store_gateway.cache_keys import KeyTables
from store_gateway.cache_rows import MAX_SEQ as MAX_SEQ
from store_gateway.cache_rows import RowTables, mapped
from store_gateway.cache_schema import INCARNATION_BYTES, Header, columns, migrate
from store_gateway.errors import CacheError, CacheReason

_BUSY_S = 1.0
_WAL_BYTES: Final = 16 * 1024 * 1024
_MOST_WAL_PAGES: Final = 4000  # after which a commit carries them over itself, however long that takes
_WAL_PAGES: Final = 400  # about so many are carried over in a slice of their own: some 10 ms on an SSD
_PAGES_OF_ONE: Final = 5  # of a transaction: its rows' page, nodes, root
_ROWS_OF_PAGE: Final = 8


class Cache(RowTables, KeyTables):
    """The open file; `RowTables` has what it holds of HQ's instances, `KeyTables` the keys."""

    __slots__ = ("_changes", "_db", "_pages", "_tables", "file", "header")

    def __init__(self, file: Path, entropy: Callable[[int], bytes], before: Iterable[Header] = ()) -> None:
        """Opens the file, or makes one with a new incarnation, and the newest key set and time of those `before` it.

        Raises: CacheError; the file is then as it was.
        """
        self.file = file
        self._pages = self._changes = 0  # since the write-ahead log was carried over, as far as can be told
        with mapped():
            os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            # The state thread alone uses the connection, but the main thread may open it. No transaction begins by
            # itself: one that nobody ends would swallow all that follow.
            self._connection = sqlite3.connect(file, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
            try:
                self._open(entropy, before)
            except BaseException:
                self._connection.close()
                raise

    def _open(self, entropy: Callable[[int], bytes], before: Iterable[Header]) -> None:
        # EXCLUSIVE before WAL: one process, and no index file in shared memory.
        for pragma in (
            "locking_mode=EXCLUSIVE",
            "secure_delete=ON",
            "temp_store=MEMORY",
            f"journal_size_limit={_WAL_BYTES}",
            f"wal_autocheckpoint={_MOST_WAL_PAGES}",
            "journal_mode=WAL",
            "synchronous=FULL",
        ):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._db, self._tables = migrate(self._connection)
        rows = list(self._tables["header"].rows)
        if not rows:
            newest = max(before, key=lambda one: one.trusted_ms, default=Header(b""))
            made = Header(entropy(INCARNATION_BYTES), key_set=newest.key_set, trusted_ms=newest.trusted_ms)
            self._tables["header"].insert({"id": 1, **columns(made)})
            rows = list(self._tables["header"].rows)
        self.header = Header(**{name: value for name, value in rows[0].items() if name != "id"})
        if len(self.header.incarnation) != INCARNATION_BYTES:
            raise CacheError(CacheReason.CORRUPT)

    def close(self) -> None:
        """Ends the use of the file."""
        with mapped():
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is kept together, or none of it. Raises: CacheError."""
        before = self.header
        try:
            with mapped(), self._db.atomic():
                yield
        except BaseException:
            self.header = before
            raise
        changes = self._connection.total_changes
        self._pages += _PAGES_OF_ONE + (changes - self._changes) // _ROWS_OF_PAGE
        self._changes = changes

    def tidy(self) -> bool:
        """Carries over what is in the write-ahead log where that is much; whether it was. Raises: CacheError."""
        if self._pages < _WAL_PAGES:
            return False
        self._pages = 0
        with mapped():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return True

    def put_header(self, header: Header) -> None:
        """Replaces the header, alone or as part of a transaction."""
        with mapped():
            self._tables["header"].update(1, columns(header))
        self.header = header

    # --- the outbox --------------------------------------------------------------------------------------------------

    def outbox_sizes(self, through: int = MAX_SEQ) -> dict[int, int]:
        """The bytes of the events up to a number, by kind."""
        # Raw: sqlite-utils has no aggregates.
        with mapped():
            return dict(
                self._connection.execute(
                    "select kind, sum(size) from outbox where number <= ? group by kind", (through,)
                ).fetchall()
            )

    def outbox_size(self, number: int) -> int:
        """The bytes of one event."""
        with mapped():
            return int(self._tables["outbox"].get(number)["size"])

    def oldest_events(self, kind: int, most: int) -> list[tuple[int, int]]:
        """(number, bytes) of the oldest events of a kind."""
        with mapped():
            rows = self._tables["outbox"].rows_where(
                "kind = ?", [kind], select="number, size", order_by="number", limit=most
            )
            return [(row["number"], row["size"]) for row in rows]

    def has_leaf_without_event(self) -> bool:
        """Whether the log has a leaf whose disclosure is not in the outbox."""
        with mapped():
            lone = self._tables["log"].rows_where("number not in (select number from outbox)", select="number", limit=1)
            return next(iter(lone), None) is not None

    # --- what only this store writes ---------------------------------------------------------------------------------

    def local(self, table: str, where: str | None = None, *where_args: Any, limit: int | None = None) -> list[Any]:
        """Rows of a table that only this store writes, as dicts, by their key ascending."""
        with mapped():
            order = self._tables[table].pks[0]
            return list(self._tables[table].rows_where(where, list(where_args), order_by=order, limit=limit))

    def put_local(self, table: str, row: Mapping[str, Any]) -> None:
        """Writes one row of such a table."""
        with mapped():
            self._tables[table].upsert(dict(row), pk=self._tables[table].pks[0])

    def erase_local(self, table: str, where: str, *where_args: Any) -> None:
        """Erases rows of such a table."""
        with mapped():
            self._tables[table].delete_where(where, list(where_args))
