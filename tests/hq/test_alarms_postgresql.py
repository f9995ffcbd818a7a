"""Alarms and the synthetic member on PostgreSQL, with several HQ processes at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select

from hq import alarms
from hq.alarm_channels import Notice
from hq.alarm_delivery import Delivery
from hq.alarms import Alarm
from hq.database import reading, writing
from hq.synthetic import Rounds
from hq.synthetic_tables import synthetic_choices, synthetic_rounds
from tests.hq.headquarters import NOON_MS, Headquarters
from tests.hq.test_synthetic import MEMBER, WAIT_S, Shop
from wire.events import Seen

DATABASE = "postgresql"
pytestmark = pytest.mark.long


class Counted:
    """A way to people that only keeps what it is told."""

    name = "webhook"

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def send(self, notice: Notice) -> None:
        """One message."""
        self.told.append((notice.store, notice.count))


def test_many_who_raise_the_same_at_once_make_one_alarm(engine: Engine) -> None:
    """Sixteen transactions side by side: one open row, counted sixteen times; told once by four processes."""

    def raised(number: int) -> None:
        with writing(engine) as connection:
            alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-1", NOON_MS + number)

    counted = Counted()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(raised, range(16)))
        list(pool.map(lambda _: Delivery(engine, [counted]).tick(NOON_MS + 100), range(4)))
    with reading(engine) as connection:
        (row,) = alarms.open_alarms(connection)
    assert row.seen == 16
    assert counted.told == [("berlin-1", 16)]
    with writing(engine) as connection:
        assert alarms.clear(connection, Alarm.STORE_SILENT, "berlin-1", NOON_MS + 200)
        alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-1", NOON_MS + 300)


def test_a_round_and_its_alarm_with_two_processes(hq: Headquarters, engine: Engine) -> None:
    """Both take steps side by side: one grant, one withdrawal, and an alarm when it was not seen to go."""
    shop = Shop(hq)
    both = (shop.rounds, Rounds(engine, hq.office))
    with ThreadPoolExecutor(2) as pool:

        def passes(seconds: int) -> None:
            for _ in range(seconds // 10):
                hq.now_ms += 10_000
                list(pool.map(lambda one: one.tick(hq.now_ms), both))

        while hq.record(MEMBER) is None:
            passes(10)
        with reading(engine) as connection:
            assert connection.scalar(select(func.count()).select_from(synthetic_choices)) == 2
            assert connection.scalar(select(func.count()).select_from(synthetic_rounds)) == 1
        shop.saw(Seen.SHOWN)
        while hq.record(MEMBER) is not None:
            passes(10)
        passes(WAIT_S + 20)
    assert shop.alarm() == f"the withdrawal was not seen within {WAIT_S} s"
    hq.check()
