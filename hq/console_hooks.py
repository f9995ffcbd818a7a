"""Reads what the console shows of hooks: each with what was delivered last and failed last, and the dead letters.

No row names a member or a value; of an address only what stands before a question mark is told.

I/O: sqlalchemy.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from hq.changes_tables import dead_letters, hooks
from hq.console_lists import PAGE, Page


@dataclass(frozen=True, slots=True)
class Letter:
    """What a hook was not told: `changes` consent events from `first` on. `made_ms` Unix milliseconds UTC."""

    id: int
    hook: bytes
    system: str
    first: int
    changes: int
    made_ms: int
    reason: str


def letters_page(connection: Connection, *, after: str = "", limit: int = PAGE) -> Page[Letter]:
    """Dead letters, the newest first."""
    wanted = select(dead_letters, hooks.c.system).join(hooks, hooks.c.id == dead_letters.c.hook)
    if after.isdecimal():
        wanted = wanted.where(dead_letters.c.id < int(after[:18]))
    rows = connection.execute(wanted.order_by(dead_letters.c.id.desc()).limit(limit + 1)).all()
    found = tuple(
        Letter(row.id, row.hook, row.system, row.after + 1, row.through - row.after, row.made_ms, row.reason)
        for row in rows[:limit]
    )
    return Page(found, str(found[-1].id) if len(rows) > limit else None)
