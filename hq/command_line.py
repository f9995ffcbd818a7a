"""What the commands of `consentry-hq` are made of: a part brings its options and what runs them.

Pure: no I/O, no clock.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hq.office import Office

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# (office, what was chosen, now in Unix milliseconds UTC) -> exit code, None for 0; prints what it did.
Run = Callable[[Office, argparse.Namespace, int], int | None]


@dataclass(frozen=True, slots=True)
class Part:
    """Some commands. `options` adds them; `runs` by (command, action), the action "" where there is none."""

    options: Callable[["Commands"], None]
    runs: Mapping[tuple[str, str], Run]


def command(commands: "Commands", name: str, about: str, epilog: str = "") -> argparse.ArgumentParser:
    """Adds a command, or an action of one; `about` is a sentence without capital and full stop."""
    found = commands.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    # Without a default of its own, so that what stands before the command is not overwritten.
    found.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="the configuration")
    return found


def actions(of: argparse.ArgumentParser) -> "Commands":
    """Where the actions of a command are added."""
    return of.add_subparsers(dest="action", metavar="ACTION", required=True)
