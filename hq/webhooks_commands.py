"""`consentry-hq hook`: where other systems are called when members change something.

I/O: the terminal, sqlalchemy.
"""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hq import webhooks, webhooks_post
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.office import Office

if TYPE_CHECKING:
    from hq.command_line import Commands


def _options(commands: "Commands") -> None:
    added = actions(command(commands, "hook", "where other systems are called when members change something"))
    add = command(added, "add", "call a system at this address from now on; prints the secret ONCE",
                  "example:\n  consentry-hq hook add crm https://crm.example.com/consentry")  # fmt: skip
    add.add_argument("system", metavar="SYSTEM")
    add.add_argument("url", metavar="URL")
    add.add_argument("--private", action="store_true", help="an address of your own network; [hooks] must allow it too")
    command(added, "list", "list hooks, how far behind each is, and its dead letters")
    for name, about in (
        ("rotate", "make a new secret, printed ONCE; the old one signs beside it for a day"),
        ("retry", "tell again what was given up, and all since"),
        ("remove", "call there no more"),
    ):
        one = command(added, name, about)
        one.add_argument("hook", metavar="HOOK", help="its id, as `hook list` shows it")


def _add(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    url = webhooks_post.check_url(chosen.url, private=chosen.private)
    with writing(office.engine) as connection:
        hook, secret = webhooks.add(connection, office.keys.custody, chosen.system, url, now_ms)
    print(f"hook {hook.hex()} of {chosen.system}; its secret follows and is never shown again", file=sys.stderr)
    print(secret)


def _list(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        found = webhooks.listed(connection)
    for one in found:
        print(f"{one.id.hex()}  {one.system}  {one.url}: {one.behind} events behind, tried {one.tries} times,"
              f" told last {_when(one.told_ms)}, {one.dead} dead letters")  # fmt: skip
    print(f"{len(found)} hooks")


def _rotate(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        secret = webhooks.rotate(connection, office.keys.custody, _id(chosen), now_ms)
    print("the new secret follows and is never shown again", file=sys.stderr)
    print(secret)


def _retry(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        print(f"{webhooks.retry(connection, _id(chosen), now_ms)} dead letters are told again")


def _remove(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        webhooks.remove(connection, _id(chosen), now_ms)
    print("hook removed")


def _id(chosen: argparse.Namespace) -> bytes:
    try:
        return bytes.fromhex(chosen.hook)
    except ValueError as error:
        raise Refused(Reason.MALFORMED, "hook", "the id of a hook, 16 hex digits") from error


def _when(at_ms: int | None) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ") if at_ms else "never"


PART = Part(
    _options,
    {
        ("hook", "add"): _add,
        ("hook", "list"): _list,
        ("hook", "rotate"): _rotate,
        ("hook", "retry"): _retry,
        ("hook", "remove"): _remove,
    },
)
