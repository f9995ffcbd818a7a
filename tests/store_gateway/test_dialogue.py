"""What one boot keeps of what HQ says, where a write fails, and what it does by itself where HQ says nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from store_gateway.cache import Cache
from store_gateway.errors import CacheReason
from store_gateway.replica import Replica
from tests.fakes.hq import STORE, TODAY, TODAY_MS, FakeHQ, Line, a_member
from wire import sync
from wire.query import Light
from wire.sync import Collection

ADA = b"\xad" * 16
MIDNIGHT_MS = (TODAY + 1) * 86_400_000
GRACE_MS = 20 * 60_000
SECOND_MS = 1_000


def the_cache(line: Line) -> Cache:
    """The open file."""
    cache = line.replica._hq.cache
    assert cache is not None
    return cache


def version(line: Line) -> int:
    """Of the key set in force."""
    return line.replica._hq.courier.key_set.version


def full_disk(line: Line, on: bool) -> None:
    """Nothing can be written, or everything again."""
    the_cache(line)._connection.execute(f"PRAGMA query_only={'ON' if on else 'OFF'}")


# --- a key set ------------------------------------------------------------------------------------------------------


def test_a_key_set_that_could_not_be_kept_comes_again(start: Callable[[], Line], hq: FakeHQ) -> None:
    """Its version rises when it is on the disk, and no start makes it fall."""
    line = start()
    line.up()
    line.run(20)
    hq.key_set_version = 2
    full_disk(line, True)
    line.run(20)
    assert line.replica._failure is CacheReason.IO
    assert (version(line), the_cache(line).header.key_set) == (1, b"")
    full_disk(line, False)
    line.run(30)
    assert line.live()
    assert version(line) == 2
    assert version(start()) == 2


def test_without_a_file_no_key_set_is_taken(hq: FakeHQ, tmp_path: Path) -> None:
    """It is taken when it can be kept."""
    folder = tmp_path / "state"
    line = Line(Replica(STORE, folder / "cache", hq.box(), "test/1"), hq)
    hq.key_set_version = 2
    line.replica.on_payload(hq.say_key_set(), False, line.now_s)
    assert version(line) == 1
    folder.mkdir()
    line.up()
    line.run(30)
    assert line.live()
    line.replica.close()
    line.replica = Replica(STORE, folder / "cache", hq.box(), "test/1")
    assert version(line) == 2
    line.replica.close()


# --- the end of a day -----------------------------------------------------------------------------------------------


def until(line: Line, at_ms: int) -> None:
    """It is so late, and a second passes."""
    line.now_s += (at_ms - line.now_ms) / 1000
    line.run(1)


def kept(line: Line, day: int) -> int:
    """Rows, and keys of rows, that the file has of a day that is held or is not."""
    names = "select id from instances where name = ?"
    found = 0
    for table in ("records", "buckets"):
        asked = f"select count(*) from {table} where instance in ({names})"
        found += the_cache(line)._connection.execute(asked, (keyring(day),)).fetchone()[0]
    return found


def keyring(day: int) -> str:
    """The instance's name."""
    return sync.instance(Collection.KEYRING, STORE, day)


@pytest.fixture
def evening(line: Line, hq: FakeHQ) -> Line:
    """A store that holds a member's keys of today and tomorrow."""
    line.tell(hq.member(ADA, a_member()))
    for day in (TODAY, TODAY + 1):
        line.tell(hq.keys_of(day, [(ADA, (bytes([day % 256]) * 16,))]))
    line.run(20)
    assert line.live()
    return line


def test_a_day_ends_without_hq(evening: Line, hq: FakeHQ) -> None:
    """Twenty minutes after midnight its keys are gone from memory and from the file; HQ's next lease finds all well."""
    evening.down()
    until(evening, MIDNIGHT_MS + GRACE_MS - 5 * SECOND_MS)
    assert evening.replica.key_days() == (TODAY, TODAY + 1)
    assert kept(evening, TODAY)
    evening.log.clear()
    until(evening, MIDNIGHT_MS + GRACE_MS + SECOND_MS)
    assert evening.replica.key_days() == (TODAY + 1,)
    assert [changes.days_gone for changes in evening.log if changes.days_gone] == [{TODAY}]
    assert [day for day, _ in evening.replica.day_keys(ADA)] == [TODAY + 1]
    held = {one.id for one in the_cache(evening).instances()} | {0}
    for table in ("records", "buckets", "nodes"):
        assert {row[0] for row in the_cache(evening)._connection.execute(f"select instance from {table}")} <= held
    hq.drop_day(TODAY)
    evening.replica.on_link(True, evening.now_s)
    evening.run(5)
    assert evening.live()
    assert evening.replica.key_days() == (TODAY + 1,)
    assert not evening.replica.failed()


def test_while_hq_speaks_its_leases_end_a_day(evening: Line, hq: FakeHQ) -> None:
    """Trusted time may be ahead: a day that HQ names is held, or no lease could begin."""
    until(evening, MIDNIGHT_MS + GRACE_MS + 5 * SECOND_MS)
    evening.run(120)
    assert evening.replica.key_days() == (TODAY, TODAY + 1)
    assert evening.live()
    hq.drop_day(TODAY)
    evening.run(20)
    assert evening.replica.key_days() == (TODAY + 1,)
    assert evening.live()


def test_hq_names_a_day_that_ended_here_already(evening: Line, hq: FakeHQ) -> None:
    """Its clock is behind the store's: the day comes again, the store is live, and the day ends when HQ says so."""
    evening.down()
    until(evening, MIDNIGHT_MS + GRACE_MS + SECOND_MS)
    assert evening.replica.key_days() == (TODAY + 1,)
    evening.skew_ms -= 60 * SECOND_MS
    evening.replica.on_link(True, evening.now_s)
    evening.run(30)
    assert evening.live()
    assert evening.replica.key_days() == (TODAY, TODAY + 1)
    hq.drop_day(TODAY)
    evening.run(30)
    assert evening.live()
    assert evening.replica.key_days() == (TODAY + 1,)


def test_without_trusted_time_no_day_ends(start: Callable[[], Line], evening: Line) -> None:
    """Unlocked after a start, before the first lease: nobody knows how late it is."""
    line = start()
    line.skew_ms = TODAY_MS - int(line.now_s * 1000)
    line.replica.on_link(True, line.now_s)
    line.run(5, carry=lambda payload: line.replica._hq.vault is None)
    line.down()
    until(line, MIDNIGHT_MS + 2 * 86_400_000)
    assert line.replica.trusted_ms(line.now_s) is None
    assert line.replica.lease(line.now_s).light is not Light.LOCKED
    assert line.replica.key_days() == (TODAY, TODAY + 1)


def test_a_day_that_could_not_end_ends_when_there_is_room(evening: Line) -> None:
    """Until then it is held, in memory as in the file."""
    evening.down()
    full_disk(evening, True)
    until(evening, MIDNIGHT_MS + GRACE_MS + SECOND_MS)
    assert evening.replica._failure is CacheReason.IO
    assert evening.replica.key_days() == (TODAY, TODAY + 1)
    full_disk(evening, False)
    evening.run(5)
    assert not evening.replica.failed()
    assert evening.replica.key_days() == (TODAY + 1,)
    assert not kept(evening, TODAY)
