"""The tables beside the chain of consent events: what may be counted without opening any, and the signed heads.

A row of `consent_facts` says what one event says of one purpose at one store, and nothing of scopes, of who chose or
how it is proved. When a member is erased, `event` and `member` are emptied: the count stays and is nobody's.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table

from hq.tables import METADATA

_BIG = BigInteger().with_variant(Integer, "sqlite")

consent_facts = Table(
    "consent_facts",
    METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("event", BigInteger, ForeignKey("consent_events.number"), nullable=True, index=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=True, index=True),
    Column("purpose", String(64), nullable=False),  # empty: of a withdrawal of everything where nothing stood
    Column("store", String(40), nullable=False),  # empty: the whole brand
    Column("brand", String(40), nullable=False),  # empty: not said
    Column("status", String(16), nullable=False),  # hq.ledger_proof.Status
    Column("partial", Boolean, nullable=False),  # it named scopes and ended no more than them
    Column("method", String(32), nullable=False),
    Column("notice", LargeBinary(32), nullable=True),  # the hash of the text that was shown
    Column("policy_version", BigInteger, nullable=False),
    Column("day", Integer, nullable=False, index=True),  # of the choice, days since 1970 in UTC; unknown: of its record
)

# Each head says how long the chain was and how it ended, and vouches for the head before.
consent_heads = Table(
    "consent_heads",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # of heads, without a gap, from 1
    Column("events", BigInteger, nullable=False),  # the number of the last event
    Column("hash", LargeBinary(32), nullable=False),  # of that event
    Column("previous", LargeBinary(32), nullable=False),  # the hash of the head before
    Column("at_ms", BigInteger, nullable=False),
    Column("public", LargeBinary(32), nullable=False),  # Ed25519
    Column("signature", LargeBinary(64), nullable=False),
)
