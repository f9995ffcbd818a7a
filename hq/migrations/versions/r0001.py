"""The tables of the first release.

I/O: alembic.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From the revision before to this one."""
    op.create_table(
        "alarm_messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("alarm", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("news", sa.String(length=16), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("alarm_messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alarm_messages_due_ms"), ["due_ms"], unique=False)

    op.create_table(
        "alarms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("alarm", sa.String(length=32), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("over_ms", sa.BigInteger(), nullable=True),
        sa.Column("told_ms", sa.BigInteger(), nullable=True),
        sa.Column("over_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.create_index(
            "alarms_open",
            ["alarm", "store"],
            unique=True,
            sqlite_where=sa.text("over_ms IS NULL"),
            postgresql_where=sa.text("over_ms IS NULL"),
        )

    op.create_table(
        "chain_heads",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "consent_heads",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("public", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "contact_rules",
        sa.Column("brand", sa.String(length=40), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("set_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("brand"),
    )
    op.create_table(
        "duties",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.LargeBinary(length=8), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=True),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("erasures", schema=None) as batch_op:
        batch_op.create_index("erasures_asked", ["asked_ms", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_erasures_lookup"), ["lookup"], unique=False)

    op.create_table(
        "felt_counts",
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("policy", "purpose", "scope", "day"),
    )
    op.create_table(
        "figure_budgets",
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("spent_micro", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", "day"),
    )
    op.create_table(
        "figure_cells",
        sa.Column("population", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("span", sa.String(length=8), nullable=False),
        sa.Column("first_day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("axis", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("population", "purpose", "span", "first_day", "axis", "value", "outcome"),
    )
    op.create_table(
        "figure_releases",
        sa.Column("population", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("span", sa.String(length=8), nullable=False),
        sa.Column("first_day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("axis", sa.String(length=16), nullable=False),
        sa.Column("released_ms", sa.BigInteger(), nullable=False),
        sa.Column("least", sa.Integer(), nullable=False),
        sa.Column("scale_micro", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("population", "purpose", "span", "first_day", "axis"),
    )
    op.create_table(
        "figure_turns",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "gone_members",
        sa.Column("event", sa.LargeBinary(length=16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event"),
    )
    with op.batch_alter_table("gone_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gone_members_until_ms"), ["until_ms"], unique=False)

    op.create_table(
        "instances",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("collection", sa.Integer(), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=True),
        sa.Column("day", sa.Integer(), nullable=True),
        sa.Column("filled", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(length=100), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=16), nullable=False),
        sa.Column("live", sa.BigInteger(), nullable=False),
        sa.Column("lease_s", sa.Integer(), nullable=True),
        sa.Column("heartbeat_s", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    with op.batch_alter_table("instances", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_instances_store"), ["store"], unique=False)

    op.create_table(
        "members",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lookup"),
    )
    op.create_table(
        "notices",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "outcome_counts",
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("policy", "day", "rule", "zone", "stage"),
    )
    op.create_table(
        "policy_versions",
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("policy", "version"),
    )
    with op.batch_alter_table("policy_versions", schema=None) as batch_op:
        batch_op.create_index("policy_versions_at", ["at_ms", "policy", "version"], unique=False)

    op.create_table(
        "processes",
        sa.Column("id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "provider_visits",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("browser", sa.LargeBinary(length=32), nullable=False),
        sa.Column("realm", sa.String(length=8), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=64), nullable=False),
        sa.Column("onward", sa.String(length=400), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    with op.batch_alter_table("provider_visits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_provider_visits_ends_ms"), ["ends_ms"], unique=False)

    op.create_table(
        "purpose_keys",
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(length=68), nullable=False),
        sa.PrimaryKeyConstraint("purpose"),
    )
    op.create_table(
        "recoveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("begun_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "epoch_shares",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(length=68), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store", "incarnation", "epoch"),
        schema="shares",
    )
    op.create_table(
        "stores",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=512), nullable=False),
        sa.Column("identity", sa.LargeBinary(length=32), nullable=False),
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.Column("lockdown_ms", sa.BigInteger(), nullable=True),
        sa.Column("orders_open", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("stores", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stores_policy"), ["policy"], unique=False)

    op.create_table(
        "synthetic_choices",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("chosen_s", sa.BigInteger(), nullable=True),
        sa.Column("recorded_s", sa.BigInteger(), nullable=False),
        sa.Column("choice", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("synthetic_choices", schema=None) as batch_op:
        batch_op.create_index("synthetic_choices_member", ["member"], unique=False)

    op.create_table(
        "systems",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("rights", sa.String(length=256), nullable=False),
        sa.Column("brands", sa.String(length=2048), nullable=False),
        sa.Column("stores", sa.String(length=4096), nullable=False),
        sa.Column("each_minute", sa.Integer(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "trainings",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("brand", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=16), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column("tables", sa.LargeBinary(), nullable=True),
        sa.Column("people", sa.LargeBinary(), nullable=True),
        sa.Column("checked_ms", sa.BigInteger(), nullable=False),
        sa.Column("gone_ms", sa.BigInteger(), nullable=True),
        sa.Column("published_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("trainings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trainings_brand"), ["brand"], unique=False)

    op.create_table(
        "tries",
        sa.Column("who", sa.LargeBinary(length=32), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("full_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("who", "what"),
    )
    with op.batch_alter_table("tries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tries_full_ms"), ["full_ms"], unique=False)

    op.create_table(
        "app_codes",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("challenge", sa.String(length=64), nullable=False),
        sa.Column("redirect", sa.String(length=400), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("hash"),
    )
    with op.batch_alter_table("app_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_app_codes_ends_ms"), ["ends_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_app_codes_member"), ["member"], unique=False)

    op.create_table(
        "asks",
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("member", "purpose"),
    )
    op.create_table(
        "audience",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("pseudonym", sa.LargeBinary(length=16), nullable=False),
        sa.Column("key_number", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("due_s", sa.BigInteger(), nullable=True),
        sa.Column("acts_incarnation", sa.LargeBinary(length=16), nullable=True),
        sa.Column("acts_through", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "member"),
    )
    with op.batch_alter_table("audience", schema=None) as batch_op:
        batch_op.create_index("audience_bucket", ["store", "bucket"], unique=False)
        batch_op.create_index("audience_due", ["due_s"], unique=False)
        batch_op.create_index("audience_pseudonym", ["store", "pseudonym"], unique=True)
        batch_op.create_index(batch_op.f("ix_audience_member"), ["member"], unique=False)

    op.create_table(
        "certificates",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("chain", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column("serial", sa.String(length=48), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("renew_ms", sa.BigInteger(), nullable=False),
        sa.Column("late_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("fails", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store"),
    )
    op.create_table(
        "chosen_stores",
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("member", "store"),
    )
    op.create_table(
        "consent_events",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("chosen_s", sa.BigInteger(), nullable=True),
        sa.Column("recorded_s", sa.BigInteger(), nullable=False),
        sa.Column("choice", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    with op.batch_alter_table("consent_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consent_events_member"), ["member"], unique=False)

    op.create_table(
        "contacts",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.create_index("contacts_member", ["member", "at_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_contacts_at_ms"), ["at_ms"], unique=False)

    op.create_table(
        "erasure_orders",
        sa.Column("erasure", sa.LargeBinary(length=8), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure"],
            ["erasures.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("erasure", "store"),
    )
    op.create_table(
        "event_gaps",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("noticed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation", "first"),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("whole", sa.LargeBinary(length=8), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("exports", schema=None) as batch_op:
        batch_op.create_index("exports_asked", ["asked_ms", "id"], unique=False)
        batch_op.create_index("exports_member", ["member"], unique=False)
        batch_op.create_index("exports_whole", ["whole"], unique=False)

    op.create_table(
        "felt",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("felt", schema=None) as batch_op:
        batch_op.create_index("felt_member", ["member"], unique=False)

    op.create_table(
        "help_calls",
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("called_ms", sa.BigInteger(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("member"),
    )
    op.create_table(
        "hooks",
        sa.Column("id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=512), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.Column("sending", sa.BigInteger(), nullable=True),
        sa.Column("first_ms", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.Column("told_ms", sa.BigInteger(), nullable=True),
        sa.Column("failed_ms", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["system"],
            ["systems.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("hooks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hooks_due_ms"), ["due_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_hooks_system"), ["system"], unique=False)

    op.create_table(
        "incarnations",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("roll_due_ms", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.LargeBinary(length=16), nullable=True),
        sa.Column("pending", sa.LargeBinary(length=16), nullable=True),
        sa.Column("events_through", sa.BigInteger(), nullable=False),
        sa.Column("let_go", sa.BigInteger(), nullable=False),
        sa.Column("passed_over", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("through_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation"),
    )
    op.create_table(
        "leave_tries",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("address", sa.LargeBinary(length=32), nullable=False),
        sa.Column("full_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "address"),
    )
    with op.batch_alter_table("leave_tries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_leave_tries_full_ms"), ["full_ms"], unique=False)

    op.create_table(
        "let_go",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation", "kind"),
    )
    op.create_table(
        "links",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("boot", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealing_key", sa.LargeBinary(length=1216), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("readiness", sa.Integer(), nullable=False),
        sa.Column("software", sa.String(length=64), nullable=False),
        sa.Column("hello_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("dark_ms", sa.BigInteger(), nullable=False),
        sa.Column("bound_ms", sa.BigInteger(), nullable=False),
        sa.Column("key_set_version", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.String(length=4096), nullable=False),
        sa.Column("certificate", sa.LargeBinary(length=16), nullable=True),
        sa.Column("certificate_fault", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store"),
    )
    op.create_table(
        "log_heads",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation", "run", "size"),
    )
    op.create_table(
        "log_nodes",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation", "run", "level", "position"),
    )
    with op.batch_alter_table("log_nodes", schema=None) as batch_op:
        batch_op.create_index("log_nodes_number", ["store", "incarnation", "number"], unique=False)

    op.create_table(
        "logs",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("headed", sa.BigInteger(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation"),
    )
    op.create_table(
        "looks",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("staff", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("sections", sa.String(length=120), nullable=False),
        sa.Column("question", sa.LargeBinary(length=8), nullable=True),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("looks", schema=None) as batch_op:
        batch_op.create_index("looks_member", ["member", "at_ms"], unique=False)

    op.create_table(
        "member_addresses",
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("lookup"),
    )
    with op.batch_alter_table("member_addresses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_addresses_member"), ["member"], unique=False)

    op.create_table(
        "member_keys",
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(length=68), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("member"),
    )
    op.create_table(
        "merges",
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("survivor", sa.LargeBinary(length=16), nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.ForeignKeyConstraint(
            ["survivor"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("member"),
        sa.UniqueConstraint("lookup"),
    )
    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_merges_survivor"), ["survivor"], unique=False)

    op.create_table(
        "nodes",
        sa.Column("instance", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("live", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"],
            ["instances.id"],
        ),
        sa.PrimaryKeyConstraint("instance", "place"),
    )
    op.create_table(
        "notice_servings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=True),
        sa.Column("notice", sa.LargeBinary(length=32), nullable=False),
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("surface", sa.String(length=32), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.ForeignKeyConstraint(
            ["notice"],
            ["notices.hash"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("notice_servings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_servings_day"), ["day"], unique=False)
        batch_op.create_index("notice_servings_member", ["member", "notice"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("verb", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=True),
        sa.Column("subject", sa.LargeBinary(length=64), nullable=True),
        sa.Column("code", sa.String(length=8), nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=True),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("orders_open", ["outcome", "not_after_ms"], unique=False)
        batch_op.create_index("orders_store", ["store", "outcome"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("lane", sa.String(length=4), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("outbox_lane", ["lane", "id"], unique=False)

    op.create_table(
        "phones",
        sa.Column("id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=60), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("phones", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_phones_member"), ["member"], unique=False)

    op.create_table(
        "policy_notices",
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("notice", sa.LargeBinary(length=32), nullable=False),
        sa.Column("material", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["notice"],
            ["notices.hash"],
        ),
        sa.PrimaryKeyConstraint("policy", "version", "purpose"),
    )
    op.create_table(
        "profiles",
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("member"),
    )
    op.create_table(
        "proposals",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation", "number"),
    )
    with op.batch_alter_table("proposals", schema=None) as batch_op:
        batch_op.create_index("proposals_member", ["member"], unique=False)
        batch_op.create_index("proposals_until", ["until_ms"], unique=False)

    op.create_table(
        "purchases",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=True),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("purchases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_purchases_member"), ["member"], unique=False)
        batch_op.create_index(batch_op.f("ix_purchases_until_ms"), ["until_ms"], unique=False)

    op.create_table(
        "questions",
        sa.Column("id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("event", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("answered_ms", sa.BigInteger(), nullable=True),
        sa.Column("staff", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("questions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_questions_member"), ["member"], unique=False)
        batch_op.create_index("questions_due", ["due_ms", "id"], unique=False)
        batch_op.create_index("questions_open", ["answered_ms", "due_ms", "id"], unique=False)

    op.create_table(
        "records",
        sa.Column("instance", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=64), nullable=False),
        sa.Column("path", sa.LargeBinary(length=8), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["instance"],
            ["instances.id"],
        ),
        sa.PrimaryKeyConstraint("instance", "key"),
    )
    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.create_index("records_path", ["instance", "path", "seq"], unique=False)

    op.create_table(
        "recovery_instances",
        sa.Column("recovery", sa.BigInteger(), nullable=False),
        sa.Column("instance", sa.String(length=64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("renew", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recovery"],
            ["recoveries.id"],
        ),
        sa.PrimaryKeyConstraint("recovery", "instance"),
    )
    op.create_table(
        "recovery_stores",
        sa.Column("recovery", sa.BigInteger(), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("asked_ms", sa.BigInteger(), nullable=True),
        sa.Column("answered_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("withdrawals", sa.BigInteger(), nullable=False),
        sa.Column("renewed", sa.BigInteger(), nullable=False),
        sa.Column("erased", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recovery"],
            ["recoveries.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("recovery", "store"),
    )
    op.create_table(
        "repeats",
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("asked", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("member", "key"),
    )
    with op.batch_alter_table("repeats", schema=None) as batch_op:
        batch_op.create_index("repeats_made", ["made_ms"], unique=False)

    op.create_table(
        "sign_in_links",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("browser", sa.LargeBinary(length=32), nullable=True),
        sa.Column("member", sa.LargeBinary(length=16), nullable=True),
        sa.Column("onward", sa.String(length=400), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("hash"),
    )
    with op.batch_alter_table("sign_in_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_links_ends_ms"), ["ends_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_links_member"), ["member"], unique=False)

    op.create_table(
        "sign_in_mails",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sign_in_mails", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_mails_due_ms"), ["due_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_mails_member"), ["member"], unique=False)

    op.create_table(
        "staff",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "id"),
    )
    op.create_table(
        "store_dark",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dark_ms", sa.BigInteger(), nullable=False),
        sa.Column("noted_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "day"),
    )
    with op.batch_alter_table("store_dark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_store_dark_noted_ms"), ["noted_ms"], unique=False)

    op.create_table(
        "store_events",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("pseudonym", sa.LargeBinary(length=16), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation", "number"),
    )
    with op.batch_alter_table("store_events", schema=None) as batch_op:
        batch_op.create_index("store_events_member", ["store", "pseudonym"], unique=False)

    op.create_table(
        "store_instances",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("instance", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"],
            ["instances.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "instance"),
    )
    with op.batch_alter_table("store_instances", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_store_instances_instance"), ["instance"], unique=False)

    op.create_table(
        "synthetic_rounds",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("made_of", sa.LargeBinary(length=16), nullable=True),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("gone_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store"),
    )
    with op.batch_alter_table("synthetic_rounds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_synthetic_rounds_due_ms"), ["due_ms"], unique=False)

    op.create_table(
        "system_calls",
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("asked", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["system"],
            ["systems.id"],
        ),
        sa.PrimaryKeyConstraint("system", "key"),
    )
    with op.batch_alter_table("system_calls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_system_calls_made_ms"), ["made_ms"], unique=False)

    op.create_table(
        "system_keys",
        sa.Column("id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["system"],
            ["systems.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    with op.batch_alter_table("system_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_system_keys_system"), ["system"], unique=False)

    op.create_table(
        "system_refusals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("call", sa.String(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("hint", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["system"],
            ["systems.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("system_refusals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_system_refusals_at_ms"), ["at_ms"], unique=False)
        batch_op.create_index("system_refusals_system", ["system", "id"], unique=False)

    op.create_table(
        "web_sessions",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("handle", sa.LargeBinary(length=8), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=True),
        sa.Column("browser", sa.LargeBinary(), nullable=True),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("idle_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("hash"),
        sa.UniqueConstraint("handle"),
    )
    with op.batch_alter_table("web_sessions", schema=None) as batch_op:
        batch_op.create_index("web_sessions_member", ["member", "kind"], unique=False)
        batch_op.create_index("web_sessions_seen", ["seen_ms"], unique=False)

    op.create_table(
        "withdrawals_applied",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("delay_ms", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged", sa.Integer(), nullable=False),
        sa.Column("open", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("store", "incarnation", "number"),
    )
    op.create_table(
        "consent_facts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=True),
        sa.Column("member", sa.LargeBinary(length=16), nullable=True),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("brand", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("notice", sa.LargeBinary(length=32), nullable=True),
        sa.Column("policy_version", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event"],
            ["consent_events.number"],
        ),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("consent_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consent_facts_day"), ["day"], unique=False)
        batch_op.create_index(batch_op.f("ix_consent_facts_event"), ["event"], unique=False)
        batch_op.create_index(batch_op.f("ix_consent_facts_member"), ["member"], unique=False)

    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hook", sa.LargeBinary(length=8), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["hook"],
            ["hooks.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index("dead_letters_hook", ["hook", "id"], unique=False)

    op.create_table(
        "export_orders",
        sa.Column("export", sa.LargeBinary(length=8), nullable=False),
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("member", sa.LargeBinary(length=16), nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["export"],
            ["exports.id"],
        ),
        sa.ForeignKeyConstraint(
            ["member"],
            ["members.id"],
        ),
        sa.ForeignKeyConstraint(
            ["store"],
            ["stores.id"],
        ),
        sa.PrimaryKeyConstraint("export", "store"),
    )
    with op.batch_alter_table("export_orders", schema=None) as batch_op:
        batch_op.create_index("export_orders_member", ["member"], unique=False)

    op.create_table(
        "order_parts",
        sa.Column("order", sa.LargeBinary(length=16), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("opened", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("order", "part"),
    )
    if op.get_bind().dialect.name == "sqlite":
        execute = op.get_bind().exec_driver_sql
        execute("""
CREATE TRIGGER consent_events_UPDATE BEFORE UPDATE ON consent_events
BEGIN SELECT RAISE(ABORT, 'consent events are append-only'); END
""")
        execute("""
CREATE TRIGGER consent_events_DELETE BEFORE DELETE ON consent_events
BEGIN SELECT RAISE(ABORT, 'consent events are append-only'); END
""")

    if op.get_bind().dialect.name == "postgresql":
        execute = op.get_bind().exec_driver_sql
        execute("""
CREATE FUNCTION consent_events_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'consent events are append-only'; END $$
""")
        execute("""
CREATE TRIGGER consent_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_events
FOR EACH STATEMENT EXECUTE FUNCTION consent_events_refuse()
""")
        execute("""
CREATE FUNCTION consentry_outbox_wake() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('consentry_outbox', ''); RETURN NULL; END $$
""")
        execute("""
CREATE TRIGGER consentry_outbox_wake AFTER INSERT ON outbox
FOR EACH STATEMENT EXECUTE FUNCTION consentry_outbox_wake()
""")

    op.bulk_insert(
        sa.table(
            "chain_heads",
            sa.column("name", sa.String()),
            sa.column("number", sa.BigInteger()),
            sa.column("hash", sa.LargeBinary()),
        ),
        [{"name": "consent_events", "number": 0, "hash": bytes(32)}],
    )
