"""The command line of `consentry-hq`: its commands, their options and their help.

Pure: no I/O, no clock.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hq import database_commands
from hq.command_line import Part, actions, command
from hq.settings import DEFAULT_CONFIG
from runtime import cli
from wire.member import Mode, NameChoice, SourceClass, ValueClass

if TYPE_CHECKING:
    from hq.command_line import Commands

_EPILOG = """\
examples:
  consentry-hq policy check policy.toml
  consentry-hq store add berlin-1 --label "Berlin Mitte" --from store.json --policy main
  consentry-hq policy publish policy.toml
  consentry-hq member add m-1 --age-at-least 18 --jurisdiction DE
  consentry-hq phone add m-1
  consentry-hq grant m-1 --purpose presence --store berlin-1 --role associate --until 365
  consentry-hq grant m-1 --purpose assist --scope size.shoe language --store berlin-1 --role associate --until 365
  consentry-hq profile set m-1 size.shoe 42
  consentry-hq withdraw m-1 --scope size.shoe
  consentry-hq withdraw m-1                      everything, everywhere
  consentry-hq mute m-1 --theme baby             no suggestion of it any more
  consentry-hq staff add nina --store berlin-1 --name Nina --role associate      asks for the PIN
  consentry-hq help m-1                          waiting, on the way, done or ended
  consentry-hq import members.jsonl --report refused.jsonl
  consentry-hq serve
  consentry-hq web
"""

_LINE = """\
a line (here in several; only `member` is needed; times are Unix seconds or ISO 8601 with a zone):
  {"member": "m-1", "age_at_least": 18, "jurisdiction": "DE", "mode": "help", "name": "invited",
   "chosen": "2026-03-01T10:00:00Z", "phones": ["<64 hex digits>"],
   "grants": [{"purpose": "presence", "stores": ["berlin-1"], "roles": ["associate"], "until_days": 365}],
   "withdrawals": [{"purpose": "suggest"}], "addresses": ["mara@example.com"],
   "profile": {"size.shoe": {"value": "42", "source": "zero", "collected": "2026-03-01T10:00:00Z"}}}
`chosen` counts for what names none of its own. The same file twice is the same as once.
"""


def parser(parts: Iterable[Part] = ()) -> argparse.ArgumentParser:
    """The parser of the whole command line; `command` and `action` name what was chosen."""
    top = cli.parser(
        "consentry-hq",
        "HQ: keeps members, choices, stores and policy, and publishes to stores what members grant them.",
        DEFAULT_CONFIG,
        _EPILOG,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    command(commands, "serve", "publish to the stores and answer them, until stopped")
    command(commands, "web", "serve members, their app, other systems and the console over HTTPS, until stopped")
    _store(commands)
    _member(commands)
    _choices(commands)
    _profile(commands)
    _staff(commands)
    helped = command(commands, "help", "tell whether somebody is on the way to a member who called for help")
    helped.add_argument("member", metavar="MEMBER")
    ledger = command(commands, "ledger", "the table of consent events")
    command(actions(ledger), "verify", "check the chain of hashes from the first event to the last")
    imported = command(
        commands, "import", "import members from JSON lines; good lines are taken, bad ones reported", _LINE
    )
    imported.add_argument("file", type=Path, metavar="FILE", help="one JSON object a line")
    imported.add_argument("--report", type=Path, metavar="FILE", help="write refused lines there, as JSON lines")
    database_commands.options(commands)
    for part in parts:
        part.options(commands)
    return top


def _store(commands: "Commands") -> None:
    added = actions(command(commands, "store", "stores"))
    add = command(added, "add", "add a store", "example:\n  consentry-hq store add --from store.json --policy main")
    add.add_argument("store", nargs="?", metavar="ID", help="its id (may come from the file)")
    add.add_argument("--label", help="its name for people (default: its id)")
    add.add_argument("--policy", default="main", metavar="NAME", help="the policy it is under (default: main)")
    for word in ("catalog", "affinity"):
        add.add_argument(f"--{word}", nargs="+", default=[], metavar="NAME", help=f"which {word} it replicates")
    source = add.add_mutually_exclusive_group(required=True)
    source.add_argument("--identity", metavar="HEX", help="the box's public identity key, 64 hex digits")
    source.add_argument("--from", dest="file", type=Path, metavar="FILE", help="store.json of consentry-provision")
    command(added, "list", "list stores with their last hello, lease and dark time")


def _member(commands: "Commands") -> None:
    added = actions(command(commands, "member", "members"))
    for name, about in (("add", "add a member"), ("age", "correct a member's age and jurisdiction")):
        one = command(added, name, about)
        one.add_argument("member", metavar="MEMBER")
        one.add_argument("--age-at-least", type=int, default=0, metavar="YEARS", help="0: not known (default)")
        one.add_argument("--jurisdiction", default="", metavar="CODE", help="for example DE")
    erase = command(added, "erase", "erase a member here and in every store; asks first")
    erase.add_argument("member", metavar="MEMBER")
    erase.add_argument("--yes", action="store_true", help="do not ask")
    erasure = command(added, "erasure", "show which stores have erased a member")
    erasure.add_argument("wanted", metavar="MEMBER", help="the member's id, or the reference that `erase` printed")
    export = command(added, "export", "write all that HQ holds of a member, as JSON")
    export.add_argument("member", metavar="MEMBER")
    phones = actions(command(commands, "phone", "members' phones"))
    add = command(phones, "add", "add a phone; prints its presence secret ONCE, which only the phone may hold")
    add.add_argument("member", metavar="MEMBER")
    _notice(add)
    remove = command(phones, "remove", "remove a phone: no store recognises it any more")
    remove.add_argument("member", metavar="MEMBER")
    remove.add_argument("phone", metavar="PHONE", help="its id, as `phone add` printed it")


def _notice(of: argparse.ArgumentParser) -> None:
    of.add_argument(
        "--notice", metavar="HASH", help="SHA-256 of the notice that the member was shown (default: the one in force)"
    )


def _choices(commands: "Commands") -> None:
    grant = command(commands, "grant", "record a grant of a member, chosen now",
                     "example:\n  consentry-hq grant m-1 --purpose assist --scope size.shoe --store berlin-1 "
                     "--role associate --until 365")  # fmt: skip
    grant.add_argument("member", metavar="MEMBER")
    grant.add_argument("--purpose", required=True, help="for example presence, assist, suggest")
    grant.add_argument("--scope", nargs="+", action="extend", default=[], metavar="SCOPE", help="none for presence")
    grant.add_argument("--store", nargs="+", action="extend", required=True, metavar="ID")
    grant.add_argument("--role", nargs="+", action="extend", required=True, metavar="ROLE", help="who may see it")
    grant.add_argument("--zone-excluded", nargs="+", action="extend", default=[], metavar="ZONE")
    grant.add_argument("--until", type=int, required=True, metavar="DAYS", help="days from now")
    _notice(grant)
    withdraw = command(
        commands,
        "withdraw",
        "record a withdrawal; what is not named means all",
        "examples:\n  consentry-hq withdraw m-1 --scope size.shoe\n  consentry-hq withdraw m-1",
    )
    withdraw.add_argument("member", metavar="MEMBER")
    withdraw.add_argument("--purpose")
    withdraw.add_argument("--scope", nargs="+", action="extend", default=[], metavar="SCOPE")
    withdraw.add_argument("--store", nargs="+", action="extend", default=[], metavar="ID")
    mode = command(commands, "mode", "set a member's own switch")
    mode.add_argument("member", metavar="MEMBER")
    mode.add_argument("mode", choices=[one.name.lower() for one in Mode])
    name = command(commands, "name", "set when a member's first name may be shown")
    name.add_argument("member", metavar="MEMBER")
    name.add_argument("name", choices=[one.name.lower() for one in NameChoice])


def _profile(commands: "Commands") -> None:
    added = actions(command(commands, "profile", "values of members' profiles"))
    change = command(
        added,
        "set",
        "set the value of one scope",
        "examples:\n  consentry-hq profile set m-1 size.shoe 42\n"
        "  consentry-hq profile set m-1 brand.liked Alpen Nordlicht --texts\n"
        """  consentry-hq profile set m-1 wishlist '[{"item": "1", "label": "Scarf"}]' --json""",
    )
    change.add_argument("member", metavar="MEMBER")
    change.add_argument("scope", metavar="SCOPE")
    change.add_argument("value", nargs="+", metavar="VALUE", help="a text; several: texts")
    form = change.add_mutually_exclusive_group()
    form.add_argument("--texts", action="store_true", help="a list of texts, though only one is given")
    form.add_argument("--json", action="store_true", help="VALUE is JSON: a text, texts, or items")
    change.add_argument("--source", choices=[one.name.lower() for one in SourceClass], default="zero")
    change.add_argument("--surface", default="command", help="where it was collected (default: command)")
    change.add_argument("--class", dest="value_class", choices=[one.name.lower() for one in ValueClass],
                        default="personal")  # fmt: skip
    delete = command(added, "delete", "delete the values of scopes")
    delete.add_argument("member", metavar="MEMBER")
    delete.add_argument("scope", nargs="+", metavar="SCOPE")


def _staff(commands: "Commands") -> None:
    added = actions(command(commands, "staff", "associates"))
    add = command(added, "add", "add an associate or change one; the PIN is asked for, or read from standard input")
    add.add_argument("associate", metavar="ID")
    add.add_argument("--store", required=True, metavar="ID")
    add.add_argument("--name", required=True, help="as tablets show it")
    add.add_argument("--role", required=True)
    add.add_argument(
        "--without-pin", action="store_true", help="leave the PIN as it is; who has none sets one by a manager's code"
    )
    stop = command(added, "deactivate", "from now on the associate cannot sign in, and is signed out")
    stop.add_argument("associate", metavar="ID")
    stop.add_argument("--store", required=True, metavar="ID")
