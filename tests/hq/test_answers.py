"""The conversation with a store: challenge, unlock, lease, fill, events."""

import secrets
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from hq import records as rows
from hq.alarm_tables import alarms
from hq.database import reading, writing
from hq.log_tables import event_gaps, let_go
from hq.outbox import Outbox
from hq.records import DOWN, NOW
from hq.tables import consent_events, incarnations, links, outbox, store_events
from tests.fakes.store import FakeStore
from tests.hq.headquarters import DAY_S, STORE, Headquarters, text, texts
from wire import envelope, keys, schema, sync, tree
from wire.member import Member, Mode
from wire.sync import (
    Challenge,
    Children,
    Event,
    EventKind,
    Events,
    Held,
    Lease,
    LetGo,
    Readiness,
    RecordRange,
    Records,
    Refusal,
    RefusalReason,
    Surface,
    Unlock,
    Want,
    Wanted,
    Withdrawal,
)


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """The store's box, just started."""
    return FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)


def drain(hq: Headquarters, store: FakeStore, lane: str = DOWN) -> int:
    """Brings what waits in the outbox to the store; how many messages that were."""
    brought = []

    def send(messages):
        for topic, payload in messages:
            assert topic == (sync.now(STORE) if lane == NOW else sync.down(STORE))
            brought.append(store.take(payload))
        return [True] * len(messages)

    box = Outbox(hq.engine, hq.sealer, lane, send)
    while box.drain(hq.now_ms)[0]:
        pass
    return len(brought)


def record(hq: Headquarters, store: FakeStore, member: str) -> Member | None:
    """The member as this store holds it."""
    held = store.rows[f"members/{STORE}"].get(hq.pseudonym(member) or b"")
    return schema.decode(Member, held.body) if held and held.body is not None else None


def withdrawal(number: int, hq: Headquarters, member: str, scope: str | None) -> Event:
    """A withdrawal in the store."""
    body = schema.encode(Withdrawal(scope, "nina", "t-1"))
    return Event(number, EventKind.WITHDRAWAL, hq.now_ms, hq.pseudonym(member), body)


def through(hq: Headquarters, store: FakeStore) -> int:
    """What the next lease says of the events."""
    store.say(hq.answers, store.hello())
    assert store.lease is not None
    return store.lease.events_through


def test_a_start_goes_by_challenge_unlock_lease(hq: Headquarters, store: FakeStore) -> None:
    """Nothing but a challenge goes to a box that echoed none; then the unlock; then, with the ticket, the lease."""
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Challenge]
    with reading(hq.engine) as connection:
        assert connection.execute(select(links)).first() is None, "nothing is concluded from an unechoed hello"
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Unlock]
    today = hq.now_s // DAY_S
    assert set(store.digest_keys) == {
        f"members/{STORE}", f"staff/{STORE}", "policy/main", f"keyring/{STORE}/{today}",
    }  # fmt: skip
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Lease]
    assert store.lease is not None
    assert (store.lease.lease_s, store.lease.heartbeat_s, store.lease.hq_ms) == (120, 15, hq.now_ms)
    assert store.lease.key_days == (today,)


def test_a_first_fill_makes_the_roots_equal(hq: Headquarters, store: FakeStore) -> None:
    """Through children and ranges the store comes to hold exactly what HQ holds."""
    hq.join_many(150)
    store.come_up(hq.answers)
    assert not store.agrees()
    assert store.fill(hq.answers) > 100
    assert store.agrees()
    store.say(hq.answers, store.hello())
    assert store.agrees()
    hq.check()


def test_children_name_the_nodes_below_as_of_the_snapshot(hq: Headquarters, store: FakeStore) -> None:
    """Their digests add up to the node's own, and as_of is the instance's seq."""
    hq.join_many(200)
    store.come_up(hq.answers)
    name = f"members/{STORE}"
    (found,) = store.say(hq.answers, Want(secrets.token_bytes(16), (Wanted.node(name, b""),)))
    assert isinstance(found, Children)
    total = tree.Node()
    for child in found.nodes:
        total = total.join(tree.Node(int.from_bytes(child.digest, "little"), child.count))
    held = hq.instances()[name]
    assert (total, found.as_of) == (held.node, held.seq)


def test_the_share_is_one_for_an_incarnation_and_new_for_another(hq: Headquarters, store: FakeStore) -> None:
    """A restarted box opens its cache again, with a new ticket; a new cache gets its own share and ticket."""
    store.come_up(hq.answers)
    first = (store.shares, store.ticket)
    store.boot_again()
    store.come_up(hq.answers)
    assert store.shares == first[0]
    assert store.ticket != first[1]
    store.incarnation, store.ticket, store.epoch = secrets.token_bytes(16), b"", 0
    store.boot_again()
    store.come_up(hq.answers)
    assert store.shares != first[0]
    assert store.ticket != first[1]


def test_a_lease_goes_only_to_who_holds_the_ticket(hq: Headquarters, store: FakeStore) -> None:
    """A cache with another ticket is refused."""
    store.come_up(hq.answers)
    store.ticket = bytes(16)
    (found,) = store.say(hq.answers, store.hello())
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.STALE_TICKET


def test_a_stale_or_strange_echo_is_only_challenged(hq: Headquarters, store: FakeStore) -> None:
    """After 60 s, or from another boot, an echo proves nothing: want and events are dropped, hello is challenged."""
    store.come_up(hq.answers)
    hq.now_ms += 61_000
    wanted = Want(secrets.token_bytes(16), (Wanted.node("policy/main", b""),))
    assert store.say(hq.answers, wanted) == []
    assert store.say(hq.answers, store.events(withdrawal(1, hq, "m-1", None))) == []
    assert hq.answers.dropped["stale"] == 2
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Challenge]
    echo = store.challenge
    store.boot_again()
    store.challenge = echo
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Challenge]


def test_a_replayed_hello_of_an_old_boot_takes_nothing_over(hq: Headquarters, store: FakeStore) -> None:
    """Records go on being sealed to the newest boot."""
    store.come_up(hq.answers)
    recorded = store.close(store.hello())
    store.boot_again()
    hq.now_ms += 61_000
    store.come_up(hq.answers)
    hq.answers.answer(recorded, hq.now_ms)
    with reading(hq.engine) as connection:
        assert connection.scalar(select(links.c.boot)) == store.boot


def test_an_older_key_set_is_renewed(hq: Headquarters, store: FakeStore) -> None:
    """HQ's newer key set goes bare beside the answer."""
    store.come_up(hq.answers)
    replies = hq.answers.answer(store.close(replace(store.hello(), key_set_version=2)), hq.now_ms)
    assert replies[0].payload == hq.keys.key_set
    assert keys.open_key_set(hq.root.public_key(), replies[0].payload).version == 3
    assert isinstance(store.take(replies[1].payload), Lease)


def test_a_store_that_is_ahead_of_hq_is_refused(hq: Headquarters, store: FakeStore) -> None:
    """A seq that HQ never gave means that HQ was restored from a backup."""
    store.come_up(hq.answers)
    held = (*store.hello().held[1:], Held(f"members/{STORE}", bytes(16), 0, 10**6))
    (found,) = store.say(hq.answers, replace(store.hello(), held=held))
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.AHEAD_OF_HQ


def test_a_store_asks_only_for_its_own(hq: Headquarters, store: FakeStore) -> None:
    """Another store's instance, or none, is not answered."""
    hq.office.add_store("berlin-2", "Other", bytes(32), "main", hq.now_ms)
    store.come_up(hq.answers)
    for name in ("members/berlin-2", "catalog/main", "nonsense"):
        assert store.say(hq.answers, Want(secrets.token_bytes(16), (Wanted.node(name, b""),))) == []
    assert hq.answers.dropped["instance"] == 3


def test_an_answer_to_a_want_carries_its_nonce_and_as_of(hq: Headquarters, store: FakeStore) -> None:
    """The store can tell which question it answers and how new the answer is."""
    store.come_up(hq.answers)
    nonce = secrets.token_bytes(16)
    (reply,) = hq.answers.answer(store.close(Want(nonce, (Wanted.node("policy/main", b""),))), hq.now_ms)
    assert envelope.parse(reply.payload).header.nonce == nonce
    found = store.take(reply.payload)
    assert isinstance(found, RecordRange)
    assert found.as_of == hq.instances()["policy/main"].seq
    assert {one.key for one in found.records} == {b"main", b"store/berlin-1"}


def test_a_large_node_at_the_bottom_comes_in_numbered_parts(hq: Headquarters, store: FakeStore) -> None:
    """What is left below two bytes of the path is a range, however much it is."""
    store.come_up(hq.answers)
    found = hq.instances()[f"staff/{STORE}"]
    with reading(hq.engine) as connection:
        digest_key = rows.keys_of(connection, found).digest_key
    by_prefix: dict[bytes, int] = {}
    number = 0
    while max(by_prefix.values(), default=0) < 3:
        number += 1
        prefix = tree.path(digest_key, f"a-{number}".encode())[:2]
        by_prefix[prefix] = by_prefix.get(prefix, 0) + 1
    (wanted,) = [one for one, count in by_prefix.items() if count == 3]
    with writing(hq.engine) as connection:
        commit = rows.begin(connection, [found.name])
        for one in range(1, number + 1):
            key = f"a-{one}".encode()
            if tree.path(digest_key, key).startswith(wanted):
                commit.put(found.name, key, bytes(40_000))
        commit.write(hq.now_ms)
    parts = store.say(hq.answers, Want(secrets.token_bytes(16), (Wanted.node(found.name, wanted),)))
    assert [(one.part, one.parts, len(one.records)) for one in parts] == [(1, 3, 1), (2, 3, 1), (3, 3, 1)]


def test_live_records_keep_the_store_equal(hq: Headquarters, store: FakeStore) -> None:
    """What HQ commits afterwards is pushed, sealed to this boot, and the roots agree without another fill."""
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.join("m-1", "size.shoe")
    hq.office.set_profile("m-1", [text("size.shoe", "42")], hq.now_ms)
    assert drain(hq, store) >= 3
    store.say(hq.answers, store.hello())
    assert store.agrees()
    assert record(hq, store, "m-1") is not None


def test_a_withdrawal_overtakes_on_the_fast_lane(hq: Headquarters, store: FakeStore) -> None:
    """The lane `now` alone takes the value off while `down` has a backlog; both together change nothing more."""
    hq.join("m-1", "size.shoe", "language")
    hq.office.set_profile("m-1", [text("size.shoe", "42"), texts("language", "de")], hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    hq.office.withdraw("m-1", hq.now_ms, scopes=("size.shoe",))
    assert drain(hq, store, NOW) == 1
    found = record(hq, store, "m-1")
    assert found is not None
    assert {one.scope for one in found.fields} == {"language"}
    assert drain(hq, store, DOWN) == 1
    store.say(hq.answers, store.hello())
    assert store.agrees()


def test_everything_of_a_member_who_leaves_is_in_one_message(hq: Headquarters, store: FakeStore) -> None:
    """`null` and the key bucket without the member are applied in one transaction."""
    hq.join("m-1")
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    hq.office.set_mode("m-1", Mode.QUIET, hq.now_ms)
    assert drain(hq, store, NOW) == 1
    last = store.heard[-1]
    assert isinstance(last, Records)
    assert {one.instance.split("/")[0]: [record.body for record in one.records] for one in last.parts} == {
        "members": [None], "keyring": [None],
    }  # fmt: skip


def test_a_message_that_the_broker_did_not_take_is_sent_again(hq: Headquarters, store: FakeStore) -> None:
    """A row leaves the outbox when it was acknowledged, or when it is so old that a fill has brought it."""
    store.come_up(hq.answers)
    hq.join("m-1")
    box = Outbox(hq.engine, hq.sealer, DOWN, lambda messages: [False] * len(messages))
    waiting, done = box.drain(hq.now_ms)
    assert (waiting > 0, done) == (True, 0)
    assert box.drain(hq.now_ms + 11 * 60_000) == (waiting, waiting)
    with reading(hq.engine) as connection:
        assert connection.execute(select(outbox).where(outbox.c.lane == DOWN)).first() is None


def test_events_are_stored_once_and_acknowledged_by_the_lease(hq: Headquarters, store: FakeStore) -> None:
    """Sent twice they are one; the next lease says how far."""
    store.come_up(hq.answers)
    batch = [Event(number, EventKind.HEALTH, hq.now_ms, None, b"") for number in (1, 2, 3)]
    for _ in range(2):
        store.say(hq.answers, store.events(*batch))
    with reading(hq.engine) as connection:
        assert len(connection.execute(select(store_events)).all()) == 3
    assert through(hq, store) == 3


def test_a_batch_after_a_gap_waits_for_the_one_that_was_lost(hq: Headquarters, store: FakeStore) -> None:
    """Nothing is acknowledged that did not arrive."""
    store.come_up(hq.answers)
    first = [Event(number, EventKind.HEALTH, hq.now_ms, None, b"") for number in (1, 2)]
    second = [Event(number, EventKind.HEALTH, hq.now_ms, None, b"") for number in (3, 4)]
    store.say(hq.answers, store.events(*second))
    assert through(hq, store) == 0
    store.say(hq.answers, store.events(*first))
    store.say(hq.answers, store.events(*second))
    assert through(hq, store) == 4


def test_a_gap_that_the_store_admits_is_booked_as_let_go(hq: Headquarters, store: FakeStore) -> None:
    """What the store had to drop holds up nothing, and is no loss."""
    store.come_up(hq.answers)
    store.let_go = (LetGo(int(EventKind.HEALTH), 2),)
    store.say(hq.answers, store.hello())
    store.say(hq.answers, store.events(Event(3, EventKind.HEALTH, hq.now_ms, None, b""), after=0))
    assert through(hq, store) == 3
    with reading(hq.engine) as connection:
        booked = connection.execute(select(event_gaps.c.first, event_gaps.c.last, event_gaps.c.lost)).all()
        assert booked == [(1, 2, 0)]
        assert connection.execute(select(let_go.c.kind, let_go.c.count)).all() == [(EventKind.HEALTH, 2)]
        assert connection.execute(select(incarnations.c.passed_over, incarnations.c.lost)).one() == (2, 0)
        assert connection.execute(select(alarms)).first() is None


def test_a_gap_that_nobody_admits_is_loss_and_an_alarm(hq: Headquarters, store: FakeStore) -> None:
    """The store says that it holds no more of these numbers, and did not let so many go: rows are gone."""
    store.come_up(hq.answers)
    store.let_go = (LetGo(int(EventKind.HEALTH), 1),)
    batch = store.events(Event(4, EventKind.HEALTH, hq.now_ms, None, b""), after=0)
    store.say(hq.answers, batch)
    store.say(hq.answers, batch)
    assert through(hq, store) == 4
    with reading(hq.engine) as connection:
        booked = connection.execute(select(event_gaps.c.first, event_gaps.c.last, event_gaps.c.lost)).all()
        assert booked == [(1, 3, 1)]
        assert connection.execute(select(alarms.c.alarm)).all() == [("events_lost",)]


def test_what_hq_forgot_and_the_store_no_longer_has_is_loss(hq: Headquarters, store: FakeStore) -> None:
    """HQ was restored from a backup: the store was told that five are stored, and goes on behind them."""
    store.come_up(hq.answers)
    batch = replace(store.events(Event(6, EventKind.HEALTH, hq.now_ms, None, b"")), freed=5)
    store.say(hq.answers, batch)
    assert through(hq, store) == 6
    with reading(hq.engine) as connection:
        assert connection.scalar(select(incarnations.c.lost)) == 5
        assert connection.execute(select(alarms.c.alarm)).all() == [("events_lost",)]


def test_trailing_numbers_that_were_let_go_hold_up_nothing(hq: Headquarters, store: FakeStore) -> None:
    """A batch without an event says that up to there nothing is left."""
    store.come_up(hq.answers)
    store.say(hq.answers, replace(store.events(), after=0, through=7, let_go=7))
    assert through(hq, store) == 7


def test_a_withdrawal_in_the_store_is_folded_in_once(hq: Headquarters, store: FakeStore) -> None:
    """It becomes a consent event, the value goes, and the record says up to which event it was folded in."""
    hq.join("m-1", "size.shoe", "language")
    hq.office.set_profile("m-1", [text("size.shoe", "42"), texts("language", "de")], hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    store.say(hq.answers, store.hello())
    event = withdrawal(1, hq, "m-1", "size.shoe")
    for _ in range(2):
        store.say(hq.answers, store.events(event))
    found = hq.record("m-1")
    assert found is not None
    assert {one.scope for one in found.fields} == {"language"}
    assert (found.acts_incarnation, found.acts_through) == (store.incarnation, 1)
    hq.office.set_profile("m-1", [text("size.shoe", "43")], hq.now_ms)
    after = hq.record("m-1")
    assert after is not None
    assert {one.scope for one in after.fields} == {"language"}
    assert after.acts_through == 1
    hq.check()


def test_a_withdrawal_of_everything_in_the_store_ends_presence_there(hq: Headquarters, store: FakeStore) -> None:
    """All grants at this store end; a later grant brings the member back with the denial folded in."""
    hq.join("m-1", "size.shoe")
    store.come_up(hq.answers)
    hq.later(10)
    store.say(hq.answers, store.hello())
    store.say(hq.answers, store.events(withdrawal(1, hq, "m-1", None)))
    assert (hq.record("m-1"), hq.day_keys("m-1")) == (None, ())
    hq.later(10)
    hq.grant("m-1", "presence")
    found = hq.record("m-1")
    assert found is not None
    assert found.acts_through == 1


def test_a_withdrawal_of_a_member_without_a_name_here_is_kept_and_harmless(hq: Headquarters, store: FakeStore) -> None:
    """An unknown pseudonym changes nobody; the event is stored all the same."""
    store.come_up(hq.answers)
    body = schema.encode(Withdrawal(None, "nina", "t-1"))
    store.say(hq.answers, store.events(Event(1, EventKind.WITHDRAWAL, hq.now_ms, b"?" * 16, body)))
    assert through(hq, store) == 1


def test_a_withdrawal_that_cannot_be_read_withdraws_everything(hq: Headquarters, store: FakeStore) -> None:
    """Never less than was meant; and a store without trusted time meant now."""
    hq.join("m-1", "size.shoe")
    store.come_up(hq.answers)
    hq.later(10)
    store.say(hq.answers, store.hello())
    store.say(hq.answers, store.events(Event(1, EventKind.WITHDRAWAL, 0, hq.pseudonym("m-1"), b"\xff")))
    assert hq.record("m-1") is None


@pytest.mark.parametrize("surface", list(Surface))
def test_who_leaves_by_code_is_recognised_no_more_in_that_store(
    hq: Headquarters, store: FakeStore, surface: Surface
) -> None:
    """Presence there is withdrawn at the time of choice, and nothing else; who comes back has what was agreed to."""
    hq.join("m-1", "size.shoe")
    store.come_up(hq.answers)
    hq.later(10)
    chosen_s = hq.now_s
    store.say(hq.answers, store.hello())
    body = schema.encode(Withdrawal(None, "", "", surface))
    hq.later(5)
    store.say(hq.answers, store.events(Event(1, EventKind.WITHDRAWAL, chosen_s * 1000, hq.pseudonym("m-1"), body)))
    assert (hq.record("m-1"), hq.day_keys("m-1")) == (None, ())
    with reading(hq.engine) as connection:
        (row,) = connection.execute(select(consent_events).where(consent_events.c.method == "leave-code"))
    assert row.chosen_s == chosen_s
    hq.later(10)
    hq.grant("m-1", "presence")
    found = hq.record("m-1")
    assert found is not None
    assert {one.purpose for one in found.statements} == {"presence", "assist"}
    assert found.acts_through == 1


def test_strangers_and_noise_are_dropped_and_counted(hq: Headquarters, store: FakeStore) -> None:
    """An unknown store, a wrong signature, another's key and garbage each count and answer nothing."""
    good = store.close(store.hello())
    store.identity, own = Ed25519PrivateKey.generate(), store.identity
    forged = store.close(store.hello())
    store.identity, store.store = own, "berlin-9"
    stranger = store.close(store.hello())
    for payload in (forged, stranger, b"", b"\x00" * 70_000, good[:-1], good[1:]):
        assert hq.answers.answer(payload, hq.now_ms) == []
    assert hq.answers.dropped == {"signature": 1, "sender": 1, "cbor": 3, "size": 1}


def test_what_hq_says_is_not_answered_when_it_comes_back(hq: Headquarters, store: FakeStore) -> None:
    """A message of a kind that goes down has no meaning on `up`, though a store signed it."""
    assert store.say(hq.answers, Challenge(bytes(16))) == []
    assert hq.answers.dropped == {"direction": 1}


def test_the_dark_time_of_a_store_is_counted(hq: Headquarters, store: FakeStore) -> None:
    """From the end of a lease to the beginning of the next."""
    store.come_up(hq.answers)
    hq.now_ms += 300_000
    store.come_up(hq.answers)
    store.say(hq.answers, store.hello())
    with reading(hq.engine) as connection:
        assert connection.scalar(select(links.c.dark_ms)) == 180_000


def test_readiness_locked_gets_no_lease_even_with_the_ticket(hq: Headquarters, store: FakeStore) -> None:
    """A box that cannot open its cache is sent the unlock again."""
    store.come_up(hq.answers)
    store.readiness = Readiness.LOCKED
    assert [type(one) for one in store.say(hq.answers, store.hello())] == [Unlock]


def test_a_new_key_day_is_unlocked_beside_the_lease(hq: Headquarters, store: FakeStore) -> None:
    """In the evening tomorrow's keyring begins: its digest key comes, and the lease goes on."""
    store.come_up(hq.answers)
    hq.later(7 * 3600)
    store.say(hq.answers, store.hello())
    answers = store.say(hq.answers, store.hello())
    assert [type(one) for one in answers] == [Unlock, Lease]
    assert store.lease is not None
    assert store.lease.key_days == (hq.now_s // DAY_S, hq.now_s // DAY_S + 1)


def test_events_of_a_cache_that_hq_does_not_know_wait(hq: Headquarters, store: FakeStore) -> None:
    """Before the unlock made its row nothing is stored; the store sends them again."""
    store.come_up(hq.answers)
    foreign = Events(secrets.token_bytes(16), (Event(1, EventKind.HEALTH, hq.now_ms, None, b""),), 0, 1, 0, 0)
    store.say(hq.answers, foreign)
    with reading(hq.engine) as connection:
        assert connection.execute(select(store_events)).first() is None
