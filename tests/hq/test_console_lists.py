"""The console's lists: every row once from page to page, and the last page as quick to be had as the first."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, select, text

from hq import console_hooks, console_lists, console_policy, systems, systems_refused
from hq.alarm_tables import alarms
from hq.changes_tables import dead_letters, hooks
from hq.choosing_tables import export_orders, exports
from hq.console_lists import PAGE, Page, StoreState
from hq.console_tables import questions
from hq.database import reading, writing
from hq.notices_tables import policy_versions
from hq.order_tables import orders
from hq.systems_tables import system_refusals
from hq.tables import links, members, stores
from tests.hq.headquarters import NOON_MS, STORE, Headquarters

MANY = 100_000
List = Callable[[Connection, str], Page[Any]]


def _refused(connection: Connection, after: str) -> Page[Any]:
    """As the page of refused imports reads them."""
    before = int(after) if after.isdecimal() else None
    rows = systems_refused.newest(connection, before=before, system="shop", limit=PAGE + 1)
    return Page(tuple(rows[:PAGE]), str(rows[PAGE - 1].id) if len(rows) > PAGE else None)


LISTS: dict[str, List] = {
    "stores": lambda connection, after: console_lists.stores_page(connection, NOON_MS, after=after),
    "stores dark": lambda connection, after: console_lists.stores_page(
        connection, NOON_MS, after=after, state=StoreState.DARK
    ),
    "stores found": lambda connection, after: console_lists.stores_page(connection, NOON_MS, after=after, find="9 "),
    "alarms": lambda connection, after: console_lists.alarms_page(connection, after=after),
    "alarms past": lambda connection, after: console_lists.alarms_page(connection, after=after, past=True),
    "questions": lambda connection, after: console_lists.questions_page(connection, after=after),
    "questions answered": lambda connection, after: console_lists.questions_page(
        connection, after=after, answered=True
    ),
    "requests": lambda connection, after: console_lists.requests_page(connection, after=after),
    "requests done": lambda connection, after: console_lists.requests_page(connection, after=after, done=True),
    "refused": _refused,
    "dead letters": lambda connection, after: console_hooks.letters_page(connection, after=after),
    "versions": lambda connection, after: console_policy.versions_page(connection, after=after),
}  # fmt: skip


def _id(number: int, size: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()[:size]


def fill(connection: Connection, member: bytes, count: int) -> None:
    """So many rows of everything; of what is open or waits every other one."""
    numbers = range(count)

    def many(table: Any, rows: Iterable[dict[str, Any]]) -> None:
        listed = list(rows)
        for start in range(0, len(listed), 5000):
            connection.execute(insert(table), listed[start : start + 5000])

    many(stores, ({"id": f"s-{one:06}", "label": f"Store {one} ", "identity": bytes(32), "policy": "main",
                   "added_ms": NOON_MS} for one in numbers))  # fmt: skip
    many(links, ({"store": f"s-{one:06}", "boot": bytes(16), "sealing_key": b"k", "incarnation": bytes(16),
                  "readiness": 2, "software": "1", "hello_ms": NOON_MS, "lease_until_ms": NOON_MS + (one % 2) * 1000,
                  "dark_ms": 0} for one in numbers))  # fmt: skip
    many(alarms, ({"alarm": "store_silent", "store": f"s-{one:06}", "detail": "", "seen": 1, "first_ms": NOON_MS,
                   "last_ms": NOON_MS, "over_told": False, "over_ms": None if one % 2 else NOON_MS}
                  for one in numbers))  # fmt: skip
    many(questions, ({"id": _id(one, 8), "member": member, "event": "s/1/1", "kind": "why", "words": b"",
                      "language": "de", "asked_ms": NOON_MS + one // 3, "due_ms": NOON_MS + one // 3,
                      "answered_ms": None if one % 2 else NOON_MS} for one in numbers))  # fmt: skip
    many(exports, ({"id": _id(one, 8), "whole": _id(one, 8), "member": member, "asked_ms": NOON_MS + one // 3}
                   for one in numbers))  # fmt: skip
    many(orders, ({"id": _id(one, 16), "store": STORE, "verb": 1, "urgent": False, "issued_ms": NOON_MS,
                   "not_after_ms": NOON_MS, "sent_ms": 0, "outcome": None if one % 2 else 0}
                  for one in numbers))  # fmt: skip
    many(export_orders, ({"export": _id(one, 8), "store": STORE, "member": member, "order_id": _id(one, 16)}
                         for one in numbers))  # fmt: skip
    systems.add(connection, "shop", "Shop", [systems.Right.PURCHASES], ["main"], [], NOON_MS)
    many(system_refusals, ({"system": "shop", "call": "purchases", "at_ms": NOON_MS, "line": one, "field": "f",
                            "reason": "r", "hint": "h"} for one in numbers))  # fmt: skip
    many(hooks, [{"id": bytes(8), "system": "shop", "url": "https://shop.example.com/", "secret": b"", "through": count,
                  "tries": 0, "due_ms": NOON_MS, "added_ms": NOON_MS}])  # fmt: skip
    many(dead_letters, ({"hook": bytes(8), "after": one, "through": one + 1, "made_ms": NOON_MS, "reason": "away"}
                        for one in numbers))  # fmt: skip
    many(policy_versions, ({"policy": f"p-{one % 7}", "version": 10 + one, "content": b"", "at_ms": NOON_MS + one // 5}
                           for one in numbers))  # fmt: skip


def member_of(hq: Headquarters) -> bytes:
    """A member to whom all of it belongs."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    with reading(hq.engine) as connection:
        return bytes(connection.scalar(select(members.c.id)) or b"")


def walk(connection: Connection, listed: List) -> list[str]:
    """Every row, from page to page, by what it looks like."""
    found, after = [], ""
    for _ in range(100):
        page = listed(connection, after)
        found += [str(one) for one in page.rows]
        if page.after is None:
            return found
        assert len(page.rows) == PAGE
        after = page.after
    raise AssertionError("the list does not end")


def test_every_row_stands_on_one_page(hq: Headquarters) -> None:
    """Also where many have the same time; an empty list has no rows, and a place that is none is passed over."""
    with reading(hq.engine) as connection:
        empty = {name for name, listed in LISTS.items() if not walk(connection, listed)}
    assert empty >= {"alarms", "questions", "requests", "requests done"}
    with writing(hq.engine) as connection:
        fill(connection, member_of_in(connection, hq), 130)
    with reading(hq.engine) as connection:
        for name, listed in LISTS.items():
            rows = walk(connection, listed)
            assert len(rows) == len(set(rows)), name
            assert len(rows) >= (12 if "found" in name else 65), name
            for nonsense in ("x" * 40, "9-zz", "~~", "-", "1-0"):
                if "stores" not in name:
                    assert len(listed(connection, nonsense).rows) <= PAGE, name


def member_of_in(connection: Connection, hq: Headquarters) -> bytes:
    """The same in a transaction under way."""
    made = secrets.token_bytes(16)
    connection.execute(insert(members).values(id=made, added_ms=hq.now_ms))
    return made


@pytest.mark.long
def test_of_100_000_rows_a_page_is_quick(hq: Headquarters) -> None:
    """By what the database does, not by a clock: no page, the first or a later one, sorts more than two pages."""
    with writing(hq.engine) as connection:
        fill(connection, member_of_in(connection, hq), MANY)
    with writing(hq.engine) as connection:
        connection.execute(text("ANALYZE"))
    later = {
        "stores": "s-090000", "stores dark": "s-090000", "stores found": "s-090000", "alarms": "9000",
        "alarms past": "9000", "questions": f"{NOON_MS + 20_000}-00", "questions answered": f"{NOON_MS + 20_000}-00",
        "requests": f"{NOON_MS + 20_000}-00", "requests done": f"{NOON_MS + 20_000}-00",
        "versions": f"{NOON_MS + 10_000}~p-1~20", "refused": "9000", "dead letters": "9000",
    }  # fmt: skip
    with reading(hq.engine) as connection:
        for name, listed in LISTS.items():
            for after in ("", later[name]):
                page, asked = watched(hq.engine, connection, listed, after)
                assert page.rows, name
                for statement, values in asked:
                    assert not sorts_all(connection, statement, values), (name, statement)


def watched(
    engine: Engine, connection: Connection, listed: List, after: str
) -> tuple[Page[Any], list[tuple[str, Any]]]:
    """A page, and the statements that it took."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        return listed(connection, after), asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def sorts_all(connection: Connection, statement: str, values: Any) -> bool:
    """Whether the database sorts more than the rows of a page or two for it."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, values).all()
        sorted_in = {row.parent for row in rows if "USE TEMP B-TREE" in row.detail and "GROUP BY" not in row.detail}
        # A page that was read already (a co-routine with its own limit) may be sorted again.
        return bool(sorted_in - {row.parent for row in rows if row.detail.startswith("CO-ROUTINE")})
    plan = connection.exec_driver_sql("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + statement, values).scalar_one()
    sorts = [one["Plans"][0] for one in nodes(plan[0]["Plan"]) if one["Node Type"] == "Sort"]
    return any(one["Actual Rows"] > 2 * PAGE + 2 for one in sorts)


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's steps, all of them."""
    return [plan, *(found for part in plan.get("Plans", ()) for found in nodes(part))]
