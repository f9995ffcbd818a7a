"""The real HQ gives orders, and the real replica does them: shares end, results are signed, lockdowns hold."""

import argparse
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import delete, func, select, update

from hq import erasure, order_commands, orders, shares
from hq.alarm_tables import alarms
from hq.alarms import Alarm
from hq.custody import share_owner
from hq.database import reading, writing
from hq.errors import Refused
from hq.order_commands import _opened
from hq.order_tables import epoch_shares, order_parts
from hq.order_tables import orders as order_rows
from hq.tables import incarnations, stores
from store_gateway.replica import Tablet
from tests.contracts.test_sync import Shop, join
from tests.contracts.test_sync import shop as shop
from tests.hq.headquarters import DAY_S, STORE
from tests.store_gateway.test_epochs import Thief, copy
from wire import schema
from wire.orders import EraseResult, ExportResult, WipeResult
from wire.query import DarkReason, Light
from wire.sync import Outcome, Verb


def issue(shop: Shop, verb: Verb, subject: bytes | None = None) -> bytes:
    """Gives an order."""
    with writing(shop.hq.engine) as connection:
        return orders.issue(connection, STORE, verb, shop.hq.now_ms, subject=subject)


def outcome(shop: Shop, order: bytes) -> Outcome | None:
    """What became of it; None: it is open."""
    with reading(shop.hq.engine) as connection:
        found = connection.scalar(select(order_rows.c.outcome).where(order_rows.c.id == order))
    return None if found is None else Outcome(found)


def result(shop: Shop, order: bytes) -> bytes:
    """The signed result, verified again."""
    with reading(shop.hq.engine) as connection:
        wanted = select(order_parts.c.payload).where(order_parts.c.order == order).order_by(order_parts.c.part)
        payloads = connection.scalars(wanted).all()
        identity = connection.scalar(select(stores.c.identity).where(stores.c.id == STORE))
    return _opened(shop.hq.keys, identity or b"", payloads)


def epochs(shop: Shop) -> list[int]:
    """Of which HQ holds a share."""
    with reading(shop.hq.engine) as connection:
        return list(connection.scalars(select(epoch_shares.c.epoch).order_by(epoch_shares.c.made_ms)))


def held_shares(shop: Shop) -> dict[bytes, dict[int, bytes]]:
    """Every share that HQ holds."""
    found: dict[bytes, dict[int, bytes]] = {}
    with reading(shop.hq.engine) as connection:
        for row in connection.execute(select(epoch_shares)):
            opened = shop.hq.keys.custody.unwrap(row.wrapped, share_owner(row.store, row.incarnation, row.epoch))
            found.setdefault(row.incarnation, {})[row.epoch] = opened
    return found


def raised(shop: Shop) -> set[str]:
    """The open alarms."""
    with reading(shop.hq.engine) as connection:
        return set(connection.scalars(select(alarms.c.alarm).where(alarms.c.over_ms.is_(None))))


def test_a_member_is_erased_from_hq_to_the_disk(shop: Shop, tmp_path: Path) -> None:
    """After it no copy of the cache and of HQ's shares opens anything; the other member stays."""
    join(shop, "m-1", "m-2")
    shop.up()
    known_as = shop.hq.pseudonym("m-1")
    other = shop.hq.pseudonym("m-2")
    assert known_as is not None and other is not None
    before = copy(tmp_path / "cache.db", tmp_path / "before")
    exported = issue(shop, Verb.EXPORT, known_as)
    shop.run(10)
    assert b"m-1 42" in (schema.decode(ExportResult, result(shop, exported)).record or b"")
    erasure.erase(shop.hq.engine, shop.hq.keys, "m-1", shop.hq.now_ms)
    shop.run(90)
    with reading(shop.hq.engine) as connection:
        closed = {
            (Verb(row.verb), Outcome(row.outcome))
            for row in connection.execute(select(order_rows).where(order_rows.c.outcome.is_not(None)))
        }
        is_open = connection.scalar(select(func.count()).where(order_rows.c.outcome.is_(None)))
        left = connection.scalar(select(stores.c.orders_open).where(stores.c.id == STORE))
    assert closed >= {(Verb.ERASE, Outcome.DONE), (Verb.ROLL, Outcome.DONE)}
    assert (is_open, left) == (0, 0)
    assert epochs(shop) == [2], "an erasure has the store roll, and the old share is destroyed"
    assert result(shop, exported) == b"", "nor does HQ keep what was exported"
    after = copy(tmp_path / "cache.db", tmp_path / "after")
    opened = list(Thief([before, after], shop.box.secret, held_shares(shop)).opened())
    assert not any(known_as in one or b"m-1 42" in one for one in opened)
    assert any(other in one for one in opened), "or the thief has no keys at all"
    shop.run(60)
    assert shop.live()
    assert shop.scopes("m-2") == {"size.shoe", "language"}


def test_each_store_rolls_once_a_day(shop: Shop) -> None:
    """By itself; HQ never holds more than two shares, and one when it is done."""
    shop.up()
    most = 0
    for _ in range(2):
        shop.hq.later(DAY_S)
        for _ in range(30):
            shop.run(1)
            most = max(most, len(epochs(shop)))
    assert epochs(shop) == [3]
    assert most <= 2
    shop.restart()
    shop.up()
    shop.check()


def test_a_roll_during_which_a_member_was_erased_is_followed_by_another(shop: Shop) -> None:
    """A copy from before the erasure may need the share that had just been made."""
    shop.up()
    first = issue(shop, Verb.ROLL)
    with writing(shop.hq.engine) as connection:
        assert not orders.roll(connection, STORE, shop.hq.now_ms), "one is open"
    shop.run(90)
    assert outcome(shop, first) is Outcome.DONE
    assert epochs(shop) == [3]


def test_a_roll_that_came_too_late_is_gone_on_with(shop: Shop) -> None:
    """There are never more than two shares, and since the younger one is old, once more after it."""
    shop.up()
    shop.replica.on_link(False, shop.now_s)
    first = issue(shop, Verb.ROLL)
    shop.hq.later(8 * DAY_S)
    assert outcome(shop, first) is Outcome.TOO_LATE
    assert Alarm.ORDER_FAILED in raised(shop)
    assert epochs(shop) == [1, 2]
    shop.restart()
    shop.up()
    shop.run(120)
    assert epochs(shop) == [3]
    assert Alarm.ORDER_FAILED not in raised(shop), "it does orders again"


def test_a_share_that_a_crash_left_is_destroyed(shop: Shop) -> None:
    """The shares are in a file of their own: a power cut may fall between the two."""
    shop.up()
    issue(shop, Verb.ROLL)
    shop.run(60)
    incarnation = next(iter(held_shares(shop)))
    with writing(shop.hq.engine) as connection:
        wrapped = shop.hq.keys.custody.wrap(bytes(32), share_owner(STORE, incarnation, 1))
        row = {"store": STORE, "incarnation": incarnation, "epoch": 1, "wrapped": wrapped, "made_ms": 0}
        connection.execute(epoch_shares.insert().values(**row))
    shop.hq.tick()
    assert epochs(shop) == [2]


def test_a_lockdown_holds_until_it_is_lifted(shop: Shop) -> None:
    """Whatever the box does; the store's `done` counts meanwhile."""
    join(shop, "m-1")
    shop.up()
    order = issue(shop, Verb.LOCKDOWN)
    shop.run(20)
    lease = shop.replica.lease(shop.now_s)
    assert (lease.light, lease.reason) == (Light.LOCKED, DarkReason.LOCKDOWN)
    assert outcome(shop, order) is Outcome.DONE
    shop.restart()
    shop.run(60)
    assert shop.replica.lease(shop.now_s).reason is DarkReason.LOCKDOWN
    with writing(shop.hq.engine) as connection:
        assert orders.lift(connection, STORE)
        assert not orders.lift(connection, STORE)
    shop.up()
    assert shop.scopes("m-1") == {"size.shoe", "language"}


def test_a_wiped_cache_is_filled_anew_and_its_shares_are_destroyed(shop: Shop) -> None:
    """The operator learns what was lost."""
    join(shop, "m-1")
    shop.up()
    old = next(iter(held_shares(shop)))
    order = issue(shop, Verb.WIPE)
    shop.run(30)
    assert outcome(shop, order) is Outcome.DONE
    assert schema.decode(WipeResult, result(shop, order)).events_lost == 0
    assert old not in held_shares(shop)
    shop.up()
    shop.check()


def test_a_lost_share_is_told_and_the_store_begins_anew(shop: Shop) -> None:
    """HQ's shares are in no backup: after a restore each store, when it starts, begins a new cache by itself."""
    join(shop, "m-1")
    shop.up()
    with writing(shop.hq.engine) as connection:
        connection.execute(delete(epoch_shares))
    shop.run(30)
    assert shop.live(), "a running store needs no share"
    shop.restart()
    shop.up()
    shop.run(5)
    shop.check()
    with reading(shop.hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(incarnations)) == 2


def test_a_running_store_gets_a_new_share_for_a_lost_one(shop: Shop) -> None:
    """By the next roll; then it may start again as if nothing had been."""
    join(shop, "m-1")
    shop.up()
    with writing(shop.hq.engine) as connection:
        connection.execute(delete(epoch_shares))
    assert outcome(shop, issue(shop, Verb.ROLL)) is None
    shop.run(60)
    assert epochs(shop) == [2]
    shop.restart()
    shop.up()
    shop.check()
    with reading(shop.hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(incarnations)) == 1


def test_an_order_follows_the_store_to_a_new_cache_but_a_wipe_does_not(shop: Shop) -> None:
    """What it should wipe is gone: signed by the store."""
    shop.up()
    shop.replica.on_link(False, shop.now_s)
    unpair, wipe = issue(shop, Verb.UNPAIR, b"tablet-9"), issue(shop, Verb.WIPE)
    shop.replica.close()
    for file in shop.folder.glob("cache.db*"):
        file.unlink()
    shop.replica = shop._make()
    shop.up()
    shop.run(60)
    assert outcome(shop, unpair) is Outcome.NOTHING_TO_DO
    assert outcome(shop, wipe) is Outcome.NOTHING_TO_DO
    with reading(shop.hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(order_parts)) == 2


def test_orders_are_sent_again_until_they_are_done(tmp_path: Path) -> None:
    """A broker that loses a third of all messages delays them, and that is all."""
    chance = Random(7)
    shop = Shop(tmp_path, lambda: chance.random() < 0.33)
    try:
        join(shop, "m-1")
        shop.replica.on_link(True, shop.now_s)
        while not shop.live():
            shop.run(5)
        known_as = shop.hq.pseudonym("m-1")
        given = [issue(shop, Verb.EXPORT, known_as), issue(shop, Verb.ROLL), issue(shop, Verb.UNPAIR, b"tablet-9")]
        for _ in range(60):
            shop.run(10, step_s=5.0)
            if all(outcome(shop, one) is not None for one in given):
                break
        assert [outcome(shop, one) for one in given] == [Outcome.DONE, Outcome.DONE, Outcome.NOTHING_TO_DO]
    finally:
        shop.close()


def test_a_tablet_that_is_unpaired_is_gone(shop: Shop) -> None:
    """On the fast lane where it is urgent."""
    shop.up()
    shop.replica.add_tablet(Tablet("tablet-1", b"h" * 32, "Till", "Fox", shop.hq.now_ms))
    with writing(shop.hq.engine) as connection:
        order = orders.issue(connection, STORE, Verb.UNPAIR, shop.hq.now_ms, subject=b"tablet-1", urgent=True)
    shop.run(0)
    assert shop.replica.tablets() == ()
    shop.run(20)
    assert outcome(shop, order) is Outcome.DONE


def test_an_operator_does_not_erase_in_a_store_whom_hq_sends_to_it(shop: Shop) -> None:
    """The record would come back, without what was withdrawn there and is not known at HQ."""
    join(shop, "m-1")
    shop.up()
    about = {"verb": "erase", "store": STORE, "all_stores": False, "yes": False, "member": None, "tablet": None}
    issued = order_commands.PART.runs["order", "issue"]
    pseudonym = shop.hq.pseudonym("m-1") or b""
    for whom in ({"pseudonym": pseudonym.hex()}, {"member": "m-1", "pseudonym": None}):
        with pytest.raises(Refused):
            issued(shop.hq.office, argparse.Namespace(**about | whom), shop.hq.now_ms)
    issued(shop.hq.office, argparse.Namespace(**about | {"pseudonym": "01" * 16}), shop.hq.now_ms)


def test_an_erased_result_says_what_it_was_about(shop: Shop) -> None:
    """Counts alone."""
    join(shop, "m-1")
    shop.up()
    order = issue(shop, Verb.ERASE, shop.hq.pseudonym("m-1"))
    shop.run(20)
    found = schema.decode(EraseResult, result(shop, order))
    assert (found.denials, found.events) == (0, 0)
    assert found.records >= 2  # the member's own, and the day keys
    assert found.buckets >= 3


@pytest.mark.parametrize(
    ("verb", "subject"), [(Verb.EXPORT, None), (Verb.WIPE, b"x" * 16), (Verb.UNPAIR, None), (Verb.ROLL, None)]
)
def test_an_order_that_makes_no_sense_is_refused(shop: Shop, verb: Verb, subject: bytes | None) -> None:
    """At HQ; a store that never said hello has nothing to roll."""
    with pytest.raises(Refused):
        issue(shop, verb, subject)


def test_old_rolls_and_results_are_forgotten(shop: Shop) -> None:
    """A month after their end; what else was ordered stays."""
    join(shop, "m-1")
    shop.up()
    rolled, exported = issue(shop, Verb.ROLL), issue(shop, Verb.EXPORT, shop.hq.pseudonym("m-1"))
    unpaired = issue(shop, Verb.UNPAIR, b"tablet-9")
    shop.run(60)
    assert result(shop, exported)
    orders.tick(shop.hq.engine, shop.hq.now_ms + 40 * DAY_S * 1000)
    with reading(shop.hq.engine) as connection:
        left = connection.scalars(select(order_rows.c.id)).all()
    assert rolled not in left
    assert {exported, unpaired} <= set(left)
    assert result(shop, exported) == b""


def test_several_processes_give_one_roll(shop: Shop) -> None:
    """Whoever comes second finds it open."""
    shop.up()
    with writing(shop.hq.engine) as connection:
        connection.execute(update(incarnations).values(roll_due_ms=1))
    assert orders.tick(shop.hq.engine, shop.hq.now_ms) == 1
    assert orders.tick(shop.hq.engine, shop.hq.now_ms) == 0
    assert len(epochs(shop)) == 2
    assert shares.FIRST_EPOCH == 1
