"""HQ on PostgreSQL: the same behaviour, and several writers at once."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from sqlalchemy import Engine, create_engine, delete, select, update
from sqlalchemy import text as sql
from sqlalchemy.engine import make_url

from hq import clock_job, help_state, membership, publication, records
from hq.database import open_database, reading, writing
from hq.errors import DatabaseUnavailable
from hq.tables import consent_events, help_calls, members
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters, text, texts
from wire import schema
from wire.member import Mode
from wire.sync import Attendance, Event, EventKind, HelpStep

pytestmark = pytest.mark.long


@pytest.fixture
def engine(postgresql: str) -> Iterator[Engine]:
    """A new database on the session's server."""
    name = f"hq_{secrets.token_hex(4)}"
    server = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sql(f"CREATE DATABASE {name}"))
    server.dispose()
    opened = open_database(make_url(postgresql).set(database=name).render_as_string(hide_password=False))
    yield opened
    opened.dispose()


def test_a_members_life_is_the_same(hq: Headquarters) -> None:
    """Join, edit, withdraw, quiet, a day later: as on SQLite."""
    hq.join("m-1", "size.shoe", "language")
    hq.office.set_profile("m-1", [text("size.shoe", "42"), texts("language", "de")], hq.now_ms)
    hq.later(10)
    hq.office.withdraw("m-1", hq.now_ms, scopes=("size.shoe",))
    found = hq.record("m-1")
    assert found is not None
    assert {one.scope for one in found.fields} == {"language"}
    hq.later(24 * 3600)
    assert len(hq.day_keys("m-1")) == 1
    hq.office.set_mode("m-1", Mode.QUIET, hq.now_ms)
    assert (hq.record("m-1"), hq.day_keys("m-1")) == (None, ())
    hq.check()


def test_consent_events_cannot_be_edited_deleted_or_truncated(hq: Headquarters) -> None:
    """The database itself refuses."""
    hq.join("m-1")
    for statement in (
        update(consent_events).values(chosen_s=1),
        delete(consent_events),
        sql("TRUNCATE consent_events"),
    ):
        with pytest.raises(DatabaseUnavailable), writing(hq.engine) as connection:
            connection.execute(statement)
    hq.check()


def test_a_store_is_unlocked_and_filled(hq: Headquarters) -> None:
    """The conversation in repeatable-read snapshots."""
    hq.join_many(200)
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    assert store.agrees()


def test_a_call_for_help_is_folded_and_forgotten(hq: Headquarters) -> None:
    """Told again, changed, and deleted an hour after its end, as on SQLite."""
    hq.join("m-1")
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    known_as = hq.pseudonym("m-1")
    for number, step in enumerate((HelpStep.WAITING, HelpStep.ATTENDING, HelpStep.DONE), 1):
        body = schema.encode(Attendance("", step))
        store.say(hq.answers, store.events(Event(number, EventKind.ATTENDANCE, hq.now_ms, known_as, body)))
    with reading(hq.engine) as connection:
        found = help_state.of_member(connection, "m-1", hq.now_ms)
    assert found == help_state.Help(help_state.HelpState.DONE, STORE, hq.now_ms, hq.now_ms)
    hq.later(help_state.KEPT_MS / 1000)
    with reading(hq.engine) as connection:
        assert connection.execute(select(help_calls)).all() == []


def test_many_writers_at_once_leave_one_truth(hq: Headquarters) -> None:
    """Whatever they do to the same members at the same time: roots are those of the rows, the chain has no fork or gap,
    and no record says anything else than the choices that stand."""
    hq.join_many(12)
    names = [f"m-{number}" for number in range(12)]
    now_ms = hq.now_ms

    def work(seed: int) -> None:
        chance = Random(seed)
        for step in range(25):
            name, at_ms = chance.choice(names), now_ms + (seed * 25 + step) * 1000
            match chance.randrange(6):
                case 0:
                    hq.office.withdraw(name, at_ms, scopes=("size.shoe",))
                case 1:
                    hq.office.set_mode(name, chance.choice(list(Mode)), at_ms)
                case 2:
                    hq.office.set_profile(name, [text("size.shoe", f"{seed}-{step}")], at_ms)
                case 3:
                    hq.office.withdraw(name, at_ms)
                case 4:
                    hq.grant(name, "presence")
                case 5:
                    clock_job.tick(hq.engine, hq.keys, at_ms)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, seed) for seed in range(6)]:
            done.result()
    hq.now_ms += 1_000_000
    hq.check()
    with reading(hq.engine) as connection:
        numbers = connection.scalars(select(consent_events.c.number).order_by(consent_events.c.number)).all()
        assert list(numbers) == list(range(1, len(numbers) + 1))
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, names)
        assert len(locked) == len(names)
        assert set(connection.scalars(select(members.c.id))) == set(locked)
        assert publication.refresh(connection, hq.keys, locked, hq.now_ms, phones_changed=True) == 0


def test_a_change_waits_for_another_change_of_the_same_member(hq: Headquarters) -> None:
    """So an edit that looked before a withdrawal can never be written after it."""
    hq.join_many(2)
    with ThreadPoolExecutor(2) as pool:
        with writing(hq.engine) as connection:
            publication.lock_members(connection, ["m-0"])
            same = pool.submit(hq.office.set_profile, "m-0", [text("size.shoe", "44")], hq.now_ms)
            other = pool.submit(hq.office.set_profile, "m-1", [text("size.shoe", "44")], hq.now_ms)
            other.result(20)
            with pytest.raises(TimeoutError):
                same.result(0.5)
        same.result(20)
    hq.check()


def test_a_snapshot_never_has_a_hole(hq: Headquarters) -> None:
    """While writers commit, every lease's root and seq are exactly those of the rows that the same snapshot shows."""
    hq.join_many(8)

    def write(seed: int) -> None:
        for step in range(20):
            value = [text("size.shoe", f"{seed}-{step}")]
            hq.office.set_profile(f"m-{(seed * 3 + step) % 8}", value, hq.now_ms)

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, seed) for seed in range(3)]
        seen = set()
        while not all(one.done() for one in writers):
            with reading(hq.engine) as connection:
                found = {one.name: one for one in records.of_store(connection, STORE)}[f"members/{STORE}"]
                rows = records.records
                seqs = connection.scalars(select(rows.c.seq).where(rows.c.instance == found.id)).all()
            assert max(seqs) == found.seq
            seen.add(found.seq)
        for one in writers:
            one.result()
    assert len(seen) > 3
    hq.check()
