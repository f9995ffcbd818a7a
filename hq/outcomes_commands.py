"""`consentry-hq suggestions`: how often they are taken, and which rules rest, where and until when.

I/O: the terminal, sqlalchemy.
"""

import argparse
from typing import TYPE_CHECKING

from hq import figures_commands, outcomes_watch
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.figures_model import AXES, Axis, Population, SpanKind, day_of
from hq.office import Office
from hq.outcomes_rules import Place
from hq.publication import Policies

if TYPE_CHECKING:
    from hq.command_line import Commands


def _options(commands: "Commands") -> None:
    parts = actions(command(commands, "suggestions", "how often they are taken, and which rules rest"))
    told = command(parts, "outcomes", "what became of them, of members who grant insight: counts with noise")
    told.add_argument("--axis", choices=[one.value for one in AXES[Population.SUGGESTED]], default=Axis.RULE.value)
    told.add_argument("--span", choices=[one.value for one in SpanKind], default=SpanKind.WEEK.value)
    told.add_argument("--csv", action="store_true", help="as a file of commas")
    resting = command(parts, "resting", "the rules that rest in a policy's stores")
    resting.add_argument("policy", metavar="POLICY", help="a policy's name")
    resting.add_argument("--end", metavar="RULE", help="end a rest that HQ began, in all its stores")
    resting.add_argument("--zone", metavar="ID", default="", help="of the rest that is to end; left out: in all zones")
    resting.add_argument("--stage", metavar="STAGE", default="", help="likewise; left out: at all stages")


def _outcomes(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    found = argparse.Namespace(**{**vars(chosen), "population": Population.SUGGESTED.value, "purpose": ""})
    figures_commands.show(office, found, now_ms)


def _resting(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    if chosen.end is not None:
        place = Place(chosen.end, chosen.zone, chosen.stage)
        with writing(office.engine) as connection:
            changed = outcomes_watch.end(connection, chosen.policy, place, now_ms)
        print(f"{outcomes_watch.words(place)} of {chosen.policy} rests no more: {changed} records of policy")
        return
    with reading(office.engine) as connection:
        main = Policies(connection).main(chosen.policy)
    found = main.suggestions.rules_resting if main is not None and main.suggestions is not None else ()
    for one in found:
        until = "as the policy says" if one.until_day is None else f"until {day_of(one.until_day).isoformat()}"
        print(f"{outcomes_watch.words(one)}, {until}")
    if not found:
        print("no rule rests")


PART = Part(_options, {("suggestions", "outcomes"): _outcomes, ("suggestions", "resting"): _resting})
