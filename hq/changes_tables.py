"""The tables behind what other systems are told: whom an erasure concerned, and the hooks that are called.

Times are Unix milliseconds UTC.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import _BIG, METADATA

# An erasure has to be told on (GDPR Art. 19), and by then HQ knows the id no more. Sealed under a key of HQ's own, for
# 30 days, and only while a system is there that is told of changes.
gone_members = Table(
    "gone_members",
    METADATA,
    Column("event", LargeBinary(16), primary_key=True),  # the id of the consent event that ended everything
    Column("content", LargeBinary, nullable=False),  # sealed hq.changes.Gone
    Column("until_ms", BigInteger, nullable=False, index=True),
)

# Where a system wants to be called. `through`: up to which event it was told; `sending`: up to which one the message
# under way goes; None: none is.
hooks = Table(
    "hooks",
    METADATA,
    Column("id", LargeBinary(8), primary_key=True),
    Column("system", String(40), ForeignKey("systems.id"), nullable=False, index=True),
    Column("url", String(512), nullable=False),
    Column("secret", LargeBinary, nullable=False),  # sealed
    Column("old_secret", LargeBinary, nullable=True),  # sealed; signs beside the new one until then
    Column("old_until_ms", BigInteger, nullable=True),
    Column("through", BigInteger, nullable=False),
    Column("sending", BigInteger, nullable=True),
    Column("first_ms", BigInteger, nullable=True),  # when the message under way was tried first
    Column("tries", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False, index=True),
    Column("added_ms", BigInteger, nullable=False),
    Column("told_ms", BigInteger, nullable=True),  # when a message was taken last
    Column("failed_ms", BigInteger, nullable=True),  # the last try that came to nothing since then; None: none
    Column("failure", String(64), nullable=True),
)

# Messages that were given up: which events they told of.
dead_letters = Table(
    "dead_letters",
    METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("hook", LargeBinary(8), ForeignKey("hooks.id"), nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("through", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),
    Index("dead_letters_hook", "hook", "id"),
)
