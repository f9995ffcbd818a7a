"""The tables of what members set for themselves beside their consent events, and of the exports they asked for.

Times are Unix milliseconds (`_ms`) UTC. All but the counts ends with the member (`OF_A_MEMBER`).

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import METADATA


def _member(*, primary_key: bool = False) -> Column[bytes]:
    return Column("member", LargeBinary(16), ForeignKey("members.id"), primary_key=primary_key, nullable=False)


# The stores that a member added to the list, whether anything is given to them or not.
chosen_stores = Table(
    "chosen_stores",
    METADATA,
    _member(primary_key=True),
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("added_ms", BigInteger, nullable=False),
)

# What felt creepy to a member: sealed hq.felt.Line.
felt = Table(
    "felt",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    _member(),
    Column("at_ms", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("felt_member", "member"),
)

# How often a rule of a policy felt so, on which day: of whom it was stands nowhere here.
felt_counts = Table(
    "felt_counts",
    METADATA,
    Column("policy", String(40), primary_key=True),
    Column("purpose", String(64), primary_key=True),
    Column("scope", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970 UTC
    Column("times", Integer, nullable=False),
)

# One row a member whom stores are asked about: an export of a member into whom others were merged has several, and
# `whole` is what it is known by. An export of one has one, with both alike.
exports = Table(
    "exports",
    METADATA,
    Column("id", LargeBinary(8), primary_key=True),
    Column("whole", LargeBinary(8), nullable=False),
    _member(),
    Column("asked_ms", BigInteger, nullable=False),
    Index("exports_member", "member"),
    Index("exports_asked", "asked_ms", "id"),
    Index("exports_whole", "whole"),
)

export_orders = Table(
    "export_orders",
    METADATA,
    Column("export", LargeBinary(8), ForeignKey("exports.id"), primary_key=True),
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    _member(),
    Column("order_id", LargeBinary(16), nullable=False),
    Index("export_orders_member", "member"),
)

# What a call was answered, for whoever makes it again under the same key. `answer` is sealed.
repeats = Table(
    "repeats",
    METADATA,
    _member(primary_key=True),
    Column("key", LargeBinary(32), primary_key=True),  # SHA-256 of the key that the caller chose
    Column("asked", LargeBinary(32), nullable=False),  # SHA-256 of the call
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Index("repeats_made", "made_ms"),
)

# When a member was asked last about a purpose, at a moment of the app's.
asks = Table(
    "asks",
    METADATA,
    _member(primary_key=True),
    Column("purpose", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)

OF_A_MEMBER = (chosen_stores, felt, export_orders, exports, repeats, asks)  # in the order in which they can be deleted
