"""The tables by which several HQ processes share the work, and the trigger that wakes them for what is to be sent.

Times are Unix milliseconds UTC.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import DDL, BigInteger, Column, LargeBinary, String, Table, event

from hq.rendezvous import ID_BYTES
from hq.tables import METADATA, outbox

CHANNEL = "consentry_outbox"  # of PostgreSQL's NOTIFY; its payload is empty

# One row a running `consentry-hq serve`, renewed while it runs.
processes = Table(
    "processes",
    METADATA,
    Column("id", LargeBinary(ID_BYTES), primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
)

# What one process at a time does for all of them.
duties = Table(
    "duties",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("holder", LargeBinary(ID_BYTES), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

# Once a statement; PostgreSQL tells equal notifications of one transaction once, and at its commit.
_WAKE_FUNCTION = f"""
CREATE FUNCTION consentry_outbox_wake() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL; END $$
"""
_WAKE_TRIGGER = """
CREATE TRIGGER consentry_outbox_wake AFTER INSERT ON outbox
FOR EACH STATEMENT EXECUTE FUNCTION consentry_outbox_wake()
"""
for _statement in (_WAKE_FUNCTION, _WAKE_TRIGGER):
    event.listen(
        outbox,
        "after_create",
        DDL(_statement).execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
    )
