"""Looks of HQ's staff at members, and members' questions: recorded, read by the member, answered, erased."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from hq import console_roles, erasure, looks, membership, questions, receipts, rights
from hq.console_roles import MAY, Colleague, Role, View
from hq.console_tables import looks as look_rows
from hq.console_tables import questions as question_rows
from hq.database import reading, writing
from hq.errors import Refused
from hq.looks import LASTS_MS, LookReason, Section
from hq.questions import QuestionKind
from tests.hq.headquarters import Headquarters

PRIVACY = Colleague("sub-canary-1", Role.PRIVACY)
OPERATIONS = Colleague("sub-canary-2", Role.OPERATIONS)


def reference(hq: Headquarters, member: str = "m-1") -> bytes:
    """HQ's own name of a member."""
    with reading(hq.engine) as connection:
        found = hq.keys.custody.reference(connection, member)
    assert found is not None
    return found


def begin(hq: Headquarters, colleague: Colleague = PRIVACY, words: str = "cnrywords on the phone") -> bytes:
    """A look at m-1."""
    with writing(hq.engine) as connection:
        return looks.begin(
            connection, hq.keys.custody, colleague, reference(hq), LookReason.COMPLAINT, words, hq.now_ms
        )


def show(hq: Headquarters, look: bytes, *sections: Section, colleague: Colleague = PRIVACY) -> bool:
    """Whether these sections of the look are shown."""
    with writing(hq.engine) as connection:
        return looks.show(connection, hq.keys.custody, colleague, look, sections, hq.now_ms) is not None


def told(hq: Headquarters, member: str = "m-1") -> list[receipts.Receipt]:
    """The member's receipts."""
    with reading(hq.engine) as connection:
        return receipts.of_member(connection, hq.keys, reference(hq, member))


def ask(hq: Headquarters, event: str, words: str = "cnryquestion", member: str = "m-1") -> bytes:
    """A question about a receipt."""
    with writing(hq.engine) as connection:
        (locked,) = membership.lock_by_id(connection, hq.keys.custody, [member]).values()
        return questions.ask(connection, hq.keys, locked, event, QuestionKind.OTHER, words, "de", hq.now_ms)


def test_a_look_is_the_members_receipt(hq: Headquarters) -> None:
    """Role, reason, words and the sections that were shown, beside the stores', and nobody of the staff."""
    hq.join("m-1")
    hq.join("m-2")
    look = begin(hq)
    assert told(hq) == [], "nothing was shown yet"
    assert show(hq, look, Section.CHOICES)
    assert show(hq, look, Section.RECEIPTS, Section.CHOICES)
    (one,) = told(hq)
    assert (one.store, one.role, one.scopes, one.purposes) == ("", "privacy", ("choices", "receipts"), ("complaint",))
    assert "because of a complaint: cnrywords on the phone" in one.words
    assert "canary" not in repr(one) + one.words
    assert told(hq, "m-2") == []


def test_a_look_that_fails_leaves_neither_receipt_nor_sight(hq: Headquarters) -> None:
    """What is shown is read in the transaction that records it: where it does not end well, neither was."""
    hq.join("m-1")
    look = begin(hq)
    with pytest.raises(ZeroDivisionError), writing(hq.engine) as connection:
        assert looks.show(connection, hq.keys.custody, PRIVACY, look, [Section.CHOICES], hq.now_ms)
        raise ZeroDivisionError
    assert told(hq) == []


def test_a_look_is_its_colleagues_for_a_quarter_of_an_hour(hq: Headquarters) -> None:
    """Anybody else, the same person in another role, and the same one later: nothing, as of a look that never was."""
    hq.join("m-1")
    look = begin(hq)
    assert not show(hq, look, Section.CHOICES, colleague=OPERATIONS)
    assert not show(hq, look, Section.CHOICES, colleague=Colleague(PRIVACY.subject, Role.OPERATIONS))
    assert not show(hq, b"x" * 16, Section.CHOICES)
    hq.now_ms += LASTS_MS - 1
    assert show(hq, look, Section.CHOICES)
    hq.now_ms += 1
    assert not show(hq, look, Section.CHOICES)


def test_no_look_without_a_reason_in_words_or_by_a_role_that_may_not(hq: Headquarters) -> None:
    """A blank is no reason; an integrator looks at nobody; operations sees no values."""
    hq.join("m-1")
    for colleague, words in ((PRIVACY, " \n "), (PRIVACY, "x" * 201), (Colleague("s", Role.INTEGRATOR), "because")):
        with pytest.raises(Refused):
            begin(hq, colleague, words)
    look = begin(hq, OPERATIONS)
    with pytest.raises(Refused):
        show(hq, look, Section.VALUES, colleague=OPERATIONS)
    assert told(hq) == []


def test_a_question_is_answered_once_and_the_member_reads_it(hq: Headquarters) -> None:
    """Due a month later; opening it is a look; the answer stands on the member's page without a name."""
    hq.join("m-1")
    show(hq, begin(hq), Section.CHOICES)
    asked = ask(hq, told(hq)[0].event)
    hq.now_ms += 1000
    with writing(hq.engine) as connection:
        look = questions.begin_look(connection, hq.keys.custody, PRIVACY, asked, hq.now_ms)
        assert questions.answer(connection, hq.keys.custody, PRIVACY, look, "cnryanswer", hq.now_ms) == asked
    with pytest.raises(Refused), writing(hq.engine) as connection:
        questions.answer(connection, hq.keys.custody, PRIVACY, look, "another", hq.now_ms)
    with reading(hq.engine) as connection:
        (one,) = questions.of_member(connection, hq.keys.custody, reference(hq))
    assert (one.words, one.answer, one.answered_ms) == ("cnryquestion", "cnryanswer", hq.now_ms)
    assert "because you asked a question" in told(hq)[0].words
    with writing(hq.engine) as connection:
        exported = rights.export(connection, hq.keys, "m-1", hq.now_ms)
    assert exported["questions"][0]["answer"] == "cnryanswer" and len(exported["looks"]) == 2
    assert PRIVACY.subject not in str(exported)


def test_a_question_is_about_a_receipt_of_ones_own(hq: Headquarters) -> None:
    """Another's receipt, an invented one, no words, too many words or questions are refused."""
    hq.join("m-1")
    hq.join("m-2")
    show(hq, begin(hq), Section.CHOICES)
    event = told(hq)[0].event
    for about, words, member in ((event, "why", "m-2"), ("hq/00", "why", "m-1"), (event, " ", "m-1"),
                                 (event, "x" * 1001, "m-1")):  # fmt: skip
        with pytest.raises(Refused):
            ask(hq, about, words, member)
    for _ in range(questions.MOST_OPEN):
        ask(hq, event)
    with pytest.raises(Refused):
        ask(hq, event)


def test_looks_and_questions_end_with_their_member(hq: Headquarters) -> None:
    """Sealed while they stand, and no row after the erasure."""
    hq.join("m-1")
    show(hq, begin(hq), Section.CHOICES)
    ask(hq, told(hq)[0].event)
    with reading(hq.engine) as connection:
        cells = str([row for table in (look_rows, question_rows) for row in connection.execute(select(table))])
    assert "cnry" not in cells
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with reading(hq.engine) as connection:
        for table in (look_rows, question_rows):
            assert connection.scalar(select(func.count()).select_from(table)) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**41))
def test_a_question_is_due_on_the_same_day_of_the_next_month(asked_ms: int) -> None:
    """Or on that month's last day; never later than 31 days, never earlier than 28."""
    asked, due = (datetime.fromtimestamp(one // 1000, UTC) for one in (asked_ms, questions.due_ms(asked_ms)))
    assert (due.year * 12 + due.month) - (asked.year * 12 + asked.month) == 1
    assert due.day <= asked.day and 28 <= (due - asked).days <= 31


@pytest.mark.parametrize("view", View)
def test_what_each_role_may_see(view: View) -> None:
    """The table, whole: a view that is not named here is a view that nobody has agreed to."""
    privacy, operations, integrator = Role.PRIVACY, Role.OPERATIONS, Role.INTEGRATOR
    agreed = {
        View.STORES: {privacy, operations}, View.POLICY: {privacy, operations, integrator},
        View.REFUSED: {operations, integrator}, View.ALERTS: {privacy, operations}, View.QUESTIONS: {privacy},
        View.ANSWER: {privacy}, View.REQUESTS: {privacy}, View.FIGURES: {privacy, operations},
        View.HOOKS: {operations, integrator}, View.RESEND: {integrator},
        View.MODELS: {privacy, operations}, View.RELEASE: {privacy}, View.MEMBER: {privacy, operations},
        View.VALUES: {privacy},
    }  # fmt: skip
    assert MAY.keys() == agreed.keys()
    assert {one for one in Role if Colleague("s", one).may(view)} == agreed[view]


def test_a_sign_in_has_one_role_of_ours() -> None:
    """None, two at once, and what is no text are none."""
    role_of = console_roles.role_of
    assert role_of(["privacy", "cook"]) is Role.PRIVACY
    assert [role_of(one) for one in ([], ["privacy", "operations"], [1], ["Privacy"])] == [None] * 4
