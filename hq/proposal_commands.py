"""`consentry-hq proposals`: what associates proposed for a member's lists, and the member has not confirmed yet.

I/O: the terminal, sqlalchemy.
"""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hq import proposals
from hq.command_line import Part, command
from hq.database import reading
from hq.errors import Reason, Refused
from hq.office import Office

if TYPE_CHECKING:
    from hq.command_line import Commands


def _options(commands: "Commands") -> None:
    listed = command(commands, "proposals", "what was proposed for a member's lists, and is not confirmed")
    listed.add_argument("member", metavar="MEMBER")
    listed.set_defaults(action="")


def _proposals(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        member = office.keys.custody.references(connection, [chosen.member]).get(chosen.member)
        if member is None:
            raise Refused(Reason.UNKNOWN_MEMBER, "MEMBER", "the id of a member")
        found = proposals.of_member(connection, office.keys, member, now_ms)
    for one in found:
        print(f"{_when(one.at_ms)}  {one.store}  {one.role}  {one.quantity} x {one.item} for the {one.to.value},"
              f" until {_when(one.until_ms)}")  # fmt: skip
    print(f"{len(found)} proposals")


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


PART = Part(_options, {("proposals", ""): _proposals})
