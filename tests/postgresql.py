"""A PostgreSQL server of the tests' own, on a Unix socket in a folder; nothing of the machine's own is touched."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool


@contextmanager
def server(needs: Callable[[str], str], *settings: str) -> Iterator[str]:
    """Its URL while it runs; `settings` are further ones of postgresql.conf, each `name=value`. It does not sync."""
    initdb, program = needs("initdb"), needs("postgres")
    # Not in pytest's folder, which it closes to all other accounts whenever somebody starts it.
    folder = Path(tempfile.mkdtemp(prefix="consentry-pg-"))
    folder.chmod(0o777)
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
    chosen = [word for setting in ("listen_addresses=", "fsync=off", *settings) for word in ("-c", setting)]
    running = subprocess.Popen(
        [program, "-D", str(place), "-k", str(sockets), *chosen],
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


def make_database(url: str, name: str, template: str = "template0") -> str:
    """The URL of a new database on that server, a copy of `template`."""
    _run(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str, name: str) -> None:
    """It is gone, whoever is still connected."""
    _run(url, f"DROP DATABASE {name} WITH (FORCE)")


def dumped(url: URL, needs: Callable[[str], str]) -> bytes:
    """Every row of a database as text, tables and all; bytes are written as hexadecimal digits."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run([needs("pg_dump"), "--dbname", plain], check=True, capture_output=True).stdout


def _run(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


def _wait_for(url: str, running: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):  # a minute and more: the machine may be busy
        try:
            with create_engine(url).connect() as connection:
                connection.execute(text("select 1"))
                return
        except OperationalError:
            assert running.poll() is None, "PostgreSQL ended"
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")
