"""Brings HQ's database from one revision of its tables to the next, and tells where it differs from what it should be.

An upgrade is one transaction: killed in the middle, the database is as it was. Upgrades wait for each other, and the
second finds nothing to be done. There is no way back but the backup.

I/O: sqlalchemy, alembic.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import DDL, Connection, Engine, MetaData, text

from hq import database, tables
from hq.errors import DatabaseUnavailable

PLACE = Path(__file__).parent / "migrations"
OPTIONS: dict[str, Any] = {
    "target_metadata": tables.METADATA,
    "render_as_batch": True,  # SQLite changes a table by making it anew
    "transactional_ddl": True,  # as both databases can
    "compare_type": True,
    "version_table": database.revisions.name,
}
_NAMED = re.compile(r"\s*CREATE (?P<kind>FUNCTION|TRIGGER) (?P<name>\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Revision:
    """A step of the tables: its number, four digits, and what it does."""

    number: str
    about: str


def config(place: Path = PLACE) -> Config:
    """Alembic's configuration; `place` is the folder of `env.py` and the revisions."""
    found = Config()
    found.set_main_option("script_location", str(place).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    return found


def history(place: Path = PLACE) -> list[Revision]:
    """All revisions that this version knows, the oldest first."""
    steps = ScriptDirectory.from_config(config(place)).walk_revisions()
    return [Revision(one.revision, one.doc.rstrip(".")) for one in reversed(list(steps))]


def upgrade(engine: Engine, place: Path = PLACE) -> list[Revision]:
    """What was done, the oldest first; of an empty database everything, by the revisions one after the other.

    Raises:
        DatabaseUnavailable: it failed, or the database is of no version that can be brought further; it is as it was.
    """
    steps = history(place)
    with _changing(engine) as connection:
        database.hold_making(connection)
        found = database.revision(connection)
        if found is None and database.has_tables(connection):
            raise database.unreleased()
        if found is not None and found not in {one.number for one in steps}:
            raise database.later()
        kept = _present(connection) if engine.dialect.name == "sqlite" else {}
        chosen = config(place)
        chosen.attributes["connection"] = connection
        command.upgrade(chosen, "head")
        if engine.dialect.name == "sqlite":
            _mend(connection, kept)
    return [one for one in steps if found is None or one.number > found]


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may make tables anew: on SQLite foreign keys are not looked at until its end."""
    with database.foreign(), engine.connect() as plain:
        driver: Any = plain.connection.driver_connection
        if engine.dialect.name == "sqlite":
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with database.marked_writing(plain) as connection:
                yield connection
        finally:
            if engine.dialect.name == "sqlite":
                driver.execute("PRAGMA foreign_keys=ON")


def _mend(connection: Connection, kept: dict[str, str]) -> None:
    """A table that SQLite made anew has lost its triggers: those that still belong there are put back."""
    there = _present(connection)
    for name, statement in _declared("sqlite").items():
        if name in kept and name not in there:
            connection.exec_driver_sql(statement)
    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        raise DatabaseUnavailable(
            "the upgrade would leave rows that belong to nothing", "keep the old version, and tell us"
        )


def differences(connection: Connection) -> list[str]:
    """Where the database differs from what this version expects, a line each; empty: nowhere. Names no row."""
    dialect = connection.dialect.name
    target = tables.METADATA if dialect == "sqlite" else _without_schemas()
    options = OPTIONS | {"target_metadata": target, "include_schemas": dialect == "sqlite"}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), target)
    there = _present(connection)
    lines = [" ".join(str(one) for one in _flat(step))[:200] for step in found]
    return lines + [f"missing {name}" for name in _declared(dialect) if name not in there]


def _flat(step: Any) -> Iterator[object]:
    for one in step:
        if isinstance(one, tuple | list):
            yield from _flat(one)
        elif isinstance(one, str) or hasattr(one, "name"):
            yield getattr(one, "name", one)


def _without_schemas() -> MetaData:
    """The tables as they lie in PostgreSQL, where those of the shares lie among the others."""
    found = MetaData()
    for table in tables.METADATA.sorted_tables:
        table.to_metadata(found, schema=None)  # type: ignore[arg-type]  # its own words say that None is none
    return found


def _declared(dialect: str) -> dict[str, str]:
    """The statements that make triggers and functions, by name."""
    return {name: one for one in guards(dialect) if (found := _NAMED.match(one)) for name in [found["name"].lower()]}


def guards(dialect: str) -> list[str]:
    """The statements that stand beside the tables: triggers, and the functions that they call."""
    listeners = [one for table in tables.METADATA.sorted_tables for one in table.dispatch.after_create]
    found = [one for one in listeners if isinstance(one, DDL)]
    return [one.statement.strip() for one in found if one._ddl_if is None or one._ddl_if.dialect == dialect]


def _present(connection: Connection) -> dict[str, str]:
    """The triggers and functions that there are, by name, each with its statement where SQLite keeps one."""
    if connection.dialect.name == "sqlite":
        wanted = "SELECT lower(name), sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        wanted = (
            "SELECT tgname, '' FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' "
            "UNION ALL SELECT proname, '' FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
        )
    return {str(name): str(statement) for name, statement in connection.execute(text(wanted))}
