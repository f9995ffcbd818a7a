"""What a store knows, may disclose and tells HQ, over one line to an HQ in memory."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from store_gateway.core.phones import bucket_of
from store_gateway.errors import CacheError, CacheReason
from store_gateway.replica import NO_CHANGES, Replica, Tablet
from tests.fakes.hq import (
    STORE,
    TODAY,
    TODAY_MS,
    FakeHQ,
    Line,
    a_main_policy,
    a_member,
    a_store_policy,
    an_associate,
)
from wire import envelope, schema, sync
from wire.member import Mode
from wire.query import DarkReason, Light
from wire.sync import Collection, EventKind, RefusalReason

ADA = b"\xada" + bytes(13) + b"\x01"
BEN = b"\xbe" + bytes(15)
PAIRING = (EventKind.PAIRING, None, sync.Pairing("tablet-1", True))
WITHDRAWAL = sync.Withdrawal(None, "ada", "tablet-1")
MEMBERS = f"members/{STORE}"


def shown(line: Line) -> tuple[Light, DarkReason]:
    """The light and why."""
    lease = line.replica.lease(line.now_s)
    return lease.light, lease.reason


def held_roots(line: Line) -> dict[str, tuple[bytes, int]]:
    """What the next hello says is held."""
    vault = line.replica._hq.vault
    assert vault is not None
    return {held.instance: (held.root, held.count) for held in vault.holdings.held()}


def hq_roots(hq: FakeHQ) -> dict[str, tuple[bytes, int]]:
    """What HQ holds."""
    return {name: (one.node().root, one.node().count) for name, one in hq.instances.items()}


# --- start and lease -----------------------------------------------------------------------------------------------


def test_a_box_is_locked_until_hq_has_unlocked_it(start: Callable[[], Line]) -> None:
    """Nothing of the cache is readable before, and no event can be kept."""
    line = start()
    assert shown(line) == (Light.LOCKED, DarkReason.STARTING)
    assert line.replica.tick(line.now_s) == NO_CHANGES
    assert line.replica.outgoing() == []
    with pytest.raises(CacheError) as caught:
        line.replica.record(line.now_s, PAIRING)
    assert caught.value.reason is CacheReason.LOCKED
    assert not line.replica.failed()


def test_an_empty_store_is_filled_and_live_within_one_exchange(hq: FakeHQ, start: Callable[[], Line]) -> None:
    """Challenge, unlock, fill, lease: then everything that HQ holds is there."""
    for number in range(300):
        hq.member(number.to_bytes(16, "little"), a_member())
    hq.member(ADA, a_member(Mode.OPEN))
    hq.staff("ada", an_associate())
    hq.keys_of(TODAY, [(ADA, (b"k" * 16,)), (BEN, (b"l" * 16, b"m" * 16))])
    line = start()
    line.up()
    assert shown(line) == (Light.LIVE, DarkReason.NONE)
    assert held_roots(line) == hq_roots(hq)
    replica = line.replica
    assert replica.member(ADA) == a_member(Mode.OPEN)
    assert replica.member(secrets.token_bytes(16)) is None
    assert replica.staff("ada") == an_associate()
    assert replica.staff("nobody") is None
    assert replica.key_days() == (TODAY, TODAY + 1)
    assert sorted(replica.keyring(TODAY)) == [(ADA, (b"k" * 16,)), (BEN, (b"l" * 16, b"m" * 16))]
    assert list(replica.keyring(TODAY + 1)) == []
    assert replica.day_keys(BEN) == ((TODAY, (b"l" * 16, b"m" * 16)),)
    assert dict(replica.modes())[ADA] is Mode.OPEN
    assert len(dict(replica.modes())) == 301
    policy = replica.policy()
    assert policy is not None
    assert (policy.main, policy.store) == (a_main_policy(), a_store_policy())
    assert replica.trusted_ms(line.now_s) == line.now_ms


def test_a_large_range_comes_in_parts(start: Callable[[], Line], hq: FakeHQ) -> None:
    """HQ numbers them; the range counts once all are there."""
    hq.range_records, hq.part_records = 10_000, 7
    for number in range(100):
        hq.member(number.to_bytes(16, "little"), a_member())
    line = start()
    line.up()
    assert line.live()
    assert held_roots(line) == hq_roots(hq)


def test_when_hq_falls_silent_the_store_goes_dark_at_the_end_of_its_lease(line: Line) -> None:
    """With the reason, at once, and by itself live again when HQ is heard."""
    line.down()
    length = line.replica.lease(line.now_s).left_s
    line.run(length - 1)
    assert line.live()
    line.log.clear()
    line.run(1.2)
    assert shown(line) == (Light.DARK, DarkReason.NO_WORD)
    assert [(one.light, one.urgent) for one in line.log if one != NO_CHANGES] == [(True, True)]
    line.run(60)
    line.up()
    assert line.live()


def test_a_restarted_box_has_everything_again_without_a_fill(start: Callable[[], Line], hq: FakeHQ) -> None:
    """HQ's share opens the cache; what HQ sealed to the earlier boot does not open any more."""
    hq.member(ADA, a_member())
    first = start()
    first.up()
    first.replica.add_tablet(Tablet("tablet-1", b"h" * 32, "Till", "Fox", 5))
    old = hq.say(hq.member(BEN, a_member()))
    second = start()
    assert shown(second) == (Light.LOCKED, DarkReason.STARTING)
    assert second.replica.tablets() == (Tablet("tablet-1", b"h" * 32, "", "", 0),)
    second.replica.on_link(True, second.now_s)
    second.replica.tick(second.now_s)
    second.replica.on_payload(old, False, second.now_s)
    assert second.replica.counters()["dropped_other_boot"] == 1
    second.run(5)
    assert second.live()
    assert second.replica.counters()["rounds"] == 1, "only what was missed in between is asked for"
    assert second.replica.member(ADA) is not None
    assert second.replica.member(BEN) is not None
    assert second.replica.tablet(b"h" * 32) == Tablet("tablet-1", b"h" * 32, "Till", "Fox", 5)
    assert held_roots(second) == hq_roots(hq)


def test_an_unlock_says_that_everything_is_new(start: Callable[[], Line]) -> None:
    """Policy and all key days; the members are read by whoever builds from them."""
    first = start()
    first.up()
    second = start()
    second.up()
    unlocked = next(one for one in second.log if one.policy)
    assert unlocked.keyring_days == {TODAY, TODAY + 1}
    assert unlocked.light
    assert unlocked.anew
    assert not any(one.anew for one in second.log if one is not unlocked)


@pytest.mark.parametrize("wrong", ["share", "secret"])
def test_a_wrong_share_or_secret_opens_nothing_and_is_said(start: Callable[[], Line], hq: FakeHQ, wrong: str) -> None:
    """Locked with the reason disk; the right one later opens it as if nothing had been."""
    line = start()
    line.up()
    right = dict(hq.shares), hq.box_secret
    if wrong == "share":
        hq.shares = {incarnation: {1: bytes(32)} for incarnation in hq.shares}
    else:
        hq.box_secret = bytes(32)
    line = start()
    line.up()
    assert shown(line) == (Light.LOCKED, DarkReason.DISK)
    assert line.replica.failed()
    hq.shares, hq.box_secret = right
    if wrong == "secret":
        line = start()
        line.up()
    line.run(20)
    assert line.live()


def test_a_new_key_day_is_learnt_and_an_old_one_goes(line: Line, hq: FakeHQ) -> None:
    """HQ's lease names the days; the keys of the others are erased."""
    hq.add_instance(Collection.KEYRING, STORE, TODAY + 2)
    hq.keys_of(TODAY + 2, [(ADA, (b"k" * 16,))])
    hq.drop_day(TODAY)
    line.log.clear()
    line.run(40)
    assert line.live()
    assert line.replica.key_days() == (TODAY + 1, TODAY + 2)
    assert list(line.replica.keyring(TODAY + 2)) == [(ADA, (b"k" * 16,))]
    assert {TODAY, TODAY + 2} <= frozenset().union(*(one.keyring_days for one in line.log))
    assert TODAY in frozenset().union(*(one.days_gone for one in line.log))
    assert [dict(one.buckets) for one in line.log if one.buckets] == [
        {(TODAY + 2, bucket_of(ADA)): ((ADA, (b"k" * 16,)),)}
    ]


def test_a_higher_key_set_is_kept_and_a_lower_one_never_comes_back(start: Callable[[], Line], hq: FakeHQ) -> None:
    """A version only rises, over a restart too; another root's is nothing."""
    line = start()
    line.up()
    forged = FakeHQ()
    forged.key_set_version = 9
    line.replica.on_payload(forged.say_key_set(), False, line.now_s)
    assert line.replica.counters()["dropped_signature"] == 1
    old = hq.say_key_set()
    hq.key_set_version = 4
    line.run(40)
    hq.key_set_version = 1  # what provisioning wrote
    line = start()
    assert line.replica._hq.courier.key_set.version == 4
    line.replica.on_payload(old, False, line.now_s)
    assert line.replica._hq.courier.key_set.version == 4


def test_a_refusal_makes_the_store_dark_with_the_reason(line: Line, hq: FakeHQ) -> None:
    """And the next lease makes it live again."""
    hq.refuse = RefusalReason.STALE_TICKET
    line.run(20)
    assert shown(line) == (Light.DARK, DarkReason.RESTORED)
    hq.refuse = None
    line.run(80)
    assert line.live()


# --- records -------------------------------------------------------------------------------------------------------


def test_a_live_record_counts_at_once_and_says_what_changed(line: Line, hq: FakeHQ) -> None:
    """A withdrawal is urgent; a repeat on the fast lane changes nothing any more."""
    given = line.tell(hq.member(ADA, a_member()))
    assert given.members == {ADA}
    assert line.replica.member(ADA) == a_member()
    gone = hq.say(hq.member(ADA, None))
    changes = line.replica.on_payload(gone, True, line.now_s)
    assert (changes.members, changes.urgent) == ({ADA}, True)
    assert line.replica.member(ADA) is None
    assert line.replica.on_payload(gone, False, line.now_s) == NO_CHANGES


def test_no_late_or_replayed_grant_undoes_a_withdrawal(line: Line, hq: FakeHQ) -> None:
    """Not before the roots agreed, and not after its tombstone went."""
    grant = hq.say(hq.member(ADA, a_member()))
    gone = hq.say(hq.member(ADA, None))
    line.replica.on_payload(gone, True, line.now_s)
    line.replica.on_payload(grant, False, line.now_s)
    assert line.replica.member(ADA) is None
    line.run(40)
    assert line.replica._hq.cache is not None
    line.replica.on_payload(grant, False, line.now_s)
    assert line.replica.member(ADA) is None
    assert held_roots(line) == hq_roots(hq)


def test_a_lost_record_is_found_by_the_roots_and_repaired(line: Line, hq: FakeHQ) -> None:
    """The lease goes on until it ends, and a new one begins once they agree."""
    hq.member(ADA, a_member())
    assert line.replica.member(ADA) is None
    line.run(25)
    assert line.live()
    assert line.replica.member(ADA) is not None


def test_no_lease_begins_while_a_gating_instance_differs(line: Line, hq: FakeHQ) -> None:
    """HQ answers, but its ranges are lost: dark at the end of the lease, with the reason."""
    hq.member(ADA, a_member())

    def only_leases(payload: bytes) -> bool:
        return envelope.parse(payload).header.kind is not sync.Kind.RANGE

    line.run(130, carry=only_leases)
    assert shown(line) == (Light.DARK, DarkReason.CATCHING_UP)
    line.run(120)
    assert line.live()


def test_the_lease_holds_at_a_steady_rate_of_changes(line: Line, hq: FakeHQ) -> None:
    """Records under way do not look like a difference for longer than they are under way."""
    waiting: list[bytes] = []
    for number in range(400):
        pseudonym = (number % 50).to_bytes(16, "big")
        waiting.append(hq.say(hq.member(pseudonym, a_member() if number % 3 else None)))
        if len(waiting) > 2:
            line.replica.on_payload(waiting.pop(0), False, line.now_s)
        line.run(0.5)
        assert line.live()
    assert line.replica.counters().get("rounds", 0) <= 4  # those of the first fill


def test_one_message_is_one_transaction_over_several_instances(line: Line, hq: FakeHQ) -> None:
    """What HQ committed together is there together."""
    both = hq.commit(
        (MEMBERS, ADA, schema.encode(a_member())), (f"staff/{STORE}", b"ada", schema.encode(an_associate()))
    )
    changes = line.tell(both)
    assert (changes.members, changes.staff) == ({ADA}, {"ada"})


def test_a_refused_body_is_kept_and_counted_but_never_used(line: Line, hq: FakeHQ) -> None:
    """It is no member, and the roots agree all the same."""
    line.tell(hq.commit((MEMBERS, ADA, b"\xa1\x00\x02")))
    assert line.replica.member(ADA) is None
    line.run(40)
    assert line.live()
    assert held_roots(line) == hq_roots(hq)


def test_the_last_good_policy_stays_in_force_beside_a_refused_one(start: Callable[[], Line], hq: FakeHQ) -> None:
    """Over a restart too; a good one takes its place; its end makes the store dark."""
    line = start()
    line.up()
    unfounded = a_main_policy(2, purposes=(replace(a_main_policy().purposes[0], legal_basis=""),))
    assert not line.tell(hq.policy(unfounded, a_store_policy(label="Berlin 1a"))).urgent
    line = start()
    line.up()
    policy = line.replica.policy()
    assert policy is not None
    assert (policy.main.version, policy.store.label) == (1, "Berlin 1a")
    assert line.live()
    assert line.tell(hq.policy(a_main_policy(3), a_store_policy())).policy
    assert line.replica.policy() is not None
    assert line.replica.policy().main.version == 3  # type: ignore[union-attr]
    line.tell(hq.commit(("policy/main", b"main", None)))
    assert shown(line) == (Light.DARK, DarkReason.NO_POLICY)


def test_an_older_policy_that_is_put_back_is_not_in_force(start: Callable[[], Line], hq: FakeHQ) -> None:
    """Whoever can write to the disk has an earlier row, sealed as it should be; the record is newer."""
    line = start()
    line.up()
    cache = line.replica._hq.cache
    assert cache is not None
    older = cache.local("good")
    line.tell(hq.policy(a_main_policy(2), a_store_policy(label="Berlin 1a")))
    for row in older:
        cache.put_local("good", row)
    line = start()
    line.up()
    policy = line.replica.policy()
    assert policy is not None
    assert (policy.main.version, policy.store.label) == (2, "Berlin 1a")


def test_a_tablets_secret_that_was_written_over_opens_nothing(start: Callable[[], Line]) -> None:
    """The seal says which it was."""
    line = start()
    line.up()
    line.replica.add_tablet(Tablet("tablet-1", b"h" * 32, "Till 1", "Fox", TODAY_MS))
    cache = line.replica._hq.cache
    assert cache is not None
    (row,) = cache.local("tablets")
    cache.put_local("tablets", {**row, "secret_hash": b"t" * 32})
    assert line.replica.tablets() == ()
    assert shown(line) == (Light.DARK, DarkReason.DISK)


def test_a_store_without_its_own_policy_is_dark(start: Callable[[], Line]) -> None:
    """The brand's alone says nothing of zones and hours."""
    line = start()
    hq = line.hq
    hq.commit(("policy/main", f"store/{STORE}".encode(), None))
    line.up()
    line.run(1)
    assert shown(line) == (Light.DARK, DarkReason.NO_POLICY)


# --- what happens in the store -------------------------------------------------------------------------------------


def test_events_reach_hq_once_in_order_whatever_is_lost(start: Callable[[], Line], hq: FakeHQ) -> None:
    """Numbers go on over a restart; HQ's word frees them."""
    line = start()
    line.up()
    assert line.replica.record(line.now_s, PAIRING, PAIRING) == 2
    line.down()
    assert line.replica.record(line.now_s, PAIRING) == 3
    line = start()
    line.up()
    assert line.replica.record(line.now_s, PAIRING) == 4
    line.run(40)
    assert sorted(number for _, number in hq.events) == [1, 2, 3, 4]
    assert line.replica.counters()["events_waiting"] == 0
    event = next(event for (_, number), event in hq.events.items() if number == 4)
    assert event.kind is EventKind.PAIRING
    assert schema.decode(sync.Pairing, event.body) == PAIRING[2]
    assert event.at_ms > 0


def test_an_event_that_was_lost_goes_again(line: Line, hq: FakeHQ) -> None:
    """The next lease does not have it, so it was lost on the way."""
    line.replica.record(line.now_s, PAIRING)
    line.replica.tick(line.now_s)
    assert len(line.replica.outgoing()) == 1  # and the broker loses it
    line.run(40)
    assert hq.through(next(iter(hq.shares))) == 1
    seen = hq.events_seen
    line.run(60)
    assert hq.events_seen == seen, "what HQ has is not sent for ever"


def test_many_events_go_in_batches_and_a_window(line: Line, hq: FakeHQ) -> None:
    """No payload is too large, and not more than the window goes before HQ's word."""
    for _ in range(15):
        line.replica.record(line.now_s, *[PAIRING] * 100)
    line.run(60)
    assert hq.through(next(iter(hq.shares))) == 1500
    assert line.replica.counters()["events_waiting"] == 0


def test_a_denial_holds_through_every_later_record_until_hq_folded_it_in(start: Callable[[], Line], hq: FakeHQ) -> None:
    """Over restarts and profile edits; another incarnation's number says nothing."""
    line = start()
    line.up()
    line.tell(hq.member(ADA, a_member()))
    changes = line.replica.deny(ADA, None, WITHDRAWAL, line.now_s)
    assert (changes.members, changes.urgent) == ({ADA}, True)
    line.replica.deny(BEN, "size.shoe", WITHDRAWAL, line.now_s)
    line.tell(hq.member(ADA, a_member(Mode.OPEN)))
    assert line.replica.denied(ADA).everything
    incarnation = next(iter(hq.shares))
    line.tell(hq.member(ADA, a_member(acts_incarnation=bytes(16), acts_through=99)))
    line.tell(hq.member(ADA, a_member(acts_incarnation=incarnation, acts_through=0)))
    line = start()
    assert not line.replica.denied(ADA).everything, "locked: nothing is shown, and nothing is known"
    line.up()
    assert line.replica.denied(ADA).everything
    assert line.replica.denied(BEN).scopes == {"size.shoe"}
    assert not line.replica.denied(BEN).everything
    line.tell(hq.member(ADA, a_member(acts_incarnation=incarnation, acts_through=1)))
    assert not line.replica.denied(ADA).everything
    line.tell(hq.member(BEN, a_member(acts_incarnation=incarnation, acts_through=1)))
    assert line.replica.denied(BEN).scopes == {"size.shoe"}
    hq.member(BEN, a_member(acts_incarnation=incarnation, acts_through=2))
    line.run(40)  # by a range this time
    assert line.replica.denied(BEN).scopes == frozenset()
    assert [schema.decode(sync.Withdrawal, hq.events[incarnation, n].body).scope for n in (1, 2)] == [
        None,
        "size.shoe",
    ]


def test_tablets_are_kept_and_forgotten(line: Line) -> None:
    """By their secret's hash."""
    one, other = (Tablet(f"tablet-{n}", bytes([n]) * 32, f"Till {n}", "Fox", n) for n in (1, 2))
    line.replica.add_tablet(one)
    line.replica.add_tablet(other)
    assert line.replica.tablets() == (one, other)
    assert line.replica.tablet(bytes([2]) * 32) == other
    line.replica.unpair("tablet-2", 0.0)
    line.replica.unpair("nobody's", 0.0)
    assert line.replica.tablets() == (one,)
    assert line.replica.tablet(bytes([2]) * 32) is None


# --- what is wrong -------------------------------------------------------------------------------------------------


def test_what_answers_nothing_that_was_asked_is_dropped(line: Line, hq: FakeHQ) -> None:
    """A lease, a range or an unlock out of the blue; an order is counted."""
    incarnation = next(iter(hq.shares))
    hq.lease_s = 86_400
    lease = hq.lease(incarnation, bytes(16), line.now_ms)
    before = line.replica.lease(line.now_s)
    for message in (
        lease,
        sync.Unlock(incarnation, (sync.EpochShare(1, bytes(32)),), (), bytes(16)),
        sync.Refusal(RefusalReason.LOCKDOWN, bytes(16)),
        sync.RecordRange(MEMBERS, b"", b"", 0, 99, 1, 1, ()),
        sync.Children(MEMBERS, b"", 99, ()),
        sync.Order(bytes(16), sync.Verb.WIPE, incarnation, 0, None, None),
    ):
        assert line.replica.on_payload(hq.say(message, b"n" * 16), False, line.now_s) == NO_CHANGES
    assert line.replica.lease(line.now_s) == before
    counters = line.replica.counters()
    assert (counters["dropped_void_answer"], counters["dropped_unasked"]) == (3, 2)
    assert counters["orders"] == 1


def test_a_recorded_unlock_does_not_bring_an_older_ticket_back(line: Line, hq: FakeHQ) -> None:
    """Its nonce is one of the last 8 still; a newer hello was answered since."""
    line.run(40)
    conversation = line.replica._hq
    assert conversation.cache is not None
    incarnation, shares = next(iter(hq.shares.items()))
    given = tuple(sync.EpochShare(*one) for one in shares.items())
    older, newer = [nonce for nonce, _ in conversation.keeper._nonces][-2:]
    for nonce, ticket in ((older, b"a" * 16), (newer, b"b" * 16), (older, b"a" * 16)):
        line.replica.on_payload(hq.say(sync.Unlock(incarnation, given, (), ticket), nonce), False, line.now_s)
    assert conversation.cache.header.ticket == b"b" * 16
    assert line.replica.counters()["dropped_older_unlock"] == 1


def test_a_forged_or_misdirected_message_is_counted_by_its_reason(line: Line, hq: FakeHQ) -> None:
    """Another signer, another recipient, another sender, a message that only stores may send."""
    other = FakeHQ()
    other.boot = hq.boot
    line.replica.on_payload(other.say(other.member(ADA, a_member())), False, line.now_s)
    other.signing, other.store = hq.signing, "hamburg-1"
    line.replica.on_payload(other.say(sync.Challenge(bytes(16))), False, line.now_s)
    line.replica.on_payload(hq.say(sync.Want(bytes(16), ())), False, line.now_s)
    line.replica.on_payload(bytes(70_000), False, line.now_s)
    counters = line.replica.counters()
    assert counters["dropped_signature"] == 1
    assert counters["dropped_recipient"] == 1
    assert counters["dropped_sender"] == 1
    assert counters["dropped_size"] == 1
    assert line.replica.member(ADA) is None


def test_seqs_that_no_file_can_hold_are_refused(line: Line, hq: FakeHQ) -> None:
    """A record, a range or a lease beyond 63 bits crashes nothing."""
    record = sync.Record(ADA, 2**64 - 1, schema.encode(a_member()))
    line.tell(sync.Records((sync.Part(MEMBERS, (record,)),)))
    assert line.replica.member(ADA) is None
    hq.instances[MEMBERS].n = 2**64 - 2
    line.run(20)
    assert not line.replica.failed()


def test_what_hq_stored_and_this_file_does_not_know_makes_it_dark_for_good(line: Line, hq: FakeHQ) -> None:
    """An older copy of the file was put back: it shows nothing, whatever is written to it later."""
    hq.events[next(iter(hq.shares)), 1] = None  # type: ignore[assignment]
    line.run(20)
    assert line.replica.failed()
    assert not line.live()
    line.replica.record(line.now_s, (EventKind.PAIRING, None, sync.Pairing("tablet-1", True)))
    line.run(20)
    assert line.replica.failed()


def test_a_corrupted_file_makes_the_store_dark_and_loud(
    start: Callable[[], Line], cache_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is on the pages, the remedy in the log; nothing is thrown away by itself."""
    line = start()
    line.up()
    line.replica.close()
    cache_file.write_bytes(b"\xa5" * 8192)
    line = start()
    line.run(10)
    assert shown(line) == (Light.LOCKED, DarkReason.DISK)
    assert line.replica.failed()
    assert "corrupt" in caplog.text
    assert "remedy=" in caplog.text
    assert cache_file.read_bytes() == b"\xa5" * 8192


def test_a_row_that_was_put_back_is_found_out(line: Line, hq: FakeHQ) -> None:
    """An old sealed body in a newer row does not open: dark, and the member is not shown."""
    line.tell(hq.member(ADA, a_member(Mode.OPEN)))
    cache = line.replica._hq.cache
    assert cache is not None
    old = cache._connection.execute("select sealed from records where seq = 1 and instance = 1").fetchone()[0]
    line.tell(hq.member(ADA, a_member(Mode.QUIET)))
    cache._connection.execute("update records set sealed = ? where seq = 2 and instance = 1", [old])
    cache._connection.commit()
    assert line.replica.member(ADA) is None
    assert shown(line) == (Light.DARK, DarkReason.DISK)
    line.run(60)
    assert shown(line) == (Light.DARK, DarkReason.DISK)


def test_a_full_disk_is_dark_until_a_write_succeeds(line: Line, hq: FakeHQ) -> None:
    """Nothing is recorded in memory only; it recovers by itself and finds what it missed."""
    cache = line.replica._hq.cache
    assert cache is not None
    cache._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    pages = cache._connection.execute("PRAGMA page_count").fetchone()[0]
    cache._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(CacheError) as caught:
        for _ in range(100):
            line.replica.record(line.now_s, *[PAIRING] * 20)
    assert caught.value.reason is CacheReason.DISK_FULL
    assert shown(line) == (Light.DARK, DarkReason.DISK)
    assert line.replica.tick(line.now_s).urgent
    cache._connection.execute("PRAGMA max_page_count=1000000")
    line.run(60)
    assert line.live()
    number = line.replica.record(line.now_s, PAIRING)
    line.run(60)
    assert hq.through(next(iter(hq.shares))) == number


def test_a_second_gateway_on_the_same_files_stays_locked(line: Line, cache_file: Path, hq: FakeHQ) -> None:
    """And takes over when the first ends."""
    second = Replica(STORE, cache_file, hq.box(), "test/1")
    other = Line(second, hq)
    other.up()
    assert shown(other) == (Light.LOCKED, DarkReason.DISK)
    line.replica.close()
    other.run(20)
    assert other.live()
    second.close()
