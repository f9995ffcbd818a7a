"""The tables of a recovery: that HQ was restored from a backup, and what each store told of what HQ lost.

Times are Unix milliseconds (`_ms`) UTC.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table

from hq.tables import METADATA

_BIG = BigInteger().with_variant(Integer, "sqlite")  # only so does SQLite number rows by itself

recoveries = Table(
    "recoveries",
    METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("begun_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=True),  # None: HQ gives no lease until it ended
)
# How far each instance was in the backup: what a store holds above it, HQ has lost.
recovery_instances = Table(
    "recovery_instances",
    METADATA,
    Column("recovery", BigInteger, ForeignKey("recoveries.id"), primary_key=True),
    Column("instance", String(64), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("renew", Boolean, nullable=False),  # all its records get a seq of the new generation
)

recovery_stores = Table(
    "recovery_stores",
    METADATA,
    Column("recovery", BigInteger, ForeignKey("recoveries.id"), primary_key=True),
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),  # the seq of `members` from which on it is asked
    Column("order_id", LargeBinary(16), nullable=True),  # of the newest RECALL; None: not asked yet
    Column("asked_ms", BigInteger, nullable=True),
    Column("answered_ms", BigInteger, nullable=True),
    Column("state", String(16), nullable=False),  # hq.recovery.State
    Column("result", LargeBinary, nullable=True),  # what it answered, until it is taken
    Column("withdrawals", BigInteger, nullable=False),  # that were taken from it
    Column("renewed", BigInteger, nullable=False),  # records that got a seq of the new generation
    Column("erased", BigInteger, nullable=False),  # members whom it had erased, erased again by its word
)
