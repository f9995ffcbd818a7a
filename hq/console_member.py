"""Reads what the console shows of a member, one section at a time, in the transaction in which the look is recorded.

I/O: sqlalchemy.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hq import choices, exports, ledger, looks, own_profile, questions, receipts
from hq.choices import Choices
from hq.console_roles import Colleague, View
from hq.exports import Export
from hq.keys import Keys
from hq.ledger_state import history
from hq.looks import Look, LookReason, Opened, Section
from hq.own_profile import Own
from hq.questions import Question
from hq.receipts import Receipt

MOST = 500  # lines of a section: the newest ones


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A section of a member's page; what does not belong to the section is empty."""

    look: Look
    member: str
    section: Section
    choices: Choices | None = None
    history: tuple[dict[str, Any], ...] = ()
    receipts: tuple[Receipt, ...] = ()
    exports: tuple[Export, ...] = ()
    questions: tuple[Question, ...] = ()
    question: Question | None = None
    about: Receipt | None = None  # the line that the question is about
    values: tuple[Own, ...] = ()


def begin(
    connection: Connection, keys: Keys, colleague: Colleague, member: str, reason: LookReason, words: str, now_ms: int
) -> bytes | None:
    """Begins a look at a member by the id that people use; returns the look's id. None: no such member.

    Raises:
        Refused: the role may not, or the words are too short or too long.
    """
    found = keys.custody.reference(connection, member)
    if found is None:
        return None
    return looks.begin(connection, keys.custody, colleague, found, reason, words, now_ms)


def show(
    connection: Connection, keys: Keys, colleague: Colleague, look: bytes, section: Section, now_ms: int
) -> Shown | None:
    """Records that a section is shown and reads it, in a transaction that writes; None as `looks.show` says.

    Raises:
        Refused: the role may not see it.
    """
    opened = looks.show(connection, keys.custody, colleague, look, [section], now_ms)
    return None if opened is None else _read(connection, keys, opened, section, now_ms)


def sections(colleague: Colleague, *, question: bool) -> list[Section]:
    """The sections that this role may open, in the order in which they are offered."""
    found = [Section.CHOICES, Section.HISTORY, Section.RECEIPTS, Section.REQUESTS]
    if colleague.may(View.VALUES):
        found.append(Section.VALUES)
    return [Section.QUESTION, *found] if question else found


def _read(connection: Connection, keys: Keys, opened: Opened, section: Section, now_ms: int) -> Shown:
    whose, member = opened.member.reference, opened.member.about.id
    match section:
        case Section.CHOICES:
            found = choices.of_member(connection, keys, member, now_ms)
            return Shown(opened.look, member, section, choices=found)
        case Section.HISTORY:
            events = ledger.of_members(connection, {whose: opened.member}).get(whose, [])
            return Shown(opened.look, member, section, history=tuple(history(events, now_ms // 1000)[::-1][:MOST]))
        case Section.RECEIPTS:
            listed = receipts.of_member(connection, keys, whose)
            return Shown(opened.look, member, section, receipts=tuple(listed[:MOST]))
        case Section.REQUESTS:
            asked = exports.of_member(connection, keys, member, now_ms)
            told = questions.of_member(connection, keys.custody, whose)
            return Shown(opened.look, member, section, exports=tuple(asked[:MOST]), questions=tuple(told[:MOST]))
        case Section.QUESTION:
            one = next(
                (one for one in questions.of_member(connection, keys.custody, whose) if one.id == opened.question),
                None,
            )
            about = next(
                (line for line in receipts.of_member(connection, keys, whose) if one and line.event == one.event), None
            )
            return Shown(opened.look, member, section, question=one, about=about)
        case Section.VALUES:
            values = own_profile.of_member(connection, keys, member, now_ms)
            return Shown(opened.look, member, section, values=tuple(values))
