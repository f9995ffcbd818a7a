"""`consentry-hq recover`: brings HQ back after its database was restored from a backup, and shows how far it is.

I/O: the terminal.
"""

import argparse
import sys
import threading
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress

from hq import recovering, recovery
from hq.command_line import Part, command
from hq.database import reading, writing
from hq.office import Office
from hq.recovery import State

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXIT_WAITING = 75  # EX_TEMPFAIL of sysexits.h: begun, and not ended
_LOOK_S = 1
_NO_STORE_KNOWS = (
    "Of contacts and media no store is told: what was withdrawn of them since the backup is granted again, and so is "
    "what members without a store withdrew or muted. Have your mailer and CMP send their withdrawals since then again "
    "by POST /consent-events; then run `consentry-hq recover --contacts-known`. Until you do, nobody is contacted by a "
    "yes from before (the alarm contacts_in_doubt). Partners who use media are to be told by you."
)


def _options(commands: "Commands") -> None:
    added = command(
        commands,
        "recover",
        "bring HQ back after its database was restored from a backup",
        "Run it before the first `serve` on the restored database, then start `serve`: stores are asked what they\n"
        "know, and what they knew to be withdrawn, muted or erased after the backup is so again; of contacts and\n"
        "media they know nothing. Until it has ended no store gets a lease. Broken off, it goes on when run again.",
    )
    added.add_argument("--contacts-known", action="store_true",
                       help="end the doubt about contacts: systems sent their withdrawals again")  # fmt: skip
    added.add_argument("--status", action="store_true", help="show how far it is, and do nothing")
    added.add_argument("--begin", action="store_true", help="put HQ into recovery, and do not wait")
    added.add_argument("--leave-out", nargs="+", action="extend", default=[], metavar="STORE",
                       help="do not wait for these stores: what only they know is lost")  # fmt: skip
    added.add_argument("--leave-out-silent", action="store_true", help="do not wait for any that has not answered")


def _recover(office: Office, chosen: argparse.Namespace, now_ms: int) -> int:
    if chosen.contacts_known:
        with writing(office.engine) as connection:
            ended = recovery.contacts_known(connection, now_ms)
        print("who agreed to contacts may be contacted again" if ended else "no contacts are in doubt")
        return 0
    with reading(office.engine) as connection:
        number = recovery.under_way(connection)
    if chosen.status:
        if number is None:
            print("HQ is not recovering")
            return 0
        _show(recovery.progress(office.engine, number))
        return _EXIT_WAITING
    number = recovering.begin(office.engine, now_ms)
    if chosen.begin:
        print("HQ recovers: no store gets a lease until `consentry-hq recover` has ended")
        return _EXIT_WAITING
    named = set(chosen.leave_out)
    if chosen.leave_out_silent:
        recovering.advance(office.engine, office.keys, number, now_ms)
        named |= {one.store for one in recovery.progress(office.engine, number) if one.state is State.WAITING}
    if named:
        print(f"{recovering.leave_out(office.engine, number, named)} stores are left out")
    now_ms = _wait(office, number, now_ms)
    renewed = sum(recovering.end(office.engine, number, now_ms))
    _show(recovery.progress(office.engine, number))
    print(f"{renewed} records of other instances got new seqs; HQ serves again")
    print("Staff and policies are those of the backup: deactivate again who was since, and publish what was since.")
    print(_NO_STORE_KNOWS)
    return 0


def _wait(office: Office, number: int, now_ms: int) -> int:
    """Until every store that may hold what HQ lost has answered; the time then."""
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("stores that answered", total=None)
        while True:
            recovering.advance(office.engine, office.keys, number, now_ms)
            states = recovery.progress(office.engine, number)
            waiting = [one.store for one in states if one.seen and one.state in (State.WAITING, State.ANSWERED)]
            total = sum(one.seen for one in states)
            bar.update(task, total=total, completed=total - len(waiting))
            if not waiting:
                return now_ms
            threading.Event().wait(_LOOK_S)
            now_ms += _LOOK_S * 1000


def _show(states: list[recovery.Progress]) -> None:
    form = "{:<24} {:<12} {:>12} {:>10} {:>10}"
    print(form.format("store", "answer", "withdrawals", "erased", "renewed"))
    for one in states:
        word = one.state.value if one.seen or one.state is not State.WAITING else "never seen"
        print(form.format(one.store, word, one.withdrawals, one.erased, one.renewed))


PART = Part(_options, {("recover", ""): _recover})
