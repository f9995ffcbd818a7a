"""The bare sum beside which a fill is measured: decoding, sealing and inserting the same records, nothing between.

In one process: cbor2 for pages of 170 records, ChaCha20-Poly1305 for each, and inserts into a table like the cache's
with its pragmas, 512 rows a transaction, by path as they come.

I/O: clocks, a folder.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from benchmarks.sync_shop import body, pseudonym

_BATCH = 512
_PAGE = 170
_TABLE = """create table records (instance integer not null, path blob not null, key_column blob not null,
    seq integer not null, digest blob not null, sealed blob, primary key (instance, path, key_column))
    strict, without rowid"""
_PRAGMAS = ("locking_mode=EXCLUSIVE", "secure_delete=ON", "journal_mode=WAL", "synchronous=FULL")
_Row = tuple[int, bytes, bytes, int, bytes, bytes]


class Bare:
    """Seconds of each of the three."""

    def __init__(self) -> None:
        self.decode_s = self.seal_s = self.insert_s = 0.0

    @property
    def sum_s(self) -> float:
        """All three."""
        return self.decode_s + self.seal_s + self.insert_s


def bare(count: int) -> Bare:
    """Does the three with so many records."""
    taken, rows = Bare(), []
    seal, bound = ChaCha20Poly1305(os.urandom(32)), bytes(60)
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as folder:
        connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute(_TABLE)
        for page in _pages(count):
            began = time.perf_counter()
            decoded = cbor2.loads(page)
            taken.decode_s += time.perf_counter() - began
            began = time.perf_counter()
            sealed = [seal.encrypt(os.urandom(12), key + content, bound) for key, _, content in decoded]
            taken.seal_s += time.perf_counter() - began
            for (key, seq, _), content in zip(decoded, sealed, strict=True):
                rows.append((1, _path(key), key, seq, key, content))
            if len(rows) >= _BATCH:
                taken.insert_s += _insert(connection, rows)
                rows = []
        taken.insert_s += _insert(connection, rows)
        connection.close()
    return taken


def _path(key: bytes) -> bytes:
    return blake2b(key, digest_size=8).digest()


def _pages(count: int) -> Iterator[bytes]:
    numbers = sorted(range(count), key=lambda number: _path(pseudonym(number)))
    for at in range(0, count, _PAGE):
        yield cbor2.dumps([[pseudonym(number), number, body(number)] for number in numbers[at : at + _PAGE]])


def _insert(connection: sqlite3.Connection, rows: list[_Row]) -> float:
    began = time.perf_counter()
    connection.execute("begin")
    connection.executemany("insert into records values (?, ?, ?, ?, ?, ?)", rows)
    connection.execute("commit")
    return time.perf_counter() - began
