"""Figures of Consentry's own work: how long withdrawals took until no tablet showed them, how long stores were dark.

They measure stores, not members, so they are told as they are; but of how many withdrawals is only told in whole tens,
and of one store nothing of a span in which there were fewer than ten.

I/O: sqlalchemy.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hq.database import reading, writing
from hq.figures_model import DAY_S, Span, SpanKind, span_of
from hq.figures_tables import store_dark
from hq.log_tables import withdrawals_applied
from hq.tables import links

KEPT_DAYS = 800
TENS = 10
_DAY_MS = DAY_S * 1000
_NOTED_EVERY_MS = 3_600_000
_MOST_SPANS = 60


@dataclass(frozen=True, slots=True)
class Delay:
    """How long withdrawals took from HQ's commit to the last open tablet. Of many, `tens` are at least so many.

    `tens` 0: fewer than ten. `confirmed`: whether every tablet that was open said so.
    """

    span: Span
    tens: int
    median_ms: int
    p95_ms: int
    worst_ms: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Dark:
    """How many minutes a store was dark in a span, or all stores together."""

    span: Span
    minutes: int


def delays(connection: Connection, kind: SpanKind, today: int, count: int, store: str | None = None) -> list[Delay]:
    """Of the newest `count` spans until today those in which there was a withdrawal, oldest first; of one store those
    in which there were ten.
    """
    applied = withdrawals_applied.c
    found = []
    for span in spans(kind, today, count):
        of = [applied.at_ms >= span.first * _DAY_MS, applied.at_ms < span.end * _DAY_MS]
        if store is not None:
            of.append(applied.store == store)
        many = connection.scalar(select(func.count()).where(*of)) or 0
        if many < (1 if store is None else TENS):  # one store's few: a time would be somebody's
            continue
        ranks = [(many - 1) // 2, -(-95 * many // 100) - 1, many - 1]
        median, p95, worst = (
            connection.scalar(select(applied.delay_ms).where(*of).order_by(applied.delay_ms).offset(rank).limit(1))
            for rank in ranks
        )
        late = connection.scalar(select(func.count()).where(*of, applied.acknowledged < applied.open)) or 0
        found.append(Delay(span, many - many % TENS, median or 0, p95 or 0, worst or 0, late == 0))
    return found


def dark(connection: Connection, kind: SpanKind, today: int, count: int, store: str | None = None) -> list[Dark]:
    """Dark minutes of the newest `count` spans until today of which something is known, oldest first."""
    wanted = spans(kind, today, count)
    chosen = select(store_dark).where(store_dark.c.day >= wanted[0].first - 1)
    if store is not None:
        chosen = chosen.where(store_dark.c.store == store)
    per_day: dict[int, int] = {}
    before: dict[str, int] = {}
    for row in connection.execute(chosen.order_by(store_dark.c.store, store_dark.c.day)):
        if row.store in before:
            per_day[row.day] = per_day.get(row.day, 0) + max(0, row.dark_ms - before[row.store])
        before[row.store] = row.dark_ms
    return [
        Dark(span, sum(per_day[day] for day in span.days if day in per_day) // 60_000)
        for span in wanted
        if any(day in per_day for day in span.days)
    ]


def spans(kind: SpanKind, today: int, count: int) -> list[Span]:
    """The newest spans of a kind, the one of today last."""
    found = [span_of(kind, today)]
    while len(found) < min(count, _MOST_SPANS):
        found.append(span_of(kind, found[-1].first - 1))
    return found[::-1]


def note(engine: Engine, now_ms: int) -> int:
    """Notes once an hour how long each store has been dark since its first lease; returns how many were noted."""
    with reading(engine) as connection:
        newest = connection.scalar(select(func.max(store_dark.c.noted_ms))) or 0
        nobody = connection.execute(select(links.c.store).limit(1)).first() is None
    if nobody or 0 <= now_ms - newest < _NOTED_EVERY_MS:
        return 0
    day = now_ms // _DAY_MS
    with writing(engine) as connection:
        rows = [
            {"store": row.store, "day": day, "dark_ms": dark_ms(row.dark_ms, row.lease_until_ms, now_ms),
             "noted_ms": now_ms}
            for row in connection.execute(select(links.c.store, links.c.dark_ms, links.c.lease_until_ms))
        ]  # fmt: skip
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        made = dialect.insert(store_dark)
        told = {name: made.excluded[name] for name in ("dark_ms", "noted_ms")}
        connection.execute(made.on_conflict_do_update(index_elements=["store", "day"], set_=told), rows)
        connection.execute(delete(store_dark).where(store_dark.c.day < day - KEPT_DAYS))
    return len(rows)


def dark_ms(past_ms: int, lease_until_ms: int, now_ms: int) -> int:
    """How long a store has been dark in all, with the time since its lease ended; 0 before its first one."""
    return past_ms + (max(0, now_ms - lease_until_ms) if lease_until_ms else 0)
