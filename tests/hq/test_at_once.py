"""What two members, or two calls of one member, write at the same time: both are taken."""

import time
from concurrent.futures import ThreadPoolExecutor

from hq import felt, moments
from hq.database import reading, writing
from hq.felt import Line
from tests.hq.headquarters import STORE, Headquarters


def test_two_who_feel_so_first_on_a_day_are_both_counted(hq: Headquarters) -> None:
    """The second waits until the first is written, and is counted beside it."""
    line = Line(STORE, "size.shoe", "assist")
    hq.join("m-1", "size.shoe")
    with ThreadPoolExecutor(1) as pool:
        with writing(hq.engine) as connection:
            felt._count(connection, "main", line, hq.now_ms)
            other = pool.submit(felt.note, hq.office, "m-1", line, hq.now_ms, "app")
            time.sleep(0.2)
        other.result(20)
    with reading(hq.engine) as connection:
        assert [one.times for one in felt.counts(connection, "main")] == [2]


def test_two_moments_at_once_ask_once(hq: Headquarters) -> None:
    """The second call sees what the first one asked, and asks nothing."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)

    def ask() -> moments.Ask | None:
        with writing(hq.engine) as connection:
            return moments.ask(connection, hq.keys, "m-1", moments.Moment.STORE_ADDED, hq.now_ms, STORE)

    with ThreadPoolExecutor(1) as pool:
        with writing(hq.engine) as connection:
            asked = moments.ask(connection, hq.keys, "m-1", moments.Moment.STORE_ADDED, hq.now_ms, STORE)
            assert asked is not None
            other = pool.submit(ask)
            time.sleep(0.2)
        assert other.result(20) is None
