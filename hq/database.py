"""Opens HQ's database and gives its two kinds of transaction: one that writes, one that reads a single instant.

SQLite: WAL, `synchronous=FULL`, writers `BEGIN IMMEDIATE`. PostgreSQL: writers READ COMMITTED with row locks taken in a
fixed order (members ascending, chain heads, instances ascending), readers REPEATABLE READ.

I/O: sqlalchemy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Engine,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from hq import alarm_tables as _alarm_tables  # noqa: F401 - its tables are made with the others
from hq import certificate_tables as _certificate_tables  # noqa: F401 - likewise
from hq import changes_tables as _changes_tables  # noqa: F401 - likewise
from hq import choosing_tables as _choosing_tables  # noqa: F401 - likewise
from hq import console_tables as _console_tables  # noqa: F401 - likewise
from hq import contacts_tables as _contacts_tables  # noqa: F401 - likewise
from hq import custody_tables as _custody_tables  # noqa: F401 - likewise
from hq import figures_tables as _figures_tables  # noqa: F401 - likewise
from hq import leave_tables as _leave_tables  # noqa: F401 - likewise
from hq import ledger_tables as _ledger_tables  # noqa: F401 - likewise
from hq import log_tables as _log_tables  # noqa: F401 - likewise
from hq import notices_tables as _notices_tables  # noqa: F401 - likewise
from hq import order_tables as _order_tables  # noqa: F401 - likewise
from hq import outcomes_tables as _outcomes_tables  # noqa: F401 - likewise
from hq import process_tables as _process_tables  # noqa: F401 - likewise
from hq import proposal_tables as _proposal_tables  # noqa: F401 - likewise
from hq import purchases_tables as _purchases_tables  # noqa: F401 - likewise
from hq import recovery_tables as _recovery_tables  # noqa: F401 - likewise
from hq import synthetic_tables as _synthetic_tables  # noqa: F401 - likewise
from hq import systems_tables as _systems_tables  # noqa: F401 - likewise
from hq import tables
from hq import training_tables as _training_tables  # noqa: F401 - likewise
from hq import web_tables as _web_tables  # noqa: F401 - likewise
from hq.errors import DatabaseUnavailable

# Of the tables in this version, as `hq/migrations` numbers them; `hq.revisions` brings an older database there.
REVISION = "0001"
revisions = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),  # all as Alembic makes it itself
)

_WRITES = "consentry_writes"
SHARES_SUFFIX = "-shares"
_BUSY_S = 30.0
_POOL = 12  # a connection for each thread of `hq.service`, and some for who comes and goes
_MAKING = 0x636F6E73  # the key of the lock under which tables are made
# A process that stands still, or whose machine is gone, must not hold its locks for hours.
_POSTGRESQL_LIMITS = {
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
}
_REMEDY = "see that the database runs, has room and may be reached; nothing of this step was written"


def open_database(url: str) -> Engine:
    """The engine for a SQLAlchemy URL; in an empty database the tables are made.

    Raises:
        DatabaseUnavailable: no such database, or it is of an earlier or a later version of HQ.
    """
    engine = connect(url)
    try:
        _make_or_judge(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def connect(url: str) -> Engine:
    """The engine for a SQLAlchemy URL, whatever is in the database. Raises: DatabaseUnavailable."""
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, hide_parameters=True, **_options(parsed.get_backend_name()))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise DatabaseUnavailable("the database's URL cannot be used", "for example sqlite:////path/hq.db") from error
    engine.dialect.colspecs = {**engine.dialect.colspecs, LargeBinary: _Bytes}
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:  # there the shares are a table among the others
        event.listen(engine, "connect", _prepare_postgresql)
        engine = engine.execution_options(schema_translate_map={tables.SHARES_SCHEMA: None})
    return engine


class _Bytes(LargeBinary):
    """Bytes as they are: both drivers take them, and an import binds some fifty a member."""

    def bind_processor(self, dialect: Dialect) -> None:
        """None: nothing is wrapped on its way."""
        return


def _options(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"connect_args": {"timeout": _BUSY_S, "check_same_thread": False}}
    # No ping before each use: it costs two thirds of a short transaction. A connection that broke fails once; whoever
    # used it tries again, and by then all that the pool held is made anew.
    return {"pool_size": _POOL}


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the module's own transactions are off: `_begin_sqlite` says which kind
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    # HQ's shares of the caches' keys in a file of their own, so that no copy of the database holds them. Not in WAL
    # mode: there a share that was deleted would lie in the log for long.
    (_, _, file), *_ = cursor.execute("PRAGMA database_list").fetchall()
    cursor.execute(f"ATTACH DATABASE ? AS {tables.SHARES_SCHEMA}", (f"{file}{SHARES_SUFFIX}" if file else ":memory:",))
    for pragma in ("journal_mode=DELETE", "synchronous=FULL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {tables.SHARES_SCHEMA}.{pragma}")
    cursor.close()


def _prepare_postgresql(connection: Any, record: object) -> None:
    with connection.cursor() as cursor:
        for name, value in _POSTGRESQL_LIMITS.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_or_judge(engine: Engine) -> None:
    with reading(engine) as connection:
        found = revision(connection)
    if found is None:
        with writing(engine) as connection:
            hold_making(connection)
            found = revision(connection)  # another process may have been quicker
            if found is None:
                _make(connection)
                return
    if found > REVISION:
        raise later()
    if found < REVISION:
        raise DatabaseUnavailable(
            "the database was made by an earlier version",
            "stop every program of HQ, back the database up, run `consentry-hq database upgrade`, then start them",
        )
    _see_to_shares(engine)


def _see_to_shares(engine: Engine) -> None:
    """No backup holds the shares: after a restore their file is new and has no table (hq.shares)."""
    shares = tables.METADATA.tables[f"{tables.SHARES_SCHEMA}.epoch_shares"]
    with reading(engine) as connection:
        if engine.dialect.name != "sqlite" or inspect(connection).has_table(shares.name, shares.schema):
            return
    with writing(engine) as connection:
        shares.create(connection, checkfirst=True)


def _make(connection: Connection) -> None:
    if has_tables(connection):
        raise unreleased()
    tables.METADATA.create_all(connection)
    for table, row in tables.FIRST_ROWS:
        connection.execute(insert(table).values(**row))
    revisions.create(connection)
    connection.execute(insert(revisions).values(version_num=REVISION))


def hold_making(connection: Connection) -> None:
    """Until the end of this transaction no other process makes or changes tables."""
    if connection.dialect.name == "postgresql":  # of SQLite's writers there is one anyway
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))


def revision(connection: Connection) -> str | None:
    """The revision of the tables, four digits; None: there are none, or none of a released version."""
    known = inspect(connection).has_table(revisions.name)
    return connection.scalar(select(revisions.c.version_num)) if known else None


def has_tables(connection: Connection) -> bool:
    """Whether the database is in use already."""
    return inspect(connection).has_table(tables.stores.name)


def later() -> DatabaseUnavailable:
    """What to say of a database from the future."""
    return DatabaseUnavailable(
        "the database was made by a later version", "install that version of Consentry, or restore an earlier backup"
    )


def unreleased() -> DatabaseUnavailable:
    """What to say of a database from before the first revision."""
    return DatabaseUnavailable(
        "the database was made by an earlier version, which was never released",
        "name a new database in hq.toml, then publish the policy, add the stores and import the members again",
    )


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes; committed whole at the end, or nothing of it.

    Raises:
        DatabaseUnavailable: the database failed; nothing was written.
    """
    with foreign(), engine.connect() as plain, marked_writing(plain) as connection:
        yield connection


@contextmanager
def marked_writing(plain: Connection) -> Iterator[Connection]:
    """The same on a connection that is open already; what the database raises is not mapped."""
    connection = plain.execution_options(**{_WRITES: True})
    with connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that sees a single instant of the database and writes nothing.

    Raises:
        DatabaseUnavailable: the database failed.
    """
    with foreign(), engine.connect() as plain:
        connection = plain
        if engine.dialect.name != "sqlite":  # SQLite's readers see one instant anyway
            connection = plain.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


class Once:
    """One statement that reads, sent as it is: for what is asked a thousand times a second.

    A single statement sees a single instant in either database, without a transaction around it.
    """

    def __init__(self, engine: Engine, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=engine.dialect)
        self._engine = engine
        self._text = str(compiled)
        self._names = tuple(compiled.positiontup) if compiled.positional and compiled.positiontup else None
        self._commits_itself = engine.dialect.name == "postgresql"
        self._failed: type[Exception] = engine.dialect.loaded_dbapi.Error

    def rows(self, values: dict[str, Any]) -> list[Any]:
        """All rows, as plain tuples of what the driver gives. Raises: DatabaseUnavailable."""
        with foreign():
            raw = self._engine.raw_connection()
            try:
                driver: Any = raw.driver_connection
                if self._commits_itself:
                    driver.autocommit = True  # else BEGIN and ROLLBACK go over the line too
                cursor = raw.cursor()
                cursor.execute(self._text, values if self._names is None else [values[name] for name in self._names])
                rows = list(cursor.fetchall())
                cursor.close()
                if self._commits_itself:
                    driver.autocommit = False
            except self._failed as error:
                raw.invalidate()
                self._engine.dispose()  # what broke this connection has hardly left the others
                raise DatabaseUnavailable(f"the database failed ({type(error).__name__})", _REMEDY) from None
            finally:
                raw.close()
        return rows


@contextmanager
def foreign() -> Iterator[None]:
    """Maps what the database raises to DatabaseUnavailable."""
    try:
        yield
    except DBAPIError as error:
        # The cause may quote a row, so it is not repeated.
        raise DatabaseUnavailable(f"the database failed ({type(error).__name__})", _REMEDY) from None
