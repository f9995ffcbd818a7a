"""HQ on a database of its own, with keys made for the test and the verbs that most tests need."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hq.database import open_database
from tests.hq.headquarters import Headquarters


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
def postgresql(needs, tmp_path_factory) -> Iterator[str]:
    """The URL of a PostgreSQL server of this session, on a Unix socket; each test makes a database in it."""
    initdb, server = needs("initdb"), needs("postgres")
    folder = tmp_path_factory.mktemp("pg", numbered=True)
    folder.chmod(0o777)
    for parent in folder.parents:
        if parent.owner() == "root" and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o111)
    # PostgreSQL refuses to run as root.
    run_as = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
    place, sockets = folder / "db", folder / "s"
    sockets.mkdir()
    sockets.chmod(0o777)
    made = subprocess.run(
        [initdb, "--auth=trust", "--no-sync", "--username=hq", "--encoding=UTF8", "--locale=C", "-D", str(place)],
        cwd="/", capture_output=True, text=True, **run_as,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    running = subprocess.Popen(
        [server, "-D", str(place), "-k", str(sockets), "-c", "listen_addresses=", "-c", "fsync=off"],
        cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **run_as,
    )  # fmt: skip
    try:
        url = f"postgresql+psycopg://hq@/postgres?host={sockets}"
        _wait_for(url, running)
        yield url
    finally:
        running.send_signal(signal.SIGINT)  # ends connections that are still there; SIGTERM would wait for them
        running.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    import time

    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError

    for _ in range(200):
        try:
            with create_engine(url).connect() as connection:
                connection.execute(text("select 1"))
                return
        except OperationalError:
            assert running.poll() is None, "PostgreSQL ended"
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")
