"""HQ on a database of its own, with keys made for the test and the verbs that most tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hq.database import open_database
from tests.hq.headquarters import Headquarters
from tests.postgresql import server


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A new SQLite database."""
    opened = open_database(f"sqlite:///{tmp_path}/hq.db")
    yield opened
    opened.dispose()


@pytest.fixture
def hq(engine: Engine) -> Headquarters:
    """An HQ with the example policy's store, nobody in it."""
    return Headquarters(engine)


@pytest.fixture(scope="session")
def postgresql(needs) -> Iterator[str]:
    """The URL of a PostgreSQL server of this session, on a Unix socket; each test makes a database in it."""
    with server(needs) as url:
        yield url
