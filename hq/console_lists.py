"""Reads the console's lists, a page at a time: stores and their state, alarms, members' questions, members' requests.

Each page begins after the last row of the one before, by the key that the list is sorted by, so that the thousandth
costs what the first does. Nothing in a list says who a member is.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from hq.alarm_tables import alarms
from hq.alarms import OF_BRANDS
from hq.choosing_tables import export_orders, exports
from hq.console_tables import questions
from hq.custody_tables import erasure_orders, erasures
from hq.figures_delays import dark_ms
from hq.order_tables import orders
from hq.questions import due_ms
from hq.tables import links, stores
from wire.sync import Readiness

PAGE = 50
_MOST_FIND = 40
_OF_STORES = alarms.c.alarm.not_in(sorted(OF_BRANDS))  # a brand may be named as a store is
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows; `after` is what the next page begins after, None: this is the last one."""

    rows: tuple[T, ...]
    after: str | None


# --- stores ----------------------------------------------------------------------------------------------------------


class StoreState(StrEnum):
    """How a store is."""

    NEW = "new"  # never said hello
    DARK = "dark"  # no lease, or it says so
    LOCKED = "locked"
    QUARANTINE = "quarantine"  # something that it holds does not agree with HQ
    READY = "ready"


@dataclass(frozen=True, slots=True)
class StoreLine:
    """A store. Times are Unix milliseconds UTC, None: never. `wrong`: the instances that do not agree."""

    id: str
    label: str
    policy: str
    state: StoreState
    hello_ms: int | None
    lease_until_ms: int | None
    dark_minutes: int
    software: str
    wrong: str
    alarms: int
    orders_open: int


def stores_page(
    connection: Connection, now_ms: int, *, after: str = "", find: str = "", state: StoreState | None = None,
    limit: int = PAGE,
) -> Page[StoreLine]:  # fmt: skip
    """Stores by id. `find`: what id or label hold, in small letters or large."""
    wanted = select(stores, links).outerjoin(links, links.c.store == stores.c.id).where(stores.c.id > after)
    if find:
        like = "%" + _escaped(find.lower()[:_MOST_FIND]) + "%"
        wanted = wanted.where(
            stores.c.id.like(like, escape="\\") | func.lower(stores.c.label).like(like, escape="\\")
        )  # fmt: skip
    if state is not None:
        wanted = wanted.where(_is(state, now_ms))
    rows = connection.execute(wanted.order_by(stores.c.id).limit(limit + 1)).all()
    ids = [row.id for row in rows[:limit]]
    counted = select(alarms.c.store, func.count()).where(
        alarms.c.over_ms.is_(None), alarms.c.store.in_(ids), _OF_STORES
    )
    raised = {row[0]: row[1] for row in connection.execute(counted.group_by(alarms.c.store))}
    found = [_store(row, raised.get(row.id, 0), now_ms) for row in rows[:limit]]
    return _page(found, len(rows) > limit, [one.id for one in found])


def store_line(connection: Connection, store: str, now_ms: int) -> StoreLine | None:
    """One store; None: no such store."""
    wanted = select(stores, links).outerjoin(links, links.c.store == stores.c.id).where(stores.c.id == store)
    row = connection.execute(wanted).first()
    raised = select(func.count()).select_from(alarms).where(alarms.c.store == store, _OF_STORES)
    counted = raised.where(alarms.c.over_ms.is_(None))
    return None if row is None else _store(row, connection.scalar(counted) or 0, now_ms)


def store_counts(connection: Connection, now_ms: int) -> dict[StoreState, int]:
    """How many stores are in each state."""
    joined = select(func.count()).select_from(stores.outerjoin(links, links.c.store == stores.c.id))
    return {one: connection.scalar(joined.where(_is(one, now_ms))) or 0 for one in StoreState}


def _is(state: StoreState, now_ms: int) -> ColumnElement[bool]:
    leased = links.c.lease_until_ms > now_ms
    wrong = links.c.quarantined != ""
    match state:
        case StoreState.NEW:
            return links.c.hello_ms.is_(None)
        case StoreState.QUARANTINE:
            return and_(links.c.hello_ms.is_not(None), wrong)
        case StoreState.DARK:
            return and_(links.c.hello_ms.is_not(None), ~wrong, ~leased | (links.c.readiness == int(Readiness.DARK)))
        case StoreState.LOCKED:
            return and_(~wrong, leased, links.c.readiness == int(Readiness.LOCKED))
        case StoreState.READY:
            return and_(~wrong, leased, links.c.readiness == int(Readiness.LIVE))


def _store(row: Any, raised: int, now_ms: int) -> StoreLine:
    if row.hello_ms is None:
        return StoreLine(row.id, row.label, row.policy, StoreState.NEW, None, None, 0, "", "", raised, row.orders_open)
    state = StoreState.READY
    if row.quarantined:
        state = StoreState.QUARANTINE
    elif row.lease_until_ms <= now_ms or Readiness(row.readiness) is Readiness.DARK:
        state = StoreState.DARK
    elif Readiness(row.readiness) is Readiness.LOCKED:
        state = StoreState.LOCKED
    minutes = dark_ms(row.dark_ms, row.lease_until_ms, now_ms) // 60_000
    return StoreLine(
        row.id, row.label, row.policy, state, row.hello_ms, row.lease_until_ms or None, minutes, row.software,
        row.quarantined, raised, row.orders_open,
    )  # fmt: skip


# --- alarms ----------------------------------------------------------------------------------------------------------


def alarms_page(
    connection: Connection, *, after: str = "", find: str = "", store: str | None = None, past: bool = False,
    limit: int = PAGE,
) -> Page[Any]:  # fmt: skip
    """Rows of `alarms`, the newest first; `past`: with those that are over; `find`: a store's id begins so; `store`:
    it is this one.
    """
    wanted = select(alarms) if store is None else select(alarms).where(alarms.c.store == store, _OF_STORES)
    if after.isdecimal():
        wanted = wanted.where(alarms.c.id < int(after[:18]))
    if not past:
        wanted = wanted.where(alarms.c.over_ms.is_(None))
    if find:
        wanted = wanted.where(alarms.c.store.like(_escaped(find.lower()[:_MOST_FIND]) + "%", escape="\\"))
    rows = connection.execute(wanted.order_by(alarms.c.id.desc()).limit(limit + 1)).all()
    return _page(rows[:limit], len(rows) > limit, [str(row.id) for row in rows[:limit]])


# --- questions and requests ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuestionLine:
    """A question as the list has it: neither its words nor whose it is. `id` 8 bytes."""

    id: bytes
    event: str
    kind: str
    language: str
    asked_ms: int
    due_ms: int
    answered_ms: int | None


def questions_page(
    connection: Connection, *, after: str = "", answered: bool = False, limit: int = PAGE
) -> Page[QuestionLine]:
    """Questions that wait, or those that were answered, by when they are due."""
    column = questions.c
    wanted = select(questions).where(column.answered_ms.is_not(None) if answered else column.answered_ms.is_(None))
    rows = connection.execute(_after(wanted, column.due_ms, column.id, after).limit(limit + 1)).all()
    found = [
        QuestionLine(row.id, row.event, row.kind, row.language, row.asked_ms, row.due_ms, row.answered_ms)
        for row in rows[:limit]
    ]
    return _page(found, len(rows) > limit, [f"{one.due_ms}-{one.id.hex()}" for one in found])


class RequestKind(StrEnum):
    """What a member asked for."""

    EXPORT = "export"
    ERASURE = "erasure"


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request by its reference, 8 bytes. `done` of `stores` stores have answered; due by law (`hq.questions`)."""

    id: bytes
    kind: RequestKind
    asked_ms: int
    due_ms: int
    stores: int
    done: int


_part = exports.alias("part")
_REQUESTS = (
    (RequestKind.EXPORT, exports, _part.c.whole, export_orders),
    (RequestKind.ERASURE, erasures, erasure_orders.c.erasure, erasure_orders),
)


def requests_page(
    connection: Connection, *, after: str = "", done: bool = False, limit: int = PAGE
) -> Page[RequestLine]:
    """Requests that wait for a store, or those that do not, by when they were asked."""
    parts = []
    for kind, table, column, told in _REQUESTS:
        waits = exists().where(column == table.c.id, orders.c.id == told.c.order_id, orders.c.outcome.is_(None))
        if table is exports:  # of who was merged, too: a request of its own it is not
            waits = waits.where(told.c.export == _part.c.id)
        chosen = select(table.c.id, literal(kind.value).label("kind"), table.c.asked_ms).where(
            ~waits if done else waits
        )
        if table is exports:
            chosen = chosen.where(table.c.whole == table.c.id)
        # Each part by itself, so that the database never sorts more than two pages.
        chosen = _after(chosen, table.c.asked_ms, table.c.id, after).limit(limit + 1)
        parts.append(select(chosen.subquery()))
    both = union_all(*parts).subquery()
    rows = connection.execute(select(both).order_by(both.c.asked_ms, both.c.id).limit(limit + 1)).all()
    counts = _progress(connection, rows[:limit])
    found = [
        RequestLine(row.id, RequestKind(row.kind), row.asked_ms, due_ms(row.asked_ms), *counts.get(row.id, (0, 0)))
        for row in rows[:limit]
    ]
    return _page(found, len(rows) > limit, [f"{one.asked_ms}-{one.id.hex()}" for one in found])


def _progress(connection: Connection, rows: Iterable[Any]) -> dict[bytes, tuple[int, int]]:
    """Of each request how many stores it went to, and how many have answered."""
    ids = [row.id for row in rows]
    asked: dict[bytes, set[str]] = {}
    waiting: dict[bytes, set[str]] = {}
    for _, _, column, told in _REQUESTS:
        rows_of = told.outerjoin(orders, orders.c.id == told.c.order_id)
        if told is export_orders:
            rows_of = rows_of.join(_part, _part.c.id == export_orders.c.export)
        wanted = select(column, told.c.store, orders.c.outcome).select_from(rows_of).where(column.in_(ids))
        for name, store, outcome in connection.execute(wanted):
            asked.setdefault(name, set()).add(store)
            if outcome is None:  # under one name at least
                waiting.setdefault(name, set()).add(store)
    return {name: (len(stores_of), len(stores_of) - len(waiting.get(name, ()))) for name, stores_of in asked.items()}


def late(connection: Connection, now_ms: int) -> int:
    """How many questions wait though they were due."""
    column = questions.c
    wanted = select(func.count()).where(column.answered_ms.is_(None), column.due_ms < now_ms)
    return connection.scalar(wanted) or 0


# --- what lists share ------------------------------------------------------------------------------------------------


def _after(wanted: Select[Any], at: ColumnElement[int], name: ColumnElement[bytes], after: str) -> Select[Any]:
    """Ascending by time and id, from behind `<ms>-<hex>` on; what is none is passed over."""
    begun, _, raw = after.partition("-")
    if begun.isdecimal() and len(begun) <= 18 and set(raw) <= set("0123456789abcdef") and len(raw) % 2 == 0:
        at_ms, found = int(begun), bytes.fromhex(raw)
        wanted = wanted.where(tuple_(at, name) > tuple_(literal(at_ms, at.type), literal(found, name.type)))
    return wanted.order_by(at, name)


def _page(rows: Sequence[T], more: bool, keys: Sequence[str]) -> Page[T]:
    return Page(tuple(rows), keys[-1] if more and keys else None)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
