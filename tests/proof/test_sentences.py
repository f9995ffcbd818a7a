"""What must hold, one sentence a test: a flood, clocks thrown about, steady changes, several processes of HQ."""

import gc
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import FunctionType, ModuleType

import pytest
from sqlalchemy import Engine

from hq.database import open_database
from tests import postgresql
from tests.proof.broker import Parcel, Topic, Weather
from tests.proof.chain import SCOPES, Chain, profile
from tests.proof.machine import replay_everything
from wire.sync import Records

RATE = 100  # changes a second
FIFTY_YEARS_S = 50 * 365.25 * 86_400
BAD = Weather(loses=0.2, repeats=0.3, replays=0.2, changes=0.1, invents=0.1, delay_s=5.0)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """One store, live, with three members."""
    made = Chain(tmp_path)
    for name in ("m-1", "m-2", "m-3"):
        made.join(name, *SCOPES)
    made.up()
    yield made
    made.close()


def weight(root: object) -> int:
    """How many things can be reached from an object: of modules, classes and functions nothing."""
    seen: set[int] = set()
    ahead = [root]
    while ahead:
        one = ahead.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        ahead.extend(gc.get_referents(one))
    return len(seen)


def test_a_flood_leaves_nothing_in_memory(chain: Chain) -> None:
    """Noise, changed payloads, messages for other boots, recordings, answers to nothing: ten times as many of them take
    no more room than the first."""
    (box,) = chain.boxes
    box.restart()  # so that some of the recording is for another boot
    chain.settle()

    def flood(times: int) -> None:
        for _ in range(times):
            for topic in (Topic.DOWN, Topic.NOW):
                box.take(Parcel(box.store, topic, chain.broker.noise()))
                box.take(Parcel(box.store, topic, chain.broker.changed(chain.broker.old().payload)))
                box.take(chain.broker.old())
            chain.hq.answers.answer(chain.broker.noise(), chain.hq.now_ms)
            chain.hq.answers.answer(chain.broker.changed(chain.broker.old().payload), chain.hq.now_ms)

    flood(40)
    before = weight(box.replica._hq), weight(chain.hq.answers)
    flood(400)
    after = weight(box.replica._hq), weight(chain.hq.answers)
    assert after[0] < before[0] + 200
    assert after[1] < before[1] + 200
    assert box.live()
    chain.check_end()


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, thrown: Callable[[], float]) -> list[object]:
    """What a store shows in a piece of its life while every wall clock in this process is thrown about."""
    real = time.time

    class Thrown(datetime):
        """The calendar of a wrong clock."""

        @classmethod
        def now(cls, tz=None):
            """Wrong by as much."""
            return datetime.fromtimestamp(real(), tz) + timedelta(seconds=thrown())

    monkeypatch.setattr(time, "time", lambda: real() + thrown())
    monkeypatch.setattr(time, "time_ns", lambda: int((real() + thrown()) * 1e9))
    monkeypatch.setattr("datetime.datetime", Thrown)
    chain = Chain(folder, seed=7)
    seen: list[object] = []

    def look() -> None:
        (box,) = chain.boxes
        chain.check()
        names = {chain.hq.pseudonym(name): name for name in ("m-1", "m-2")}
        seen.append(
            (
                box.light(),
                box.replica.trusted_ms(box.now_s),
                {names[who]: what for who, (_, what) in box.sees().items()},
            )
        )

    try:
        for name in ("m-1", "m-2"):
            chain.join(name, *SCOPES)
        chain.up()
        look()
        chain.hq.office.withdraw("m-1", chain.hq.now_ms, scopes=("language",))
        chain.run(20)
        look()
        chain.boxes[0].link(False)
        chain.run(130)
        look()
        chain.boxes[0].restart()
        chain.boxes[0].link(True)
        chain.settle()
        look()
        chain.check_end()
        return seen
    finally:
        chain.close()
        monkeypatch.undo()


def test_a_wall_clock_thrown_about_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right, and another time at every look, up to 50 years early or late: the store shows the same."""
    chance = Random(1)
    clocks: list[Callable[[], float]] = [
        lambda: 0.0,
        lambda: chance.choice((-FIFTY_YEARS_S, FIFTY_YEARS_S, chance.uniform(-FIFTY_YEARS_S, FIFTY_YEARS_S))),
    ]
    seen = []
    for number, clock in enumerate(clocks):
        folder = tmp_path / str(number)
        folder.mkdir()
        seen.append(told(folder, monkeypatch, clock))
    assert seen[0] == seen[1]
    assert any(shown for _, _, shown in seen[0])


def changes_for(chain: Chain, seconds: int, each: int) -> None:
    """So many profile edits a second, for so long; the store is looked at every second."""
    (box,) = chain.boxes
    names = sorted(chain.secrets)
    for second in range(seconds):
        for number in range(each):
            name = names[(second * each + number) % len(names)]
            chain.hq.office.set_profile(name, profile(name, f"{second}-{number}"), chain.hq.now_ms)
            if number % 10 == 0:
                chain.carry()
            chain.hq.now_ms += 1000 // each
        chain.run(0)
        assert box.live(), (second, box.light(), box.replica.counters())


def test_the_lease_holds_at_a_steady_rate_of_changes(chain: Chain) -> None:
    """Messages are always under way, and roots are compared as of one seq all the same: no fill, never dark."""
    (box,) = chain.boxes
    chain.hq.publish(lease_s=30, heartbeat_s=5)
    chain.run(20)
    rounds = box.replica.counters()["rounds"]
    chain.broker.weather = Weather(lag_s=1.0)
    changes_for(chain, 35, 2)
    assert box.replica.counters()["rounds"] == rounds
    chain.settle()
    chain.check_end()


@pytest.mark.long
def test_the_lease_holds_at_a_hundred_changes_a_second(chain: Chain) -> None:
    """For ten minutes, a second under way."""
    for number in range(50):
        chain.join(f"more-{number}", *SCOPES)
    chain.settle()
    chain.broker.weather = Weather(lag_s=1.0)
    changes_for(chain, 600, RATE)
    chain.settle()
    chain.check_end()


def test_a_withdrawal_overtakes_on_the_fast_lane(chain: Chain) -> None:
    """With `down` silent it arrives by `now`; with both silent the store goes dark with its lease: no third case."""
    (box,) = chain.boxes
    known_as = chain.hq.pseudonym("m-1")
    assert known_as is not None
    chain.broker.weather = Weather(silent=frozenset({Topic.DOWN}))
    chain.hq.office.withdraw("m-1", chain.hq.now_ms)
    chain.run(1)
    assert box.live() and box.member(known_as) is None
    second = chain.hq.pseudonym("m-2")
    assert second is not None
    chain.broker.weather = Weather(silent=frozenset({Topic.DOWN, Topic.NOW}))
    chain.hq.office.withdraw("m-2", chain.hq.now_ms)
    chain.run(125)
    assert not box.live() and not box.sees()
    chain.settle()
    chain.check_end()


def test_a_lease_that_comes_late_ends_as_early(chain: Chain) -> None:
    """It runs from the instant its hello was sent, however long HQ's answer was under way: to the second."""
    (box,) = chain.boxes
    chain.hq.publish(lease_s=30, heartbeat_s=5)
    chain.run(10)
    chain.broker.weather = Weather(lag_s=7.0)
    chain.run(60)
    assert box.live() and box.replica.lease(box.now_s).left_s <= 30 - 2 * 7
    chain.broker.forget()
    chain.broker.weather = Weather(silent=frozenset({Topic.DOWN, Topic.NOW}))
    for _ in range(32):
        chain.run(1)
        box.check_shown()
    assert not box.live() and not box.sees()
    chain.settle()
    chain.check_end()


def test_a_recording_of_all_traffic_changes_nothing(chain: Chain) -> None:
    """After a life in bad weather, both ways, at an instant at which its challenges are still fresh."""
    chain.broker.weather = BAD
    for number in range(6):
        chain.hq.office.set_profile("m-1", profile("m-1", str(number)), chain.hq.now_ms)
        chain.run(3)
    chain.boxes[0].crash()
    chain.settle()
    chain.check_end()
    replay_everything(chain)


@pytest.fixture
def databases(needs: Callable[[str], str]) -> Iterator[Callable[[], Engine]]:
    """Opens one new PostgreSQL database, any number of times."""
    with postgresql.server(needs) as url:
        place = postgresql.make_database(url, "hq_proof")
        yield lambda: open_database(place)


@pytest.mark.long
def test_several_processes_of_hq_on_postgresql_write_while_stores_fill(
    databases: Callable[[], Engine], tmp_path: Path
) -> None:
    """Three stores, three that answer, four that write at once, a bad broker: one truth in the end."""
    chain = Chain(tmp_path, 3, 3, open_engine=databases, processes=3)
    try:
        names = [f"m-{number}" for number in range(12)]
        for name in names:
            chain.join(name, *SCOPES)
        chain.up()
        chain.broker.weather = BAD

        def write(seed: int) -> None:
            chance = Random(seed)
            for step in range(60):
                name, now_ms = chance.choice(names), chain.hq.now_ms
                match chance.randrange(3):
                    case 0:
                        chain.hq.office.set_profile(name, profile(name, f"{seed}-{step}"), now_ms)
                    case 1:
                        chain.hq.office.withdraw(name, now_ms, scopes=(chance.choice(SCOPES),))
                    case 2:
                        chain.hq.grant(name, "assist", *SCOPES, stores=tuple(box.store for box in chain.boxes))

        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write, seed) for seed in range(4)]
            while not all(one.done() for one in writers):
                chain.run(2, step_s=0.5)
                chain.boxes[chain.broker.chance.randrange(3)].check_shown()
            for one in writers:
                one.result()
        chain.settle()
        chain.check_end()
        replay_everything(chain)
    finally:
        chain.close()


def test_the_witness_would_see_a_broken_store(chain: Chain) -> None:
    """A store that showed a withdrawn value, or anything without a lease, would be found."""
    (box,) = chain.boxes
    known_as = chain.hq.pseudonym("m-1")
    assert known_as is not None
    box.check_shown()
    assert known_as in box.sees()
    chain.hq.office.withdraw("m-1", chain.hq.now_ms)
    # The record is said to have arrived, and the store does not have it.
    for lane in chain.lanes.values():
        lane.drain(chain.hq.now_ms)
    while (parcel := chain.broker.arrived(chain.now_s)) is not None:
        said = chain.witness.said.get(parcel.payload)
        assert said is None or isinstance(said.message, Records)
        chain.witness.arrived(parcel.payload, box.store, box.boot, opened=True)
    with pytest.raises(AssertionError, match="shown after a withdrawal"):
        box.check_shown()
    chain.witness._until_s.clear()
    with pytest.raises(AssertionError, match="without a lease"):
        box.check_shown()
