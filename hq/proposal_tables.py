"""The table of what associates proposed for members' lists: where each one's event is, and until when it stands.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table

from hq.tables import METADATA

# What is proposed, and by whom, is in the event, sealed under the member's key.
proposals = Table(
    "proposals",
    METADATA,
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("incarnation", LargeBinary(16), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Index("proposals_member", "member"),
    Index("proposals_until", "until_ms"),
)
