"""Whatever sqlite3 raises becomes a CacheError with the right reason."""

import secrets
import sqlite3
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from store_gateway.cache import Cache
from store_gateway.errors import CACHE_REMEDIES, CacheError, CacheReason

CODES = {
    sqlite3.SQLITE_FULL: CacheReason.DISK_FULL,
    sqlite3.SQLITE_IOERR_WRITE: CacheReason.IO,
    sqlite3.SQLITE_IOERR_FSYNC: CacheReason.IO,
    sqlite3.SQLITE_READONLY: CacheReason.IO,
    sqlite3.SQLITE_CANTOPEN: CacheReason.IO,
    sqlite3.SQLITE_NOMEM: CacheReason.IO,
    sqlite3.SQLITE_BUSY: CacheReason.IN_USE,
    sqlite3.SQLITE_LOCKED: CacheReason.IN_USE,
    sqlite3.SQLITE_CORRUPT: CacheReason.CORRUPT,
    sqlite3.SQLITE_CORRUPT_INDEX: CacheReason.CORRUPT,
    sqlite3.SQLITE_NOTADB: CacheReason.CORRUPT,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: CacheReason.CORRUPT,
    sqlite3.SQLITE_MISMATCH: CacheReason.CORRUPT,
}
EXCEPTIONS = sorted(
    (one for one in vars(sqlite3).values() if isinstance(one, type) and issubclass(one, sqlite3.Error)),
    key=lambda one: one.__name__,
)


def raised(exception: type[sqlite3.Error], code: int | None) -> sqlite3.Error:
    """An exception as sqlite3 raises it."""
    error = exception("said by SQLite, and never passed on")
    if code is not None:
        error.sqlite_errorcode = code
    return error


def test_all_exceptions_of_sqlite3_are_known_here() -> None:
    """A new one in a later Python is seen here first."""
    assert {one.__name__ for one in EXCEPTIONS} == {
        "DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError", "InternalError",
        "NotSupportedError", "OperationalError", "ProgrammingError",
    }  # fmt: skip


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(("code", "reason"), [(None, CacheReason.IO), *CODES.items()])
def test_an_exception_while_writing_is_mapped(
    tmp_path: Path, mocker: MockerFixture, exception: type[sqlite3.Error], code: int | None, reason: CacheReason
) -> None:
    """By SQLite's result code; the text of SQLite goes nowhere."""
    cache = Cache(tmp_path / "cache", secrets.token_bytes)
    mocker.patch.object(cache._tables["outbox"], "upsert", side_effect=raised(exception, code))
    with pytest.raises(CacheError) as caught, cache.transaction():
        cache.put_local("outbox", {"number": 1, "sealed": b""})
    assert caught.value.reason is reason
    assert caught.value.hint == CACHE_REMEDIES[reason]
    assert "SQLite" not in str(caught.value)
    cache.close()


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda one: one.__name__)
def test_an_exception_while_opening_is_mapped(
    tmp_path: Path, mocker: MockerFixture, exception: type[sqlite3.Error]
) -> None:
    """Opening raises nothing else either."""
    mocker.patch("store_gateway.cache.sqlite3.connect", side_effect=raised(exception, sqlite3.SQLITE_CANTOPEN))
    with pytest.raises(CacheError) as caught:
        Cache(tmp_path / "cache", secrets.token_bytes)
    assert caught.value.reason is CacheReason.IO


@pytest.mark.parametrize("error", [PermissionError(13, "no"), OSError(28, "full"), FileNotFoundError(2, "none")])
def test_what_the_system_raises_is_mapped(tmp_path: Path, mocker: MockerFixture, error: OSError) -> None:
    """The file may not be made at all."""
    mocker.patch("store_gateway.cache.os.open", side_effect=error)
    with pytest.raises(CacheError) as caught:
        Cache(tmp_path / "cache", secrets.token_bytes)
    assert caught.value.reason is (CacheReason.DISK_FULL if error.errno == 28 else CacheReason.IO)
