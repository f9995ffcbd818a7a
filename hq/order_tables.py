"""The tables of orders, of the stores' signed results, and of HQ's shares of the caches' keys.

Times are Unix milliseconds (`_ms`) UTC.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import METADATA, SHARES_SCHEMA

SHARE_BYTES = 32
WRAPPED_MORE_BYTES = 36  # the wrapping key's mark, nonce and tag (hq.custody)

orders = Table(
    "orders",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    Column("store", String(40), ForeignKey("stores.id"), nullable=False),
    Column("verb", Integer, nullable=False),
    Column("incarnation", LargeBinary(16), nullable=True),  # None: the store has never said hello
    Column("subject", LargeBinary(64), nullable=True),
    Column("code", String(8), nullable=True),
    Column("urgent", Boolean, nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger, nullable=False),  # last; 0: not yet
    Column("outcome", Integer, nullable=True),  # None: open
    Column("done_ms", BigInteger, nullable=True),
    Index("orders_store", "store", "outcome"),
    Index("orders_open", "outcome", "not_after_ms"),
)

# Each part of a store's `done` as it came: its envelope, which the store signed and which is sealed to HQ. So a result
# lies sealed, and what the store said can be shown with its signature.
order_parts = Table(
    "order_parts",
    METADATA,
    Column("order", LargeBinary(16), ForeignKey("orders.id"), primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("parts", Integer, nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("opened", LargeBinary, nullable=True),  # of a `recall`: the result, until all parts are there
)

# On SQLite a file of its own beside the database; on PostgreSQL a table whose rows pg_dump is told to leave out
# (docs/operating.md). No foreign keys, since those cannot reach into another file.
epoch_shares = Table(
    "epoch_shares",
    METADATA,
    Column("store", String(40), primary_key=True),
    Column("incarnation", LargeBinary(16), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("wrapped", LargeBinary(SHARE_BYTES + WRAPPED_MORE_BYTES), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    schema=SHARES_SCHEMA,
)
