"""Publishes a policy: to its stores as records, to members as notices, and every version kept.

I/O: sqlalchemy.
"""

from dataclasses import replace

from sqlalchemy import Connection, select, update

from hq import policy_versions, records, suggestion_rules
from hq.errors import Reason, Refused
from hq.outcomes_rules import place_of
from hq.policy_rules import Draft, bind, check, with_synthetic
from hq.tables import audience, instances, stores
from wire import schema
from wire.policy import MAIN_KEY, MainPolicy, store_key
from wire.suggestions import DEFAULT, MOST_RESTING, MOST_RULES
from wire.sync import Collection, instance


def judged(given: Draft) -> Draft:
    """The policy with the notices that are made of it, so that what members are told is what stores get.

    Raises:
        Refused: it may not be published.
    """
    written = bind(given)
    check(written)
    return written


def carried(connection: Connection, draft: Draft) -> Draft:
    """The draft with the rules of suggestions that are off now, and that HQ lets rest: no new version switches them on.

    `hq.felt_watch` and `hq.outcomes_watch` do, each in its time, or people by a command.
    """
    before = policy_versions.of(connection, draft.name)
    held = (before.main.suggestions if before is not None else None) or DEFAULT
    said = draft.main.suggestions or DEFAULT
    known = suggestion_rules.rules(draft.main)
    off = tuple(one for one in held.rules_off if one in known)
    written = {place_of(one) for one in said.rules_resting}
    resting = tuple(
        one
        for one in held.rules_resting
        if one.until_day is not None and one.rule in known and place_of(one) not in written
    )
    together = replace(
        said,
        rules_off=tuple(dict.fromkeys((*said.rules_off, *off)))[:MOST_RULES],
        rules_resting=(*said.rules_resting, *resting)[:MOST_RESTING],
    )
    return draft if together == said else replace(draft, main=replace(draft.main, suggestions=together))


def publish(connection: Connection, judged: Draft, now_ms: int, *, carry: bool = True) -> int:
    """Publishes what was `judged`; returns how many records changed. `carry`: what is off or rests stays so.

    Raises:
        Refused: its version is not above the one in force, or what it widens is marked as not material.
    """
    written = carried(connection, judged) if carry else judged
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
