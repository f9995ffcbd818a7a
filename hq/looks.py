"""Records every look of HQ's staff at a member in the transaction that reads what is shown: the member's receipt.

A look has a reason of a closed list and a few words. It lasts a quarter of an hour for whoever took it; each section
that is shown in it is added to its row first. Not recorded, not shown.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from hq import membership
from hq.console_roles import Colleague, View
from hq.console_tables import looks
from hq.custody import Custody, Place, bound
from hq.errors import Reason, Refused
from hq.membership import Locked

LASTS_MS = 900_000
MOST_WORDS = 200  # characters
LEAST_WORDS = 3
_ID_BYTES = 16


class LookReason(StrEnum):
    """Why somebody may look at a member."""

    QUESTION = "question"
    REQUEST = "request"
    COMPLAINT = "complaint"
    FAULT = "fault"
    CHECK = "check"


# What the member reads. Each is a sentence of the catalogue, too.
WORDS: dict[LookReason, str] = {
    LookReason.QUESTION: "because you asked a question",
    LookReason.REQUEST: "because you asked for your data, or for its erasure",
    LookReason.COMPLAINT: "because of a complaint",
    LookReason.FAULT: "to find out why something did not work",
    LookReason.CHECK: "to check that your choices are kept",
}


class Section(StrEnum):
    """What of a member can be shown in a look."""

    CHOICES = "choices"
    HISTORY = "history"  # of consent events
    RECEIPTS = "receipts"
    REQUESTS = "requests"
    QUESTION = "question"
    VALUES = "values"


@dataclass(frozen=True, slots=True, repr=False)
class Look:
    """A look as its member may see it: nobody of the staff is named. `at_ms` Unix milliseconds UTC.

    `id` 16 bytes. `words` are those that the staff gave as the reason.
    """

    id: bytes
    at_ms: int
    role: str
    reason: LookReason
    words: str
    sections: tuple[Section, ...]

    @property
    def event(self) -> str:
        """What names it among the member's receipts."""
        return f"hq/{self.id.hex()}"


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A look under way: whose it is, locked for this transaction, and the question that it is about."""

    look: Look
    member: Locked
    question: bytes | None


def begin(
    connection: Connection, custody: Custody, colleague: Colleague, member: bytes, reason: LookReason, words: str,
    now_ms: int, question: bytes | None = None,
) -> bytes:  # fmt: skip
    """Begins a look at a member, by HQ's reference, in a transaction that writes; returns its id, 16 bytes.

    Raises:
        Refused: no such member, the role may not look, or the words are too short or too long.
    """
    if not colleague.may(View.MEMBER):
        raise Refused(Reason.NOT_ALLOWED, "role", "a role that may look at members")
    said = " ".join(words.split())
    if not LEAST_WORDS <= len(said) <= MOST_WORDS:
        raise Refused(Reason.MALFORMED, "words", f"why, in {LEAST_WORDS} to {MOST_WORDS} characters")
    locked = membership.lock(connection, custody, [member]).get(member)
    if locked is None:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    made = os.urandom(_ID_BYTES)
    connection.execute(
        insert(looks).values(
            id=made, member=member, at_ms=now_ms, staff=colleague.subject, role=colleague.role.value,
            reason=reason.value, words=locked.seal.close(said.encode(), _bound(member, made)), sections="",
            question=question,
        )
    )  # fmt: skip
    return made


def show(
    connection: Connection, custody: Custody, colleague: Colleague, look: bytes, sections: Iterable[Section],
    now_ms: int,
) -> Opened | None:  # fmt: skip
    """Notes that these sections are shown, in the transaction that then reads them.

    None: no such look of this colleague, it is over, or the member is gone: all the same answer.

    Raises:
        Refused: the role may not see one of them.
    """
    wanted = set(sections)
    if Section.VALUES in wanted and not colleague.may(View.VALUES):
        raise Refused(Reason.NOT_ALLOWED, "role", "a role that may see values")
    chosen = looks.c.id == look, looks.c.staff == colleague.subject, looks.c.role == colleague.role.value
    found = connection.execute(select(looks.c.member).where(*chosen)).first()
    if found is None:
        return None
    locked = membership.lock(connection, custody, [found.member]).get(found.member)
    row = connection.execute(select(looks).where(*chosen)).first()  # as it is now that the member is locked
    if locked is None or row is None or not row.at_ms <= now_ms < row.at_ms + LASTS_MS:
        return None
    shown = sorted({*row.sections.split(), *(one.value for one in wanted)})
    connection.execute(update(looks).where(looks.c.id == look).values(sections=" ".join(shown)))
    return Opened(_look(custody, connection, row, shown), locked, row.question)


def of_member(connection: Connection, custody: Custody, member: bytes) -> list[Look]:
    """All looks at one member, by HQ's reference, the newest first; one that showed nothing was none."""
    wanted = select(looks).where(looks.c.member.in_(membership.alike(connection, member)), looks.c.sections != "")
    rows = connection.execute(wanted.order_by(looks.c.at_ms.desc(), looks.c.id)).all()
    return [_look(custody, connection, row, row.sections.split()) for row in rows]


def _look(custody: Custody, connection: Connection, row: Row[Any], sections: Iterable[str]) -> Look:
    words = custody.open(connection, row.member, row.words, _bound(row.member, row.id)).decode()
    return Look(
        row.id, row.at_ms, row.role, LookReason(row.reason), words, tuple(Section(one) for one in sections)
    )  # fmt: skip


def _bound(member: bytes, look: bytes) -> bytes:
    return bound(Place.LOOK, member, look)
