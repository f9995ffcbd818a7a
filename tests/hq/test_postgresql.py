"""HQ on PostgreSQL: the same behaviour, and several writers at once."""

import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import create_engine, delete, select, update
from sqlalchemy import text as sql

from hq import clock_job, help_state, membership, proposals, publication, records, recovering, systems_merge, tree_check
from hq.database import open_database, reading, writing
from hq.errors import DatabaseUnavailable
from hq.outbox import Outbox
from hq.place import Place
from hq.processes import Duty
from hq.records import DOWN, NOW
from hq.tables import consent_events, help_calls, members
from hq.waking import Waking
from tests.clusters.engines import Mosquitto, until
from tests.clusters.estate import OTHER, PATIENCE_S, Estate
from tests.clusters.estate import STORE as BERLIN
from tests.clusters.traffic import Traffic, agree, held
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters, text, texts
from tests.postgresql import make_database
from wire import schema
from wire.items import ItemList, Proposal
from wire.member import Mode
from wire.sync import Attendance, Event, EventKind, HelpStep, Refusal, RefusalReason

DATABASE = "postgresql"
pytestmark = pytest.mark.long


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
        reference = hq.keys.custody.reference(connection, "m-1")
        assert reference is not None
        found = help_state.of_member(connection, reference, hq.now_ms)
    assert found == help_state.Help(help_state.HelpState.DONE, STORE, hq.now_ms, hq.now_ms)
    hq.later(help_state.KEPT_MS / 1000)
    with reading(hq.engine) as connection:
        assert connection.execute(select(help_calls)).all() == []


def test_a_proposal_is_kept_and_forgotten(hq: Headquarters) -> None:
    """Listed for its member, gone after seven days: as on SQLite."""
    hq.join("m-1", "size.shoe")
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    body = schema.encode(Proposal(ItemList.BASKET, "sku-1", 1, "advisor", "nina", "t-1"))
    store.say(hq.answers, store.events(Event(1, EventKind.PROPOSAL, hq.now_ms, hq.pseudonym("m-1"), body)))
    with reading(hq.engine) as connection:
        member = hq.keys.custody.references(connection, ["m-1"])["m-1"]
        (found,) = proposals.of_member(connection, hq.keys, member, hq.now_ms)
    assert (found.item, found.to, found.until_ms) == ("sku-1", ItemList.BASKET, hq.now_ms + proposals.STANDS_MS)
    assert proposals.forget(hq.engine, found.until_ms) == 1


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
            membership.lock_by_id(connection, hq.keys.custody, ["m-0"])
            same = pool.submit(hq.office.set_profile, "m-0", [text("size.shoe", "44")], hq.now_ms)
            other = pool.submit(hq.office.set_profile, "m-1", [text("size.shoe", "44")], hq.now_ms)
            other.result(20)
            with pytest.raises(TimeoutError):
                same.result(0.5)
        same.result(20)
    hq.check()


def test_who_waited_for_a_merge_acts_on_the_survivor(hq: Headquarters) -> None:
    """A second merge of the same id and a withdrawal, all begun before the first merge was done."""
    for member in ("m-1", "m-2", "m-3"):
        hq.join(member, "size.shoe")
    hq.later(10)
    calls: list[Callable[[], object]] = [
        lambda: systems_merge.merge(hq.engine, hq.keys, "m-2", "m-1", hq.now_ms),
        lambda: systems_merge.merge(hq.engine, hq.keys, "m-2", "m-3", hq.now_ms),
        lambda: hq.office.withdraw("m-2", hq.now_ms, purpose="presence"),
    ]
    with ThreadPoolExecutor(len(calls)) as pool:
        waiting = []
        with writing(hq.engine) as connection:
            membership.lock_by_id(connection, hq.keys.custody, ["m-2"])
            for call in calls:  # one after the other, each behind the one before
                waiting.append(pool.submit(call))
                with pytest.raises(TimeoutError):
                    waiting[-1].result(0.5)
        done = [one.result(20) for one in waiting]
    assert done[:2] == [True, True]
    assert [hq.record(one) for one in ("m-1", "m-2", "m-3")] == [None] * 3
    with reading(hq.engine) as connection:
        assert len(set(hq.keys.custody.references(connection, ["m-1", "m-2", "m-3"]).values())) == 1
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


def a_filled_outbox(hq: Headquarters, edits: int) -> None:
    """As many messages wait on `down` for a store that has said hello."""
    hq.join_many(5)
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    for number in range(edits):
        hq.office.set_profile(f"m-{number % 5}", [text("size.shoe", str(number))], hq.now_ms)


def test_of_several_processes_each_sends_other_rows(hq: Headquarters) -> None:
    """All drain at once, none waits for another, and each message is sent exactly once."""
    a_filled_outbox(hq, 300)
    sent: list[bytes] = []

    def send(messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        sent.extend(payload for _, payload in messages)
        time.sleep(0.02)  # a broker at work: the others come meanwhile
        return [True] * len(messages)

    def drain() -> int:
        box, done = Outbox(hq.engine, hq.sealer, DOWN, send), 0
        while (found := box.drain(hq.now_ms))[0]:
            done += found[1]
        return done

    with ThreadPoolExecutor(4) as pool:
        parts = [one.result() for one in [pool.submit(drain) for _ in range(4)]]
    assert sum(parts) == len(sent) == 300
    assert sum(part > 0 for part in parts) > 1


def test_what_a_killed_process_had_in_hand_is_free_at_once(hq: Headquarters) -> None:
    """Its connection goes in the middle of the sending; the next one finds every row."""
    a_filled_outbox(hq, 10)

    def die(messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Outbox(hq.engine, hq.sealer, DOWN, die).drain(hq.now_ms)
    sent: Counter[str] = Counter()

    def send(messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        sent.update(topic for topic, _ in messages)
        return [True] * len(messages)

    assert Outbox(hq.engine, hq.sealer, DOWN, send).drain(hq.now_ms) == (10, 10)


def test_a_commit_wakes_whoever_empties_the_outbox(hq: Headquarters) -> None:
    """By the database's own notification, once it has been committed and not before."""
    a_filled_outbox(hq, 1)
    waking, stop = Waking(hq.engine, (DOWN, NOW)), threading.Event()
    listening = threading.Thread(target=waking.run, args=(stop,))
    listening.start()
    try:
        until(lambda: waking.wait(NOW), 20, "the line")  # it wakes when it begins
        assert not waking.wait(NOW)
        with writing(hq.engine) as connection:
            connection.execute(sql("INSERT INTO outbox SELECT * FROM outbox WHERE false"))
            assert not waking.wait(NOW)
        assert any(waking.wait(NOW) for _ in range(40))
    finally:
        stop.set()
        listening.join(20)


def test_places_and_duties_are_the_same(hq: Headquarters) -> None:
    """Two processes divide the stores and one has the clock, as on SQLite."""
    hq.office.add_store("second", "Second", bytes(32), "main", hq.now_ms)
    places = [Place(hq.engine) for _ in range(2)]
    for _ in range(2):
        for place in places:
            place.tick(hq.now_ms)
    assert places[0].stores | places[1].stores == {STORE, "second"}
    assert not places[0].stores & places[1].stores
    assert [place.has(Duty.CLOCK, hq.now_ms) for place in places] == [True, False]
    places[0].leave()
    places[1].tick(hq.now_ms)
    assert places[1].stores == {STORE, "second"}
    assert places[1].has(Duty.CLOCK, hq.now_ms)


def test_processes_may_begin_at_once_on_an_empty_database(postgresql: str) -> None:
    """One makes the tables, the others find them."""
    url = make_database(postgresql, f"hq_{secrets.token_hex(4)}")
    with ThreadPoolExecutor(4) as pool:
        for engine in pool.map(open_database, [url] * 4):
            engine.dispose()


def test_hq_goes_on_when_postgresql_cut_every_connection(hq: Headquarters) -> None:
    """As after its restart: what was under way fails with the remedy, and the next try works."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)

    def cut() -> None:
        with ThreadPoolExecutor(3) as pool:  # so that the pool holds several
            list(pool.map(lambda _: hq.answers.answer(store.close(store.hello()), hq.now_ms), range(6)))
        server = create_engine(hq.engine.url)
        with server.connect() as connection:
            connection.execute(
                sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                    "AND datname = current_database()")
            )  # fmt: skip
        server.dispose()

    cut()
    with pytest.raises(DatabaseUnavailable):
        hq.answers.answer(store.close(store.hello()), hq.now_ms)
    assert hq.answers.answer(store.close(store.hello()), hq.now_ms)
    cut()
    with pytest.raises(DatabaseUnavailable):
        hq.join("m-1")
    hq.join("m-2", "size.shoe")
    hq.check()


def test_one_of_three_processes_is_killed_under_load(needs, postgresql: str) -> None:
    """Two stores, changes on both sides, `kill -9` of the process that answers for one of them: in the end
    both stores hold what HQ holds, and every event of theirs is there once."""
    folder = Path(tempfile.mkdtemp(prefix="consentry-"))
    for name in ("nodes", "estate"):
        (folder / name).mkdir()
    database = make_database(postgresql, f"hq_{secrets.token_hex(4)}")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        estate = Estate(folder / "estate", Mosquitto(needs, folder / "nodes"), database)
        stack.callback(estate.close)
        for name in ("hq-1", "hq-2", "hq-3"):
            estate.start_hq(name)
        boxes = [estate.open_box(store) for store in (BERLIN, OTHER)]
        for box in boxes:
            box.wait_live()
        with Traffic(estate, boxes[0], 1) as first, Traffic(estate, boxes[1], 2) as second:
            time.sleep(5)
            estate.end_hq(estate.answering(BERLIN), signal.SIGKILL)
            time.sleep(10)
            for box in boxes:
                box.wait_live()
            time.sleep(5)
        for box, traffic in zip(boxes, (first, second), strict=True):
            traffic.check()
            until(lambda box=box: box.ask(lambda one: one.counters()["events_waiting"]) == 0, PATIENCE_S, "the events")
            agree(estate, box)
            assert any(name.startswith(f"keyring/{box.store}/") for name in estate.roots(box.store)), (
                "nobody had the clock"
            )
            told = estate.events(box.store)
            assert {row.pseudonym for row in told} == traffic.denied
            assert len(told) == len(traffic.denied)
            assert estate.lost(box.store) == 0
            for pseudonym in {*traffic.denied, *traffic.withdrawn}:
                assert not held(box, pseudonym)


def test_a_clone_is_refused_and_a_recovery_ends(hq: Headquarters) -> None:
    """Tickets and recovery on row locks; the trees are those of the records."""
    hq.join_many(20)
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.now_ms += 10_000
    old = store.ticket
    store.boot_again()
    store.come_up(hq.answers)
    store.ticket, new = old, store.ticket
    (found,) = store.say(hq.answers, store.hello())
    assert isinstance(found, Refusal)
    store.ticket = new
    number = recovering.begin(hq.engine, hq.now_ms)
    (found,) = [one for one in store.say(hq.answers, store.hello()) if isinstance(one, Refusal)]
    assert found.reason is RefusalReason.RECOVERING
    assert recovering.leave_out(hq.engine, number, [STORE]) == 1
    assert sum(recovering.end(hq.engine, number, hq.now_ms)) > 20
    store.lease = None
    store.come_up(hq.answers)
    store.fill(hq.answers)
    assert store.agrees()
    assert list(tree_check.broken(hq.engine)) == []
