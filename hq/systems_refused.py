"""Keeps which lines of other systems were refused, or taken in doubt, and why; nothing of what they said.

I/O: sqlalchemy.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from hq.importer import Problem
from hq.systems_tables import system_refusals

KEPT_MS = 30 * 86_400_000
MOST_OF_A_CALL = 1000  # a call whose every line is wrong is wrong once
_FIELD, _HINT = 128, 256


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused line. `at_ms` Unix milliseconds UTC."""

    id: int
    system: str
    call: str
    at_ms: int
    line: int
    field: str
    reason: str
    hint: str


def keep(connection: Connection, system: str, call: str, problems: Iterable[Problem], now_ms: int) -> None:
    """Keeps the first refused lines of a call."""
    rows = [
        {
            "system": system, "call": call, "at_ms": now_ms, "line": one.line, "field": one.field[:_FIELD],
            "reason": one.reason.value, "hint": one.hint[:_HINT],
        }
        for one in list(problems)[:MOST_OF_A_CALL]
    ]  # fmt: skip
    if rows:
        connection.execute(insert(system_refusals), rows)


def newest(
    connection: Connection, *, before: int | None = None, system: str | None = None, limit: int = 100
) -> list[Refusal]:
    """Refused lines, the newest first; `before`: the id of the last one of the page before."""
    wanted = select(system_refusals).order_by(system_refusals.c.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(system_refusals.c.id < before)
    if system is not None:
        wanted = wanted.where(system_refusals.c.system == system)
    return [
        Refusal(row.id, row.system, row.call, row.at_ms, row.line, row.field, row.reason, row.hint)
        for row in connection.execute(wanted)
    ]


def counts(connection: Connection, since_ms: int) -> list[tuple[str, str, str, int]]:
    """System, call, reason and how many lines since then, the most first."""
    columns = (system_refusals.c.system, system_refusals.c.call, system_refusals.c.reason)
    many = func.count().label("many")
    wanted = select(*columns, many).where(system_refusals.c.at_ms >= since_ms).group_by(*columns)
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(wanted.order_by(many.desc(), *columns))]


def forget(connection: Connection, now_ms: int) -> int:
    """Lets go what is older than 30 days, in a transaction that writes; how many lines that were."""
    return connection.execute(delete(system_refusals).where(system_refusals.c.at_ms < now_ms - KEPT_MS)).rowcount
