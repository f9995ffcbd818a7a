"""A browser's signal against sale and sharing: recorded once, asked about once, and never in the way."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hq import gpc, ledger, membership
from hq.database import writing
from hq.door import Grant
from hq.errors import Refused
from hq.gpc import Answer
from hq.state import Choice, Event, EventKind, fold
from tests.hq.headquarters import DAY_S, Headquarters


def signal(hq: Headquarters, member: str = "m-1") -> gpc.Heard:
    """The member's browser sends `Sec-GPC: 1`."""
    with writing(hq.engine) as connection:
        reference = hq.keys.custody.reference(connection, member)
        return gpc.hear(connection, hq.keys, reference or b"", ["presence", "media", "media.tv"], hq.now_ms)


def events(hq: Headquarters, member: str = "m-1") -> list[Event]:
    """The member's consent events."""
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, [member])
        (found,) = ledger.of_members(connection, locked).values()
    return found


def partners(hq: Headquarters, method: str) -> None:
    """The member agrees to the use by brand partners."""
    grant = Grant("media", (), (), (), brand="main", until_days=90, chosen_s=hq.now_s)
    hq.office.grant("m-1", grant, hq.now_ms, method)


def in_force(hq: Headquarters) -> set[str]:
    """The purposes that stand."""
    standing = fold(events(hq))
    return {one.purpose for one in (*standing.statements, *standing.wide)}


@pytest.fixture
def member(hq: Headquarters) -> Headquarters:
    """HQ with a member who shares the brands that they like."""
    hq.join("m-1", "size.shoe", "brand.liked")
    hq.serve("m-1")
    hq.later(10)
    return hq


def test_the_first_signal_is_recorded_and_the_next_ones_say_nothing_new(member: Headquarters) -> None:
    """One withdrawal of each purpose that shares, by the method `gpc`; nothing else is touched, nobody is asked."""
    before = in_force(member)
    for _ in range(3):
        assert signal(member).answer is Answer.NOT_ASKED
        member.later(5)
    found = [one for one in events(member) if one.method == gpc.METHOD]
    assert sorted(str(one.choice.purpose) for one in found) == ["media", "media.tv"]
    assert in_force(member) == before
    member.check()


def test_an_agreement_from_before_ends_at_once_and_is_asked_about_once(member: Headquarters) -> None:
    """The signal holds until the member answers; a yes after it stands although the browser goes on sending it."""
    partners(member, "preference-centre")
    member.later(60)
    assert signal(member).answer is Answer.OPEN
    assert "media" not in in_force(member)
    member.later(60)
    assert signal(member).answer is Answer.OPEN
    partners(member, "preference-centre")
    member.later(60)
    assert signal(member).answer is Answer.GIVEN
    assert "media" in in_force(member)


def test_the_question_is_answered_by_a_no_as_well(member: Headquarters) -> None:
    """Then it is not asked again."""
    partners(member, "app")
    member.later(60)
    assert signal(member).answer is Answer.OPEN
    member.office.withdraw("m-1", member.now_ms, purpose="media", method="preference-centre")
    assert signal(member).answer is Answer.GIVEN
    assert "media" not in in_force(member)


def test_what_another_system_brings_later_does_not_beat_the_signal(member: Headquarters) -> None:
    """An import is not the member's answer: the next signal withdraws again."""
    signal(member)
    member.later(60)
    partners(member, "import")
    assert "media" in in_force(member)
    member.later(60)
    signal(member)
    assert "media" not in in_force(member)


def test_a_yes_long_over_is_not_asked_about(member: Headquarters) -> None:
    """Whether it ran out before the signal, or has since: nothing is left that it could conflict with."""
    partners(member, "app")
    member.later(300 * DAY_S)
    assert signal(member).answer is Answer.NOT_ASKED
    member.later(60)
    partners(member, "import")
    member.later(60)
    assert signal(member).answer is Answer.OPEN
    member.later(100 * DAY_S)
    assert signal(member).answer is Answer.NOT_ASKED


def test_another_signal_on_record_answers_nothing(member: Headquarters) -> None:
    """What a platform heard for another brand, or before the member's yes was known, is no answer: only a later yes."""
    partners(member, "app")
    member.later(60)
    member.office.publish_policy(replace(member.draft, name="other", stores=()), member.now_ms)
    for brand, ago_s in (("other", 0), (None, 3600)):
        member.office.withdraw(
            "m-1", member.now_ms, purpose="media", brand=brand, chosen_s=member.now_s - ago_s, method=gpc.METHOD
        )
    member.later(60)
    assert "media" in in_force(member)
    assert signal(member).answer is Answer.OPEN
    assert "media" not in in_force(member)
    member.later(60)
    partners(member, "app")
    member.later(60)
    assert signal(member).answer is Answer.GIVEN
    assert "media" in in_force(member)


def test_a_signal_of_nobody_is_refused(hq: Headquarters) -> None:
    """The member was erased meanwhile."""
    with pytest.raises(Refused):
        signal(hq)


TIMES = st.integers(1_000_000, 1_000_006)
CHOICES = st.builds(
    lambda kind, method, at_s: (kind, method, at_s),
    st.sampled_from([EventKind.GRANT, EventKind.WITHDRAWAL]),
    st.sampled_from(["app", "preference-centre", "import", gpc.METHOD]),
    TIMES,
)


def event(number: int, kind: EventKind, method: str, at_s: int) -> Event:
    """A choice about the use by partners."""
    kind = EventKind.WITHDRAWAL if method == gpc.METHOD else kind
    grant = kind is EventKind.GRANT
    choice = Choice(
        kind=kind, purpose="media", stores=() if grant else None, brand="main", until_s=2_000_000 if grant else 0
    )
    return Event(number.to_bytes(16, "big"), method, at_s, at_s, choice)


@settings(max_examples=50, deadline=None)
@given(chosen=st.lists(CHOICES, max_size=8), order=st.randoms(use_true_random=False))
def test_order_and_repetition_of_events_do_not_matter_and_a_signal_ends_what_is_nobodys_own(
    chosen: list[tuple[EventKind, str, int]], order: Random
) -> None:
    """One judgement of one history; after a signal at its end nothing is left to record."""
    listed = [event(number, *one) for number, one in enumerate(chosen)]
    judged = gpc.judge(listed, 1_000_020)
    order.shuffle(listed)
    assert gpc.judge(listed * 2, 1_000_020) == judged
    after = gpc.judge([*listed, event(99, EventKind.WITHDRAWAL, gpc.METHOD, 1_000_010)], 1_000_020)
    assert not after.to_record
