"""The tables of the synthetic members: how far each store's round is, and what the members chose in it.

Their choices stand apart from the ledger's chain, which is the proof of what people chose and is never cut.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import METADATA

synthetic_rounds = Table(
    "synthetic_rounds",
    METADATA,
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("made_of", LargeBinary(16), nullable=True),  # a hash of the key from which phone and PIN were derived
    Column("phase", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False, index=True),
    Column("granted_ms", BigInteger, nullable=False),
    Column("withdrawn_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=True),  # when the tablet's stream showed it, by the store's trusted time
    Column("gone_ms", BigInteger, nullable=True),
)

synthetic_choices = Table(
    "synthetic_choices",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    Column("member", LargeBinary(16), nullable=False),
    Column("method", String(32), nullable=False),
    Column("chosen_s", BigInteger, nullable=True),
    Column("recorded_s", BigInteger, nullable=False),
    Column("choice", LargeBinary, nullable=False),  # CBOR of hq.state.Choice
    Index("synthetic_choices_member", "member"),
)
