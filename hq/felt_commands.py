"""`consentry-hq felt`: which rules of a policy felt creepy to members, so that its author can drop them.

I/O: the terminal, sqlalchemy.
"""

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from hq import felt
from hq.command_line import Part, command
from hq.database import reading
from hq.office import Office

if TYPE_CHECKING:
    from hq.command_line import Commands

_DAY_MS = 86_400_000


def _options(commands: "Commands") -> None:
    added = command(commands, "felt", "which rules of a policy felt creepy to members, the worst first")
    added.add_argument("policy", metavar="POLICY", help="a policy's name")
    added.add_argument("--days", type=int, default=90, metavar="N", help="of the last so many days (default: 90)")
    added.set_defaults(action="")


def _felt(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    first = now_ms // _DAY_MS - chosen.days
    with reading(office.engine) as connection:
        found = [one for one in felt.counts(connection, chosen.policy) if one.day > first]
    total: Counter[tuple[str, str]] = Counter()
    for one in found:
        total[one.purpose, one.scope] += one.times
    for (purpose, scope), times in total.most_common():
        print(f"{times:>6}  {scope} for {purpose}")
    print(f"said {total.total()} times, of {len(total)} rules, in {chosen.days} days")


PART = Part(_options, {("felt", ""): _felt})
