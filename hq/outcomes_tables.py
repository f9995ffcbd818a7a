"""The table of what became of suggestions.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import Boolean, Column, Integer, String, Table

from hq.tables import METADATA

# How often a rule of a policy suggested something there, on which day, and how often it was taken. Of whom it was
# stands nowhere here.
outcome_counts = Table(
    "outcome_counts",
    METADATA,
    Column("policy", String(40), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970 UTC
    Column("rule", String(64), primary_key=True),
    Column("zone", String(64), primary_key=True),  # empty: not known
    Column("stage", String(64), primary_key=True),  # empty: not known
    Column("shown", Integer, nullable=False),
    Column("taken", Integer, nullable=False),
    Column("judged", Boolean, nullable=False),  # a rest came of it, or it came while the rule rested: it counts no more
)
