"""Tickets: every transition of decision 0042, restarts with lost messages, clones, restored images."""

import copy
import secrets
from collections.abc import Callable
from itertools import product

import pytest
from sqlalchemy import select

from hq import shares, tickets
from hq.alarms import Alarm, open_alarms
from hq.database import reading
from hq.order_tables import epoch_shares
from hq.tables import incarnations, links
from hq.tickets import Holder, Known, Shown, Verdict, judge
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire.sync import (
    Done,
    Event,
    EventKind,
    Events,
    Lease,
    LetGo,
    Message,
    Outcome,
    Readiness,
    Refusal,
    RefusalReason,
    Unlock,
)

KEY = bytes(32)
CACHE, OTHER = b"i" * 16, b"j" * 16
BOOT, ELSE = b"b" * 16, b"c" * 16


def ticket(made_ms: int, cache: bytes = CACHE) -> bytes:
    """A ticket of that time."""
    return tickets.make(KEY, STORE, cache, made_ms)


OLD, CONFIRMED, PENDING, LATER = (ticket(at) for at in (10, 20, 30, 40))
HOLDER = Holder(CACHE, BOOT, CONFIRMED)
BOTH = Known(CONFIRMED, PENDING)


def shown(value: bytes, *, locked: bool = False, boot: bytes = BOOT) -> Shown:
    """What a hello of this cache shows."""
    return Shown(CACHE, boot, value, locked)


@pytest.mark.parametrize(
    ("known", "holder", "said", "verdict"),
    [
        pytest.param(None, None, shown(b"", locked=True), Verdict.NEW, id="an empty cache"),
        pytest.param(None, Holder(OTHER, ELSE, ticket(5, OTHER)), shown(b"", locked=True), Verdict.NEW, id="another"),
        pytest.param(None, None, shown(b""), Verdict.STALE, id="running without a ticket, of a cache nobody knows"),
        pytest.param(None, None, shown(OLD, locked=True), Verdict.AHEAD, id="HQ forgot the cache"),
        pytest.param(None, Holder(OTHER, ELSE, ticket(15, OTHER)), shown(OLD), Verdict.STALE, id="older than all"),
        pytest.param(Known(None, OLD), None, shown(b"", locked=True), Verdict.UNLOCK, id="its first unlock was lost"),
        pytest.param(Known(None, OLD), None, shown(b""), Verdict.STALE, id="running without its first ticket"),
        pytest.param(Known(None, OLD), None, shown(OLD), Verdict.CONFIRM, id="its first ticket"),
        pytest.param(Known(None, OLD), None, shown(OLD, locked=True), Verdict.CONFIRM, id="fell before hello"),
        pytest.param(BOTH, HOLDER, shown(CONFIRMED), Verdict.HOLDER, id="the boot that holds it"),
        pytest.param(BOTH, HOLDER, shown(CONFIRMED, locked=True, boot=ELSE), Verdict.UNLOCK, id="a restart"),
        pytest.param(BOTH, HOLDER, shown(CONFIRMED, boot=ELSE), Verdict.STALE, id="a clone that runs"),
        pytest.param(BOTH, HOLDER, shown(PENDING, boot=ELSE), Verdict.CONFIRM, id="after a restart"),
        pytest.param(BOTH, HOLDER, shown(PENDING, locked=True, boot=ELSE), Verdict.CONFIRM, id="fell after writing it"),
        pytest.param(BOTH, HOLDER, shown(OLD), Verdict.STALE, id="a restored image that runs"),
        pytest.param(BOTH, HOLDER, shown(OLD, locked=True, boot=ELSE), Verdict.STALE, id="a restored image"),
        pytest.param(BOTH, HOLDER, shown(b"", locked=True, boot=ELSE), Verdict.STALE, id="an image from its first day"),
        pytest.param(BOTH, HOLDER, shown(bytes(16), locked=True), Verdict.STALE, id="one that HQ never made"),
        pytest.param(BOTH, HOLDER, shown(LATER, locked=True, boot=ELSE), Verdict.AHEAD, id="a later one"),
        pytest.param(
            Known(CONFIRMED, None), Holder(OTHER, ELSE, ticket(25, OTHER)), shown(CONFIRMED, locked=True),
            Verdict.STALE, id="a cache that another one replaced",
        ),
        pytest.param(
            Known(CONFIRMED, PENDING), Holder(OTHER, ELSE, ticket(35, OTHER)), shown(PENDING), Verdict.STALE,
            id="given to a cache before another one replaced it",
        ),
    ],
)  # fmt: skip
def test_each_case_has_its_verdict(known: Known | None, holder: Holder | None, said: Shown, verdict: Verdict) -> None:
    """The table of decision 0042."""
    ours = tickets.is_ours(KEY, STORE, CACHE, said.ticket)
    assert judge(known, holder, said, ours=ours) is verdict


def test_no_case_lets_two_boots_hold_the_ticket() -> None:
    """Whatever is known and shown: at most one boot of all is the holder, and it shows the confirmed ticket."""
    values = (b"", OLD, CONFIRMED, PENDING, LATER, bytes(16))
    for confirmed, pending, value, locked, boot in product(
        (None, OLD, CONFIRMED), (None, PENDING), values, (True, False), (BOOT, ELSE)
    ):
        holder = None if confirmed is None else Holder(CACHE, BOOT, confirmed)
        said = shown(value, locked=locked, boot=boot)
        found = judge(Known(confirmed, pending), holder, said, ours=tickets.is_ours(KEY, STORE, CACHE, value))
        if found is Verdict.HOLDER:
            assert (boot, value, locked) == (BOOT, confirmed, False)
        if found is Verdict.CONFIRM:
            assert value == pending


def test_a_ticket_is_known_for_one_cache_of_one_store_and_later_than_all_before() -> None:
    """A clock that was set back makes no older ticket; another's ticket is not ours."""
    made = tickets.make(KEY, STORE, CACHE, 10, LATER, None)
    assert tickets.is_later(made, LATER)
    assert tickets.is_ours(KEY, STORE, CACHE, made)
    assert not tickets.is_ours(KEY, "other", CACHE, made)
    assert not tickets.is_ours(KEY, STORE, OTHER, made)
    assert not tickets.is_ours(KEY, STORE, CACHE, b"")


# --- against the whole HQ --------------------------------------------------------------------------------------------


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """The store's box, up and leased, ten seconds ago."""
    found = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    found.come_up(hq.answers)
    hq.now_ms += 10_000
    return found


def says(hq: Headquarters, store: FakeStore) -> list[type[Message]]:
    """The kinds of HQ's answers to a hello."""
    return [type(one) for one in store.say(hq.answers, store.hello())]


def reason(hq: Headquarters, store: FakeStore) -> RefusalReason | None:
    """Why HQ refuses its next hello; None: it does not."""
    found = store.say(hq.answers, store.hello())
    return next((one.reason for one in found if isinstance(one, Refusal)), None)


def clone(store: FakeStore) -> FakeStore:
    """A second box with the same identity and a copy of the disk."""
    other = copy.copy(store)
    other.rows, other.heard = copy.deepcopy(store.rows), []
    other.boot_again()
    return other


def alarms(hq: Headquarters) -> set[str]:
    """The kinds of the open alarms."""
    with reading(hq.engine) as connection:
        return {row.alarm for row in open_alarms(connection)}


def start(hq: Headquarters, store: FakeStore) -> list[type[Message]]:
    """The answer to a box's first hello after the challenge."""
    says(hq, store)
    return says(hq, store)


def forgets_answers(store: FakeStore, lose: Callable[[Message], bool]) -> None:
    """The broker loses these messages on their way down."""
    take = store.take
    store.take = lambda payload: None if _is(store, payload, lose) else take(payload)  # type: ignore[method-assign]


def _is(store: FakeStore, payload: bytes, which: Callable[[Message], bool]) -> bool:
    looker = copy.copy(store)
    looker.__dict__.pop("take", None)
    looker.heard = []
    looker.rows = copy.deepcopy(store.rows)
    found = looker.take(payload)
    return found is not None and which(found)


def test_a_restart_gets_a_new_ticket_and_the_same_one_until_it_is_shown(hq: Headquarters, store: FakeStore) -> None:
    """The unlock is lost twice; what comes at last is the ticket of the first; then it is the confirmed one."""
    before = store.ticket
    store.boot_again()
    seen = set()
    says(hq, store)
    for _ in range(3):
        store.ticket, store.readiness = before, Readiness.LOCKED
        assert says(hq, store) == [Unlock]
        seen.add(store.ticket)
    assert len(seen) == 1
    assert before not in seen
    assert says(hq, store) == [Lease]
    with reading(hq.engine) as connection:
        row = connection.execute(select(incarnations)).one()
        assert (row.ticket, row.pending) == (store.ticket, None)
        assert connection.scalar(select(links.c.boot)) == store.boot


def test_a_box_that_falls_after_it_wrote_the_ticket_goes_on(hq: Headquarters, store: FakeStore) -> None:
    """Its next boot shows, locked, what HQ holds for pending: that confirms it, and a further one comes."""
    store.boot_again()
    start(hq, store)
    written = store.ticket
    store.boot_again()
    assert start(hq, store) == [Unlock]
    assert store.ticket != written
    assert says(hq, store) == [Lease]
    assert alarms(hq) == set()


def test_a_box_that_falls_before_its_first_hello_with_a_ticket_comes_up(hq: Headquarters) -> None:
    """A new cache whose unlock was lost, or that fell before it wrote the ticket, is given the same one."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    start(hq, store)
    given, store.ticket = store.ticket, b""
    store.boot_again()
    assert start(hq, store) == [Unlock]
    assert store.ticket == given
    assert says(hq, store) == [Lease]


def test_of_a_box_and_its_clone_one_gets_leases_and_hq_raises_the_alarm(hq: Headquarters, store: FakeStore) -> None:
    """The clone that starts takes the lease over; the first box is refused, and no later hello brings it back."""
    other = clone(store)
    other.come_up(hq.answers)
    hq.now_ms += 10_000
    assert reason(hq, store) is RefusalReason.STALE_TICKET
    hq.now_ms += 10_000
    assert reason(hq, store) is RefusalReason.STALE_TICKET
    assert alarms(hq) == {Alarm.STALE_TICKET.value}
    assert says(hq, other) == [Lease]
    store.boot_again()
    assert start(hq, store) == [Refusal]
    with reading(hq.engine) as connection:
        assert connection.scalar(select(links.c.boot)) == other.boot


def test_a_clone_that_runs_with_the_confirmed_ticket_is_refused(hq: Headquarters, store: FakeStore) -> None:
    """Another boot that is not locked, and shows the right ticket, got it from a copy of the memory or the disk."""
    other = clone(store)
    other.readiness = Readiness.DARK
    other.digest_keys = dict(store.digest_keys)
    assert start(hq, other) == [Refusal]
    assert alarms(hq) == {Alarm.STALE_TICKET.value}
    assert says(hq, store) == [Lease]


def test_events_of_a_box_that_does_not_hold_the_ticket_are_not_stored(hq: Headquarters, store: FakeStore) -> None:
    """A clone numbers its events as the real box does: stored first, they would swallow a withdrawal made there."""
    other = clone(store)
    says(hq, other)  # a challenge is anybody's who has the identity
    swallowed = other.events(Event(1, EventKind.HEALTH, hq.now_ms, None, b""))
    other.say(hq.answers, swallowed)
    other.say(hq.answers, Events(store.incarnation, (), after=0, through=10**9, freed=10**9, let_go=0))
    other.say(hq.answers, Done(bytes(16), Outcome.DONE, 1, 1, b""))
    assert hq.answers.dropped["stale"] == 3
    assert says(hq, store) == [Lease]
    assert store.lease is not None
    assert store.lease.events_through == 0
    store.say(hq.answers, swallowed)
    assert says(hq, store) == [Lease]
    assert store.lease.events_through == 1


def test_a_thief_with_the_identity_cannot_fill_the_database_with_caches(hq: Headquarters, store: FakeStore) -> None:
    """Of those that never showed a ticket few are remembered, with their shares; the real one stays."""
    thief = clone(store)
    thief.let_go = (LetGo(int(EventKind.HEALTH), 1),)
    for _ in range(30):
        thief.incarnation, thief.ticket, thief.epoch = secrets.token_bytes(16), b"", 0
        thief.readiness = Readiness.LOCKED
        says(hq, thief)
        hq.now_ms += 1
    with reading(hq.engine) as connection:
        known = set(connection.scalars(select(incarnations.c.incarnation)))
        assert len(known) == shares.MOST_UNSHOWN + 1
        assert {store.incarnation, thief.incarnation} < known
        assert set(connection.scalars(select(epoch_shares.c.incarnation))) == known
    assert says(hq, store) == [Lease]


def test_two_clones_that_start_at_once_are_given_one_ticket_and_one_lease(hq: Headquarters, store: FakeStore) -> None:
    """Both show the confirmed ticket and are given the same pending one: who shows it first holds it."""
    first, second = clone(store), clone(store)
    assert (start(hq, first), start(hq, second)) == ([Unlock], [Unlock])
    assert first.ticket == second.ticket
    assert says(hq, first) == [Lease]
    for _ in range(3):
        assert says(hq, second) == [Refusal]
        hq.now_ms += 10_000
    assert alarms(hq) == {Alarm.STALE_TICKET.value}
    assert says(hq, first) == [Lease]


def test_a_restored_image_is_refused_with_an_alarm(hq: Headquarters, store: FakeStore) -> None:
    """Yesterday's disk shows yesterday's ticket."""
    image = clone(store)
    store.boot_again()
    store.come_up(hq.answers)
    hq.now_ms += 10_000
    image.boot_again()
    assert start(hq, image) == [Refusal]
    assert image.heard[-1].reason is RefusalReason.STALE_TICKET  # type: ignore[union-attr]
    assert alarms(hq) == {Alarm.STALE_TICKET.value}


def test_a_wiped_cache_is_a_new_one_and_replaces_the_old(hq: Headquarters, store: FakeStore) -> None:
    """An empty cache is allowed; from its first lease on, every copy of the old one is refused."""
    old = clone(store)
    store.incarnation, store.ticket, store.epoch = secrets.token_bytes(16), b"", 0
    store.boot_again()
    store.come_up(hq.answers)
    assert alarms(hq) == set()
    hq.now_ms += 10_000
    assert start(hq, old) == [Refusal]
    assert alarms(hq) == {Alarm.STALE_TICKET.value}
    store.incarnation, store.ticket, store.epoch = secrets.token_bytes(16), b"", 0
    store.boot_again()
    store.come_up(hq.answers)
    assert alarms(hq) == set(), "wiped once more it is over, until a copy speaks again"


def test_what_a_box_said_before_its_restart_raises_no_alarm(hq: Headquarters, store: FakeStore) -> None:
    """A hello that the broker held back, or replays, is refused; its old challenge proves nothing."""
    recorded = store.close(store.hello())
    store.boot_again()
    store.come_up(hq.answers)
    hq.now_ms += 5_000
    hq.answers.answer(recorded, hq.now_ms)
    assert hq.answers.dropped == {}
    assert alarms(hq) == set()
    assert says(hq, store) == [Lease]


def test_a_restart_whose_answers_are_lost_loses_nothing(hq: Headquarters, store: FakeStore) -> None:
    """Each of the answers is lost once; the box comes up all the same."""
    for kind in (Unlock, Lease):
        lost: list[Message] = []

        def lose(message: Message, kind: type = kind, lost: list[Message] = lost) -> bool:
            if isinstance(message, kind) and not lost:
                lost.append(message)
                return True
            return False

        store.boot_again()
        forgets_answers(store, lose)
        store.come_up(hq.answers)
        del store.__dict__["take"]
        hq.now_ms += 10_000
        assert says(hq, store) == [Lease]
    assert alarms(hq) == set()


def test_a_running_box_that_lacks_a_days_key_keeps_its_ticket(hq: Headquarters, store: FakeStore) -> None:
    """The unlock that brings it a further digest key brings the ticket that it has."""
    before = store.ticket
    hq.later(7 * 3600)
    says(hq, store)
    assert says(hq, store) == [Unlock, Lease]
    assert store.ticket == before
