"""The table of how often leave codes were tried, by store and by the address that tried.

Times are Unix milliseconds (`_ms`) UTC. No row names a member, and none holds a code.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, String, Table

from hq.tables import METADATA

leave_tries = Table(
    "leave_tries",
    METADATA,
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("address", LargeBinary(32), primary_key=True),  # a keyed hash of it; empty: all of the store's together
    Column("full_ms", BigInteger, nullable=False, index=True),  # when all tries are given back; then the row may go
)
