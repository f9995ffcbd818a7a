"""What HQ can tell a member's app of a call for help."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hq import help_state
from hq.database import reading
from hq.help_state import KEPT_MS, LONGEST_MS, Help, HelpState, fold
from hq.tables import help_calls
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import schema
from wire.sync import Attendance, Event, EventKind, HelpStep

OTHER = "paris-2"
ENDS = {HelpStep.DONE: HelpState.DONE, HelpStep.CANCELLED: HelpState.ENDED, HelpStep.TIMED_OUT: HelpState.ENDED}


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A store that is up, with one member in its audience."""
    made = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    hq.join("m-1")
    made.come_up(hq.answers)
    return made


def event(
    number: int, hq: Headquarters, step: HelpStep, associate: str = "", member: str = "m-1", at_ms: int | None = None
) -> Event:
    """One step of a call for help."""
    body = schema.encode(Attendance(associate, step))
    known_as = hq.pseudonym(member) or secrets.token_bytes(16)
    return Event(number, EventKind.ATTENDANCE, hq.now_ms if at_ms is None else at_ms, known_as, body)


def state(hq: Headquarters, member: str = "m-1") -> Help | None:
    """What the member's app would be told now."""
    with reading(hq.engine) as connection:
        reference = hq.keys.custody.reference(connection, member)
        assert reference is not None
        return help_state.of_member(connection, reference, hq.now_ms)


def test_waiting_on_the_way_done(hq: Headquarters, store: FakeStore) -> None:
    """Each step as the store tells it, with its instant; who attends is not in it."""
    assert state(hq) is None
    called_ms = hq.now_ms
    store.say(hq.answers, store.events(event(1, hq, HelpStep.WAITING)))
    assert state(hq) == Help(HelpState.WAITING, STORE, called_ms, called_ms)
    hq.later(20)
    store.say(hq.answers, store.events(event(2, hq, HelpStep.ESCALATED)))
    assert state(hq) == Help(HelpState.WAITING, STORE, called_ms, called_ms)
    store.say(hq.answers, store.events(event(3, hq, HelpStep.ATTENDING, "nina")))
    assert state(hq) == Help(HelpState.ON_THE_WAY, STORE, called_ms, hq.now_ms)
    hq.later(20)
    store.say(hq.answers, store.events(event(4, hq, HelpStep.DONE, "nina")))
    assert state(hq) == Help(HelpState.DONE, STORE, called_ms, hq.now_ms)
    with reading(hq.engine) as connection:
        (row,) = connection.execute(select(help_calls)).all()
    assert "nina" not in map(str, row)


@pytest.mark.parametrize("step", ENDS)
def test_an_hour_after_its_end_nothing_is_kept(hq: Headquarters, store: FakeStore, step: HelpStep) -> None:
    """Done, taken back or not answered in time: told for an hour, then deleted."""
    store.say(hq.answers, store.events(event(1, hq, HelpStep.WAITING), event(2, hq, step)))
    hq.later(KEPT_MS / 1000 - 1)
    found = state(hq)
    assert found is not None
    assert found.state is ENDS[step]
    hq.later(1)
    assert state(hq) is None
    with reading(hq.engine) as connection:
        assert connection.execute(select(help_calls)).all() == []


def test_a_call_of_which_nothing_more_is_heard_is_over(hq: Headquarters, store: FakeStore) -> None:
    """The store's box died: nobody is told for ever that help is on the way."""
    store.say(hq.answers, store.events(event(1, hq, HelpStep.WAITING), event(2, hq, HelpStep.ATTENDING, "nina")))
    called_ms = hq.now_ms
    hq.later(LONGEST_MS / 1000)
    assert state(hq) == Help(HelpState.ENDED, STORE, called_ms, called_ms + LONGEST_MS)
    hq.later(KEPT_MS / 1000)
    assert state(hq) is None
    with reading(hq.engine) as connection:
        assert connection.execute(select(help_calls)).all() == []


def test_a_second_call_begins_anew(hq: Headquarters, store: FakeStore) -> None:
    """With its own instants, whatever became of the first."""
    store.say(hq.answers, store.events(event(1, hq, HelpStep.WAITING), event(2, hq, HelpStep.DONE, "nina")))
    hq.later(60)
    store.say(hq.answers, store.events(event(3, hq, HelpStep.WAITING)))
    assert state(hq) == Help(HelpState.WAITING, STORE, hq.now_ms, hq.now_ms)


def test_who_lost_the_associate_waits_again(hq: Headquarters, store: FakeStore) -> None:
    """The call is the same one, and nobody is on the way any more."""
    called_ms = hq.now_ms
    store.say(hq.answers, store.events(event(1, hq, HelpStep.WAITING), event(2, hq, HelpStep.ATTENDING, "nina")))
    hq.later(30)
    store.say(hq.answers, store.events(event(3, hq, HelpStep.WAITING)))
    assert state(hq) == Help(HelpState.WAITING, STORE, called_ms, hq.now_ms)


def test_help_without_a_call_is_no_call(hq: Headquarters, store: FakeStore) -> None:
    """An associate attended somebody who did not call: the app is told nothing."""
    store.say(hq.answers, store.events(event(1, hq, HelpStep.ATTENDING, "nina"), event(2, hq, HelpStep.DONE, "nina")))
    assert state(hq) is None


def test_what_cannot_be_read_or_is_of_nobody_changes_nothing(hq: Headquarters, store: FakeStore) -> None:
    """A step of a later version, a pseudonym that is no member's: kept among the store's events, and no more."""
    store.say(
        hq.answers,
        store.events(
            event(1, hq, HelpStep.WAITING),
            Event(2, EventKind.ATTENDANCE, hq.now_ms, hq.pseudonym("m-1"), b"\xa2\x00\x60\x01\x63fly"),
            Event(3, EventKind.ATTENDANCE, hq.now_ms, None, schema.encode(Attendance("", HelpStep.DONE))),
            event(4, hq, HelpStep.DONE, member="nobody"),
        ),
    )
    found = state(hq)
    assert found is not None
    assert found.state is HelpState.WAITING


def test_a_store_without_trusted_time_or_from_the_future_counts_as_now(hq: Headquarters, store: FakeStore) -> None:
    """No instant is later than HQ's own."""
    store.say(hq.answers, store.events(event(1, hq, HelpStep.WAITING, at_ms=0)))
    assert state(hq) == Help(HelpState.WAITING, STORE, hq.now_ms, hq.now_ms)
    store.say(hq.answers, store.events(event(2, hq, HelpStep.DONE, at_ms=hq.now_ms + 10**9)))
    assert state(hq) == Help(HelpState.DONE, STORE, hq.now_ms, hq.now_ms)


def test_another_stores_late_word_does_not_displace_a_later_call() -> None:
    """Berlin was cut off for an hour: the call in Paris, which came later, stands."""
    paris = Help(HelpState.ON_THE_WAY, OTHER, 5_000, 6_000)
    assert fold(paris, STORE, HelpStep.WAITING, 1_000) == paris
    assert fold(paris, STORE, HelpStep.DONE, 7_000) == paris
    assert fold(paris, STORE, HelpStep.WAITING, 7_000) == Help(HelpState.WAITING, STORE, 7_000, 7_000)


steps = st.lists(st.tuples(st.sampled_from(HelpStep), st.integers(0, 400_000)), max_size=30)


@given(steps)
def test_any_steps_end_in_one_of_the_four_states(told: list[tuple[HelpStep, int]]) -> None:
    """On the way is whom somebody attends or is asked to, since the last waiting; an end stays until the next call."""
    now_ms, found = 10_000_000, None
    for step, after_ms in told:
        now_ms += after_ms
        before, found = found, fold(found, STORE, step, now_ms)
        if step is not HelpStep.WAITING and (before is None or before.state in (HelpState.DONE, HelpState.ENDED)):
            assert found == before
        if found is not None:
            assert found.called_ms <= found.since_ms <= now_ms
            if found != before:
                assert (found.state is HelpState.ON_THE_WAY) == (step in (HelpStep.ATTENDING, HelpStep.HANDED_OVER))
                assert (found.state is HelpState.WAITING) == (step is HelpStep.WAITING)
