"""`consentry-hq felt`: which rules of a policy felt creepy to members, and switching rules of suggestions off and on.

I/O: the terminal, sqlalchemy.
"""

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from hq import felt, felt_watch
from hq.command_line import Part, command
from hq.database import reading, writing
from hq.office import Office
from hq.publication import Policies

if TYPE_CHECKING:
    from hq.command_line import Commands

_DAY_MS = 86_400_000


def _options(commands: "Commands") -> None:
    added = command(commands, "felt", "which rules of a policy felt creepy to members, the worst first")
    added.add_argument("policy", metavar="POLICY", help="a policy's name")
    added.add_argument("--days", type=int, default=90, metavar="N", help="of the last so many days (default: 90)")
    switch = added.add_mutually_exclusive_group()
    switch.add_argument("--on", metavar="RULE", help="switch a rule of suggestions on again, in all its stores")
    switch.add_argument("--off", metavar="RULE", help="switch one off, in all its stores")
    added.set_defaults(action="")


def _felt(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    if chosen.on is not None or chosen.off is not None:
        _switch(office, chosen, now_ms)
        return
    first = now_ms // _DAY_MS - chosen.days
    with reading(office.engine) as connection:
        found = [one for one in felt.counts(connection, chosen.policy) if one.day > first]
        main = Policies(connection).main(chosen.policy)
    total: Counter[tuple[str, str]] = Counter()
    for one in found:
        total[one.purpose, one.scope] += one.times
    for (purpose, scope), times in total.most_common():
        print(f"{times:>6}  {scope} for {purpose}")
    print(f"said {total.total()} times, of {len(total)} rules, in {chosen.days} days")
    off = main.suggestions.rules_off if main is not None and main.suggestions is not None else ()
    if off:
        print(f"switched off: {', '.join(off)}")


def _switch(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    rule, is_on = (chosen.off, False) if chosen.on is None else (chosen.on, True)
    with writing(office.engine) as connection:
        changed = felt_watch.switch(connection, chosen.policy, rule, now_ms, on=is_on)
    print(f"{rule} of {chosen.policy} is {'on' if is_on else 'off'}: {changed} records of policy")


PART = Part(_options, {("felt", ""): _felt})
