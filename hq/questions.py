"""Keeps what members ask about a line of their receipts until privacy has answered, and by when the law wants that.

A question is the member's: it is sealed under the member's key and ends with it. Whoever answers is not named.

I/O: sqlalchemy, and the system's random generator.
"""

import calendar
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from hq import looks, membership, receipts
from hq.console_roles import Colleague, View
from hq.console_tables import questions
from hq.custody import Custody, Place, Seal, bound
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.looks import LookReason, Section
from hq.membership import Locked

MOST_WORDS = 1000  # characters
MOST_ANSWER = 4000
MOST_OPEN = 20  # of one member
_ID_BYTES = 8


class QuestionKind(StrEnum):
    """What a member asks about a line."""

    NOT_THERE = "not-there"  # I was not there
    NOT_AGREED = "not-agreed"  # I did not agree to this
    WHY = "why"  # why did somebody look
    OTHER = "other"


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """A question as its member may see it. `event` names the receipt. Times are Unix milliseconds UTC of HQ."""

    id: bytes
    event: str
    kind: QuestionKind
    words: str
    asked_ms: int
    due_ms: int
    answer: str | None
    answered_ms: int | None


def due_ms(asked_ms: int) -> int:
    """By when a request of a member is to be answered: a calendar month later (GDPR, article 12, 3).

    Where that month has no such day, its last one. Weekends and holidays do not put it off: early is never wrong.
    """
    asked = datetime.fromtimestamp(asked_ms / 1000, UTC)
    year, month = (asked.year + 1, 1) if asked.month == 12 else (asked.year, asked.month + 1)
    day = min(asked.day, calendar.monthrange(year, month)[1])
    return int(asked.replace(year=year, month=month, day=day).timestamp() * 1000)


def ask(
    connection: Connection, keys: Keys, member: Locked, event: str, kind: QuestionKind, words: str, language: str,
    now_ms: int,
) -> bytes:  # fmt: skip
    """Asks about the receipt `event` of the member who is locked; returns the question's id, 8 bytes.

    `words` may be empty save of `OTHER`. The same question about the same line, while it is open, is asked once.

    Raises:
        Refused: no receipt of this member, too many words, or 20 questions are open.
    """
    said = words.strip()
    if len(said) > MOST_WORDS or (kind is QuestionKind.OTHER and not said):
        raise Refused(Reason.MALFORMED, "words", f"at most {MOST_WORDS} characters, and some where it is of no kind")
    if event not in {one.event for one in receipts.of_member(connection, keys, member.reference)}:
        raise Refused(Reason.MALFORMED, "event", "a receipt of this member")
    alike = membership.alike(connection, member.reference)
    is_open = questions.c.member.in_(alike), questions.c.answered_ms.is_(None)
    again = select(questions.c.id).where(*is_open, questions.c.event == event, questions.c.kind == kind.value)
    found = None if said else connection.scalar(again.limit(1))
    if found is not None:
        return bytes(found)
    if (connection.scalar(select(func.count()).select_from(questions).where(*is_open)) or 0) >= MOST_OPEN:
        raise Refused(Reason.TOO_MANY, "question", f"at most {MOST_OPEN} that wait for an answer")
    made = os.urandom(_ID_BYTES)
    connection.execute(
        insert(questions).values(
            id=made, member=member.reference, event=event, kind=kind.value, language=language[:16], asked_ms=now_ms,
            words=member.seal.close(said.encode(), _bound(Place.QUESTION, member.reference, made)),
            due_ms=due_ms(now_ms),
        )
    )  # fmt: skip
    return made


def of_member(connection: Connection, custody: Custody, member: bytes) -> list[Question]:
    """All questions of one member, by HQ's reference, and of whom they were merged from, the newest first."""
    alike = membership.alike(connection, member)
    wanted = select(questions).where(questions.c.member.in_(alike))
    rows = connection.execute(wanted.order_by(questions.c.asked_ms.desc(), questions.c.id)).all()
    if not rows:
        return []
    seals = custody.of_members(connection, alike)
    return [_question(row, seals[row.member]) for row in rows]


def begin_look(connection: Connection, custody: Custody, colleague: Colleague, question: bytes, now_ms: int) -> bytes:
    """Opens a question, which is a look at its member; returns the look's id.

    Raises:
        Refused: no such question, or the role answers none.
    """
    if not colleague.may(View.QUESTIONS):
        raise Refused(Reason.NOT_ALLOWED, "role", "a role that reads questions")
    member = connection.scalar(select(questions.c.member).where(questions.c.id == question))
    if member is None:
        raise Refused(Reason.MALFORMED, "question", "a question that waits")
    words = "to answer it"
    return looks.begin(connection, custody, colleague, member, LookReason.QUESTION, words, now_ms, question)


def answer(
    connection: Connection, custody: Custody, colleague: Colleague, look: bytes, words: str, now_ms: int
) -> bytes | None:
    """Answers the question that this look opened, once; returns its id. None: the look is over, or is about none.

    Raises:
        Refused: the role may not, no words or too many, or it was answered.
    """
    said = words.strip()
    if not colleague.may(View.ANSWER):
        raise Refused(Reason.NOT_ALLOWED, "role", "a role that answers questions")
    if not 1 <= len(said) <= MOST_ANSWER:
        raise Refused(Reason.MALFORMED, "answer", f"1 to {MOST_ANSWER} characters")
    opened = looks.show(connection, custody, colleague, look, [Section.QUESTION], now_ms)
    if opened is None or opened.question is None:
        return None
    whose = opened.member.reference
    done = connection.execute(
        update(questions)
        .where(questions.c.id == opened.question, questions.c.member == whose, questions.c.answered_ms.is_(None))
        .values(
            answer=opened.member.seal.close(said.encode(), _bound(Place.ANSWER, whose, opened.question)),
            answered_ms=now_ms, staff=colleague.subject,
        )
    )  # fmt: skip
    if done.rowcount != 1:
        raise Refused(Reason.EXISTS, "answer", "a question that waits for its answer")
    return opened.question


def _question(row: Row[Any], seal: Seal) -> Question:
    words = seal.open(row.words, _bound(Place.QUESTION, row.member, row.id)).decode()
    said = None
    if row.answer is not None:
        said = seal.open(row.answer, _bound(Place.ANSWER, row.member, row.id)).decode()
    return Question(
        row.id, row.event, QuestionKind(row.kind), words, row.asked_ms, row.due_ms, said, row.answered_ms
    )  # fmt: skip


def _bound(place: Place, member: bytes, question: bytes) -> bytes:
    return bound(place, member, question)
