"""What one box signs may cost that box its answer, and nobody else anything: neither HQ nor another store."""

import secrets
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from hq.database import reading, writing
from hq.log_tables import let_go
from hq.outbox import Outbox
from hq.records import DOWN
from hq.tables import incarnations, links
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import cbor, envelope, merkle, schema
from wire.keys import sealing_public
from wire.sync import (
    HQ,
    KINDS,
    Applied,
    Event,
    EventKind,
    Hello,
    Lease,
    LetGo,
    LogHead,
    Message,
    Want,
    Wanted,
)

OTHER = "berlin-2"
TOO_MUCH = (2**63, 2**64 - 1)  # what CBOR can say and no column holds


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A box that holds the ticket, and of which HQ knows nothing bad yet."""
    found = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    found.come_up(hq.answers)
    return found


def barren(hello: Hello) -> Hello:
    """The same hello with a key to which nothing can be sealed: its X25519 half is of low order."""
    return replace(hello, sealing_key=hello.sealing_key[:1184] + bytes(32))


def says(hq: Headquarters, store: FakeStore, message: Message, changes: dict[int, Any]) -> int:
    """The message with some of its fields changed to anything; how many answers HQ has to it."""
    sealing = store.key_set.sealing[-1]
    header = envelope.Header(store.store, HQ, KINDS[type(message)], 1, store.boot, store.challenge, 0, sealing.number)
    encoded = cbor.encode(schema.to_plain(message) | changes)
    public = sealing_public(sealing.public)
    return len(hq.answers.answer(envelope.close_encoded(header, encoded, store.identity, public), hq.now_ms))


def test_a_hello_with_a_key_that_seals_nothing_is_counted_and_writes_nothing(
    hq: Headquarters, store: FakeStore
) -> None:
    """Before the challenge and after it; HQ goes on sealing to the key that it knew."""
    for challenge in (b"", store.challenge):
        store.challenge = challenge
        assert hq.answers.answer(store.close(barren(store.hello())), hq.now_ms) == []
    assert hq.answers.dropped == {"shape": 2}
    with reading(hq.engine) as connection:
        assert connection.scalar(select(links.c.sealing_key)) == store.hello().sealing_key
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Lease]


def test_a_key_that_seals_nothing_and_was_kept_before_holds_up_no_other_store(
    hq: Headquarters, store: FakeStore
) -> None:
    """Its own rows of the outbox go unsent; those of the others are sent. Its wants and hellos are counted."""
    identity = Ed25519PrivateKey.generate()
    hq.office.add_store(OTHER, "Other", identity.public_key().public_bytes_raw(), "main", hq.now_ms)
    (own,) = hq.draft.stores
    hq.draft = replace(hq.draft, stores=(own, replace(own, store=OTHER)))
    hq.publish()
    other = FakeStore(OTHER, identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    other.come_up(hq.answers)
    with writing(hq.engine) as connection:  # as an earlier version would have kept it
        kept = barren(store.hello()).sealing_key
        connection.execute(update(links).where(links.c.store == STORE).values(sealing_key=kept))
    hq.join("m-1", "size.shoe", stores=(STORE, OTHER))
    sent: list[tuple[str, bytes]] = []

    def send(messages: Any) -> list[bool]:
        sent.extend(messages)
        return [True] * len(messages)

    box = Outbox(hq.engine, hq.sealer, DOWN, send)
    waiting, done = box.drain(hq.now_ms)
    assert waiting == done > len(sent) > 0
    assert all(other.take(payload) is not None for _, payload in sent)
    assert box.drain(hq.now_ms) == (0, 0)
    want = Want(secrets.token_bytes(16), (Wanted.node(f"members/{STORE}", b""),))
    assert store.say(hq.answers, want) == store.say(hq.answers, barren(store.hello())) == []
    assert hq.answers.dropped == {"shape": 2}
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Lease]  # the box began again


@pytest.mark.parametrize("number", TOO_MUCH)
def test_a_number_that_no_column_holds_is_counted_and_dropped(hq: Headquarters, store: FakeStore, number: int) -> None:
    """In a hello and in events; what comes after it is taken."""
    fresh = replace(store.hello(), incarnation=secrets.token_bytes(16), epoch=3)
    assert says(hq, store, fresh, {4: number}) == 0  # last_event, of a cache whose share is lost
    assert says(hq, store, store.hello(), {4: number}) == 0
    assert says(hq, store, store.hello(), {8: [[number, 1]]}) == 0  # let_go
    assert hq.answers.dropped == {"shape": 3}
    applied = cbor.encode(schema.to_plain(Applied(1, 5, 1, 1)) | {0: number})
    store.say(hq.answers, store.events(Event(1, EventKind.APPLIED, hq.now_ms, None, applied)))
    store.say(hq.answers, store.hello())
    assert store.lease is not None
    assert store.lease.events_through == 1


def test_the_greatest_numbers_that_are_taken_can_be_kept(hq: Headquarters, store: FakeStore) -> None:
    """In every column that they go into."""
    most = 2**63 - 1
    store.let_go = (LetGo(2**31 - 1, 2**53),)
    assert [type(one) for one in store.say(hq.answers, replace(store.hello(), last_event=most))] == [Lease]
    peak = bytes(32)
    grown = merkle.Frontier(2**62, (peak,))
    signed = hq.identity.sign(merkle.head_input(STORE, store.incarnation, grown.size, grown.root, hq.now_ms))
    head = schema.encode(LogHead(grown.size, grown.root, grown.peaks, signed))
    events = (
        Event(1, EventKind.APPLIED, hq.now_ms, None, schema.encode(Applied(most, 2**40, 1, 1))),
        Event(2, EventKind.LOG_HEAD, hq.now_ms, None, head),
        Event(3, EventKind.ERASED, 2**53, None, cbor.encode({0: 1, 1: bytes(32)})),
        Event(most, EventKind.HEALTH, 2**53, None, b""),
    )
    store.say(hq.answers, replace(store.events(*events), let_go=most))
    store.say(hq.answers, replace(store.hello(), last_event=most))
    assert store.lease is not None
    assert store.lease.events_through == most
    with reading(hq.engine) as connection:
        assert connection.execute(select(incarnations.c.events_through, incarnations.c.lost)).one() == (most, 0)


def test_a_kind_that_is_named_twice_is_kept_once(hq: Headquarters, store: FakeStore) -> None:
    """Of what was let go the last word counts."""
    store.let_go = (LetGo(9, 1), LetGo(9, 2))
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Lease]
    with reading(hq.engine) as connection:
        assert connection.execute(select(let_go.c.kind, let_go.c.count)).all() == [(9, 2)]
