"""`consentry-hq leave`: hands a store the code that a shopper reads out on the telephone.

I/O: the terminal, sqlalchemy.
"""

import argparse
from typing import TYPE_CHECKING

from hq import leavings
from hq.command_line import Part, command
from hq.database import writing
from hq.errors import Reason, Refused
from hq.office import Office

if TYPE_CHECKING:
    from hq.command_line import Commands

_ABOUT = "have whoever shows this leave code in a store leave there; whether it was right, the phone shows alone"


def _options(commands: "Commands") -> None:
    added = command(commands, "leave", _ABOUT, 'example:\n  consentry-hq leave berlin-1 "1234 5678"')
    added.add_argument("store", metavar="STORE")
    added.add_argument("code", metavar="CODE", help="the eight digits that the app shows now")


def _leave(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        wait_s = leavings.ask(connection, chosen.store, chosen.code, now_ms)
    if wait_s:
        raise Refused(Reason.TOO_MANY, "store", f"fewer codes for this store: the next one in {wait_s} s")
    print(f"handed to {chosen.store}; if the code is right, the phone shows it now")


PART = Part(_options, {("leave", ""): _leave})
