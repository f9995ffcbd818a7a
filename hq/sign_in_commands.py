"""`consentry-hq address` and `sign-in`: members' e-mail addresses, links at the counter, what is signed in.

I/O: the terminal, sqlalchemy, the configuration.
"""

import argparse
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from hq import addresses, membership, sessions, signing_in
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.office import Office
from hq.settings import Settings
from runtime import config

if TYPE_CHECKING:
    from hq.command_line import Commands


def _options(commands: "Commands") -> None:
    kinds = actions(command(commands, "address", "the e-mail addresses to which a member's sign-in links go"))
    for name, about in (("add", "give a member an address"), ("remove", "take an address from a member")):
        added = command(kinds, name, about)
        added.add_argument("member", metavar="MEMBER")
        added.add_argument("address", metavar="ADDRESS")
    command(kinds, "list", "a member's addresses").add_argument("member", metavar="MEMBER")
    kinds = actions(command(commands, "sign-in", "members' sign-ins on HQ's web"))
    for name, about in (
        ("link", "print a link that signs a member in, once, in the next 15 minutes"),
        ("end", "sign a member out everywhere"),
    ):
        command(kinds, name, about).add_argument("member", metavar="MEMBER")


def _known(connection: Connection, office: Office, member: str) -> bytes:
    found = membership.lock_by_id(connection, office.keys.custody, [member])
    if not found:
        raise Refused(Reason.UNKNOWN_MEMBER, "MEMBER", "the id of a member")
    return next(iter(found))


def _add(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        who = _known(connection, office, chosen.member)
        addresses.put(connection, office.keys.custody, who, chosen.address, now_ms)
    print("address added")


def _remove(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        who = _known(connection, office, chosen.member)
        if not addresses.remove(connection, office.keys.custody, who, chosen.address):
            raise Refused(Reason.MALFORMED, "ADDRESS", "an address that the member has")
    print("address removed")


def _list(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        found = office.keys.custody.reference(connection, chosen.member)
        if found is None:
            raise Refused(Reason.UNKNOWN_MEMBER, "MEMBER", "the id of a member")
        print("\n".join(addresses.of_member(connection, office.keys.custody, found)) or "none")


def _link(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    web = config.load(chosen.config, Settings).web
    if web is None:
        raise Refused(Reason.MALFORMED, "hq.toml", "the table [web]")
    with writing(office.engine) as connection:
        token = signing_in.make_link(connection, _known(connection, office, chosen.member), now_ms)
    print(f"{web.public_url}/sign-in/link/{token}")


def _end(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        print(f"{sessions.end_all(connection, _known(connection, office, chosen.member))} sign-ins ended")


PART = Part(
    _options,
    {
        ("address", "add"): _add,
        ("address", "remove"): _remove,
        ("address", "list"): _list,
        ("sign-in", "link"): _link,
        ("sign-in", "end"): _end,
    },
)
