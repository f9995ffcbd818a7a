"""`consentry-hq consent`: signed heads of the consent events, whether all holds, and what each member can be given.

I/O: the terminal, sqlalchemy, files that a command names.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hq import consent_export, consent_record_commands, ledger_check, ledger_heads
from hq.alarms import Alarm, clear, raise_
from hq.command_line import Part, actions, command
from hq.consent_export_record import UNNAMED, Controller
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.ledger_heads import Head
from hq.office import Office
from hq.settings import Settings
from runtime import config

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXIT_REFUSED = 65
_MOST_FILE_BYTES = 64 * 1024 * 1024
_TOLD_EVERY = 10_000  # members


def _options(commands: "Commands") -> None:
    kinds = actions(command(commands, "consent", "prove, check and export what members chose"))
    heads = command(kinds, "heads", "list the signed heads of the consent events, the newest last")
    heads.add_argument("--sign", action="store_true", help="sign one now")
    heads.add_argument("--json", action="store_true", help="as JSON lines, to be kept elsewhere for `consent verify`")
    verify = command(
        kinds, "verify", "hold every event against its chain and the chain against the signed heads",
        "A cut of events together with their heads is found by heads that were kept elsewhere: --heads FILE.",
    )  # fmt: skip
    verify.add_argument("--heads", type=Path, metavar="FILE", help="heads that `consent heads --json` wrote earlier")
    export = command(
        kinds, "export", "print a member's consent records, the notices' texts and signed receipts, as JSON"
    )
    export.add_argument("member", metavar="MEMBER")
    export.add_argument("--unsigned", action="store_true", help="without receipts")
    command(kinds, "jwks", "print the public keys under which receipts verify, as HQ's web publishes them")
    consent_record_commands.options(kinds)
    command(kinds, "check", "fold every member's events anew and compare with what is published to the stores")
    command(kinds, "rebuild", "the same, and write anew what is wrong")


def _heads(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    if chosen.sign:
        with writing(office.engine) as connection:
            ledger_heads.sign(connection, office.keys, now_ms)
    with reading(office.engine) as connection:
        found = ledger_heads.all_heads(connection)
    for one in found:
        if chosen.json:
            print(json.dumps(_row(one)))
        else:
            print(f"{one.number}  {_when(one.at_ms)}  {one.events} events  {one.hash.hex()}")
    if not chosen.json:
        print(f"{len(found)} heads")


def _verify(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    kept = [] if chosen.heads is None else list(_kept(chosen.heads))
    with reading(office.engine) as connection:
        wrong = ledger_heads.first_broken(connection, ledger_heads.publics(office.keys), kept)
    with writing(office.engine) as connection:
        if wrong is None:
            clear(connection, Alarm.CONSENT_BROKEN, "", now_ms)
        else:
            raise_(connection, Alarm.CONSENT_BROKEN, "", now_ms, wrong)
    print(wrong or "the events are whole, and as they were signed")
    return None if wrong is None else _EXIT_REFUSED


def _export(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    web = config.load(chosen.config, Settings).web
    controller = UNNAMED if web is None else Controller(web.name, web.public_url)
    with writing(office.engine) as connection:
        signed = not chosen.unsigned
        found = consent_export.export(connection, office.keys, chosen.member, controller, now_ms, signed=signed)
    print(json.dumps(found, indent=1, ensure_ascii=False))


def _jwks(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        print(json.dumps(consent_export.jwks(connection, office.keys), indent=1))


def _check(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    mend = chosen.action == "rebuild"
    total, done, told = ledger_check.count(office.engine), 0, 0

    def progress(count: int) -> None:
        nonlocal done, told
        done += count
        if done - told >= _TOLD_EVERY:
            told = done
            print(f"{done} of {total} members")

    report = ledger_check.run(office.engine, office.keys, now_ms, mend=mend, progress=progress)
    with writing(office.engine) as connection:  # it opened every event: none is left that does not
        clear(connection, Alarm.CHANGE_UNREADABLE, "", now_ms)
    for (store, fault), count in sorted(report.faults.items()):
        print(f"{store or 'hq'}: {fault.value}: {count}{' written anew' if mend else ''}")
    found = sum(report.faults.values())
    print(f"{report.members} members, {found} faults{', mended' if mend and found else ''}")
    return _EXIT_REFUSED if found and not mend else None


def _row(head: Head) -> dict[str, Any]:
    values = {one.name: getattr(head, one.name) for one in fields(head)}
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


def _kept(file: Path) -> Iterable[Head]:
    """The heads of a file. Raises: Refused."""
    try:
        content = file.read_bytes()
        if len(content) > _MOST_FILE_BYTES:
            raise Refused(Reason.TOO_LARGE, file.name, f"at most {_MOST_FILE_BYTES} bytes")
        for line in content.splitlines():
            row = json.loads(line)
            yield Head(
                number=int(row["number"]),
                events=int(row["events"]),
                hash=bytes.fromhex(row["hash"]),
                previous=bytes.fromhex(row["previous"]),
                at_ms=int(row["at_ms"]),
                public=bytes.fromhex(row["public"]),
                signature=bytes.fromhex(row["signature"]),
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(Reason.MALFORMED, file.name, "lines that `consent heads --json` wrote") from error


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


PART = Part(
    _options,
    {
        ("consent", "heads"): _heads,
        ("consent", "verify"): _verify,
        ("consent", "export"): _export,
        ("consent", "jwks"): _jwks,
        ("consent", "record"): consent_record_commands.record,
        ("consent", "check"): _check,
        ("consent", "rebuild"): _check,
    },
)
