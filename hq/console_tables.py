"""The tables of what HQ's staff does for members: looks at a member, and members' questions about a receipt's line.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table

from hq.tables import METADATA

# Whoever of the staff looked is known by the subject of their sign-in, and to the member by their role.
looks = Table(
    "looks",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("staff", String(255), nullable=False),
    Column("role", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("words", LargeBinary, nullable=False),  # sealed: why, in a few words
    Column("sections", String(120), nullable=False),  # what was shown, ascending, a blank between
    Column("question", LargeBinary(8), nullable=True),  # which question was opened by it
    Index("looks_member", "member", "at_ms"),
)

questions = Table(
    "questions",
    METADATA,
    Column("id", LargeBinary(8), primary_key=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=False, index=True),
    Column("event", String(80), nullable=False),  # the receipt's, as `hq.receipts` names it
    Column("kind", String(16), nullable=False),
    Column("words", LargeBinary, nullable=False),  # sealed
    Column("language", String(16), nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("answer", LargeBinary, nullable=True),  # sealed
    Column("answered_ms", BigInteger, nullable=True),  # None: open
    Column("staff", String(255), nullable=True),  # who answered; the member is not told
    Index("questions_due", "due_ms", "id"),
    Index("questions_open", "answered_ms", "due_ms", "id"),
)
