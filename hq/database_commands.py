"""`consentry-hq database`: brings the database to the tables of this version, and tells how it stands.

I/O: the terminal.
"""

import argparse
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from hq import database
from hq.command_line import actions, command
from hq.errors import DatabaseUnavailable
from runtime.errors import EXIT_OK

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXIT_DIFFERS = 65  # EX_DATAERR of sysexits.h


def options(commands: "Commands") -> None:
    """Adds the command. It is no `Part`, since it must open databases that no other command does."""
    added = actions(command(commands, "database", "the tables of HQ's database"))
    command(added, "upgrade", "bring the tables to those of this version",
            "Stop every program of HQ and back the database up first: there is no other way back.\n"
            "Broken off, nothing has changed, and it is run again.")  # fmt: skip
    command(added, "check", "tell whether the tables, triggers and functions are those of this version")
    command(added, "history", "list the revisions of the tables; the one in the database is marked")


def run(url: str, chosen: argparse.Namespace) -> int:
    """Does it; returns the exit code. Raises: DatabaseUnavailable."""
    engine = database.connect(url)
    try:
        return {"upgrade": _upgrade, "check": _check, "history": _history}[chosen.action](engine)
    finally:
        engine.dispose()


# Alembic is loaded for these alone: no other command waits for it.


def _upgrade(engine: Engine) -> int:
    from hq import revisions

    done = revisions.upgrade(engine)
    for one in done:
        print(f"{one.number} {one.about}")
    print(f"{len(done)} revisions applied; the database is at {database.REVISION}")
    return EXIT_OK


def _check(engine: Engine) -> int:
    from hq import revisions

    with database.reading(engine) as connection:
        found = _revision(connection)
        if found != database.REVISION:
            print(f"the database is at {found}, this version expects {database.REVISION}")
            return _EXIT_DIFFERS
        differing = revisions.differences(connection)
    for line in differing:
        print(line)
    if differing:
        print(f"the database is at {found}, but was changed outside of Consentry: restore a backup")
        return _EXIT_DIFFERS
    print(f"the database is at {found}, and all is as this version expects")
    return EXIT_OK


def _history(engine: Engine) -> int:
    from hq import revisions

    with database.reading(engine) as connection:
        found = database.revision(connection)
    for one in revisions.history():
        print(f"{'*' if one.number == found else ' '} {one.number} {one.about}")
    return EXIT_OK


def _revision(connection: Connection) -> str:
    found = database.revision(connection)
    if found is None and database.has_tables(connection):
        raise database.unreleased()
    if found is None:
        raise DatabaseUnavailable("the database is empty", "start HQ, or run `consentry-hq database upgrade`")
    return found
