"""Every exception of the database's driver becomes one, without the row that it quotes."""

import pytest
from sqlalchemy import Connection, Transaction, exc

from hq.database import writing
from hq.errors import DatabaseUnavailable
from tests.hq.headquarters import Headquarters

DATABASE = "sqlite"  # what is made to raise is SQLAlchemy, above either


@pytest.mark.parametrize(
    "kind",
    [
        exc.DBAPIError, exc.OperationalError, exc.IntegrityError, exc.DataError, exc.InternalError,
        exc.ProgrammingError, exc.NotSupportedError, exc.InterfaceError, exc.DatabaseError,
    ],
)  # fmt: skip
def test_a_failure_of_the_database_is_one_error_that_quotes_nothing(mocker, hq: Headquarters, kind: type) -> None:
    """Nothing was written, and neither the statement nor its parameters are in the text."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    failure = kind("INSERT canary", {"name": "canary"}, Exception("canary"))
    mocker.patch.object(Connection, "execute", side_effect=failure)
    with pytest.raises(DatabaseUnavailable) as found:
        hq.office.set_profile("m-1", [], hq.now_ms)
    assert "canary" not in str(found.value)
    assert found.value.__cause__ is None


def test_a_full_disk_writes_nothing_and_a_later_try_succeeds(mocker, hq: Headquarters) -> None:
    """The transaction is rolled back whole."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    full = exc.OperationalError("COMMIT", {}, Exception("database or disk is full"))
    mocker.patch.object(Transaction, "commit", side_effect=full)
    with pytest.raises(DatabaseUnavailable):
        hq.grant("m-1", "presence")
    mocker.stopall()
    assert hq.record("m-1") is None
    hq.check()
    hq.grant("m-1", "presence")
    assert hq.record("m-1") is not None
    hq.check()


def test_a_locked_database_is_told(mocker, hq: Headquarters) -> None:
    """Another writer that does not let go is no crash."""
    locked = exc.OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))
    mocker.patch.object(Connection, "begin", side_effect=locked)
    with pytest.raises(DatabaseUnavailable), writing(hq.engine):
        pass
