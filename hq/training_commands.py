"""`consentry-hq train`: learns a model for suggestions, lists versions, puts an earlier one in force, shows its card.

I/O: the terminal.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from hq import training, training_card, training_versions
from hq.command_line import Part, command
from hq.database import reading
from hq.errors import Reason, Refused
from hq.learning import apart
from hq.learning.errors import LearningFailed
from hq.learning.findings import Progress as Told
from hq.office import Office
from hq.training_versions import State, Version
from runtime.errors import ProgramError

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXIT_REFUSED = 65
_BRAND = "of this brand, by the name of its policy; needed where HQ has several"


def _options(commands: "Commands") -> None:
    train = command(
        commands, "train", "learn a model for suggestions, and publish it where nobody fares worse by it",
        "Without ACTION a new model is learned, held against the one in force and published. Exit code 65: it is\n"
        "refused, because some group of members would fare worse or there are too few; what is in force stays.",
    )  # fmt: skip
    train.add_argument("--brand", metavar="NAME", help=_BRAND)
    parts = train.add_subparsers(dest="action", metavar="ACTION")
    train.set_defaults(action="")
    for name, about in (
        ("list", "the versions, newest first"),
        ("rollback", "put an earlier version in force again; refused where somebody in it withdrew six days ago"),
        ("card", "on what a version was learned, when, how good it is, and for whom it is worse"),
    ):
        one = command(parts, name, about)
        one.add_argument("--brand", metavar="NAME", default=argparse.SUPPRESS, help=_BRAND)
        if name != "list":
            one.add_argument(
                "version", type=int, nargs="?", metavar="VERSION", help="its number; without it the newest"
            )


def _train(office: Office, chosen: argparse.Namespace, now_ms: int) -> int:
    with _progress() as progress:
        try:
            found = training.train(office.engine, office.keys, _brand(office, chosen), now_ms, apart.study, progress)
        except LearningFailed as error:
            raise ProgramError(error.text, error.remedy) from error
    for line in training_card.text(found.card):
        print(line)
    if found.is_in_force:
        print(f"model {found.card.number} is in force")
        return 0
    print(f"refused: these would fare worse: {', '.join(found.card.worse)}; what was in force stays")
    return _EXIT_REFUSED


def _list(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        found = training_versions.listed(connection, chosen.brand)
    form = "{:>7} {:<16} {:<10} {:<17} {:<17} {}"
    print(form.format("version", "brand", "state", "made", "tables", "somebody withdrew"))
    for one in found:
        print(form.format(one.number, one.brand, one.state.value, _when(one.made_ms), one.digest or "-", _gone(one)))
    if not found:
        print("nothing was learned yet; `consentry-hq train` does")


def _gone(one: Version) -> str:
    return "-" if one.gone_ms is None else f"after {_when(one.gone_ms)}"


def _roll_back(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    found = training.roll_back(office.engine, office.keys, _brand(office, chosen), chosen.version, now_ms)
    print(f"model {found.number} is in force")


def _card(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        listed = training_versions.listed(connection, chosen.brand)
        learned = [one for one in listed if one.state is not State.TOO_FEW]
        wanted = [one for one in listed if one.number == chosen.version] if chosen.version else learned[:1]
        if not wanted:
            raise Refused(Reason.UNKNOWN_VERSION, "VERSION", "a version; `consentry-hq train list` has them")
        kept = training_versions.card(connection, wanted[0].number)
    for line in training_card.text(training_card.read(kept)):
        print(line)


def _brand(office: Office, chosen: argparse.Namespace) -> str:
    if chosen.brand is not None:
        return str(chosen.brand)
    found = training.brands(office.engine)
    if len(found) != 1:
        raise Refused(Reason.NO_POLICY, "--brand", f"one of: {', '.join(found) or 'none; there is no store yet'}")
    return found[0]


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar for each stage; where nobody looks, a line."""
    if not sys.stderr.isatty():
        seen: set[str] = set()

        def tell(stage: str, done: int, of: int) -> None:
            if stage not in seen:
                seen.add(stage)
                print(stage, file=sys.stderr, flush=True)

        yield tell
        return
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def show(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=of or None)
            bars.update(tasks[stage], completed=done, total=of or None)

        yield show


PART = Part(
    _options,
    {
        ("train", ""): _train,
        ("train", "list"): _list,
        ("train", "rollback"): _roll_back,
        ("train", "card"): _card,
    },
)
