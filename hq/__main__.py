"""`consentry-hq`: reads the configuration and the clock, then serves or does one command.

I/O: the terminal, files that a command names, the clock.
"""

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from sqlalchemy import select

from hq import (
    database_commands,
    help_state,
    import_line,
    importer,
    jurisdictions,
    keys,
    ledger,
    options,
    own_profile,
    policy_commands,
)
from hq.alarm_commands import PART as ALARMS
from hq.certificate_commands import PART as CERTIFICATES
from hq.collection_commands import PART as COLLECTIONS
from hq.command_line import Part
from hq.consent_commands import PART as CONSENT
from hq.contacts_commands import PART as CONTACTS
from hq.custody_commands import PART as CUSTODY
from hq.database import open_database, reading
from hq.door import Grant
from hq.errors import Reason, Refused
from hq.felt_commands import PART as FELT
from hq.figures_commands import PART as FIGURES
from hq.leave_commands import PART as LEAVINGS
from hq.mute_commands import PART as MUTES
from hq.office import Office, all_policies
from hq.order_commands import PART as ORDERS
from hq.outcomes_commands import PART as SUGGESTIONS
from hq.proposal_commands import PART as PROPOSALS
from hq.receipt_commands import PART as RECEIPTS
from hq.recovery_commands import PART as RECOVERY
from hq.service import Service
from hq.settings import Settings
from hq.sign_in_commands import PART as SIGN_IN
from hq.systems_commands import PART as SYSTEMS
from hq.tables import links, stores
from hq.training_commands import PART as TRAINING
from hq.webhooks_commands import PART as HOOKS
from runtime import cli, config, logs
from runtime.errors import EXIT_OK
from runtime.notify import Notify
from wire.member import Field, Mode, NameChoice, SourceClass, Value, ValueClass
from wire.sync import Collection, Readiness

_EXIT_REFUSED = 65
_SHOWN = 20  # refused lines that are shown without --report

PARTS: tuple[Part, ...] = (
    ALARMS, CERTIFICATES, COLLECTIONS, CONSENT, CUSTODY, LEAVINGS, MUTES, ORDERS, policy_commands.PART, PROPOSALS,
    RECEIPTS, RECOVERY, SYSTEMS, HOOKS, CONTACTS, SIGN_IN, FIGURES, FELT, SUGGESTIONS,
    TRAINING,
)  # fmt: skip


def main() -> NoReturn:
    """The program."""
    cli.run(lambda: _main(sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    chosen = options.parser(PARTS).parse_args(arguments)
    if chosen.command == "policy" and chosen.action in policy_commands.OFFLINE:
        return policy_commands.offline(chosen)
    settings = config.load(chosen.config, Settings)
    if chosen.command == "database":
        return database_commands.run(settings.database, chosen)
    if chosen.command == "serve":
        return _serve(settings)
    if chosen.command == "web":
        from hq.web import service  # here alone: no other command needs what it loads

        return service.serve(settings, chosen.config, _now_ms, time.monotonic)
    office = Office(open_database(settings.database), keys.load(settings.keys, settings.credentials_dir))
    try:
        which = chosen.command, getattr(chosen, "action", "")
        for part in PARTS:
            if which in part.runs:
                return part.runs[which](office, chosen, _now_ms()) or EXIT_OK
        return _COMMANDS[which](office, chosen) or EXIT_OK
    finally:
        office.engine.dispose()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _serve(settings: Settings) -> int:
    logs.setup("hq")
    loaded = keys.load(settings.keys, settings.credentials_dir)
    engine = open_database(settings.database)
    try:
        service = Service(settings, engine, loaded, _now_ms)
        cli.stop_on_signals(service.stop)
        service.run(Notify.from_environment())
    finally:
        engine.dispose()
    return EXIT_OK


# --- stores, policy, staff ------------------------------------------------------------------------------------------


def _add_store(office: Office, chosen: argparse.Namespace) -> None:
    store, identity = chosen.store, chosen.identity
    if chosen.file is not None:
        row = _json(_text(chosen.file), str(chosen.file.name))
        if not isinstance(row, dict) or not isinstance(row.get("store"), str):
            raise Refused(Reason.MALFORMED, chosen.file.name, "store.json as consentry-provision writes it")
        if store not in (None, row["store"]):
            raise Refused(Reason.MALFORMED, "ID", "the id that the file names")
        store, identity = row["store"], row.get("identity")
    try:
        public = bytes.fromhex(identity)
    except (TypeError, ValueError) as error:
        raise Refused(Reason.MALFORMED, "identity", "64 hex digits") from error
    if store is None:
        raise Refused(Reason.MALFORMED, "ID", "the store's id")
    shared = {Collection.CATALOG: chosen.catalog, Collection.AFFINITY: chosen.affinity}
    office.add_store(store, chosen.label or store, public, chosen.policy, _now_ms(), shared)
    print(f"store {store} added, under the policy {chosen.policy}")


def _list_stores(office: Office, chosen: argparse.Namespace) -> None:
    now_ms = _now_ms()
    with reading(office.engine) as connection:
        rows = connection.execute(
            select(stores, links).outerjoin(links, links.c.store == stores.c.id).order_by(stores.c.id)
        ).all()
    form = "{:<24} {:<12} {:<10} {:<21} {:<21} {:>9}  {}"
    print(form.format("store", "policy", "state", "last hello", "lease until", "dark min", "label"))
    for row in rows:
        if row.hello_ms is None:
            state, dark_ms = "new", 0
        else:
            leased = row.lease_until_ms > now_ms
            state = Readiness(row.readiness).name.lower() if leased else "dark"
            state = "quarantine" if row.quarantined else state
            dark_ms = row.dark_ms + (max(0, now_ms - row.lease_until_ms) if row.lease_until_ms else 0)
        hello, lease = _when(row.hello_ms), _when(row.lease_until_ms)
        print(form.format(row.id, row.policy, state, hello, lease, dark_ms // 60_000, row.label))


def _when(at_ms: int | None) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ms else "never"


def _add_staff(office: Office, chosen: argparse.Namespace) -> None:
    pin = None
    if chosen.without_pin:
        pass
    elif sys.stdin.isatty():
        pin = getpass.getpass("PIN: ")
        if getpass.getpass("PIN again: ") != pin:
            raise Refused(Reason.WEAK_PIN, "pin", "the same PIN twice")
    else:
        pin = sys.stdin.readline().strip()
    office.add_staff(chosen.associate, chosen.store, chosen.name, chosen.role, pin, _now_ms())
    print(f"associate {chosen.associate} of {chosen.store} set")


def _deactivate_staff(office: Office, chosen: argparse.Namespace) -> None:
    office.deactivate_staff(chosen.associate, chosen.store, _now_ms())
    print(f"associate {chosen.associate} of {chosen.store} deactivated")


# --- members ------------------------------------------------------------------------------------------


def _add_member(office: Office, chosen: argparse.Namespace) -> None:
    office.add_member(chosen.member, chosen.age_at_least, chosen.jurisdiction, _now_ms())
    print("member added")
    _tell_doubt(office, chosen.jurisdiction)


def _change_age(office: Office, chosen: argparse.Namespace) -> None:
    office.change_age(chosen.member, chosen.age_at_least, chosen.jurisdiction, _now_ms())
    print("age and jurisdiction set")
    _tell_doubt(office, chosen.jurisdiction)


def _tell_doubt(office: Office, jurisdiction: str) -> None:
    with reading(office.engine) as connection:
        doubt = jurisdictions.doubt(jurisdiction, all_policies(connection))
    if doubt is not None:
        print(f"{doubt.field}: {doubt.reason.value}: expected {doubt.hint}")


def _add_phone(office: Office, chosen: argparse.Namespace) -> None:
    phone, secret = office.add_phone(chosen.member, _now_ms(), notice=_notice(chosen))
    print(f"phone {phone.hex()} added; its presence secret follows and is never shown again", file=sys.stderr)
    print(secret.hex())


def _remove_phone(office: Office, chosen: argparse.Namespace) -> None:
    try:
        phone = bytes.fromhex(chosen.phone)
    except ValueError as error:
        raise Refused(Reason.MALFORMED, "PHONE", "the phone's id, 16 hex digits") from error
    office.remove_phone(chosen.member, phone, _now_ms())
    print("phone removed")


def _grant(office: Office, chosen: argparse.Namespace) -> None:
    now_ms = _now_ms()
    grant = Grant(
        purpose=chosen.purpose,
        stores=tuple(chosen.store),
        roles=tuple(chosen.role),
        scopes=tuple(chosen.scope),
        zones_excluded=tuple(chosen.zone_excluded),
        until_days=chosen.until,
        chosen_s=now_ms // 1000,
        notice=_notice(chosen),
    )
    for event in office.grant(chosen.member, grant, now_ms):
        print(f"granted; consent event {event.hex()}")


def _notice(chosen: argparse.Namespace) -> bytes | None:
    """What whoever types it says was shown, and so vouches for."""
    try:
        return None if chosen.notice is None else bytes.fromhex(chosen.notice)
    except ValueError as error:
        raise Refused(Reason.MALFORMED, "--notice", "64 hex digits, as `notice show` prints them") from error


def _withdraw(office: Office, chosen: argparse.Namespace) -> None:
    event = office.withdraw(
        chosen.member,
        _now_ms(),
        purpose=chosen.purpose,
        scopes=tuple(chosen.scope) or None,
        stores=tuple(chosen.store) or None,
    )
    print(f"withdrawn; consent event {event.hex()}")


def _set_mode(office: Office, chosen: argparse.Namespace) -> None:
    print(f"mode set; consent event {office.set_mode(chosen.member, Mode[chosen.mode.upper()], _now_ms()).hex()}")


def _set_name(office: Office, chosen: argparse.Namespace) -> None:
    choice = NameChoice[chosen.name.upper()]
    print(f"name set; consent event {office.set_name(chosen.member, choice, _now_ms()).hex()}")


def _set_profile(office: Office, chosen: argparse.Namespace) -> None:
    now_ms = _now_ms()
    if chosen.json:
        value = import_line.value(_json(" ".join(chosen.value), "VALUE"), "VALUE")
    elif chosen.texts or len(chosen.value) > 1:
        value = Value(texts=tuple(chosen.value))
    else:
        value = Value(text=chosen.value[0])
    field = Field(
        scope=chosen.scope,
        value=value,
        source=SourceClass[chosen.source.upper()],
        surface=chosen.surface,
        value_class=ValueClass[chosen.value_class.upper()],
        collected_s=now_ms // 1000,
        confirmed_s=now_ms // 1000,
    )
    try:
        office.set_profile(chosen.member, [field], now_ms)
    except Refused as error:
        if error.reason is not Reason.WRONG_TYPE or value.text is None or chosen.json:
            raise
        # One word for a scope that holds several: the policy knows better than the command line.
        office.set_profile(chosen.member, [replace(field, value=Value(texts=(value.text,)))], now_ms)
    print(f"{chosen.scope} set")


def _delete_profile(office: Office, chosen: argparse.Namespace) -> None:
    print(f"{own_profile.forget(office, chosen.member, chosen.scope, _now_ms())} values deleted")


def _tell_help(office: Office, chosen: argparse.Namespace) -> None:
    with reading(office.engine) as connection:
        member = office.keys.custody.reference(connection, chosen.member)
        if member is None:
            raise Refused(Reason.UNKNOWN_MEMBER, "MEMBER", "the id of a member")
        call = help_state.of_member(connection, member, _now_ms())
    if call is None:
        print("no call for help in the last hour")
        return
    state = call.state.value.replace("-", " ")
    print(f"{state} in {call.store} since {_when(call.since_ms)}; called {_when(call.called_ms)}")


# --- ledger and import ------------------------------------------------------------------------------------------


def _verify_ledger(office: Office, chosen: argparse.Namespace) -> int:
    with reading(office.engine) as connection:
        broken = ledger.first_broken(connection)
    if broken is None:
        print("the chain is whole")
        return EXIT_OK
    print(f"the chain breaks at event {broken}: it was changed, removed or put in outside of Consentry")
    return _EXIT_REFUSED


def _import(office: Office, chosen: argparse.Namespace) -> int:
    try:
        count = sum(1 for _ in chosen.file.open("rb"))
        with chosen.file.open("rb") as lines, _progress(count) as progress:
            report = importer.run(office.engine, office.keys, lines, _now_ms(), progress)
    except OSError as error:
        raise Refused(Reason.MALFORMED, chosen.file.name, "a file that can be read") from error
    rows = [{"line": one.line, "field": one.field, "reason": one.reason.value, "expected": one.hint}
            for one in (*report.refused, *report.left_out, *report.doubts)]  # fmt: skip
    if chosen.report is not None:
        chosen.report.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        for row in rows[:_SHOWN]:
            print("line {line}: {field}: {reason}: expected {expected}".format(**row))
        if len(rows) > _SHOWN:
            print(f"… and {len(rows) - _SHOWN} more; --report FILE writes all of them")
    without = f", {len(report.left_out)} values left out" if report.left_out else ""
    doubtful = f", {len(report.doubts)} in doubt" if report.doubts else ""
    print(f"{report.taken} lines taken, {len(report.refused)} refused{without}{doubtful}")
    return _EXIT_REFUSED if report.refused or report.left_out else EXIT_OK


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("members", total=count)
        yield lambda done: bar.advance(task, done)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(Reason.MALFORMED, file.name, "a text file that can be read") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.MALFORMED, where, "JSON") from error


_COMMANDS: dict[tuple[str, str], Callable[[Office, argparse.Namespace], int | None]] = {
    ("store", "add"): _add_store,
    ("store", "list"): _list_stores,
    ("member", "add"): _add_member,
    ("member", "age"): _change_age,
    ("phone", "add"): _add_phone,
    ("phone", "remove"): _remove_phone,
    ("grant", ""): _grant,
    ("withdraw", ""): _withdraw,
    ("mode", ""): _set_mode,
    ("name", ""): _set_name,
    ("profile", "set"): _set_profile,
    ("profile", "delete"): _delete_profile,
    ("staff", "add"): _add_staff,
    ("staff", "deactivate"): _deactivate_staff,
    ("help", ""): _tell_help,
    ("ledger", "verify"): _verify_ledger,
    ("import", ""): _import,
}

if __name__ == "__main__":
    main()
