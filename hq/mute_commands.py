"""`consentry-hq mute` and `unmute`: what a member wants no suggestion of, set and taken back at HQ.

I/O: the terminal.
"""

import argparse
from typing import TYPE_CHECKING

from hq.command_line import Part, command
from hq.office import Office
from wire.events import MuteKind
from wire.member import Muted

if TYPE_CHECKING:
    from hq.command_line import Commands


def _options(commands: "Commands") -> None:
    for name, about in (
        ("mute", "record that a member wants no suggestion of an item, a category or a theme any more"),
        ("unmute", "take a mute back, chosen now; one of the same second or of a later one stands"),
    ):
        added = command(commands, name, about, f"example:\n  consentry-hq {name} m-1 --theme baby")
        added.add_argument("member", metavar="MEMBER")
        what = added.add_mutually_exclusive_group(required=True)
        for kind in MuteKind:
            what.add_argument(f"--{kind.value}", metavar="ID", help=f"the id of the {kind.value}")


def _muted(chosen: argparse.Namespace) -> Muted:
    (found,) = ((kind, getattr(chosen, kind.value)) for kind in MuteKind if getattr(chosen, kind.value) is not None)
    return Muted(*found)


def _mute(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    print(f"muted; consent event {office.mute(chosen.member, _muted(chosen), now_ms).hex()}")


def _unmute(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    print(f"mute taken back; consent event {office.unmute(chosen.member, _muted(chosen), now_ms).hex()}")


PART = Part(_options, {("mute", ""): _mute, ("unmute", ""): _unmute})
