"""What HQ orders is done once, answered the same for ever, and survives a power cut at every step."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store_gateway.disposal import left, opened, retire
from store_gateway.errors import CacheReason
from store_gateway.order_works import WORKS
from store_gateway.orders import Step
from store_gateway.replica import Tablet
from tests.fakes.hq import STORE, TODAY, TODAY_MS, FakeHQ, Line, a_member
from wire import envelope, schema, sync
from wire.errors import Reason, WireError
from wire.limits import MAX_BODY_BYTES
from wire.member import Mode
from wire.orders import Denial, DenialKind, EraseResult, ExportResult, KeyDay, WipeResult
from wire.query import DarkReason, Light
from wire.sync import EventKind, Kind, Outcome, Verb

ADA, BEN = b"\xad" * 16, b"\xbe" * 16
WITHDRAWAL = sync.Withdrawal("size.shoe", "ada", "tablet-1")
TABLET = Tablet("tablet-1", b"h" * 32, "Till 1", "Fox", TODAY_MS)
LATE_MS = TODAY_MS - 10**9


def shown(line: Line) -> tuple[Light, DarkReason]:
    """What the tablets are told."""
    lease = line.replica.lease(line.now_s)
    return lease.light, lease.reason


def told(line: Line, order: sync.Order, seconds: float = 3.0) -> list[sync.Done]:
    """What the store answers to an order."""
    before = len(line.hq.dones)
    line.log.append(line.replica.on_payload(line.hq.say(order), False, line.now_s))
    line.run(seconds)
    return line.hq.dones[before:]


def outcome(line: Line, order: sync.Order, seconds: float = 3.0) -> Outcome:
    """The outcome of an order that one part answers."""
    (done,) = told(line, order, seconds)
    assert (done.order, done.part, done.parts) == (order.id, 1, 1)
    return done.outcome


@pytest.fixture
def full(line: Line, hq: FakeHQ) -> Line:
    """A store that holds everything of two members."""
    line.tell(hq.member(ADA, a_member(Mode.OPEN)))
    line.tell(hq.member(BEN, a_member()))
    line.tell(hq.keys_of(TODAY, [(ADA, (b"x" * 16, b"y" * 16)), (BEN, (b"z" * 16,))]))
    line.run(40)
    line.down()
    line.replica.deny(ADA, "size.shoe", WITHDRAWAL, line.now_s)
    line.replica.record(line.now_s, (EventKind.WITHDRAWAL, BEN, WITHDRAWAL))
    line.replica.on_link(True, line.now_s)
    return line


# --- when an order is done ------------------------------------------------------------------------------------------


def test_an_order_that_comes_again_is_answered_the_same(full: Line, hq: FakeHQ) -> None:
    """It is done once; the answer is remembered over a restart, with its result."""
    order = hq.order(Verb.EXPORT, ADA)
    first = told(full, order)
    hq.member(ADA, None)
    full.run(20)
    assert told(full, order) == first
    full.replica.close()
    again = Line(type(full.replica)(STORE, full.replica._file, hq.box(), "test/1"), hq, full.now_s)
    again.up()
    assert told(again, order) == first
    again.replica.close()


@pytest.mark.parametrize(
    ("verb", "subject", "expected"),
    [
        (Verb.WIPE, None, [Outcome.NOTHING_TO_DO]),
        (Verb.ROLL, b"\0\0\0\2", [Outcome.NOTHING_TO_DO]),
        (Verb.LOCKDOWN, None, []),
        (Verb.ERASE, ADA, []),
        (Verb.UNPAIR, b"tablet-1", []),
    ],
)
def test_an_order_to_another_cache_is_not_done(
    full: Line, hq: FakeHQ, verb: Verb, subject: bytes | None, expected: list[Outcome]
) -> None:
    """What it would wipe or roll is gone; anything else HQ gives anew to the present cache."""
    dones = told(full, hq.order(verb, subject, incarnation=b"another cache..."))
    assert [done.outcome for done in dones] == expected
    assert full.live()
    assert full.replica.member(ADA) is not None


@pytest.mark.parametrize("verb", [Verb.ERASE, Verb.LOCKDOWN, Verb.WIPE, Verb.EXPORT])
def test_an_order_that_comes_too_late_is_not_done(full: Line, hq: FakeHQ, verb: Verb) -> None:
    """By trusted time."""
    order = hq.order(verb, ADA if verb in (Verb.ERASE, Verb.EXPORT) else None, not_after_ms=LATE_MS)
    assert outcome(full, order) is Outcome.TOO_LATE
    assert full.live()
    assert full.replica.member(ADA) is not None


def test_before_there_is_time_an_order_waits(start: Callable[[], Line], hq: FakeHQ) -> None:
    """It is judged when the first lease has told the time."""
    first = start()
    hq.member(ADA, a_member())
    first.up()
    line = start()
    line.replica.on_link(True, line.now_s)
    line.replica.tick(line.now_s)
    for payload in line.replica.outgoing():
        hq.answer(payload, line.now_ms)  # HQ knows the boot; its answer is lost
    held, late = hq.order(Verb.ERASE, ADA), hq.order(Verb.ERASE, BEN, not_after_ms=LATE_MS)
    for order in (held, late):
        line.replica.on_payload(hq.say(order), False, line.now_s)
    assert not hq.dones
    line.run(10)
    assert {done.order: done.outcome for done in hq.dones} == {held.id: Outcome.DONE, late.id: Outcome.TOO_LATE}


def test_a_leave_code_is_handed_on_once_and_answered_alike(full: Line, hq: FakeHQ) -> None:
    """Whoever compares it is told; neither the answer nor what the cache remembers has it."""
    for code in ("12345678", "00000000"):
        order = hq.order(Verb.LEAVE, None, code=code)
        dones = [told(full, order), told(full, order)]
        assert {(one.outcome, one.result) for each in dones for one in each} == {(Outcome.DONE, b"")}
        assert [changes.leavings for changes in full.log if changes.leavings][-1] == (code,)
        assert code.encode() not in full.replica._file.read_bytes()
    assert sum(len(changes.leavings) for changes in full.log) == 2


def test_a_leave_code_that_is_none_fails(full: Line, hq: FakeHQ) -> None:
    """As any order that is not of its form."""
    for code in (None, "1234567a", "\u0661\u0662\u0663\u0664"):
        assert outcome(full, hq.order(Verb.LEAVE, None, code=code)) is Outcome.FAILED
    assert not any(changes.leavings for changes in full.log)


def test_a_leave_code_waits_for_no_restart(full: Line, hq: FakeHQ) -> None:
    """What comes too late belongs to a slot that is over."""
    order = hq.order(Verb.LEAVE, None, code="12345678", not_after_ms=LATE_MS)
    assert outcome(full, order) is Outcome.TOO_LATE
    assert not any(changes.leavings for changes in full.log)


def test_a_subject_that_is_none_fails(full: Line, hq: FakeHQ) -> None:
    """Nothing is erased by half."""
    for order in (hq.order(Verb.ERASE, b"short"), hq.order(Verb.EXPORT, None), hq.order(Verb.ROLL, b"\0\0\0\0")):
        assert outcome(full, order) is Outcome.FAILED


# --- export ---------------------------------------------------------------------------------------------------------


def test_an_export_holds_everything_of_one_member(full: Line, hq: FakeHQ) -> None:
    """Record, days with keys (not the keys), denials, events that wait; nothing of anybody else."""
    (done,) = told(full, hq.order(Verb.EXPORT, ADA))
    result = schema.decode(ExportResult, done.result)
    assert done.outcome is Outcome.DONE
    assert result.record == schema.encode(a_member(Mode.OPEN))
    assert result.key_days == (KeyDay(TODAY, 2),)
    assert result.denials == (Denial(DenialKind.SCOPE, "size.shoe"),)
    assert [(event.kind, event.pseudonym) for event in result.events] == [(EventKind.WITHDRAWAL, ADA)]
    assert b"x" * 16 not in done.result
    assert BEN not in done.result


def test_of_nobody_there_is_nothing_to_export(full: Line, hq: FakeHQ) -> None:
    """An answer too."""
    assert outcome(full, hq.order(Verb.EXPORT, b"\x01" * 16)) is Outcome.NOTHING_TO_DO


def test_a_long_result_comes_in_numbered_parts(full: Line, hq: FakeHQ) -> None:
    """Of at most 48 KiB each."""
    body = hq.instances[f"members/{STORE}"].put(ADA, b"\xff" * MAX_BODY_BYTES)
    full.tell(sync.Records((sync.Part(f"members/{STORE}", (body,)),)))
    parts = told(full, hq.order(Verb.EXPORT, ADA))
    assert [(one.part, one.parts) for one in parts] == [(1, 2), (2, 2)]
    result = schema.decode(ExportResult, b"".join(one.result for one in parts))
    assert result.record == b"\xff" * MAX_BODY_BYTES


# --- erase ----------------------------------------------------------------------------------------------------------


def test_an_erasure_leaves_nothing_of_the_member(full: Line, hq: FakeHQ) -> None:
    """Record, keys, denials and what its events say go; the others stay, and the store stays equal to HQ."""
    exported = hq.order(Verb.EXPORT, ADA)
    told(full, exported)
    full.tell(hq.member(ADA, None))
    full.tell(hq.keys_of(TODAY, [(BEN, (b"z" * 16,))]))
    (done,) = told(full, hq.order(Verb.ERASE, ADA))
    assert done.outcome is Outcome.DONE
    assert schema.decode(EraseResult, done.result) == EraseResult(1, 1, 1, 4)  # ADA's own bucket of the day's keyring
    assert full.replica.member(ADA) is None
    assert full.replica.day_keys(ADA) == ()
    assert not full.replica.denied(ADA).scopes
    assert outcome(full, hq.order(Verb.EXPORT, ADA)) is Outcome.NOTHING_TO_DO
    assert [(one.outcome, one.result) for one in told(full, exported)] == [(Outcome.DONE, b"")], "nor in its export"
    assert full.replica.member(BEN) == a_member()
    hq.commit((f"keyring/{STORE}/{TODAY}", sync.bucket_key(ADA), None))
    full.run(60)
    assert full.live()


def test_an_erasure_before_hqs_own_word_is_undone_by_the_next_fill(full: Line, hq: FakeHQ) -> None:
    """The store equals HQ again: whom HQ has not erased it holds."""
    (done,) = told(full, hq.order(Verb.ERASE, ADA), seconds=0.4)
    assert schema.decode(EraseResult, done.result).records == 2
    assert any(ADA in changes.members and changes.urgent for changes in full.log), "tablets hear of it at once"
    full.run(60)
    assert full.live()
    assert full.replica.member(ADA) == a_member(Mode.OPEN)


# --- lockdown -------------------------------------------------------------------------------------------------------


def test_a_lockdown_forgets_all_keys_until_hq_lifts_it(full: Line, hq: FakeHQ) -> None:
    """Dark at once, with the reason; a recorded unlock opens nothing; lifted, everything is there again."""
    order = hq.order(Verb.LOCKDOWN)
    hq.refuse = sync.RefusalReason.LOCKDOWN
    recorded = hq.say(
        sync.Unlock(
            order.incarnation,
            tuple(sync.EpochShare(*one) for one in hq.shares[order.incarnation].items()),
            (),
            b"t" * 16,
        ),
        full.replica._hq.keeper._nonces[-1][0],
    )
    assert outcome(full, order) is Outcome.DONE
    assert shown(full) == (Light.LOCKED, DarkReason.LOCKDOWN)
    assert any(changes.urgent and changes.anew and TODAY in changes.days_gone for changes in full.log)
    assert full.replica._hq.vault is None
    assert full.replica._hq.epochs is None
    full.replica.on_payload(recorded, False, full.now_s)
    full.run(60)
    assert shown(full) == (Light.LOCKED, DarkReason.LOCKDOWN)
    assert outcome(full, order) is Outcome.DONE, "and it can still be asked"
    hq.refuse = None
    full.run(60)
    assert full.live()
    assert full.replica.member(ADA) is not None


def test_hqs_refusal_alone_is_a_lockdown(full: Line, hq: FakeHQ) -> None:
    """Where the order was lost on its way."""
    hq.refuse = sync.RefusalReason.LOCKDOWN
    full.run(40)
    assert shown(full) == (Light.LOCKED, DarkReason.LOCKDOWN)
    assert full.replica._hq.vault is None


def test_a_box_that_starts_in_a_lockdown_is_locked_down_and_can_be_wiped(
    start: Callable[[], Line], hq: FakeHQ, cache_file: Path
) -> None:
    """Without a lease there is no time: these two orders do not wait for it."""
    start().up()
    hq.refuse = sync.RefusalReason.LOCKDOWN
    line = start()
    line.up()
    assert outcome(line, hq.order(Verb.LOCKDOWN)) is Outcome.DONE
    before = cache_file.read_bytes()
    order = hq.order(Verb.WIPE)
    assert outcome(line, order) is Outcome.DONE
    assert cache_file.read_bytes()[:8192] != before[:8192]
    assert not left(cache_file)


def test_no_recording_brings_an_erased_member_back(full: Line, hq: FakeHQ) -> None:
    """The order came, HQ's own word was lost: what once brought the member counts no more."""
    cat = b"\xca" * 16
    full.run(20)
    grant = hq.say(hq.member(cat, a_member(Mode.OPEN)))
    full.replica.on_payload(grant, False, full.now_s)
    assert full.replica.member(cat) is not None
    hq.member(cat, None)  # on its way, and lost
    order = hq.order(Verb.ERASE, cat)
    full.replica.on_payload(hq.say(order), True, full.now_s)
    while full.replica.work(64, full.now_s)[1]:
        pass
    assert full.replica.member(cat) is None
    full.replica.on_payload(grant, False, full.now_s)
    assert full.replica.member(cat) is None
    full.run(40)
    assert full.live()
    assert full.replica.member(cat) is None


def test_a_member_whom_hq_still_holds_comes_back_by_a_fill(full: Line, hq: FakeHQ) -> None:
    """An erasure that HQ did not make leaves no store dark."""
    assert outcome(full, hq.order(Verb.ERASE, BEN)) is Outcome.DONE
    full.run(60)
    assert full.live()
    assert full.replica.member(BEN) is not None


# --- wipe -----------------------------------------------------------------------------------------------------------


def test_a_wipe_destroys_the_file_and_begins_a_new_cache(full: Line, hq: FakeHQ, cache_file: Path) -> None:
    """What had not gone up is counted; the old file is nowhere; the new one fills."""
    old = full.replica._hq.cache
    assert old is not None
    order = hq.order(Verb.WIPE)
    (done,) = told(full, order, seconds=2.0)
    assert done.outcome is Outcome.DONE
    assert schema.decode(WipeResult, done.result) == WipeResult(2)
    assert sorted(one.name for one in cache_file.parent.iterdir()) == ["cache.sqlite3", "cache.sqlite3-wal"]
    assert full.replica._hq.cache is not None
    assert full.replica._hq.cache.header.incarnation != order.incarnation
    assert len(hq.shares) == 2
    full.run(60)
    assert full.live()
    assert full.replica.member(ADA) is not None
    assert told(full, order) == [done], "asked again"


def test_a_cache_that_hq_cannot_open_is_replaced(start: Callable[[], Line], hq: FakeHQ) -> None:
    """HQ lost its share: the store begins anew by itself and is live again."""
    line = start()
    hq.member(ADA, a_member())
    line.up()
    assert line.live()
    incarnation = next(iter(hq.shares))
    hq.shares[incarnation].clear()
    line = start()
    line.up()
    line.run(60)
    assert line.live()
    assert line.replica.member(ADA) is not None
    assert len(hq.shares) == 2


def test_a_cache_is_not_thrown_away_by_the_refusal_of_the_one_before(start: Callable[[], Line], hq: FakeHQ) -> None:
    """Repeated after the new cache was locked down, it would take events with it that HQ has not."""
    line = start()
    line.up()
    hq.shares[next(iter(hq.shares))].clear()
    line = start()
    refused: list[bytes] = []

    def carry(payload: bytes) -> bool:
        if hq.shares and len(hq.shares) == 1 and envelope.parse(payload).header.kind is Kind.REFUSAL:
            refused.append(payload)
        return True

    line.replica.on_link(True, line.now_s)
    line.run(6, carry=carry)
    assert refused
    assert line.live()
    incarnation = next(reversed(hq.shares))
    hq.refuse = sync.RefusalReason.LOCKDOWN
    told(line, hq.order(Verb.LOCKDOWN), seconds=0.2)
    assert line.replica.lease(line.now_s).light is Light.LOCKED
    for payload in refused:
        line.replica.on_payload(payload, False, line.now_s)
    assert line.replica._hq.cache is not None
    assert line.replica._hq.cache.header.incarnation == incarnation
    assert not left(line.replica._file)


def test_a_running_store_does_not_throw_its_cache_away(line: Line, hq: FakeHQ) -> None:
    """Nor does a refusal that answers nothing."""
    incarnation = next(iter(hq.shares))
    nonce = line.replica._hq.keeper._nonces[-1][0]
    lost = sync.Refusal(sync.RefusalReason.SHARE_LOST, bytes(16))
    line.replica.on_payload(hq.say(lost, nonce), False, line.now_s)
    line.replica.on_payload(hq.say(lost, secrets.token_bytes(16)), False, line.now_s)
    line.run(20)
    assert line.replica._hq.cache is not None
    assert line.replica._hq.cache.header.incarnation == incarnation
    assert line.live()


@pytest.mark.parametrize("cut", ["keys", "file"])
def test_a_wipe_that_is_cut_short_does_not_bring_old_keys_of_hq_back(
    full: Line, hq: FakeHQ, cache_file: Path, cut: str
) -> None:
    """Whatever power leaves of the old file, the new one begins with the key set that a withdrawn key is not in."""
    hq.key_set_version += 1
    full.run(20)
    cache = full.replica._hq.cache
    assert cache is not None
    known = cache.header
    assert known.key_set
    cache.destroy_keys(bytes(16), 0)
    if cut == "file":
        retire(cache, bytes(16), 0)
        assert not cache_file.exists()
    else:
        cache.close()
    again = opened(cache_file, secrets.token_bytes)
    assert (again.header.key_set, again.header.trusted_ms) == (known.key_set, known.trusted_ms)
    assert again.header.incarnation not in (known.incarnation, bytes(16))
    again.close()


# --- unpair ---------------------------------------------------------------------------------------------------------


def test_an_unpaired_tablet_is_unknown(full: Line, hq: FakeHQ) -> None:
    """HQ hears of it by an event too; another one stays."""
    full.replica.add_tablet(TABLET)
    order = hq.order(Verb.UNPAIR, b"tablet-1")
    assert outcome(full, order) is Outcome.DONE
    assert full.replica.tablets() == ()
    assert any(changes.unpaired == {"tablet-1"} and changes.urgent for changes in full.log)
    full.run(40)
    kinds = [event.kind for event in hq.events.values()]
    assert kinds.count(EventKind.PAIRING) == 2, "that it was paired, and that it is not any more"
    assert outcome(full, hq.order(Verb.UNPAIR, b"tablet-9")) is Outcome.NOTHING_TO_DO


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [Verb.ERASE, Verb.ROLL, Verb.LOCKDOWN, Verb.WIPE, Verb.UNPAIR])
def test_an_order_that_the_disk_refuses_is_done_when_it_comes_again(full: Line, hq: FakeHQ, verb: Verb) -> None:
    """Dark meanwhile; not said to be done."""
    cache = full.replica._hq.cache
    assert cache is not None
    order = hq.order(verb, {Verb.ERASE: ADA, Verb.UNPAIR: b"tablet-1"}.get(verb))
    full.run(20)  # the share of a roll is there
    cache._connection.execute("PRAGMA query_only=ON")
    assert told(full, order, seconds=0.4) == []
    assert full.replica._failure is CacheReason.IO
    assert not full.live()
    cache._connection.execute("PRAGMA query_only=OFF")
    full.run(10)
    assert outcome(full, order, seconds=2.0) in (Outcome.DONE, Outcome.NOTHING_TO_DO)


def formless(*_: object) -> Iterator[Step]:
    """The result has no form."""
    yield True
    raise WireError(Reason.SHAPE, "expected something else")


def wordless(*_: object) -> Iterator[Step]:
    """It ends, and says no outcome."""
    yield True


@pytest.mark.parametrize("work", [formless, wordless])
def test_an_order_that_cannot_be_answered_has_failed(
    full: Line, hq: FakeHQ, monkeypatch: pytest.MonkeyPatch, work: Callable[..., Iterator[Step]]
) -> None:
    """It is remembered so and not done again; the store is live, and does what else is ordered."""
    monkeypatch.setitem(WORKS, Verb.EXPORT, work)
    order = hq.order(Verb.EXPORT, ADA)
    assert outcome(full, order) is Outcome.FAILED
    monkeypatch.undo()
    assert outcome(full, order) is Outcome.FAILED
    assert full.live()
    assert outcome(full, hq.order(Verb.EXPORT, BEN)) is Outcome.DONE
