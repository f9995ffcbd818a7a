"""What stores said waits its turn."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hq import heard as bounds
from hq.heard import MOST_OF_STORE, Heard
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import cbor, schema
from wire.envelope import Header
from wire.sync import HQ, Event, EventKind, Kind, up


def test_a_store_that_talks_a_lot_holds_up_nobody() -> None:
    """Turns go round the stores; of the talker the oldest are dropped."""
    heard = Heard()
    for number in range(100):
        heard.put("loud", b"%d" % number)
    heard.put("quiet", b"q")
    taken = [heard.take(0) for _ in range(18)]
    assert taken[:2] == [b"84", b"q"]
    assert taken[2:] == [b"%d" % number for number in range(85, 100)] + [None]
    assert heard.overflow == 84


def test_in_all_it_is_bounded() -> None:
    """What comes above the bound is dropped and counted; what was taken makes room."""
    heard = Heard()
    for number in range(bounds.MOST + 5):
        heard.put(f"s-{number}", b"x")
    assert heard.overflow == 5
    assert heard.take(0) == b"x"
    heard.put("late", b"y")
    assert [heard.take(0) for _ in range(bounds.MOST + 1)] == [b"x"] * (bounds.MOST - 1) + [b"y", None]


def said(kind: Kind, number: int) -> bytes:
    """The envelope of a message of this kind, signed by nobody."""
    header = schema.encode(Header("s", HQ, kind, number, bytes(16), b"", 0, 1))
    return cbor.encode([1, header, b"", b""])


def test_of_events_the_newest_go_and_of_all_else_the_oldest() -> None:
    """What is stored first is what comes first; hellos and wants go on, whatever fills the place."""
    heard = Heard()
    events = [said(Kind.EVENTS, number) for number in range(20)]
    others = [said(kind, number) for number in range(9) for kind in (Kind.HELLO, Kind.WANT)]
    for payload in [*events, *others[:1]]:
        heard.put("s", payload)
    assert heard.overflow == 20 + 1 - MOST_OF_STORE
    assert [heard.take(0) for _ in range(MOST_OF_STORE + 1)] == [*events[: MOST_OF_STORE - 1], others[0], None]
    for payload in [*others, *events[:3], others[0]]:
        heard.put("s", payload)
    assert [heard.take(0) for _ in range(MOST_OF_STORE + 1)] == [*others[-MOST_OF_STORE + 1 :], others[0], None]


@pytest.mark.parametrize("per_batch", [12, 50])
def test_each_burst_of_events_brings_their_beginning(hq: Headquarters, per_batch: int) -> None:
    """However many batches come at once: in each round HQ stores what its line holds, until all is there."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    heard, last, through = Heard(), 1024, 0
    while through < last:
        for first in range(through + 1, last + 1, per_batch):
            numbers = range(first, min(first + per_batch, last + 1))
            batch = store.events(*(Event(one, EventKind.HEALTH, hq.now_ms, None, b"") for one in numbers))
            heard.put(up(STORE), store.close(batch))
        while (payload := heard.take(0)) is not None:
            hq.answers.answer(payload, hq.now_ms)
        store.say(hq.answers, store.hello())
        assert store.lease is not None
        assert store.lease.events_through == min(last, through + MOST_OF_STORE * per_batch)
        through = store.lease.events_through


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 255)), max_size=30))
def test_each_store_is_answered_in_its_own_order(said: list[tuple[str, int]]) -> None:
    """Whatever the others say in between."""
    heard = Heard()
    for store, number in said:
        heard.put(store, f"{store}{number}".encode())
    taken = []
    while (payload := heard.take(0)) is not None:
        taken.append(payload.decode())
    for store in "abc":
        told = [f"{store}{number}" for one, number in said if one == store]
        assert [one for one in taken if one[0] == store] == told[-bounds.MOST_OF_STORE :]


def test_who_waits_is_woken() -> None:
    """By what comes, in another thread."""
    heard, found = Heard(), []
    waiting = threading.Thread(target=lambda: found.append(heard.take(20)))
    waiting.start()
    heard.put("s", b"p")
    waiting.join(20)
    assert found == [b"p"]
