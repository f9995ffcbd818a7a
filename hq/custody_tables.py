"""The tables of wrapped keys and of members' erasures.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table

from hq.tables import METADATA

# A row less is a key destroyed.
member_keys = Table(
    "member_keys",
    METADATA,
    Column("member", LargeBinary(16), ForeignKey("members.id"), primary_key=True),
    Column("wrapped", LargeBinary(68), nullable=False),
)

purpose_keys = Table(
    "purpose_keys",
    METADATA,
    Column("purpose", String(32), primary_key=True),
    Column("wrapped", LargeBinary(68), nullable=False),
)

# What an erasure still needs: a name for it, and the orders to the stores. The member's key is gone by then.
erasures = Table(
    "erasures",
    METADATA,
    Column("id", LargeBinary(8), primary_key=True),
    Column("lookup", LargeBinary(32), index=True, nullable=True),  # None: every store has done it
    Column("asked_ms", BigInteger, nullable=False),
    Index("erasures_asked", "asked_ms", "id"),
)

erasure_orders = Table(
    "erasure_orders",
    METADATA,
    Column("erasure", LargeBinary(8), ForeignKey("erasures.id"), primary_key=True),
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("order_id", LargeBinary(16), nullable=False),
)
