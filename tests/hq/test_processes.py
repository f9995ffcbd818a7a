"""Which HQ processes live, what each answers for, and who has the duties."""

import pytest
from sqlalchemy import Engine, select

from hq import processes
from hq.database import reading, writing
from hq.place import Place
from hq.process_tables import processes as rows
from hq.processes import LEASE_MS, Duty
from tests.hq.headquarters import NOON_MS, Headquarters

pytestmark = pytest.mark.usefixtures("hq")


@pytest.fixture
def stores(hq: Headquarters) -> frozenset[str]:
    """Thirty stores more."""
    names = [f"store-{number}" for number in range(30)]
    for name in names:
        hq.office.add_store(name, name, bytes(32), "main", hq.now_ms)
    return frozenset([*names, "berlin-1"])


def test_one_process_answers_for_all(engine: Engine, stores: frozenset[str]) -> None:
    """And has every duty."""
    place = Place(engine)
    place.tick(NOON_MS)
    assert place.stores == place.followed == stores
    assert all(place.has(duty, NOON_MS) for duty in Duty)


def test_a_second_one_takes_its_part(engine: Engine, stores: frozenset[str]) -> None:
    """The first follows what it gives away for one tick more, so that nobody is unheard; the duties stay with it."""
    first, second = Place(engine), Place(engine)
    first.tick(NOON_MS)
    second.tick(NOON_MS + 1)
    assert stores > second.stores > set()
    first.tick(NOON_MS + 2)
    assert first.stores == stores - second.stores
    assert first.followed == stores
    first.tick(NOON_MS + 3)
    assert first.followed == first.stores
    assert [one.has(Duty.CLOCK, NOON_MS) for one in (first, second)] == [True, False]


def test_a_killed_one_is_replaced_within_its_lease(engine: Engine, stores: frozenset[str]) -> None:
    """Until then it is counted; after that the other has all stores and all duties."""
    killed, other = Place(engine), Place(engine)
    killed.tick(NOON_MS)
    other.tick(NOON_MS)
    other.tick(NOON_MS + LEASE_MS - 1)
    assert other.stores < stores
    assert not other.has(Duty.CLOCK, NOON_MS + LEASE_MS - 1)
    other.tick(NOON_MS + LEASE_MS)
    assert other.stores == stores
    assert other.has(Duty.CLOCK, NOON_MS + LEASE_MS)
    assert not killed.has(Duty.CLOCK, NOON_MS + LEASE_MS), "it knows itself that its time is over"


def test_one_that_ends_is_replaced_at_once(engine: Engine, stores: frozenset[str]) -> None:
    """It takes its row away and lets go of its duties."""
    leaving, other = Place(engine), Place(engine)
    leaving.tick(NOON_MS)
    other.tick(NOON_MS)
    leaving.leave()
    other.tick(NOON_MS + 1)
    assert other.stores == stores
    assert other.has(Duty.ALARMS, NOON_MS + 1)


def test_a_new_store_is_answered_for_at_the_next_tick(engine: Engine, hq: Headquarters) -> None:
    """Without a restart."""
    place = Place(engine)
    place.tick(NOON_MS)
    hq.office.add_store("new", "New", bytes(32), "main", hq.now_ms)
    place.tick(NOON_MS + 1)
    assert "new" in place.stores


def test_rows_of_the_killed_are_forgotten(engine: Engine) -> None:
    """A day later."""
    Place(engine).tick(NOON_MS)
    with writing(engine) as connection:
        assert len(processes.renew(connection, b"12345678", NOON_MS + LEASE_MS + 1)) == 1
        processes.renew(connection, b"12345678", NOON_MS + LEASE_MS + 86_400_001)
    with reading(engine) as connection:
        assert connection.scalars(select(rows.c.id)).all() == [b"12345678"]
