"""`consentry-hq system`: gives other systems keys and rights, lists them, and takes them back.

I/O: the terminal, sqlalchemy.
"""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hq import systems
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.office import Office
from hq.systems import EVERY_BRAND, Right

if TYPE_CHECKING:
    from hq.command_line import Commands

_ADD = """example:
  consentry-hq system add webshop --right purchases events profiles --brand main
  consentry-hq system add crm --right members profiles changes --everywhere"""
_ROTATE = """example, without a moment in which no key holds:
  consentry-hq system rotate webshop            a second key; give it to the system
  consentry-hq system list                      until the new one is used
  consentry-hq system revoke webshop --key 1f2e3d4c5b6a7988"""


def _options(commands: "Commands") -> None:
    added = actions(command(commands, "system", "other systems: shop, till, CRM, consent platform"))
    add = command(added, "add", "add a system; prints its key ONCE", _ADD)
    add.add_argument("system", metavar="ID")
    add.add_argument("--label", default="", help="its name for people (default: its id)")
    add.add_argument(
        "--right", nargs="+", action="extend", required=True, choices=[one.value for one in Right], metavar="RIGHT",
        help=f"what it may: {', '.join(Right)}",
    )  # fmt: skip
    add.add_argument("--brand", nargs="+", action="extend", default=[], metavar="POLICY", help="for these brands")
    add.add_argument("--store", nargs="+", action="extend", default=[], metavar="ID", help="for these stores")
    add.add_argument("--everywhere", action="store_true", help="for all brands and stores, also those to come")
    add.add_argument("--each-minute", type=int, default=systems.EACH_MINUTE, metavar="CALLS",
                     help=f"calls, and 100 lines count as one more (default: {systems.EACH_MINUTE})")  # fmt: skip
    command(added, "list", "list systems with their rights, keys and when each was last used")
    rotate = command(added, "rotate", "make a second key of a system; prints it ONCE", _ROTATE)
    rotate.add_argument("system", metavar="ID")
    revoke = command(added, "revoke", "take a system's keys back, or one of them")
    revoke.add_argument("system", metavar="ID")
    revoke.add_argument("--key", metavar="KEY", help="this key only, by its id of 16 hex digits")


def _add(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    rights = [Right(one) for one in chosen.right]
    brands = [EVERY_BRAND] if chosen.everywhere else chosen.brand
    with writing(office.engine) as connection:
        shown = systems.add(
            connection, chosen.system, chosen.label, rights, brands, chosen.store, now_ms, chosen.each_minute
        )
    _show(chosen.system, shown)


def _rotate(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        shown = systems.make_key(connection, chosen.system, now_ms)
    _show(chosen.system, shown)


def _show(system: str, shown: str) -> None:
    print(f"the key of {system} follows and is never shown again", file=sys.stderr)
    print(shown)


def _list(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        found = systems.listed(connection)
    for one in found:
        where = "everywhere" if one.system.is_everywhere else " ".join(sorted(one.system.brands | one.system.stores))
        state = "" if one.revoked_ms is None else f", revoked {_when(one.revoked_ms)}"
        print(f"{one.system.id}  {one.label}: {' '.join(sorted(one.system.rights))}; {where}{state}")
        for key in one.keys:
            until = "holds" if key.revoked_ms is None else f"revoked {_when(key.revoked_ms)}"
            print(f"  key {key.id.hex()}  made {_when(key.made_ms)}, last used {_when(key.used_ms)}, {until}")
    print(f"{len(found)} systems")


def _revoke(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        if chosen.key is None:
            systems.revoke(connection, chosen.system, now_ms)
            print(f"{chosen.system} is revoked")
            return
        try:
            key = bytes.fromhex(chosen.key)
        except ValueError as error:
            raise Refused(Reason.MALFORMED, "key", "the id of a key, 16 hex digits") from error
        systems.revoke_key(connection, chosen.system, key, now_ms)
    print(f"key {chosen.key} of {chosen.system} is revoked")


def _when(at_ms: int | None) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ") if at_ms else "never"


PART = Part(
    _options,
    {
        ("system", "add"): _add,
        ("system", "list"): _list,
        ("system", "rotate"): _rotate,
        ("system", "revoke"): _revoke,
    },
)
