"""HQ on a database of its own, with keys made for the test and the verbs that most tests need.

A test that asks for `hq`, `engine` or `database` runs on SQLite and on PostgreSQL: `-k sqlite` or `-k postgresql` takes
one of them. On PostgreSQL `make test` runs only what `QUICK` names; `make test-long` runs all.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hq.database import open_database
from tests.hq.headquarters import Headquarters, first, on_sqlite
from tests.postgresql import drop_database, make_database, server

# Where the two databases could differ most: locks, counters, upserts, triggers, migrations, snapshots.
QUICK = {
    "test_changes": {"test_no_writer_slips_in_behind_a_cursor"},
    "test_ledger_heads": {"test_no_call_edits_deletes_or_empties_events"},
    "test_outcomes": {"test_an_outcome_counts_once_where_it_was_shown_and_for_nobody"},
    "test_revisions": None,
    "test_training_at_once": None,
}


def on(name: str) -> pytest.MarkDecorator:
    """Marks a test that concerns one of the two databases alone; a module says `DATABASE = "sqlite"`."""
    return pytest.mark.parametrize("database", [name], indirect=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test on both databases."""
    if "database" not in metafunc.fixturenames:
        return
    for mark in metafunc.definition.iter_markers("parametrize"):
        if mark.args[0] == "database":
            return
    only = getattr(metafunc.module, "DATABASE", None)
    if only is not None:
        metafunc.parametrize("database", [only], indirect=True)
        return
    chosen = QUICK.get(metafunc.module.__name__.rpartition(".")[2], ())
    quick = chosen is None or metafunc.function.__name__ in chosen
    other = pytest.param("postgresql", marks=() if quick else pytest.mark.long)
    metafunc.parametrize("database", ["sqlite", other], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Which of the two it is."""
    return str(request.param)


@pytest.fixture
def empty_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new and empty database."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
    else:
        with _lent(request.getfixturevalue("postgresql"), "template0") as url:
            yield url


@pytest.fixture
def engine(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A new database with HQ's tables; where the test asks for `hq` too, with what that HQ wrote. Copied: it is as
    good, and quicker than making it."""
    filled = "hq" in request.fixturenames
    if database == "sqlite":
        opened = on_sqlite(tmp_path).engine if filled else open_database(f"sqlite:///{tmp_path}/hq.db")
        yield opened
        opened.dispose()
        return
    template = request.getfixturevalue("postgresql_hq")[0] if filled else request.getfixturevalue("postgresql_made")
    with _lent(request.getfixturevalue("postgresql"), template) as url:
        opened = open_database(url)
        yield opened
        opened.dispose()


@pytest.fixture
def hq(database: str, engine: Engine, request: pytest.FixtureRequest) -> Headquarters:
    """An HQ with the example policy's store, nobody in it."""
    made = first()[1] if database == "sqlite" else request.getfixturevalue("postgresql_hq")[1]
    return made.copied(engine)


@pytest.fixture(scope="session")
def postgresql_made(postgresql: str) -> str:
    """The name of a new database."""
    open_database(make_database(postgresql, "hq_made")).dispose()
    return "hq_made"


@pytest.fixture(scope="session")
def postgresql_hq(postgresql: str) -> tuple[str, Headquarters]:
    """The name of a database of an HQ to which nothing has happened yet, and that HQ."""
    made = Headquarters(open_database(make_database(postgresql, "hq_first")))
    made.engine.dispose()
    return "hq_first", made


@contextmanager
def _lent(server_url: str, template: str) -> Iterator[str]:
    name = f"hq_{secrets.token_hex(6)}"
    yield make_database(server_url, name, template)
    drop_database(server_url, name)


@pytest.fixture(scope="session")
def postgresql(needs: Callable[[str], str]) -> Iterator[str]:
    """The URL of a PostgreSQL server of this session, on a Unix socket; each test makes a database in it."""
    with server(needs) as url:
        yield url
