"""A leave code reaches the store, is counted, and tells nobody at HQ whether it was right."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from hq import leavings, orders
from hq.alarm_tables import alarms
from hq.database import open_database, reading, writing
from hq.errors import Reason, Refused
from hq.leave_tables import leave_tries
from hq.leavings import ADDRESS_BURST, ADDRESS_EACH_MS, STORE_BURST, STORE_EACH_MS
from hq.order_tables import order_parts
from hq.order_tables import orders as order_rows
from hq.tables import stores
from tests.hq.headquarters import STORE, Headquarters
from tests.hq.test_main import Desk
from tests.hq.test_main import desk as desk
from tests.hq.test_orders import a_store
from wire.sync import Done, Order, Outcome, Verb

CODE = "12345678"


def ask(hq: Headquarters, address: bytes | None = None, code: str = CODE, store: str = STORE) -> int:
    """One try; how many seconds to wait, 0: taken."""
    with writing(hq.engine) as connection:
        return leavings.ask(connection, store, code, hq.now_ms, address)


def count(hq: Headquarters, table: object = order_rows) -> int:
    """How many rows."""
    with reading(hq.engine) as connection:
        found: int | None = connection.scalar(select(func.count()).select_from(table))  # type: ignore[arg-type]
    return found or 0


@pytest.mark.parametrize(
    "written", ["12345678", "1234 5678", " 12 34 56 78 ", "1234-5678", "1234\u00a05678", "١٢٣٤٥٦٧٨", "１２３４５６７８"]
)
def test_a_code_is_taken_as_people_write_it(written: str) -> None:
    """With spaces and hyphens anywhere, and in the digits of their keyboard."""
    assert leavings.digits(written) == CODE


@pytest.mark.parametrize("written", ["", "1234567", "123456789", "1234567a", "①②③④⑤⑥⑦⑧"])
def test_what_is_not_eight_digits_is_refused(written: str) -> None:
    """And is in no message."""
    with pytest.raises(Refused) as caught:
        leavings.digits(written)
    assert caught.value.reason is Reason.MALFORMED
    assert not written or written not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_store_is_told_and_nobody_is_alarmed_whatever_it_answers(hq: Headquarters, outcome: Outcome) -> None:
    """It is good for ten minutes, and its code is kept no longer than its answer takes."""
    store = a_store(hq)
    assert ask(hq) == 0
    hq.later(25)
    (said,) = [one for one in store.say(hq.answers, store.hello()) if isinstance(one, Order)]
    assert (said.verb, said.code, said.subject) == (Verb.LEAVE, CODE, None)
    assert said.not_after_ms == hq.now_ms - 25_000 + orders.LEAVE_MS
    store.say(hq.answers, Done(said.id, outcome, 1, 1, b""))
    with reading(hq.engine) as connection:
        row = connection.execute(select(order_rows)).one()
        left = connection.scalar(select(stores.c.orders_open))
    assert (row.outcome, row.code, left) == (outcome, None, 0)
    assert count(hq, alarms) == 0
    hq.later(700)
    assert (count(hq), count(hq, order_parts), count(hq, leave_tries)) == (0, 0, 0), "then nothing is left of it"


def test_a_code_for_a_store_that_is_silent_ends_by_itself(hq: Headquarters) -> None:
    """It is too late, alarms nobody, and goes."""
    a_store(hq)
    ask(hq)
    hq.later(2 * 3600)
    hq.later(60)
    assert (count(hq), count(hq, leave_tries)) == (0, 0)
    with reading(hq.engine) as connection:
        assert connection.scalar(select(stores.c.orders_open)) == 0
        assert "order_failed" not in connection.scalars(select(alarms.c.alarm)).all()


def test_one_address_has_a_few_tries_and_then_one_a_minute(hq: Headquarters) -> None:
    """Others are not concerned; nor is it by what became of the codes."""
    assert [ask(hq, b"a" * 32) for _ in range(ADDRESS_BURST)] == [0] * ADDRESS_BURST
    assert ask(hq, b"a" * 32) == ADDRESS_EACH_MS // 1000
    assert ask(hq, b"b" * 32) == 0
    hq.now_ms += ADDRESS_EACH_MS
    assert ask(hq, b"a" * 32) == 0
    assert ask(hq, b"a" * 32) > 0
    assert count(hq) == ADDRESS_BURST + 2, "and what has to wait is not handed on"


def test_one_store_has_some_tries_and_then_one_in_a_quarter_of_a_minute(hq: Headquarters) -> None:
    """However many addresses try."""
    taken = [ask(hq, bytes([number]) * 32) for number in range(STORE_BURST + 3)]
    assert taken[:STORE_BURST] == [0] * STORE_BURST
    assert all(wait_s == STORE_EACH_MS // 1000 for wait_s in taken[STORE_BURST:])
    assert ask(hq) > 0, "somebody of ours as well"
    hq.now_ms += STORE_EACH_MS
    assert ask(hq) == 0


def test_of_a_store_that_is_none_nothing_is_counted(hq: Headquarters) -> None:
    """It is refused by its name alone."""
    with pytest.raises(Refused) as caught:
        ask(hq, store="nowhere")
    assert caught.value.reason is Reason.UNKNOWN_STORE
    assert count(hq, leave_tries) == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(codes=st.lists(st.from_regex(r"[0-9]{8}", fullmatch=True), min_size=2, max_size=2, unique=True))
def test_any_code_is_answered_as_any_other(hq: Headquarters, codes: list[str]) -> None:
    """What is counted, stored and said differs in the code alone."""
    rows = []
    for code in codes:
        hq.now_ms += 3_600_000
        assert ask(hq, b"a" * 32, code) == 0
        with reading(hq.engine) as connection:
            row = connection.execute(select(order_rows).order_by(order_rows.c.issued_ms.desc()).limit(1)).one()
        rows.append((row.verb, row.subject, row.urgent, row.not_after_ms - hq.now_ms, row.outcome))
        assert row.code == code
    assert rows[0] == rows[1]


def tries_at_once(hq: Headquarters, urls: list[Engine]) -> int:
    """How many of many tries from several processes' engines are taken."""
    taken: list[int] = []

    def run(engine: Engine) -> None:
        for _ in range(10):
            with writing(engine) as connection:
                wait_s = leavings.ask(connection, STORE, CODE, hq.now_ms, b"a" * 32)
            taken.append(wait_s)

    threads = [threading.Thread(target=run, args=(one,)) for one in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 10 * len(urls)
    return taken.count(0)


def test_several_processes_count_together(hq: Headquarters) -> None:
    """At one and the same moment no more is taken than one process would take; on PostgreSQL by the store's row."""
    second = open_database(hq.engine.url.render_as_string(hide_password=False))
    try:
        assert tries_at_once(hq, [hq.engine, second]) == ADDRESS_BURST
    finally:
        second.dispose()
    hq.later(2 * 3600)
    hq.later(60)
    assert count(hq) == 0


def test_whoever_answers_the_telephone_hands_it_on(desk: Desk) -> None:
    """One sentence, whatever the code; after too many, when to try again."""
    said = desk.run("leave", STORE, "1234 5678").stdout
    assert said == f"handed to {STORE}; if the code is right, the phone shows it now\n"
    office = desk.office()
    with writing(office.engine) as connection:
        while not leavings.ask(connection, STORE, CODE, connection.scalar(select(func.max(order_rows.c.issued_ms)))):
            pass
    office.engine.dispose()
    refused = desk.run("leave", STORE, CODE, code=65)
    assert "the next one in" in refused.stderr
    assert CODE not in refused.stderr


def test_the_public_page_is_told_the_stores_name_and_its_blind_zones_alone(hq: Headquarters) -> None:
    """Of a store that nobody knows, nothing; a box without a lease is said to be away."""
    with reading(hq.engine) as connection:
        found = leavings.door(connection, STORE, hq.now_ms)
        assert leavings.door(connection, "nowhere", hq.now_ms) is None
    assert found is not None and not found.hears
    assert found.label
    policy = hq.draft.stores[0]
    assert set(found.blind) == {zone.label for zone in policy.zones if zone.blind}
