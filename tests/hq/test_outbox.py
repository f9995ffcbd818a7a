"""The outbox: what is sent, what goes, and what several processes do with it."""

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Engine, func, insert, select, update

from hq import outbox as outboxes
from hq.database import reading, writing
from hq.outbox import KEEP_MS, OTHERS_MS, Outbox
from hq.records import DOWN, NOW
from hq.tables import outbox
from tests.fakes.store import FakeStore
from tests.hq.conftest import on
from tests.hq.headquarters import STORE, Headquarters, text
from wire.sync import down, now

Sent = list[tuple[str, bytes]]


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A store that HQ knows, with a member in it; the outbox is empty."""
    found = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    found.come_up(hq.answers)
    hq.join("m-1", "size.shoe")
    found.fill(hq.answers)
    for lane in (DOWN, NOW):
        while taking(hq, [], lane).drain(hq.now_ms)[0]:
            pass
    assert waiting(hq.engine) == 0
    return found


def taking(
    hq: Headquarters, sent: Sent, lane: str = DOWN, *, works: bool = True, own: Callable[[str], bool] = lambda s: True
) -> Outbox:
    """A process's end of a lane; its broker acknowledges all or nothing."""

    def send(messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        if works:
            sent.extend(messages)
        return [works] * len(messages)

    return Outbox(hq.engine, hq.sealer, lane, send, own)


def waiting(engine: Engine) -> int:
    """How many rows there are."""
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(outbox)) or 0


def test_a_withdrawal_goes_on_both_lanes_and_its_rows_go(hq: Headquarters, store: FakeStore) -> None:
    """Each lane sends its own; the store applies either once."""
    hq.office.withdraw("m-1", hq.now_ms)
    rows = waiting(hq.engine)
    fast: Sent = []
    slow: Sent = []
    assert taking(hq, fast, NOW).drain(hq.now_ms) == (rows // 2, rows // 2)
    assert taking(hq, slow, DOWN).drain(hq.now_ms) == (rows // 2, rows // 2)
    assert {topic for topic, _ in fast} == {now(STORE)}
    assert {topic for topic, _ in slow} == {down(STORE)}
    for _, payload in fast:
        store.take(payload)
    assert store.agrees() or store.lease is not None
    assert waiting(hq.engine) == 0


def test_what_the_broker_does_not_acknowledge_stays(hq: Headquarters, store: FakeStore) -> None:
    """And is sent by whoever can, later."""
    hq.office.set_profile("m-1", [text("size.shoe", "44")], hq.now_ms)
    assert taking(hq, [], works=False).drain(hq.now_ms) == (1, 0)
    sent: Sent = []
    assert taking(hq, sent).drain(hq.now_ms) == (1, 1)
    assert len(sent) == 1


def test_a_message_is_sealed_to_the_newest_boot(hq: Headquarters, store: FakeStore) -> None:
    """A restart between the commit and the sending leaves nothing that cannot be opened."""
    hq.office.set_profile("m-1", [text("size.shoe", "44")], hq.now_ms)
    store.boot_again()
    store.come_up(hq.answers)
    sent: Sent = []
    taking(hq, sent).drain(hq.now_ms)
    assert store.take(sent[-1][1]) is not None


def test_what_is_old_goes_without_being_sent(hq: Headquarters, store: FakeStore) -> None:
    """By the drain, and where no broker is there by the sweep; what is young stays."""
    hq.office.set_profile("m-1", [text("size.shoe", "44")], hq.now_ms)
    sent: Sent = []
    assert outboxes.sweep(hq.engine, hq.now_ms + KEEP_MS - 1) == 0
    assert taking(hq, sent).drain(hq.now_ms + KEEP_MS) == (1, 1)
    hq.office.set_profile("m-1", [text("size.shoe", "45")], hq.now_ms)
    rows = waiting(hq.engine)
    assert rows
    assert outboxes.sweep(hq.engine, hq.now_ms + KEEP_MS) == rows
    assert sent == []
    assert waiting(hq.engine) == 0


def test_a_row_that_nobody_can_read_stops_nothing(hq: Headquarters, store: FakeStore) -> None:
    """It goes, and what is behind it is sent."""
    for value in ("44", "45"):
        hq.office.set_profile("m-1", [text("size.shoe", value)], hq.now_ms)
    with writing(hq.engine) as connection:
        first = connection.scalar(select(func.min(outbox.c.id)).where(outbox.c.lane == DOWN))
        connection.execute(update(outbox).where(outbox.c.id == first).values(message=b"\xff"))
    sent: Sent = []
    assert taking(hq, sent).drain(hq.now_ms) == (2, 2)
    assert len(sent) == 1


@on("sqlite")  # PostgreSQL passes by what another process has taken
def test_on_sqlite_others_rows_are_left_for_two_seconds(hq: Headquarters, store: FakeStore) -> None:
    """So that two processes do not send everything twice, and nothing stays behind when one is killed."""
    hq.office.set_profile("m-1", [text("size.shoe", "44")], hq.now_ms)
    sent: Sent = []
    other = taking(hq, sent, own=lambda store: False)
    assert other.drain(hq.now_ms + OTHERS_MS - 1) == (0, 0)
    assert other.drain(hq.now_ms + OTHERS_MS) == (1, 1)


@on("sqlite")
def test_the_rows_of_many_others_do_not_hide_ones_own(hq: Headquarters, store: FakeStore) -> None:
    """Even a batch of others' before it."""
    hq.office.add_store("other", "Other", bytes(32), "main", hq.now_ms)
    row = {"store": "other", "lane": DOWN, "message": b"", "made_ms": hq.now_ms}
    with writing(hq.engine) as connection:
        connection.execute(insert(outbox), [row] * (2 * outboxes.AT_ONCE))
    hq.office.set_profile("m-1", [text("size.shoe", "44")], hq.now_ms)
    sent: Sent = []
    assert taking(hq, sent, own=lambda store: store == STORE).drain(hq.now_ms) == (1, 1)
    assert len(sent) == 1
