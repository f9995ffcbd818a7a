"""The table of models: what was learned when, how good it was, and until it is destroyed the tables themselves.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from hq.tables import METADATA

trainings = Table(
    "trainings",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("brand", String(40), nullable=False, index=True),  # the name of a policy
    Column("state", String(16), nullable=False),  # hq.training_versions.State
    Column("made_ms", BigInteger, nullable=False),
    Column("digest", String(16), nullable=False),  # of the tables; empty: nothing was learned
    Column("card", Text, nullable=False),  # JSON (hq.training_card); of nobody
    # Sealed, the second and third under the first; without it nobody can tell who was in it. None: destroyed.
    Column("sealed_key", LargeBinary, nullable=True),
    Column("tables", LargeBinary, nullable=True),  # hq.training_versions.Tables
    Column("people", LargeBinary, nullable=True),  # 16 bytes for each member and scope, ascending
    Column("checked_ms", BigInteger, nullable=False),  # at that time all of its people still granted, or see below
    Column("gone_ms", BigInteger, nullable=True),  # nobody of it withdrew before; somebody did since
    Column("published_ms", BigInteger, nullable=True),  # None: stores are to be brought to it yet
)
