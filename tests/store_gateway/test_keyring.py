"""Tables are made by a child process, and nothing of them is left behind."""

import os
import subprocess
import sys
from pathlib import Path
from queue import Queue

import pytest

from consent.visit import NOTHING_DENIED, Denied
from store_gateway.build_table import ORDER_HEAD, rows
from store_gateway.core.directory import Directory
from store_gateway.core.table import HELP_BIT
from store_gateway.errors import CacheReason
from store_gateway.keyring import Built, Keyring, Order, TableMaker, kinds_of
from tests.fakes.replica import FakeReplica
from tests.world import NOON_MS, a_member
from wire.member import Mode
from wire.token import Kind, token

SLOT = NOON_MS // 600_000
DAY = SLOT // 144


def replica(members: int) -> FakeReplica:
    """So many members with a key each."""
    found = FakeReplica(None, NOON_MS)
    body = a_member(NOON_MS // 1000, Mode.OPEN, (), "1")
    for number in range(members):
        pseudonym = number.to_bytes(16, "big")
        found.put_member(pseudonym, body)
        found.put_keys(DAY, pseudonym, ((number + 1).to_bytes(16, "big"),))
    return found


def gathered(keyring: Keyring, orders: list[Order]) -> Order:
    """Works until the order is there."""
    while keyring.work(SLOT, 0.0):
        pass
    return orders.pop()


def test_a_child_process_makes_the_table() -> None:
    """The tokens of all members resolve from memory that has no name; the order's keys are wiped."""
    source, directory, orders = replica(500), Directory(), list[Order]()
    keyring = Keyring(source, directory, orders.append)
    order = gathered(keyring, orders)
    built: Queue[Built] = Queue()
    before = set(os.listdir("/dev/shm"))
    TableMaker(built.put).start(order)
    made = built.get(timeout=60)
    assert made.table is not None
    keyring.built(made, 1.0)
    assert set(os.listdir("/dev/shm")) == before
    assert not any(order.phones) and not any(order.members)
    for number in (0, 250, 499):
        for slot in (SLOT - 1, SLOT, SLOT + 1):
            who = directory.resolve(token((number + 1).to_bytes(16, "big"), Kind.PRESENCE, slot), SLOT)
            assert who is not None and who.pseudonym == number.to_bytes(16, "big")
    assert not keyring.work(SLOT, 2.0)
    assert not orders
    while keyring.work(SLOT + 1, 100.0):
        pass
    assert len(orders) == 1


def test_the_child_inherits_nothing_and_ends_on_a_cut_order() -> None:
    """It starts from a fresh interpreter, and a gateway that dies half-way leaves no child at work."""
    block = os.memfd_create("test")
    child = subprocess.Popen(
        [sys.executable, "-m", "store_gateway.build_table", str(block)], stdin=subprocess.PIPE, pass_fds=(block,)
    )
    assert child.stdin is not None
    child.stdin.write(ORDER_HEAD.pack(SLOT, 5, 5) + bytes(40))
    child.stdin.close()
    assert child.wait(30) == 1
    assert os.fstat(block).st_size == 0
    os.close(block)


def test_an_order_is_read_as_it_was_written() -> None:
    """Kinds go with the member, keys with the day."""
    source, orders = replica(3), list[Order]()
    order = gathered(Keyring(source, Directory(), orders.append), orders)
    found = list(rows(order.head + order.members + order.phones))
    assert [(row.pseudonym, row.day, row.day_key) for row in found] == [
        (number.to_bytes(16, "big"), DAY, (number + 1).to_bytes(16, "big")) for number in range(3)
    ]
    with pytest.raises(ValueError):
        list(rows(order.head + order.members))


@pytest.mark.parametrize(
    ("mode", "denied", "kinds"),
    [
        (Mode.QUIET, NOTHING_DENIED, 0),
        (Mode.HELP, NOTHING_DENIED, HELP_BIT),
        (Mode.OPEN, NOTHING_DENIED, 3),
        (Mode.OPEN, Denied(True), 0),
        (Mode.OPEN, Denied(False, frozenset({"diet"})), 3),
    ],
)
def test_a_mode_says_which_tokens_are_known(mode: Mode, denied: Denied, kinds: int) -> None:
    """Quiet and withdrawn: none; help: the call alone."""
    assert kinds_of(mode, denied) == kinds


def test_a_failed_build_is_tried_again_later() -> None:
    """The directory keeps what it has; a replica that fails gives no order."""
    source, directory, orders = replica(2), Directory(), list[Order]()
    keyring = Keyring(source, directory, orders.append)
    order = gathered(keyring, orders)
    assert not keyring.work(SLOT, 1.0)
    keyring.built(Built(order.number, None), 1.0)
    assert keyring.failures == 1
    assert not keyring.work(SLOT, 2.0) and not orders
    keyring.work(SLOT, 7.0)
    assert len(orders) == 1
    keyring.built(Built(orders.pop().number, None), 7.0)
    source.fail = CacheReason.IO
    keyring.work(SLOT, 20.0)
    assert not orders and keyring.failures == 3


def test_without_trusted_time_no_table_is_made() -> None:
    """There is no slot to make it for."""
    orders = list[Order]()
    assert not Keyring(replica(2), Directory(), orders.append).work(None, 0.0)
    assert not orders


def test_a_program_that_is_gone_makes_a_failed_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter to start: said, never raised."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    source, orders = replica(2), list[Order]()
    built: Queue[Built] = Queue()
    TableMaker(built.put).start(gathered(Keyring(source, Directory(), orders.append), orders))
    assert built.get(timeout=10).table is None
