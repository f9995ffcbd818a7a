"""`consentry-hq alarms`: lists alarms, and sends one as a test.

I/O: the terminal, sqlalchemy; the channels do theirs.
"""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from hq.alarm_channels import News, Notice, channels
from hq.alarm_tables import alarms
from hq.command_line import Part, actions, command
from hq.database import reading
from hq.errors import AlarmNotSent, Reason, Refused
from hq.office import Office
from hq.settings import Settings
from runtime import config
from runtime.errors import EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from hq.command_line import Commands

_PAST = 20
_WORDS = "This is a test. Nothing is wrong."


def _options(commands: "Commands") -> None:
    top = command(commands, "alarms", "what is wrong at the stores, and whether anybody is told")
    below = actions(top)
    below.required = False
    listed = command(below, "list", "open alarms, then the past ones, newest first (the default)")
    listed.add_argument("--all", action="store_true", help=f"all past ones, not the last {_PAST}")
    command(below, "test", "send one by each channel of [alarms] now, and say whether it was taken")
    top.set_defaults(action="list", all=False)


def _list(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    with reading(office.engine) as connection:
        is_open = connection.execute(select(alarms).where(alarms.c.over_ms.is_(None)).order_by(alarms.c.id)).all()
        past = select(alarms).where(alarms.c.over_ms.is_not(None)).order_by(alarms.c.over_ms.desc())
        over = connection.execute(past if chosen.all else past.limit(_PAST)).all()
    form = "{:<5} {:<20} {:<24} {:>6} {:<17} {:<17} {}"
    print(form.format("state", "alarm", "store", "count", "first", "last", "detail"))
    for row in (*is_open, *over):
        state = "open" if row.over_ms is None else "over"
        last = _when(row.last_ms if row.over_ms is None else row.over_ms)
        store, detail = row.store or "(HQ)", row.detail
        print(form.format(state, row.alarm, store, row.seen, _when(row.first_ms), last, detail).rstrip())
    return None


def _test(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    settings = config.load(chosen.config, Settings)
    found = channels(settings.alarms, settings.credentials_dir)
    if not found:
        raise Refused(Reason.MALFORMED, "alarms", "mail or webhook in [alarms] of hq.toml")
    failed = False
    for channel in found:
        try:
            channel.send(Notice(0, News.TEST, "test", "", _WORDS, "", 1, now_ms, now_ms, None))
        except AlarmNotSent as error:
            failed = True
            print(f"{channel.name}: {error.text}: {error.remedy}")
        else:
            print(f"{channel.name}: taken")
    return EXIT_UNAVAILABLE if failed else None


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


PART = Part(_options, {("alarms", "list"): _list, ("alarms", "test"): _test})
