"""Writes the next revision of HQ's database, from what the tables say and the revisions do not: for development only.

    python -m hq.migrations next "keep the colour of a store's door"
    python -m hq.migrations again      the first revision anew, as long as none was released

What it writes is a draft: rows that must move, triggers and functions are for its author to add. The tests tell
whether anything is missing.

I/O: files, alembic, a database in memory.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from hq import database, revisions, tables
from hq.database import writing
from runtime import cli

_FORM = '''"""{about}.

I/O: alembic.
"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {before}


def upgrade() -> None:
    """From the revision before to this one."""
    {body}
'''
_GUARD = """    if op.get_bind().dialect.name == "{dialect}":
        execute = op.get_bind().exec_driver_sql
{statements}"""
_FIRST = "The tables of the first release"


def main() -> None:
    """The program."""
    cli.run(lambda: _main(sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m hq.migrations", description="Write a revision.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("next", help="the next one").add_argument("about", help="what it does, without a full stop")
    actions.add_parser("again", help="the first one anew")
    chosen = parser.parse_args(arguments)
    known = revisions.history()
    again = chosen.action == "again"
    if again and len(known) > 1:
        print("the first revision was released", file=sys.stderr)
        return 1
    number = "0001" if again else f"{len(known) + 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        engine = database.connect(f"sqlite:///{folder}/hq.db")
        try:
            if not again:
                revisions.upgrade(engine)
            with writing(engine) as connection:
                body = _body(connection, again)
        finally:
            engine.dispose()
    before = "None" if again else f'"{known[-1].number}"'
    file = revisions.PLACE / "versions" / f"r{number}.py"
    about = _FIRST if again else chosen.about
    file.write_text(_FORM.format(about=about, number=number, before=before, body=body), encoding="utf-8")
    _put_in_order(file)
    print(f"{file.name} written: read it, and set REVISION in hq/database.py to {number}")
    return 0


def _body(connection: Connection, first: bool) -> str:
    context = MigrationContext.configure(connection, opts=revisions.OPTIONS | {"include_schemas": True})
    steps = produce_migrations(context, tables.METADATA).upgrade_ops
    assert steps is not None
    body = render_python_code(steps, render_as_batch=True, migration_context=context)
    body = re.sub(r"^ *# ###.*\n?", "", body, flags=re.MULTILINE).strip()
    if not first:
        return body
    return "\n".join([body, *map(_guards, ("sqlite", "postgresql")), _rows()])


def _guards(dialect: str) -> str:
    statements = "".join(f'        execute("""\n{one}\n""")\n' for one in revisions.guards(dialect))
    return _GUARD.format(dialect=dialect, statements=statements)


def _rows() -> str:
    lines = []
    for table, row in tables.FIRST_ROWS:
        columns = ", ".join(f'sa.column("{name}", sa.{type(table.c[name].type).__name__}())' for name in row)
        lines.append(f'    op.bulk_insert(sa.table("{table.name}", {columns}), [{_row(row)}])')
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    shown = {name: f"bytes({len(value)})" if value == bytes(32) else repr(value) for name, value in row.items()}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in shown.items()) + "}"


def _put_in_order(file: Path) -> None:
    for words in (["format", "--quiet"], ["check", "--quiet", "--fix"], ["format", "--quiet"]):
        subprocess.run([Path(sys.executable).parent / "ruff", *words, file], check=True)


if __name__ == "__main__":
    main()
