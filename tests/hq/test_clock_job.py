"""What only time changes: grants that begin and end, values that grow old, days that come and go."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hq import records
from hq.alarm_tables import alarms
from hq.database import reading
from hq.days import buckets_due, valid_days
from hq.door import Grant
from hq.errors import SealBroken
from hq.tables import instances
from tests.fakes.store import FakeStore
from tests.hq.headquarters import DAY_S, ROLES, STORE, Headquarters, items
from wire import token
from wire.sync import KEYRING_BUCKETS, Lease, Refusal, RefusalReason

TODAY = 20_778


def at(hours: float) -> int:
    """Unix seconds so many hours into the day."""
    return int(TODAY * DAY_S + hours * 3600)


def test_the_valid_days_follow_the_clock() -> None:
    """Yesterday for 20 minutes, tomorrow in the last 6 hours, today always."""
    assert valid_days(at(0)) == (TODAY - 1, TODAY)
    assert valid_days(at(0) + 1199) == (TODAY - 1, TODAY)
    assert valid_days(at(0) + 1200) == (TODAY,)
    assert valid_days(at(17.99)) == (TODAY,)
    assert valid_days(at(18)) == (TODAY, TODAY + 1)


@given(st.integers(at(0), at(48)))
def test_the_keys_that_a_slot_needs_are_there(now_s: int) -> None:
    """Slots now-1, now and now+1 always have their day valid, and tomorrow's whole before slot now+1 needs it."""
    for slot in (now_s // 600 - 1, now_s // 600, now_s // 600 + 1):
        day = token.day_of_slot(slot)
        assert day in valid_days(now_s)
        if day > now_s // DAY_S:
            assert buckets_due(day, now_s) == KEYRING_BUCKETS


def test_tomorrows_keys_arrive_spread_over_the_evening(hq: Headquarters) -> None:
    """Some at 19:00, more at 21:00, all at 23:40; who joins meanwhile is in what is built and in what is not yet."""
    hq.join_many(40)
    counts = []
    for hours in (7, 2, 2.67):
        hq.later(hours * 3600)
        counts.append(sum(bool(hq.day_keys(f"m-{number}", TODAY + 1)) for number in range(40)))
        hq.join(f"late-{hours}")
    assert 0 < counts[0] < counts[1] < counts[2] == 40
    hq.later(60)
    assert all(hq.day_keys(f"late-{hours}", TODAY + 1) for hours in (7, 2, 2.67))
    hq.check()


def test_a_day_is_dropped_twenty_minutes_after_its_midnight(hq: Headquarters) -> None:
    """The instance and its records are gone, for good."""
    hq.join("m-1")
    hq.later(11.9 * 3600)
    hq.later(0.2 * 3600)
    assert f"keyring/{STORE}/{TODAY}" in hq.instances()
    assert len(hq.day_keys("m-1", TODAY + 1)) == 1
    hq.later(20 * 60)
    assert f"keyring/{STORE}/{TODAY}" not in hq.instances()
    hq.check()


def test_hq_that_was_down_for_days_builds_today_and_drops_the_rest(hq: Headquarters) -> None:
    """After three days away only the valid days are there, whole."""
    hq.join("m-1")
    hq.later(3 * DAY_S)
    assert sorted(one.day for one in hq.instances().values() if one.day is not None) == [TODAY + 3]
    assert len(hq.day_keys("m-1")) == 1
    hq.check()


def test_a_grant_that_ends_takes_its_value_and_the_member_out(hq: Headquarters) -> None:
    """Without anybody doing anything, and not before."""
    hq.join("m-1")
    hq.grant("m-1", "assist", "wishlist", days=2)
    hq.office.set_profile("m-1", [items("wishlist", "Scarf")], hq.now_ms)
    hq.later(2 * DAY_S - 1)
    found = hq.record("m-1")
    assert found is not None
    assert len(found.fields) == 1
    hq.later(1)
    found = hq.record("m-1")
    assert found is not None
    assert not found.fields
    assert {one.purpose for one in found.statements} == {"presence"}
    hq.later(363 * DAY_S)
    assert (hq.record("m-1"), hq.day_keys("m-1")) == (None, ())


def test_a_grant_that_begins_later_counts_from_then(hq: Headquarters) -> None:
    """Before its day the store knows nothing of it."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    grant = Grant("presence", (STORE,), ROLES, until_days=30, chosen_s=hq.now_s, from_s=hq.now_s + DAY_S)
    hq.office.grant("m-1", grant, hq.now_ms)
    assert hq.record("m-1") is None
    hq.later(DAY_S)
    assert hq.record("m-1") is not None


def test_a_value_that_grows_too_old_is_taken_back(hq: Headquarters) -> None:
    """The basket's retention of 30 days ends while nobody touches it."""
    hq.join("m-1", "basket.online")
    hq.office.set_profile("m-1", [items("basket.online", "Scarf")], hq.now_ms)
    hq.later(28 * DAY_S)
    found = hq.record("m-1")
    assert found is not None
    assert len(found.fields) == 1
    hq.later(1 * DAY_S)
    found = hq.record("m-1")
    assert found is not None
    assert not found.fields


def test_the_clock_job_twice_is_once(hq: Headquarters) -> None:
    """What is done is left as it is."""
    hq.join("m-1")
    hq.tick()
    before = hq.instances()
    assert hq.tick() == 0
    assert hq.instances() == before


# --- HQ's clock was wrong --------------------------------------------------------------------------------------------


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A store that holds all that HQ does, day keys of some phones among it."""
    hq.join_many(6)
    hq.office.add_phone("m-0", hq.now_ms)
    found = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    found.come_up(hq.answers)
    found.fill(hq.answers)
    assert found.agrees()
    return found


@pytest.mark.parametrize("hours", [12.5, 31, 72])
def test_a_clock_that_was_wrong_and_is_put_right_takes_no_store_away(
    hq: Headquarters, store: FakeStore, hours: float
) -> None:
    """A store that heard nothing meanwhile is no restored backup's: it goes on, and holds what HQ holds."""
    right_ms = hq.now_ms
    hq.later(hours * 3600)
    hq.office.withdraw("m-1", hq.now_ms)
    hq.now_ms = right_ms
    hq.later(4)
    assert isinstance(store.say(hq.answers, store.hello())[-1], Lease)
    store.fill(hq.answers)
    store.say(hq.answers, store.hello())
    assert store.agrees()
    assert (len(hq.day_keys("m-0")), hq.day_keys("m-1")) == (2, ())
    hq.check()
    with reading(hq.engine) as connection:
        assert connection.execute(select(alarms)).first() is None


def test_a_store_that_heard_the_wrong_time_has_its_day_again(hq: Headquarters, store: FakeStore) -> None:
    """It dropped the day as it was told, and is sent the day's digest key and records anew."""
    right_ms = hq.now_ms
    hq.later(25 * 3600)
    store.say(hq.answers, store.hello())
    store.say(hq.answers, store.hello())
    assert f"keyring/{STORE}/{TODAY}" not in store.rows
    hq.now_ms = right_ms
    hq.later(4)
    for _ in range(3):
        store.say(hq.answers, store.hello())
    store.fill(hq.answers)
    assert store.agrees()
    assert store.rows[f"keyring/{STORE}/{TODAY}"]


def test_a_store_ahead_in_its_keyring_is_refused_whatever_the_clock_said(hq: Headquarters, store: FakeStore) -> None:
    """A day that goes on goes on from where it was: one seq more is one that HQ never gave."""
    right_ms = hq.now_ms
    hq.later(25 * 3600)
    hq.now_ms = right_ms
    hq.later(4)
    found = hq.instances()[f"keyring/{STORE}/{TODAY}"]
    hello = store.hello()
    held = tuple(replace(one, seq=found.seq + 1) if one.instance == found.name else one for one in hello.held)
    (answer,) = store.say(hq.answers, replace(hello, held=held))
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.AHEAD_OF_HQ


def test_of_a_day_that_is_over_nothing_opens_and_little_is_kept(hq: Headquarters, store: FakeStore) -> None:
    """Its bodies' key is gone with its rows; its counter is, once four more days are over."""
    with reading(hq.engine) as connection:
        row = connection.execute(select(instances).where(instances.c.day == TODAY)).one()
        kept = connection.execute(select(records.records).where(records.records.c.instance == row.id)).all()
    hq.later(13 * 3600)
    with reading(hq.engine) as connection:
        over = records.from_row(connection.execute(select(instances).where(instances.c.day == TODAY)).one())
        keys = records.keys_of(connection, over)
        assert connection.scalar(select(records.records).where(records.records.c.instance == over.id)) is None
        assert over.name not in {one.name for one in records.keyrings(connection, [STORE])}
    assert over.n == row.n
    for one in kept:
        with pytest.raises(SealBroken):
            keys.open(one.key, one.seq, one.body)
    for _ in range(6):
        hq.later(DAY_S)
    with reading(hq.engine) as connection:
        days = connection.scalars(select(instances.c.day).where(instances.c.day.is_not(None)))
        assert sorted(days) == [TODAY + number for number in range(3, 8)]
