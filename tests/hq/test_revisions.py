"""The revisions of HQ's tables: they make what the program expects, keep what is there, and end whole or not at all."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, inspect, select, update
from sqlalchemy import text as sql

from hq import database, revisions
from hq.database import connect, open_database, reading, writing
from hq.errors import DatabaseUnavailable
from hq.tables import chain_heads, consent_events, members, stores
from tests.hq.headquarters import Headquarters
from tests.waiting import until

REMEDY = "The tables and the revisions differ: run `python -m hq.migrations again` (after a release: `next`)"
_SECOND = '''"""What a later release may do.

I/O: alembic.
"""

import time
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    with op.batch_alter_table("consent_events") as batch:
        batch.add_column(sa.Column("later", sa.Integer(), nullable=True))
        batch.alter_column("method", type_=sa.String(99))
    with op.batch_alter_table("members") as batch:
        batch.add_column(sa.Column("more", sa.Integer(), nullable=False, server_default="7"))
    waits = Path({flag!r})
    if waits.exists():
        waits.with_suffix(".reached").touch()
        time.sleep(60)
'''


@pytest.fixture
def bare(empty_url: str) -> Iterator[Engine]:
    """A database with nothing in it."""
    engine = connect(empty_url)
    yield engine
    engine.dispose()


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The revisions of a version to come, which knows one more."""
    place = tmp_path / "migrations"
    shutil.copytree(revisions.PLACE, place, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "versions" / "r0002.py").write_text(_SECOND.format(flag=str(tmp_path / "wait")), encoding="utf-8")
    return place


def _picture(engine: Engine) -> dict[str, Any]:
    """All that a database says of its own tables."""
    with reading(engine) as connection:
        found = inspect(connection)
        parts = (found.get_columns, found.get_indexes, found.get_foreign_keys, found.get_unique_constraints,
                 found.get_check_constraints)  # fmt: skip
        tables = {
            f"{schema}.{name}": [found.get_pk_constraint(name, schema)]
            + [sorted(map(_shown, part(name, schema=schema))) for part in parts]
            for schema in (None, *(["shares"] if engine.dialect.name == "sqlite" else []))
            for name in found.get_table_names(schema)
        }
        return tables | {"guards": sorted(revisions._present(connection))}


def _shown(part: Any) -> str:
    options = {name: str(value) for name, value in part.pop("dialect_options", {}).items()}
    return f"{part} {options}"


def test_the_revisions_make_what_a_new_database_is_made_with(bare: Engine, engine: Engine) -> None:
    """Tables, columns, keys, indexes, triggers and functions; whoever changed a table is told what to run."""
    assert revisions.history()[-1].number == database.REVISION
    assert [one.number for one in revisions.upgrade(bare)] == [one.number for one in revisions.history()]
    with reading(bare) as connection:
        assert revisions.differences(connection) == [], REMEDY
        assert connection.execute(select(chain_heads)).all()
    assert _picture(bare) == _picture(engine), REMEDY
    with reading(engine) as connection:
        heads = connection.execute(select(chain_heads)).all()
    with reading(bare) as connection:
        assert connection.execute(select(chain_heads)).all() == heads, REMEDY


def test_what_is_in_the_database_survives_an_upgrade(hq: Headquarters, later: Path) -> None:
    """Every row, the members' records, and that consent events cannot be changed, though their table was made anew."""
    hq.join("m-1", "size.shoe")
    before = _rows(hq.engine)
    assert [one.number for one in revisions.upgrade(hq.engine, later)] == ["0002"]
    assert _rows(hq.engine) == before
    assert hq.record("m-1") is not None
    hq.check()
    for statement in (update(consent_events).values(chosen_s=1), delete(consent_events)):
        with pytest.raises(DatabaseUnavailable), writing(hq.engine) as connection:
            connection.execute(statement)
    with reading(hq.engine) as connection:
        assert connection.scalar(sql("SELECT more FROM members")) == 7
    with pytest.raises(DatabaseUnavailable), writing(hq.engine) as connection:  # foreign keys are looked at again
        connection.execute(sql("INSERT INTO help_calls VALUES (:none, 'x', 'x', 0, 0)"), {"none": bytes(16)})
    assert revisions.upgrade(hq.engine, later) == []


def test_a_killed_upgrade_has_changed_nothing_and_is_run_again(hq: Headquarters, later: Path, tmp_path: Path) -> None:
    """SIGKILL after the tables were changed: the database is at the old revision, whole, and goes on from there."""
    hq.join("m-1", "size.shoe")
    before, picture = _rows(hq.engine), _picture(hq.engine)
    hq.engine.dispose()
    waits = tmp_path / "wait"
    waits.touch()
    program = (
        "import sys; from pathlib import Path; from hq import database, revisions; "
        "revisions.upgrade(database.connect(sys.argv[1]), Path(sys.argv[2]))"
    )
    url = hq.engine.url.render_as_string(hide_password=False)
    running = subprocess.Popen([sys.executable, "-c", program, url, str(later)])
    until(lambda: waits.with_suffix(".reached").exists() or running.poll() is not None, what="the half of it")
    assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait(20)
    assert (_rows(hq.engine), _picture(hq.engine)) == (before, picture)
    open_database(url).dispose()
    waits.unlink()
    assert [one.number for one in revisions.upgrade(hq.engine, later)] == ["0002"]
    assert _rows(hq.engine) == before


def test_upgrades_that_begin_at_once_are_one(hq: Headquarters, later: Path) -> None:
    """Each program of HQ may be told to; one does it, and the others find it done."""
    program = (
        "import sys; from pathlib import Path; from hq import database, revisions; "
        "print(len(revisions.upgrade(database.connect(sys.argv[1]), Path(sys.argv[2]))))"
    )
    words = [sys.executable, "-c", program, hq.engine.url.render_as_string(hide_password=False), str(later)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(one.communicate(timeout=60)[0].strip() for one in running) == ["0", "0", "1"]


@pytest.mark.parametrize(("number", "word"), [("0000", "database upgrade"), ("0999", "install that version")])
def test_a_database_of_another_version_is_refused_with_the_remedy(engine: Engine, number: str, word: str) -> None:
    """Older and newer: nothing of HQ works on tables that it does not know."""
    with writing(engine) as connection:
        connection.execute(update(database.revisions).values(version_num=number))
    with pytest.raises(DatabaseUnavailable) as found:
        open_database(engine.url.render_as_string(hide_password=False))
    assert word in str(found.value.remedy)
    with pytest.raises(DatabaseUnavailable):
        revisions.upgrade(engine)


def test_a_database_from_before_the_first_release_is_refused(engine: Engine) -> None:
    """It has tables and no revision; nothing is made beside them."""
    with writing(engine) as connection:
        database.revisions.drop(connection)
    for opened in (open_database, lambda url: revisions.upgrade(connect(url))):
        with pytest.raises(DatabaseUnavailable, match="never released"):
            opened(engine.url.render_as_string(hide_password=False))


def test_a_lost_trigger_or_column_is_found(engine: Engine) -> None:
    """`consentry-hq database check` says what is not as it should be, and of no row anything."""
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sql("DROP TRIGGER consent_events_delete"))
        else:
            connection.execute(sql("DROP TRIGGER consent_events_append_only ON consent_events"))
        connection.execute(sql("ALTER TABLE help_calls DROP COLUMN state"))
    with reading(engine) as connection:
        lines = revisions.differences(connection)
    assert len(lines) == 2
    assert "help_calls" in lines[0] and "state" in lines[0]
    assert lines[1].startswith("missing consent_events_")


def _rows(engine: Engine) -> list[Any]:
    """What the rows of some tables say, in their first columns."""
    with reading(engine) as connection:
        return [
            connection.execute(select(table).order_by(*table.primary_key)).all()
            for table in (consent_events, members, stores)
        ] + [connection.scalar(select(func.count()).select_from(chain_heads))]
