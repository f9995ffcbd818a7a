"""`consentry-hq receipts` and `delays`: who looked at a member, whether the logs hold, how fast withdrawals were.

I/O: the terminal, sqlalchemy.
"""

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from hq import receipts
from hq.alarms import Alarm, raise_
from hq.command_line import Part, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.log_tables import withdrawals_applied
from hq.office import Office
from hq.tables import stores

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXIT_REFUSED = 65
_HQ = "hq"  # where our own staff looked


def _options(commands: "Commands") -> None:
    shown = command(commands, "receipts", "who looked at a member, with proofs; or whether the stores' logs hold")
    shown.add_argument("member", metavar="MEMBER", nargs="?", help="whose receipts")
    shown.add_argument("--prove", metavar="EVENT", help="the proof of one of them, as JSON for python -m wire.merkle")
    shown.add_argument("--verify", action="store_true", help="hold HQ's rows of all logs against the signed heads")
    shown.set_defaults(action="")
    delays = command(commands, "delays", "how long withdrawals took from HQ's commit to the last open tablet")
    delays.add_argument("--store", metavar="ID", help="of this store alone")
    delays.set_defaults(action="")


def _receipts(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    if chosen.verify == (chosen.member is not None):
        raise Refused(Reason.MALFORMED, "receipts", "a MEMBER, or --verify")
    if chosen.verify:
        return _verify(office, now_ms)
    with reading(office.engine) as connection:
        member = office.keys.custody.references(connection, [chosen.member]).get(chosen.member)
        if member is None:
            raise Refused(Reason.UNKNOWN_MEMBER, "MEMBER", "the id of a member")
        if chosen.prove is not None:
            proof = receipts.prove(connection, office.keys, member, chosen.prove)
            if proof is None:
                raise Refused(
                    Reason.MALFORMED, "--prove", "a receipt of this member that a signed head of the store covers"
                )
            print(json.dumps(proof, indent=1))
            return None
        found = receipts.of_member(connection, office.keys, member)
    for one in found:
        why, scopes = ", ".join(one.purposes) or "-", ", ".join(one.scopes) or "-"
        if one.words:
            print(f"{_when(one.at_ms)}  {one.store or _HQ}  {one.role}  {one.words}  {one.event}")
            continue
        seen = "refused" if not one.shown else "roster" if one.roster else one.reason.lower() or "shown"
        print(f"{_when(one.at_ms)}  {one.store}  {one.role}  {seen:<8} {scopes}  for {why}  {one.event}")
    print(f"{len(found)} receipts")
    return None


def _verify(office: Office, now_ms: int) -> int | None:
    broken = 0
    with reading(office.engine) as connection:
        listed = connection.scalars(select(stores.c.id).order_by(stores.c.id)).all()
        verdicts = {store: receipts.first_broken(connection, office.keys, store) for store in listed}
    for store, wrong in verdicts.items():
        print(f"{store}: {wrong or 'the log is whole'}")
        if wrong is not None:
            broken += 1
            with writing(office.engine) as connection:
                raise_(connection, Alarm.LOG_BROKEN, store, now_ms, f"at HQ: {wrong}")
    return _EXIT_REFUSED if broken else None


def _delays(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    applied = withdrawals_applied.c
    with reading(office.engine) as connection:
        wanted = select(applied.store).distinct().order_by(applied.store)
        if chosen.store is not None:
            wanted = wanted.where(applied.store == chosen.store)
        form = "{:<24} {:>6} {:>10} {:>10} {:>10} {:>14} {}"
        print(form.format("store", "count", "median", "p95", "worst", "not confirmed", "last"))
        for store in connection.scalars(wanted).all():
            of = applied.store == store
            count = connection.scalar(select(func.count()).where(of)) or 0
            late = connection.scalar(select(func.count()).where(of, applied.acknowledged < applied.open)) or 0
            last_ms = connection.scalar(select(func.max(applied.at_ms)).where(of)) or 0
            ranks = [(count - 1) // 2, -(-95 * count // 100) - 1, count - 1]
            figures = [
                connection.scalar(select(applied.delay_ms).where(of).order_by(applied.delay_ms).offset(rank).limit(1))
                for rank in ranks
            ]
            print(form.format(store, count, *(f"{one} ms" for one in figures), late, _when(last_ms)))
    return None


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


PART = Part(_options, {("receipts", ""): _receipts, ("delays", ""): _delays})
