"""The tables of other systems: their keys and rights, calls that are not done twice, and what was refused of them.

Times are Unix milliseconds UTC. No table here holds a value of a member; a key is kept as its hash alone.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import _BIG, METADATA

# `rights`, `brands`, `stores`: names with a space between; "*" among the brands is every brand.
systems = Table(
    "systems",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("label", String(128), nullable=False),
    Column("rights", String(256), nullable=False),
    Column("brands", String(2048), nullable=False),
    Column("stores", String(4096), nullable=False),
    Column("each_minute", Integer, nullable=False),  # how many calls it may make; 100 lines count as one more
    Column("added_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger, nullable=True),
)

# Two of a system may hold at once, so that a key is changed without a moment in which none does.
system_keys = Table(
    "system_keys",
    METADATA,
    Column("id", LargeBinary(8), primary_key=True),
    Column("system", String(40), ForeignKey("systems.id"), nullable=False, index=True),
    Column("hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256 of 32 random bytes as they are sent
    Column("made_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=True),
    Column("revoked_ms", BigInteger, nullable=True),
)

# One row an idempotency key. `answer` None: the call is under way, or was broken off.
system_calls = Table(
    "system_calls",
    METADATA,
    Column("system", String(40), ForeignKey("systems.id"), primary_key=True),
    Column("key", LargeBinary(32), primary_key=True),  # SHA-256 of what the caller chose
    Column("asked", LargeBinary(32), nullable=False),  # SHA-256 of the call
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=True),  # sealed
    Column("made_ms", BigInteger, nullable=False, index=True),
)

# Lines that were not taken: which and why, and nothing of what they said.
system_refusals = Table(
    "system_refusals",
    METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("system", String(40), ForeignKey("systems.id"), nullable=False),
    Column("call", String(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("line", Integer, nullable=False),
    Column("field", String(128), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("hint", String(256), nullable=False),
    Index("system_refusals_system", "system", "id"),
)

# Members who were found to be another one. Their rows stay, so that what was recorded of them can be read.
merges = Table(
    "merges",
    METADATA,
    Column("member", LargeBinary(16), ForeignKey("members.id"), primary_key=True),
    Column("survivor", LargeBinary(16), ForeignKey("members.id"), nullable=False, index=True),
    Column("lookup", LargeBinary(32), nullable=False, unique=True),  # of the merged id, as in `members`
    Column("at_ms", BigInteger, nullable=False),
)
