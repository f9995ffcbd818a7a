"""The tables of alarms and of what is still to be told of them.

Times are Unix milliseconds (`_ms`) UTC. No row names a member or a value.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from hq.tables import METADATA

_BIG = BigInteger().with_variant(Integer, "sqlite")  # only so does SQLite number rows by itself

alarms = Table(
    "alarms",
    METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("alarm", String(32), nullable=False),
    Column("store", String(40), nullable=False),  # empty: of HQ itself; of some alarms a brand (`hq.alarms.OF_BRANDS`)
    Column("detail", String(200), nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("over_ms", BigInteger, nullable=True),  # None: open
    Column("told_ms", BigInteger, nullable=True),  # of the newest message about it; None: none yet
    Column("over_told", Boolean, nullable=False),
)
# One open alarm of a kind and store; past ones stay as they were.
OPEN = Index(
    "alarms_open", alarms.c.alarm, alarms.c.store, unique=True,
    sqlite_where=alarms.c.over_ms.is_(None), postgresql_where=alarms.c.over_ms.is_(None),
)  # fmt: skip

alarm_messages = Table(
    "alarm_messages",
    METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("alarm", BigInteger, nullable=False),  # the row in `alarms`; 0: of none, a test
    Column("channel", String(16), nullable=False),
    Column("news", String(16), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False, index=True),  # of the next try; who tries puts it off first
    Column("tries", Integer, nullable=False),
)
