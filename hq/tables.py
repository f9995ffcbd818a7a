"""The tables of HQ's database, as SQLAlchemy describes them, and the triggers that keep events append-only.

Times are Unix milliseconds (`_ms`) or seconds (`_s`) UTC. An `instances` row is also its counter row (docs/protocol.md,
section 5): `seq = generation * 2^48 + n`, root and count are kept with every change.

I/O: sqlalchemy, its schema language only.
"""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    event,
)

METADATA = MetaData()
SHARES_SCHEMA = "shares"  # where HQ's shares of cache keys lie, apart from what is backed up (hq.shares)

_BIG = BigInteger().with_variant(Integer, "sqlite")  # only so does SQLite number rows by itself


def _c(name: str, kind: Any, *more: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, *more, nullable=options.pop("nullable", False), **options)


stores = Table(
    "stores",
    METADATA,
    _c("id", String(40), primary_key=True),
    _c("label", String(512)),
    _c("identity", LargeBinary(32)),  # Ed25519 public
    _c("policy", String(40), index=True),  # the name of its policy instance
    _c("added_ms", BigInteger),
    _c("lockdown_ms", BigInteger, nullable=True),  # since when HQ refuses it, until the lockdown is lifted
    _c("orders_open", Integer, default=0),  # how many orders wait to be done
)

# The boot that holds the store's confirmed ticket, and what its hellos told. Records are sealed to this boot, and
# leases go to no other (docs/decisions/0042).
links = Table(
    "links",
    METADATA,
    _c("store", String(40), ForeignKey("stores.id"), primary_key=True),
    _c("boot", LargeBinary(16)),
    _c("sealing_key", LargeBinary(1216)),
    _c("incarnation", LargeBinary(16)),
    _c("readiness", Integer),
    _c("software", String(64)),
    _c("hello_ms", BigInteger),
    _c("lease_until_ms", BigInteger),  # 0: never had one
    _c("dark_ms", BigInteger),  # sum of the times without a lease, since the first one
    _c("bound_ms", BigInteger, default=0),  # when the ticket was bound to this boot
    _c("key_set_version", BigInteger, default=0),  # of HQ's keys, as this boot knows them
    _c("quarantined", String(4096), default=""),  # the instances that do not agree after three rounds, by name
    _c("certificate", LargeBinary(16), nullable=True),  # the id of what it was delivered last (hq.certificates)
    _c("certificate_fault", Integer, nullable=True),  # why it did not take it
)

incarnations = Table(
    "incarnations",
    METADATA,
    _c("store", String(40), ForeignKey("stores.id"), primary_key=True),
    _c("incarnation", LargeBinary(16), primary_key=True),
    _c("epoch", Integer, default=0),  # of its newest share (hq.shares)
    _c("roll_due_ms", BigInteger, default=0),  # when it is to be given the next one
    _c("ticket", LargeBinary(16), nullable=True),  # confirmed: this cache showed it; None: none yet
    _c("pending", LargeBinary(16), nullable=True),  # given, and not yet shown
    _c("events_through", BigInteger),  # every event up to here is stored or known to be lost
    _c("let_go", BigInteger),  # how many events the store says it dropped
    _c("passed_over", BigInteger, default=0),  # how many numbers came with no event because the store let them go
    _c("lost", BigInteger),  # how many are lost for good
    _c("through_ms", BigInteger, default=0),  # when `events_through` rose
    _c("made_ms", BigInteger),
)

instances = Table(
    "instances",
    METADATA,
    _c("id", _BIG, primary_key=True, autoincrement=True),
    _c("name", String(64), unique=True),
    _c("collection", Integer),
    _c("store", String(40), index=True, nullable=True),  # None: shared
    _c("day", Integer, nullable=True),
    _c("filled", Integer),  # a keyring's buckets below this number have been built; -1: its day is over
    _c("wrapped", LargeBinary(100)),  # its digest key, which ends with the row, and its bodies' key (hq.custody)
    _c("generation", Integer),
    _c("n", BigInteger),
    _c("root", LargeBinary(16)),
    _c("live", BigInteger),
    _c("lease_s", Integer, nullable=True),  # of a policy: what a hello's answer needs of it
    _c("heartbeat_s", Integer, nullable=True),
)

# Which instances a store replicates: its own, and the shared ones that it was given.
store_instances = Table(
    "store_instances",
    METADATA,
    _c("store", String(40), ForeignKey("stores.id"), primary_key=True),
    _c("instance", BigInteger, ForeignKey("instances.id"), primary_key=True, index=True),
)

# The digest tree below the root, kept with every change. `place` 0 to 255: the node of that first byte of a path;
# from 256 on: 256 + the first two bytes, u16be. So the children of a node are one range of places.
nodes = Table(
    "nodes",
    METADATA,
    _c("instance", BigInteger, ForeignKey("instances.id"), primary_key=True),
    _c("place", Integer, primary_key=True, autoincrement=False),
    _c("digest", LargeBinary(16)),
    _c("live", BigInteger),
)

records = Table(
    "records",
    METADATA,
    _c("instance", BigInteger, ForeignKey("instances.id"), primary_key=True),
    _c("key", LargeBinary(64), primary_key=True),
    _c("path", LargeBinary(8)),
    _c("seq", BigInteger),
    _c("digest", LargeBinary(16), nullable=True),  # keyed; little endian, as in the tree
    _c("body", LargeBinary, nullable=True),  # sealed; None: a tombstone
    Index("records_path", "instance", "path", "seq"),
)

# What is sealed is so under the member's key (hq.custody), bound to its column and row; `id` is HQ's own reference.
members = Table(
    "members",
    METADATA,
    _c("id", LargeBinary(16), primary_key=True),
    _c("lookup", LargeBinary(32), unique=True, nullable=True),  # finds the member's id; None: erased
    _c("content", LargeBinary, nullable=True),  # sealed hq.membership.About; None: erased
    _c("added_ms", BigInteger),
)

phones = Table(
    "phones",
    METADATA,
    _c("id", LargeBinary(8), primary_key=True),
    _c("member", LargeBinary(16), ForeignKey("members.id"), index=True),
    _c("secret", LargeBinary(60)),  # sealed; shown once, logged never
    _c("added_ms", BigInteger),
)

profiles = Table(
    "profiles",
    METADATA,
    _c("member", LargeBinary(16), ForeignKey("members.id"), primary_key=True),
    _c("content", LargeBinary),  # sealed hq.membership.Profile
)

consent_events = Table(
    "consent_events",
    METADATA,
    _c("number", BigInteger, primary_key=True, autoincrement=False),  # without a gap, from 1
    _c("id", LargeBinary(16), unique=True),
    _c("member", LargeBinary(16), ForeignKey("members.id"), index=True),
    _c("method", String(32)),
    _c("chosen_s", BigInteger, nullable=True),
    _c("recorded_s", BigInteger),
    _c("choice", LargeBinary),  # sealed hq.state.Choice; the chain hashes it as it stands
    _c("previous_hash", LargeBinary(32)),
    _c("hash", LargeBinary(32)),
)

# The end of each chained table; its row lock also puts the writers in line.
chain_heads = Table(
    "chain_heads",
    METADATA,
    _c("name", String(32), primary_key=True),
    _c("number", BigInteger),
    _c("hash", LargeBinary(32)),
)

audience = Table(
    "audience",
    METADATA,
    _c("store", String(40), ForeignKey("stores.id"), primary_key=True),
    _c("member", LargeBinary(16), ForeignKey("members.id"), primary_key=True, index=True),
    _c("pseudonym", LargeBinary(16)),  # made once, never recomputed
    _c("key_number", Integer),  # of the pairwise key that made it
    _c("bucket", Integer),
    _c("present", Boolean),
    _c("due_s", BigInteger, nullable=True),  # when time alone may change the record; None: never
    _c("acts_incarnation", LargeBinary(16), nullable=True),
    _c("acts_through", BigInteger),
    Index("audience_pseudonym", "store", "pseudonym", unique=True),
    Index("audience_bucket", "store", "bucket"),
    Index("audience_due", "due_s"),
)

# The name and the verifier of the PIN are in the record alone, sealed.
staff = Table(
    "staff",
    METADATA,
    _c("store", String(40), ForeignKey("stores.id"), primary_key=True),
    _c("id", String(64), primary_key=True),
    _c("role", String(64)),
    _c("active", Boolean),
)

notices = Table(
    "notices",
    METADATA,
    _c("hash", LargeBinary(32), primary_key=True),
    _c("text", LargeBinary),
    _c("first_ms", BigInteger),
)

store_events = Table(
    "store_events",
    METADATA,
    _c("store", String(40), ForeignKey("stores.id"), primary_key=True),
    _c("incarnation", LargeBinary(16), primary_key=True),
    _c("number", BigInteger, primary_key=True),
    _c("kind", Integer),
    _c("at_ms", BigInteger),
    _c("pseudonym", LargeBinary(16), nullable=True),
    _c("body", LargeBinary),
    _c("received_ms", BigInteger),
    Index("store_events_member", "store", "pseudonym"),
)

# The newest call for help of each member, for the member's app; deleted an hour after its end.
help_calls = Table(
    "help_calls",
    METADATA,
    _c("member", LargeBinary(16), ForeignKey("members.id"), primary_key=True),
    _c("store", String(40), ForeignKey("stores.id")),
    _c("state", String(16)),
    _c("called_ms", BigInteger),
    _c("since_ms", BigInteger),  # when it came to this state
)

outbox = Table(
    "outbox",
    METADATA,
    _c("id", _BIG, primary_key=True, autoincrement=True),
    _c("store", String(40), ForeignKey("stores.id")),
    _c("lane", String(4)),  # "down" or "now"
    _c("kind", Integer, default=1),  # of the message, as wire.sync.Kind numbers them
    _c("message", LargeBinary),  # CBOR of wire.sync.Records, or of what `kind` says
    _c("made_ms", BigInteger),
    Index("outbox_lane", "lane", "id"),
)

# What an empty database begins with.
FIRST_ROWS: tuple[tuple[Table, dict[str, Any]], ...] = (
    (chain_heads, {"name": "consent_events", "number": 0, "hash": bytes(32)}),
)

_SQLITE_APPEND_ONLY = """
CREATE TRIGGER consent_events_{verb} BEFORE {verb} ON consent_events
BEGIN SELECT RAISE(ABORT, 'consent events are append-only'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE FUNCTION consent_events_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'consent events are append-only'; END $$
"""
_POSTGRESQL_TRIGGERS = """
CREATE TRIGGER consent_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_events
FOR EACH STATEMENT EXECUTE FUNCTION consent_events_refuse()
"""
for _verb in ("UPDATE", "DELETE"):
    event.listen(
        consent_events,
        "after_create",
        DDL(_SQLITE_APPEND_ONLY.format(verb=_verb)).execute_if(dialect="sqlite"),  # type: ignore[no-untyped-call]
    )
for _statement in (_POSTGRESQL_FUNCTION, _POSTGRESQL_TRIGGERS):
    event.listen(
        consent_events,
        "after_create",
        DDL(_statement).execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
    )
