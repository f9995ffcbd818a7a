"""Publishes a policy: to its stores as records, to members as notices, and every version kept.

I/O: sqlalchemy.
"""

from dataclasses import replace

from sqlalchemy import Connection, select, update

from hq import policy_versions, records
from hq.errors import Reason, Refused
from hq.policy_rules import Draft, bind, check, with_synthetic
from hq.tables import audience, instances, stores
from wire import schema
from wire.policy import MAIN_KEY, MainPolicy, store_key
from wire.sync import Collection, instance


def judged(given: Draft) -> Draft:
    """The policy with the notices that are made of it, so that what members are told is what stores get.

    Raises:
        Refused: it may not be published.
    """
    written = bind(given)
    check(written)
    return written


def publish(connection: Connection, written: Draft, now_ms: int) -> int:
    """Publishes what was `judged`; returns how many records changed.

    Raises:
        Refused: its version is not above the one in force, or what it widens is marked as not material.
    """
    draft = replace(written, main=with_synthetic(written.main))
    title = instance(Collection.POLICY, draft.name)
    records.make_instance(connection, Collection.POLICY, draft.name)
    commit = records.begin(connection, [title])
    held = records.body(connection, title, MAIN_KEY)
    if held is not None:
        old = schema.decode(MainPolicy, held)
        if draft.main.version < old.version or (draft.main.version == old.version and draft.main != old):
            raise Refused(Reason.POLICY_OLD, "version", f"a version above {old.version}, which is in force")
    policy_versions.keep(connection, written, now_ms)
    commit.put(title, MAIN_KEY, schema.encode(draft.main))
    numbers = {"lease_s": draft.main.lease_s, "heartbeat_s": draft.main.heartbeat_s}
    connection.execute(update(instances).where(instances.c.name == title).values(**numbers))
    listed = {one.store: schema.encode(one) for one in draft.stores}
    under = connection.scalars(select(stores.c.id).where(stores.c.policy == draft.name)).all()
    for store in {*under, *listed}:
        commit.put(title, store_key(store), listed.get(store))
    connection.execute(update(audience).where(audience.c.store.in_(under)).values(due_s=0))
    return commit.write(now_ms)
