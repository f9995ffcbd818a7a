"""The tables of what stores recorded: the logs of disclosures with their heads, gaps, and withdrawals that took effect.

Of a log HQ keeps every leaf's hash, and the hash of every whole subtree of 2^8, 2^16 … leaves, so that a proof reads
some hundred rows of a log of any length.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import METADATA


def _of_a_cache() -> tuple[Column[str], Column[bytes]]:
    return (
        Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
        Column("incarnation", LargeBinary(16), primary_key=True),
    )


logs = Table(
    "logs",
    METADATA,
    *_of_a_cache(),
    Column("run", Integer, nullable=False),  # rises where the log had to begin anew at a head that did not follow
    Column("size", BigInteger, nullable=False),
    Column("headed", BigInteger, nullable=False),  # the size of the newest head that is kept of this run; 0: none
    Column("peaks", LargeBinary, nullable=False),  # the frontier, 32 bytes each
)

log_nodes = Table(
    "log_nodes",
    METADATA,
    *_of_a_cache(),
    Column("run", Integer, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("number", BigInteger, nullable=True),  # of a leaf: its event's
    Column("hash", LargeBinary(32), nullable=False),
    Index("log_nodes_number", "store", "incarnation", "number"),
)

log_heads = Table(
    "log_heads",
    METADATA,
    *_of_a_cache(),
    Column("run", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

# Numbers that came with no event; `lost` is for good, else the store said that it let them go.
event_gaps = Table(
    "event_gaps",
    METADATA,
    *_of_a_cache(),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("lost", Integer, nullable=False),  # 1 or 0
    Column("noticed_ms", BigInteger, nullable=False),
)

# What the store's newest hello told of each kind.
let_go = Table(
    "let_go",
    METADATA,
    *_of_a_cache(),
    Column("kind", Integer, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

withdrawals_applied = Table(
    "withdrawals_applied",
    METADATA,
    *_of_a_cache(),
    Column("number", BigInteger, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("delay_ms", BigInteger, nullable=False),
    Column("acknowledged", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
