"""The tables of figures: what was released and stays as it was released, and the budget of each day.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table

from hq.tables import METADATA

# One table of figures: what was counted, over which days, split by what.
figure_releases = Table(
    "figure_releases",
    METADATA,
    Column("population", String(16), primary_key=True),
    Column("purpose", String(64), primary_key=True),
    Column("span", String(8), primary_key=True),
    Column("first_day", Integer, primary_key=True, autoincrement=False),
    Column("axis", String(16), primary_key=True),
    Column("released_ms", BigInteger, nullable=False),
    Column("least", Integer, nullable=False),  # k, as it was then
    Column("scale_micro", BigInteger, nullable=False),  # of the noise, in millionths
)

# One figure of it. What is withheld has no row, as what nobody stands behind; no exact count is kept anywhere.
figure_cells = Table(
    "figure_cells",
    METADATA,
    Column("population", String(16), primary_key=True),
    Column("purpose", String(64), primary_key=True),
    Column("span", String(8), primary_key=True),
    Column("first_day", Integer, primary_key=True, autoincrement=False),
    Column("axis", String(16), primary_key=True),
    Column("value", String(80), primary_key=True),  # of the axis
    Column("outcome", String(16), primary_key=True),  # empty: all of them
    Column("counted", BigInteger, nullable=False),  # with noise
)

# What one day's members have spent, in millionths of epsilon.
figure_budgets = Table(
    "figure_budgets",
    METADATA,
    Column("purpose", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("spent_micro", BigInteger, nullable=False),
)

# One row, which whoever releases locks: one release at a time.
figure_turns = Table(
    "figure_turns",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1
    Column("made_ms", BigInteger, nullable=False),
)

# How long each store had been dark in all, when it was noted last on that day.
store_dark = Table(
    "store_dark",
    METADATA,
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("dark_ms", BigInteger, nullable=False),
    Column("noted_ms", BigInteger, nullable=False, index=True),
)
