"""Keeps every version of every policy whole, with its notices, and gives each back.

I/O: sqlalchemy.
"""

import json
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, insert, select

from hq import notices, policy_file, policy_written
from hq.errors import Reason, Refused
from hq.notice_binding import facts
from hq.notice_facts import widenings
from hq.notices_tables import policy_notices, policy_versions
from hq.policy_papers import Paper
from hq.policy_rules import Draft, bind


@dataclass(frozen=True, slots=True)
class Version:
    """One version that was published; `at_ms` Unix milliseconds UTC."""

    policy: str
    version: int
    at_ms: int


def listed(connection: Connection, policy: str | None = None) -> list[Version]:
    """All versions, by policy, oldest first."""
    wanted = select(policy_versions.c.policy, policy_versions.c.version, policy_versions.c.at_ms)
    if policy is not None:
        wanted = wanted.where(policy_versions.c.policy == policy)
    rows = connection.execute(wanted.order_by(policy_versions.c.policy, policy_versions.c.version))
    return [Version(row.policy, row.version, row.at_ms) for row in rows]


def of(connection: Connection, policy: str, version: int | None = None) -> Draft | None:
    """A policy as it was published; `version` None: the newest. None: there is no such version."""
    wanted = select(policy_versions.c.content).where(policy_versions.c.policy == policy)
    if version is not None:
        wanted = wanted.where(policy_versions.c.version == version)
    found = connection.scalar(wanted.order_by(policy_versions.c.version.desc()).limit(1))
    return None if found is None else policy_file.build(json.loads(found))


def again(connection: Connection, policy: str, version: int) -> Draft:
    """What an earlier version said, as a version after the newest; what that widens again is material again.

    Raises:
        Refused: there is no such version, or it is the one in force.
    """
    earlier, newest = of(connection, policy, version), of(connection, policy)
    if earlier is None or newest is None:
        raise Refused(Reason.UNKNOWN_VERSION, "version", "a version that was published")
    if earlier.main.version == newest.main.version:
        raise Refused(Reason.POLICY_OLD, "version", "a version before the one in force")
    papers = {one: replace(paper, material=True) for one, paper in earlier.papers.purposes.items()}
    return bind(
        replace(
            earlier,
            main=replace(earlier.main, version=newest.main.version + 1),
            papers=replace(earlier.papers, purposes=papers),
        )
    )


def keep(connection: Connection, draft: Draft, now_ms: int) -> None:
    """Keeps what is being published, and for each purpose whether its change is material.

    Raises:
        Refused: a change that widens is marked as not material, or this version was published with another content.
    """
    content = policy_written.bytes_of(draft)
    held = connection.scalar(
        select(policy_versions.c.content).where(
            policy_versions.c.policy == draft.name, policy_versions.c.version == draft.main.version
        )
    )
    if held is not None:
        if held != content:
            raise Refused(Reason.POLICY_OLD, "version", f"a version above {draft.main.version}, which is in force")
        return
    newest = connection.scalar(
        select(func.max(policy_versions.c.version)).where(policy_versions.c.policy == draft.name)
    )  # fmt: skip
    before = of(connection, draft.name, newest) if newest is not None else None
    rows = [
        {"policy": draft.name, "version": draft.main.version, "purpose": one, "notice": hashed, "material": material}
        for one, (hashed, material) in changes(before, draft).items()
    ]
    notices.put(connection, draft.notices.values(), now_ms)
    row = {"policy": draft.name, "version": draft.main.version, "content": content, "at_ms": now_ms}
    connection.execute(insert(policy_versions).values(row))
    if rows:
        connection.execute(insert(policy_notices), rows)


def changes(before: Draft | None, draft: Draft) -> dict[str, tuple[bytes, bool]]:
    """Each purpose's notice, and whether it changed materially since `before`; a new purpose did.

    Raises:
        Refused: what widens is marked as not material.
    """
    held = {} if before is None else {one.id: one for one in before.main.purposes}
    found = {}
    for one in draft.main.purposes:
        old = held.get(one.id)
        if before is not None and old is not None and old.notice == one.notice:
            found[one.id] = (one.notice, False)
            continue
        marked = draft.papers.purposes.get(one.id, Paper()).material
        if before is not None and old is not None and not marked:
            known = facts(old, before.main, before.stores, before.papers)
            wider = list(widenings(known, facts(one, draft.main, draft.stores, draft.papers)))
            if wider:
                hint = f"material = true, as it goes further than before: {'; '.join(wider)}"
                raise Refused(Reason.POLICY_INCONSISTENT, f"purposes.{one.id}.material", hint)
        found[one.id] = (one.notice, marked or old is None)
    return found
