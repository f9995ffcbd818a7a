"""Every event is in HQ's database once, whatever the broker, the box and HQ go through."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hq import disclosure_log, store_events
from hq.alarm_tables import alarms
from hq.database import reading
from hq.log_tables import log_heads, log_nodes
from hq.tables import store_events as rows
from store_gateway.cache import Cache
from store_gateway.errors import CacheError
from tests.contracts.test_log import a_look, first_broken, raised
from tests.contracts.test_sync import Shop, join
from wire import sync
from wire.sync import EventKind

FORKED = multiprocessing.get_context("fork")
PAIRING = (EventKind.PAIRING, None, sync.Pairing("tablet-1", True))


def stored(shop: Shop) -> list[int]:
    """The numbers of the events and heads that HQ has, in the order of their numbers."""
    with reading(shop.hq.engine) as connection:
        return sorted(connection.scalars(select(rows.c.number)))


def all_arrive_once(shop: Shop, looks: int) -> None:
    """Once the broker carries again: each number but those of heads is a row, and each look a leaf."""
    shop.loses = lambda: False
    shop.replica.on_link(True, shop.now_s)
    shop.run(90, step_s=10)
    assert shop.replica._hq.vault is not None
    assert shop.replica._hq.vault.outbox.waiting() == 0
    with reading(shop.hq.engine) as connection:
        assert connection.execute(select(alarms)).all() == []
        assert len(connection.execute(select(log_nodes).where(log_nodes.c.level == 0)).all()) == looks
        kinds = list(connection.scalars(select(rows.c.kind)))
    assert kinds.count(int(EventKind.DISCLOSURE)) == looks
    numbers = stored(shop)
    assert len(numbers) == len(set(numbers))
    assert (raised(shop), first_broken(shop)) == (set(), None)


STEPS = st.lists(st.sampled_from(["look", "look", "pair", "time", "restart", "loss", "calm", "again"]), max_size=25)


@given(STEPS, st.integers(0, 2**32))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_over_any_history_each_event_arrives_once(tmp_path_factory: pytest.TempPathFactory, steps, seed) -> None:
    """Losses, repetitions, restarts and late answers neither lose an event nor count it twice."""
    chance = Random(seed)
    shop = Shop(tmp_path_factory.mktemp("shop"))
    join(shop, "m-1")
    shop.up()
    said: list[bytes] = []
    answer = shop.hq.answers.answer

    def overhear(payload: bytes, now_ms: int) -> Any:
        said.append(payload)
        return answer(payload, now_ms)

    shop.hq.answers.answer = overhear  # type: ignore[method-assign]
    known_as, looks = shop.hq.pseudonym("m-1"), 0
    for step in steps:
        match step:
            case "look" | "pair":
                look = (EventKind.DISCLOSURE, known_as, a_look(looks))
                with suppress(CacheError):  # still locked
                    shop.replica.record(shop.now_s, look if step == "look" else PAIRING)
                    looks += step == "look"
            case "time":
                shop.run(chance.choice([1, 20, 70]), step_s=10)
            case "restart":
                shop.restart()
                shop.run(2)
            case "loss":
                shop.loses = lambda: chance.random() < 0.5
            case "calm":
                shop.loses = lambda: False
            case "again":  # the broker repeats what it carried, in another order
                for payload in chance.sample(said, min(len(said), 10)):
                    answer(payload, shop.hq.now_ms)
    all_arrive_once(shop, looks)
    shop.close()


def die() -> None:
    """kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(method: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
    """The method, but the process dies just before or just after it did its work."""

    def instead(*args: Any, **named: Any) -> Any:
        if first:
            die()
        method(*args, **named)
        die()

    return instead


def in_child(work: Callable[[], None]) -> None:
    """Runs `work` in a process that must end by SIGKILL."""
    child = FORKED.Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


@pytest.fixture
def looked(tmp_path: Path):
    """A shop of which three looks and a pairing wait on the box's disk."""
    shop = Shop(tmp_path)
    join(shop, "m-1")
    shop.up()
    shop.loses = lambda: True
    for number in range(3):
        shop.replica.record(shop.now_s, (EventKind.DISCLOSURE, shop.hq.pseudonym("m-1"), a_look(number)))
    shop.replica.record(shop.now_s, PAIRING)
    yield shop
    shop.close()


def killed(shop: Shop, where: object, method: str, *, first: bool) -> None:
    """Both sides run in a process that is killed at that step; what is on the disks is taken up again."""
    shop.replica.close()
    shop.hq.engine.dispose()

    def work() -> None:
        setattr(where, method, dying(getattr(where, method), first=first))
        shop.loses = lambda: False
        shop.replica = shop._make()
        shop.replica.on_link(True, shop.now_s)
        shop.run(90, step_s=10)

    in_child(work)
    shop.replica = shop._make()


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(
    ("where", "method"),
    [
        (store_events, "_note_gaps"),
        (disclosure_log.Log, "append"),
        (disclosure_log.Log, "check"),
        (disclosure_log.Log, "save"),
        (store_events, "_insert"),
        (store_events, "take"),
    ],
    ids=lambda found: found if isinstance(found, str) else "",
)
def test_hq_is_killed_while_it_stores(looked: Shop, where: object, method: str, *, first: bool) -> None:
    """A batch is stored whole or not at all: what was not comes again, and what was counts once."""
    killed(looked, where, method, first=first)
    all_arrive_once(looked, 3)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("method", ["put_local", "erase_local", "put_header", "outbox_sizes"])
def test_the_box_is_killed_while_it_logs_sends_and_frees(looked: Shop, method: str, *, first: bool) -> None:
    """A head, the unlock's writes, or the freeing of what HQ stored: the file opens, and nothing is missing."""
    killed(looked, Cache, method, first=first)
    all_arrive_once(looked, 3)


def test_heads_are_kept_one_an_hour(looked: Shop) -> None:
    """A later head says all that an earlier one of the same hour did."""
    all_arrive_once(looked, 3)
    for _ in range(3):
        looked.replica.record(looked.now_s, (EventKind.DISCLOSURE, looked.hq.pseudonym("m-1"), a_look()))
        looked.run(70, step_s=14)
    with reading(looked.hq.engine) as connection:
        assert list(connection.scalars(select(log_heads.c.size))) == [6]
