"""`consentry-hq contacts`: how often and when members of a brand may be contacted.

I/O: the terminal, sqlalchemy, a file that a command names.
"""

import argparse
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from hq import contacts, contacts_rules
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.office import Office

if TYPE_CHECKING:
    from hq.command_line import Commands

_FILE = """a file (what is left out is as `contacts show` says before anything was set):
  quiet_from = "20:00"     where the member is
  quiet_until = "08:00"
  quiet_channels = ["email", "phone", "push", "sms"]
  [caps.all]
  day = 1
  week = 3
  [caps.sms]
  month = 2
"""


def _options(commands: "Commands") -> None:
    added = actions(command(commands, "contacts", "how often and when members may be contacted"))
    one = command(added, "rules", "set a brand's rules", _FILE)
    one.add_argument("file", type=Path, metavar="FILE", help="TOML")
    two = command(added, "show", "show a brand's rules")
    for each in (one, two):
        each.add_argument("--brand", default="main", metavar="POLICY", help="the brand (default: main)")


def _set(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    try:
        table = tomllib.loads(chosen.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(Reason.MALFORMED, chosen.file.name, "a TOML file that can be read") from error
    with writing(office.engine) as connection:
        contacts.set_rules(connection, chosen.brand, contacts_rules.of_table(table), now_ms)
    print(f"rules of {chosen.brand} set")


def _show(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        rules = contacts.rules_of(connection, chosen.brand)
    print(f"quiet from {_clock(rules.quiet_from_min)} until {_clock(rules.quiet_until_min)}:"
          f" {' '.join(rules.quiet_channels) or 'no channel'}")  # fmt: skip
    for cap in rules.caps:
        print(f"{cap.channel}: at most {cap.most} in {cap.days} days")


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


PART = Part(_options, {("contacts", "rules"): _set, ("contacts", "show"): _show})
