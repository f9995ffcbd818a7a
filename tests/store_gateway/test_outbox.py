"""What the outbox keeps and lets go, on a real cache file, with a limit of some kilobytes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.mutes import is_muted
from consent.visit import NOTHING_DENIED
from store_gateway.errors import CacheError, CacheReason
from store_gateway.outbox import LET_GO, LIMIT_BYTES, MOST_BATCHES
from store_gateway.replica import Replica
from tests.fakes.hq import STORE, FakeHQ, Line, a_member
from wire import schema, sync
from wire.member import Muted
from wire.sync import EventKind

ADA, BEN = b"\xad" * 16, b"\xbe" * 16
LIMIT = 24 * 1024
LOOK = sync.Disclosure(
    b"h" * 16, "nina", "advisor", "tablet-1", ("size.shoe",), ("assist",), "grant", sync.ReasonCode.HELP, True, False
)  # fmt: skip
BODIES: dict[EventKind, object] = {
    EventKind.HEALTH: sync.StoreHealth("test", 1, 2, 3, 4, 5, 6),
    EventKind.OUTCOME: sync.SuggestionOutcome("item-1", sync.Response.SHOWN, "shoes"),
    EventKind.VISIT: sync.VisitEnd(1, 2, ()),
    EventKind.ATTENDANCE: sync.Attendance("", sync.HelpStep.WAITING),
    EventKind.PAIRING: sync.Pairing("tablet-1", True),
    EventKind.APPLIED: sync.Applied(1, 2, 3, 4),
    EventKind.DISCLOSURE: LOOK,
    EventKind.WITHDRAWAL: sync.Withdrawal(None, "nina", "tablet-1"),
    EventKind.MUTE: sync.Mute(sync.MuteKind.THEME, "baby", "nina", "tablet-1"),
}
FIRM = (EventKind.DISCLOSURE, EventKind.WITHDRAWAL, EventKind.MUTE)


@pytest.fixture
def line(hq: FakeHQ, cache_file: Path) -> Iterator[Line]:
    """A live store with a small outbox, whose events HQ does not get yet."""
    hq.member(ADA, a_member())
    found = Line(Replica(STORE, cache_file, hq.box(), "test/1"), hq)
    found.up()
    limit(found)
    found.down()
    yield found
    found.replica.close()


def limit(line: Line, limit_bytes: int = LIMIT) -> None:
    """From now on the outbox holds no more."""
    vault = line.replica._hq.vault
    assert vault is not None
    vault.outbox._limit_bytes = limit_bytes


def outbox(line: Line):
    """The outbox."""
    assert line.replica._hq.vault is not None
    return line.replica._hq.vault.outbox


def record(line: Line, kind: EventKind, times: int = 1, pseudonym: bytes | None = ADA) -> None:
    """Some events of a kind, each in a transaction of its own."""
    for _ in range(times):
        line.replica.record(line.now_s, (kind, pseudonym, BODIES[kind]))


def kinds(line: Line) -> list[EventKind]:
    """What is kept, in order."""
    return [EventKind(row["kind"]) for row in line.replica._hq.cache.local("outbox")]  # type: ignore[union-attr]


def test_the_limit_is_the_one_of_the_specification() -> None:
    """256 MiB of sealed events; disclosures, withdrawals, mutes and erased numbers are never let go."""
    assert LIMIT_BYTES == 256 * 1024 * 1024
    assert set(LET_GO).isdisjoint({*FIRM, EventKind.ERASED})
    assert [one for one in LET_GO if one in (EventKind.HEALTH, EventKind.OUTCOME, EventKind.VISIT)] == [
        EventKind.HEALTH, EventKind.OUTCOME, EventKind.VISIT,
    ]  # fmt: skip


def test_what_matters_least_goes_first_and_the_oldest_of_it(line: Line) -> None:
    """Health, then outcomes, then visits; withdrawals and looks stay whatever happens."""
    for kind in (EventKind.VISIT, EventKind.OUTCOME, EventKind.HEALTH, EventKind.WITHDRAWAL):
        record(line, kind, 10)
    gone = []
    for _ in range(200):
        record(line, EventKind.DISCLOSURE)
        left = set(kinds(line))
        gone += [kind for kind in LET_GO if kind not in left and kind not in gone]
        if EventKind.VISIT not in left:
            break
    order = [kind for kind in gone if kind in (EventKind.HEALTH, EventKind.OUTCOME, EventKind.VISIT)]
    assert order == [EventKind.HEALTH, EventKind.OUTCOME, EventKind.VISIT]
    assert kinds(line).count(EventKind.WITHDRAWAL) == 10
    assert outbox(line).size_bytes <= LIMIT
    told = {one.kind: one.count for one in outbox(line).let_go()}
    assert told == {EventKind.HEALTH: 10, EventKind.OUTCOME: 10, EventKind.VISIT: 10}


def test_what_cannot_be_kept_is_not_shown_and_the_store_is_dark_until_hq_has_stored(line: Line, hq: FakeHQ) -> None:
    """Nothing but looks is left: the next one fails whole, writes of other things do not end it, an answer does."""
    with pytest.raises(CacheError) as caught:
        record(line, EventKind.DISCLOSURE, 1_000)
    assert caught.value.reason is CacheReason.OUTBOX_FULL
    kept = len(kinds(line))
    assert line.replica.failed()
    assert not line.live()
    line.run(10)
    assert line.replica.failed(), "it does not flicker"
    assert len(kinds(line)) == kept
    limit(line, 2 * 1024 * 1024)
    line.up()
    line.run(60, step_s=2)
    assert not line.replica.failed()
    assert line.live()
    record(line, EventKind.DISCLOSURE)
    line.run(60, step_s=2)
    looks = [event for event in hq.events.values() if event.kind is EventKind.DISCLOSURE]
    assert len(looks) == kept + 1


def test_in_a_full_outbox_what_may_go_goes_itself_and_is_counted(line: Line) -> None:
    """It takes a number, and nothing else; the store stays live."""
    with pytest.raises(CacheError):
        record(line, EventKind.DISCLOSURE, 1_000)
    kept = kinds(line)
    record(line, EventKind.HEALTH, 3)
    assert kinds(line) == kept
    assert {one.kind: one.count for one in outbox(line).let_go()} == {EventKind.HEALTH: 3}


def test_hq_hears_what_was_let_go_and_waits_for_none_of_it(line: Line, hq: FakeHQ) -> None:
    """Over a restart too: the counts and the numbers are on the disk."""
    record(line, EventKind.HEALTH, 40)
    record(line, EventKind.DISCLOSURE, 60)
    told = outbox(line).let_go()
    assert told
    line.replica.close()
    line.replica = Replica(STORE, line.replica._file, hq.box(), "test/1")
    line.up()
    line.run(60, step_s=2)
    assert outbox(line).let_go() == told
    assert outbox(line).waiting() == 0
    numbers = {number for _, number in hq.events}
    lacking = set(range(1, max(numbers))) - numbers
    assert len(lacking) == sum(one.count for one in told)


def record_large(line: Line, times: int) -> None:
    """Some looks at all that a card can show, of which forty fill a batch; with room for them."""
    limit(line, LIMIT_BYTES)
    large = replace(LOOK, scopes=tuple(f"scope.number.{number}" for number in range(60)))
    line.replica.record(line.now_s, *[(EventKind.DISCLOSURE, ADA, large)] * times)


def test_at_most_eight_batches_go_up_before_hq_says_that_it_stored_them(line: Line) -> None:
    """However large the events are; one more for each that a lease names, and the same again after they were lost."""
    record_large(line, 500)
    box = outbox(line)

    def goes() -> list[sync.Events]:
        found = []
        while box.waits():
            found.append(box.events(line.now_s))
        return found

    first = goes()
    assert len(first) == MOST_BATCHES
    assert first[-1].through < 500
    box.free(first[2].through, line.now_s)
    more = goes()
    assert [one.after for one in more] == [first[-1].through, more[0].through, more[1].through]
    box.rewind()
    assert goes()[:5] == [replace(one, freed=first[2].through) for one in first[3:]]


def test_more_than_eight_batches_arrive_whole(line: Line, hq: FakeHQ) -> None:
    """Lease for lease, until none waits."""
    record_large(line, 500)
    line.up()
    line.run(200, step_s=2)
    assert outbox(line).waiting() == 0
    assert len([event for event in hq.events.values() if event.kind is EventKind.DISCLOSURE]) == 500


def test_letting_go_opens_nothing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes is found by its kind, which stands unsealed."""
    record(line, EventKind.HEALTH, 40)
    opened = []
    buckets = type(outbox(line)._buckets)
    plain = buckets.open_local
    monkeypatch.setattr(buckets, "open_local", lambda self, *which: opened.append(which) or plain(self, *which))
    record(line, EventKind.DISCLOSURE, 60)
    assert outbox(line).let_go()
    assert opened == []


def test_a_members_events_are_found_and_erased_without_the_others(line: Line) -> None:
    """By a keyed tag; the numbers stay, of a look its leaf, and the log goes on."""
    record(line, EventKind.DISCLOSURE, 3)
    record(line, EventKind.DISCLOSURE, 2, BEN)
    record(line, EventKind.WITHDRAWAL)
    box = outbox(line)
    assert [event.kind for event in box.of_member(ADA)] == [EventKind.DISCLOSURE] * 3 + [EventKind.WITHDRAWAL]
    vault = line.replica._hq.vault
    assert vault is not None
    with vault.writing(line.now_s):
        assert box.erase_member(ADA) == 4
    assert list(box.of_member(ADA)) == []
    assert len(list(box.of_member(BEN))) == 2
    box.rewind()
    batch = box.batch(line.now_s)
    erased = [schema.decode(sync.Erased, event.body) for event in batch if event.kind is EventKind.ERASED]
    assert [one.was for one in erased] == [EventKind.DISCLOSURE] * 3 + [EventKind.WITHDRAWAL]
    assert [one.leaf is None for one in erased] == [False, False, False, True]
    assert all(event.pseudonym is None for event in batch if event.kind is EventKind.ERASED)
    line.replica.close()
    line.replica = Replica(STORE, line.replica._file, line.hq.box(), "test/1")
    line.up()
    assert not line.replica.failed()
    line.run(60, step_s=2)
    assert outbox(line).waiting() == 0


def test_a_mute_is_in_force_at_once_until_the_record_names_it(line: Line, hq: FakeHQ) -> None:
    """Over a restart, over HQ's storing of it and over a record that names an earlier event; then the record has it."""
    mute = sync.Mute(sync.MuteKind.THEME, "baby", "nina", "tablet-1")
    changes = line.replica.mute(ADA, mute, line.now_s)
    assert changes.members == {ADA}
    line.replica.deny(ADA, "size.shoe", sync.Withdrawal("size.shoe", "nina", "tablet-1"), line.now_s)
    line.replica.mute(ADA, replace(mute, what=sync.MuteKind.ITEM, id="i-1"), line.now_s)
    line.replica.close()
    line.replica = Replica(STORE, line.replica._file, hq.box(), "test/1")
    line.up()
    line.run(30, step_s=2)
    incarnation = next(iter(hq.shares))
    folded = replace(a_member(), acts_incarnation=incarnation, mutes=(Muted(sync.MuteKind.THEME, "baby"),))
    both = {(sync.MuteKind.THEME, "baby"), (sync.MuteKind.ITEM, "i-1")}
    for through, scopes, here in (
        (0, {"size.shoe"}, both),
        (2, set(), {(sync.MuteKind.ITEM, "i-1")}),
        (3, set(), set()),
    ):
        line.tell(hq.member(ADA, replace(folded, acts_through=through)))
        line.run(30, step_s=2)
        denied = line.replica.denied(ADA)
        assert (denied.everything, denied.scopes, denied.mutes) == (False, scopes, here)
        member = line.replica.member(ADA)
        assert member is not None
        assert is_muted(member, denied, sync.MuteKind.THEME, "baby")
    assert line.replica._hq.vault is not None
    assert list(line.replica._hq.vault._cache.local("denies")) == [], "so they are bounded"


def test_a_denial_goes_with_a_record_that_is_gone_for_good(line: Line, hq: FakeHQ) -> None:
    """HQ folded it in by taking the member out: no record names it, and none that could come later forgets it."""
    line.replica.deny(ADA, None, sync.Withdrawal(None, "nina", "tablet-1"), line.now_s)
    line.replica.mute(ADA, sync.Mute(sync.MuteKind.THEME, "baby", "nina", "tablet-1"), line.now_s)
    late = hq.member(ADA, a_member())
    line.up()
    line.run(30, step_s=2)
    assert line.replica.denied(ADA).everything, "a live record does not name it yet"
    line.tell(hq.member(ADA, None))
    line.run(30, step_s=2)
    assert line.replica.denied(ADA) == NOTHING_DENIED
    line.tell(late)
    assert line.replica.member(ADA) is None


@given(st.lists(st.tuples(st.sampled_from(sorted(BODIES)), st.integers(1, 20)), min_size=1, max_size=25))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_history_the_sum_is_that_of_the_rows(tmp_path_factory: pytest.TempPathFactory, history) -> None:
    """However events come and go, what is counted is what is there, within the limit, and nothing firm is missing."""
    hq = FakeHQ()
    line = Line(Replica(STORE, tmp_path_factory.mktemp("box") / "cache.db", hq.box(), "test/1"), hq)
    line.up()
    limit(line)
    line.down()
    firm = 0
    for kind, times in history:
        for _ in range(times):
            try:
                record(line, EventKind(kind))
                firm += kind in FIRM
            except CacheError:
                pass
    box = outbox(line)
    rows = line.replica._hq.cache.local("outbox")  # type: ignore[union-attr]
    assert box.size_bytes == sum(row["size"] for row in rows) <= LIMIT
    assert sum(row["kind"] in FIRM for row in rows) == firm
    gone = sum(one.count for one in box.let_go())
    assert box.waiting() == len(rows) + gone
    line.replica.close()
