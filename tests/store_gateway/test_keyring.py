"""Tables are made by a child process from the columns themselves, and nothing of them is left behind."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from consent.visit import NOTHING_DENIED, Denied
from store_gateway.core.directory import Directory
from store_gateway.core.phones import HELP_BIT, bucket_of
from store_gateway.errors import CacheReason
from store_gateway.keyring import Built, Keyring, Order, TableMaker, give_back, kinds_of, nameless
from tests.fakes.replica import FakeReplica
from tests.world import NOON_MS, a_member, make_here
from wire.member import Mode
from wire.token import Kind, token

SLOT = NOON_MS // 600_000
DAY = SLOT // 144
BODY = a_member(NOON_MS // 1000, Mode.OPEN, (), "1")


def pseudonym(number: int) -> bytes:
    """Sixteen bytes."""
    return number.to_bytes(16, "big")


def key(number: int) -> bytes:
    """A day key."""
    return (number + 1).to_bytes(16, "big")


def replica(members: int) -> FakeReplica:
    """So many members with a key each."""
    found = FakeReplica(None, NOON_MS)
    for number in range(members):
        found.put_member(pseudonym(number), BODY)
        found.keys.setdefault(DAY, {})[pseudonym(number)] = (key(number),)
    return found


def keyring(source: FakeReplica, orders: list[Order]) -> tuple[Keyring, Directory]:
    """With the real memory."""
    directory = Directory(nameless, give_back)
    return Keyring(source, directory, orders.append), directory


def work(found: Keyring, now_slot: int | None = SLOT, now_mono_s: float = 0.0) -> None:
    """All that there is to do."""
    while found.work(now_slot, now_mono_s):
        pass


def knows(directory: Directory, number: int, slot: int = SLOT) -> bool:
    """Whether the member's token of this slot is its own now."""
    who = directory.resolve(token(key(number), Kind.PRESENCE, slot), SLOT)
    assert who is None or who.pseudonym == pseudonym(number)
    return who is not None


def test_a_child_process_makes_the_tables() -> None:
    """The tokens of all members resolve from memory that has no name; the next slot's table is made at the border."""
    orders: list[Order] = []
    found, directory = keyring(replica(500), orders)
    work(found)
    (order,) = orders
    assert order.slots == (SLOT, SLOT + 1, SLOT - 1, SLOT + 2)
    built: Queue[Built] = Queue()
    before, descriptors = set(os.listdir("/dev/shm")), set(os.listdir("/proc/self/fd"))
    TableMaker(built.put).start(order)
    made = built.get(timeout=60)
    assert made.tables.keys() == set(order.slots)
    found.built(made, 1.0)
    work(found, SLOT, 1.0)
    assert set(os.listdir("/dev/shm")) == before
    assert all(knows(directory, number, slot) for number in (0, 250, 499) for slot in (SLOT - 1, SLOT, SLOT + 1))
    work(found, SLOT, 2.0)
    assert len(orders) == 1
    work(found, SLOT + 1, 600.0)
    assert orders.pop().slots == (SLOT + 3,)
    del made, order
    orders.clear()
    found.outdated()
    work(found, None, 601.0)
    for _ in range(100):  # threads give the memory back
        if len(os.listdir("/proc/self/fd")) <= len(descriptors) + 4:
            break
        time.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= len(descriptors) + 4


@pytest.mark.parametrize(
    ("mode", "denied", "kinds"),
    [
        (None, NOTHING_DENIED, 0),
        (Mode.QUIET, NOTHING_DENIED, 0),
        (Mode.HELP, NOTHING_DENIED, HELP_BIT),
        (Mode.OPEN, NOTHING_DENIED, 3),
        (Mode.OPEN, Denied(True), 0),
        (Mode.OPEN, Denied(False, frozenset({"diet"})), 3),
    ],
)
def test_a_mode_says_which_tokens_are_known(mode: Mode | None, denied: Denied, kinds: int) -> None:
    """Quiet and withdrawn: none; help: the call alone."""
    assert kinds_of(mode, denied) == kinds


def test_a_failed_build_is_tried_again_later() -> None:
    """The directory keeps what it has; a replica that fails is read again, whole."""
    orders: list[Order] = []
    source = replica(2)
    found, directory = keyring(source, orders)
    work(found)
    found.built(make_here(orders.pop()), 1.0)
    work(found, SLOT + 1, 600.0)
    found.built(Built(orders.pop().number, {}), 600.0)
    assert found.failures == 1
    work(found, SLOT + 1, 602.0)
    assert not orders and knows(directory, 0)
    work(found, SLOT + 1, 606.0)
    assert orders.pop().slots == (SLOT + 3,)
    source.fail = CacheReason.IO
    found.outdated()
    work(found, SLOT + 1, 620.0)
    assert not orders and found.failures == 2
    source.fail = None
    found.built(Built(0, {}), 621.0)
    work(found, SLOT + 1, 640.0)
    assert len(orders) == 1


def test_without_trusted_time_no_table_is_made() -> None:
    """There is no slot to make it for; what HQ said is read meanwhile."""
    orders: list[Order] = []
    found, directory = keyring(replica(2), orders)
    work(found, None)
    assert not orders and len(directory.phones) == 2
    assert not knows(directory, 0)


def test_what_changes_while_it_is_read_is_newer() -> None:
    """The replica is read in slices; a record that came meanwhile is not undone by an older one read later."""
    orders: list[Order] = []
    source = replica(600)
    found, directory = keyring(source, orders)
    assert found.work(SLOT, 0.0)
    late = (b"late" * 4,)
    for number in (1, 400):
        found.put_kinds(pseudonym(number), 0)
    bucket = bucket_of(pseudonym(0))
    found.put_bucket(DAY, bucket, [(pseudonym(number), late) for number in range(600)])
    work(found)
    assert {directory.phones.key(DAY, row) for row in range(directory.phones.rows)} == {late[0]}
    kinds = {directory.phones.pseudonym(row): directory.phones.kinds[row] for row in range(directory.phones.rows)}
    assert [number for number in range(600) if not kinds[pseudonym(number)]] == [1, 400]


def test_a_day_that_ends_while_it_is_read_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """HQ named it no more between two slices: the replica is asked for nothing more of it."""
    source, read = replica(600), []
    whole = source.keyring

    def noted(day: int) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        for one in whole(day):
            read.append(one)
            yield one

    monkeypatch.setattr(source, "keyring", noted)
    found, directory = keyring(source, [])
    while found.work(None, 0.0) and DAY not in directory.phones.days:
        pass
    before = len(read)
    found.drop_day(DAY)
    work(found, None)
    assert DAY not in directory.phones.days
    assert 0 < len(read) == before


def test_what_can_wait_waits_for_a_pause() -> None:
    """While HQ publishes in bulk no table is made over and over: after a second's pause, or ten seconds."""
    orders: list[Order] = []
    found, directory = keyring(replica(1), orders)
    work(found)
    found.built(make_here(orders.pop()), 0.0)
    directory.phones.begin_day(DAY)

    def more(first: int) -> None:
        for number in range(first, first + 9000):
            evenly = (number * 40_503 % 65_536).to_bytes(2, "big") + number.to_bytes(14, "big")
            found.put_kinds(evenly, 3)
            directory.put_keys(DAY, evenly, (key(number),))

    more(10)
    for step in range(99):
        found.put_kinds(pseudonym(0), 3)
        work(found, SLOT, 100.0 + step / 10)
    assert not orders
    work(found, SLOT, 110.0)
    found.built(make_here(orders.pop()), 120.0)
    more(10_010)
    for step in range(190):
        work(found, SLOT, 120.0 + step / 10)
    assert not orders  # so that the child has at most a third of the time
    work(found, SLOT, 141.0)
    assert len(orders) == 1


def test_a_program_that_is_gone_makes_a_failed_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter to start: said, never raised."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    orders: list[Order] = []
    found, _ = keyring(replica(2), orders)
    work(found)
    built: Queue[Built] = Queue()
    TableMaker(built.put).start(orders.pop())
    assert not built.get(timeout=10).tables


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program in the place of the interpreter."""
    found = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(found))
    yield found


@pytest.mark.parametrize("ends", ["exit 0", "exit 1", "kill -9 $$"])
def test_a_child_that_makes_nothing_makes_a_failed_build(script: Path, ends: str) -> None:
    """Whatever it says of itself: an empty block is no table."""
    script.write_text(f"#!/bin/sh\n{ends}\n")
    script.chmod(0o755)
    orders: list[Order] = []
    found, _ = keyring(replica(2), orders)
    work(found)
    built: Queue[Built] = Queue()
    TableMaker(built.put).start(orders.pop())
    assert not built.get(timeout=10).tables


def test_a_child_at_work_ends_with_the_program(script: Path) -> None:
    """`stop` does not wait for a table that nobody will use."""
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    orders: list[Order] = []
    found, _ = keyring(replica(2), orders)
    work(found)
    built: Queue[Built] = Queue()
    maker = TableMaker(built.put)
    maker.start(orders.pop())
    for _ in range(200):
        if maker.pid is not None:
            break
        time.sleep(0.01)
    child = maker._child
    assert child is not None
    maker.stop()
    assert child.wait(10) == -9
    assert built.empty()
