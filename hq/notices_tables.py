"""The tables of notices and policies: every version of a policy with its notices, and to whom a notice was served.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import METADATA

_BIG = BigInteger().with_variant(Integer, "sqlite")

# What was published, whole: `content` is JSON of the form of a policy's file (hq.policy_written).
policy_versions = Table(
    "policy_versions",
    METADATA,
    Column("policy", String(40), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("policy_versions_at", "at_ms", "policy", "version"),
)

policy_notices = Table(
    "policy_notices",
    METADATA,
    Column("policy", String(40), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("purpose", String(64), primary_key=True),
    Column("notice", LargeBinary(32), ForeignKey("notices.hash"), nullable=False),
    # Whether what it changed against the version before matters to members: then they may be asked again.
    Column("material", Boolean, nullable=False),
)

# One row for each member, notice, language, surface, store and day in UTC. When a member is erased, `member` is emptied
# and the time becomes the day's: the count stays and is nobody's.
notice_servings = Table(
    "notice_servings",
    METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=True),
    Column("notice", LargeBinary(32), ForeignKey("notices.hash"), nullable=False),
    Column("policy", String(40), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("language", String(35), nullable=False),  # empty: not said
    Column("surface", String(32), nullable=False),
    Column("store", String(40), nullable=False),  # empty: none
    Column("day", Integer, nullable=False, index=True),  # days since 1970 in UTC
    Column("at_ms", BigInteger, nullable=False),
    Index("notice_servings_member", "member", "notice"),
)
