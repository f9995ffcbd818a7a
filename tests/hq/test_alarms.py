"""Alarms are raised once for each kind and store, counted, told of, reminded of and ended."""

from sqlalchemy import Engine, select

from hq import alarms
from hq.alarm_tables import alarms as rows
from hq.alarms import Alarm
from hq.database import reading, writing


def test_one_alarm_of_a_kind_and_store_is_open(engine: Engine) -> None:
    """What is raised again is counted and keeps the newest detail; another store has one of its own."""
    with writing(engine) as connection:
        alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-1", 1000, "first")
        alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-1", 2000, "second")
        alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-2", 3000)
        alarms.raise_(connection, Alarm.LOG_BROKEN, "berlin-1", 4000)
    with reading(engine) as connection:
        found = [(one.alarm, one.store, one.count, one.first_ms, one.last_ms, one.detail)
                 for one in alarms.open_alarms(connection)]  # fmt: skip
    assert found == [
        ("store_silent", "berlin-1", 2, 1000, 2000, "second"),
        ("store_silent", "berlin-2", 1, 3000, 3000, ""),
        ("log_broken", "berlin-1", 1, 4000, 4000, ""),
    ]


def test_an_alarm_that_is_over_may_be_raised_anew(engine: Engine) -> None:
    """The past one stays as it was; ending what is not open changes nothing."""
    with writing(engine) as connection:
        assert not alarms.clear(connection, Alarm.EVENTS_LOST, "berlin-1", 500)
        alarms.raise_(connection, Alarm.EVENTS_LOST, "berlin-1", 1000)
        assert alarms.clear(connection, Alarm.EVENTS_LOST, "berlin-1", 2000)
        alarms.raise_(connection, Alarm.EVENTS_LOST, "berlin-1", 3000)
    with reading(engine) as connection:
        found = connection.execute(select(rows).order_by(rows.c.id)).all()
    assert [(one.first_ms, one.over_ms) for one in found] == [(1000, 2000), (3000, None)]
