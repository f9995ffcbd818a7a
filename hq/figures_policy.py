"""Reads how figures are released from the policies in force: of several the strictest of each rule.

I/O: sqlalchemy.
"""

import json

from sqlalchemy import Connection, func, select

from hq.figures import Rules
from hq.figures_noise import MICRO
from hq.notices_tables import policy_versions
from hq.policy_papers import FigurePolicy

_MILLI = MICRO // 1000


def in_force(connection: Connection) -> Rules:
    """The rules for what is released from now on; the first ones (`FigurePolicy`) where no policy says otherwise."""
    newest = select(policy_versions.c.policy, func.max(policy_versions.c.version)).group_by(policy_versions.c.policy)
    found = []
    for policy, version in connection.execute(newest).all():
        of_it = policy_versions.c.policy == policy, policy_versions.c.version == version
        content = connection.scalar(select(policy_versions.c.content).where(*of_it))
        found.append(FigurePolicy(**json.loads(content or b"{}").get("figures", {})))
    return strictest(found or [FigurePolicy()])


def strictest(found: list[FigurePolicy]) -> Rules:
    """What satisfies all of them: figures count the members of every brand together."""
    return Rules(
        max(one.least_members for one in found),
        min(one.epsilon_milli for one in found) * _MILLI,
        min(one.budget_milli for one in found) * _MILLI,
    )
