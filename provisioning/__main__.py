"""The program `consentry-provision`.

I/O: standard output and the clock; the rest through `provisioning.apply`, `install` and `doctor`.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from provisioning import apply, doctor, hq_keys
from provisioning.errors import RefusedError
from provisioning.files import Files
from provisioning.install import install
from provisioning.options import parser
from provisioning.plan import Step, changes
from provisioning.settings import Estate, HqSettings, ReceiverSettings, StoreSettings, tablet_names
from provisioning.sign_texts import TEXTS, Paper
from provisioning.wanted import receiver_folder, satellite_folder, store_folder
from runtime import cli
from wire.receivers import ReceiverKind

_HQ_NEXT = """\
Next: on HQ's machine   sudo consentry-provision install {folder}/hq
      on the broker's   sudo consentry-provision install {folder}/broker   and restart mosquitto
      for each store    consentry-provision store ID --folder {folder}
Keep {folder}/authority offline and backed up: who has it is HQ."""
_STORE_NEXT = """\
Next: at HQ             consentry-hq store add --from {folder}/stores/{store}/store.json
      on the broker's   sudo consentry-provision install {folder}/broker   and reload mosquitto (SIGHUP)
      on the box        sudo consentry-provision install {folder}/stores/{store}   then
                        sudo systemctl daemon-reload && sudo systemctl enable --now consentry.target
The bundle holds the store's keys: bring it there by hand or over SSH, and delete the copy on the box."""
_TABLET_NEXT = """\
1. Install {folder}/tablets/{store}/store-authority.pem on the tablet as a trusted authority.
2. Open https://{name}:{port}/ on it.
3. On the box, mint a one-time pairing code; it is good for 60 seconds.
   Scan or type it on the tablet. An associate can then sign in."""


_SATELLITE_NEXT = """\
Next: on the box        sudo consentry-provision install {folder}/stores/{store}   then
                        sudo systemctl restart mosquitto consentry-gateway
      on the satellite  sudo consentry-provision install {bundle}   then
                        sudo systemctl daemon-reload && sudo systemctl enable --now consentry-satellite
The bundle holds the satellite's key: bring it there by hand or over SSH, and delete the copy there."""
_RECEIVER_NEXT = """\
Next: on the box        sudo consentry-provision install {folder}/stores/{store}   then
                        sudo systemctl restart mosquitto consentry-gateway
      on the receiver   as the file in {bundle} says; its password is in that file, too.
What it publishes are adverts of everybody near it: see docs/threat-model.md before you use one."""
_KEYS_INSTALL = """\
Next: on HQ's machine   sudo consentry-provision install {folder}/hq   then restart each consentry-hq, one at a time
"""
_KEYS_NEXT = {
    "rotate": _KEYS_INSTALL
    + "Each store learns the new keys with its next hello. When all have, as consentry-hq keys show tells, retire.",
    "retire": _KEYS_INSTALL
    + "A store that has not said hello since the rotation is sent the new key set when it does.",
    "rotate-wrapping": _KEYS_INSTALL + "Then: consentry-hq keys rewrap.",
    "retire-wrapping": _KEYS_INSTALL + "Copies of the database from before cannot be opened any more.",
}
_CHANGED_NEXT = "Next: install the store's bundle on its box; there, restart mosquitto and consentry-gateway."


def main() -> None:
    """Runs the command and ends the process; see `--help`."""
    cli.run(run, "provision")


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command.

    Raises: ProgramError, which `runtime.cli` turns into one line.
    """
    chosen = parser().parse_args(arguments)
    try:
        match chosen.command:
            case "hq":
                return _hq(chosen)
            case "store":
                return _store(chosen)
            case "tablet":
                return _tablet(chosen)
            case "satellite":
                return _satellite(chosen)
            case "receiver":
                return _receiver(chosen)
            case "sign":
                return _sign(chosen)
            case "rotate":
                return _rotate(chosen)
            case "hq-keys":
                return _hq_keys(chosen)
            case "install":
                return _told(install(chosen.bundle, chosen.root, dry_run=chosen.dry_run, report=print), chosen)
            case _:
                return _doctor(chosen)
    except ValueError as error:  # a choice that cannot be, from the settings themselves
        raise RefusedError(str(error), "see --help") from error


def _hq(chosen: argparse.Namespace) -> int:
    held = apply.read(chosen.folder)
    options = _chosen(chosen, HqSettings)
    if held is None:
        if "broker_host" not in options:
            raise RefusedError("the first time, the broker's name is needed", "add --broker-host NAME")
        estate = Estate(HqSettings(**options))
    else:
        estate = dataclasses.replace(held, hq=dataclasses.replace(held.hq, **options))
    code = _provision(chosen, estate)
    if held is None and not chosen.dry_run:
        print(_HQ_NEXT.format(folder=chosen.folder))
    return code


def _store(chosen: argparse.Namespace) -> int:
    held = _estate(chosen)
    at = store_folder(chosen.store)
    if chosen.remove:
        if chosen.store not in held.stores and not (chosen.folder / at).exists():
            raise RefusedError("there is no such store in the folder", "look under stores/")
        others = {store: settings for store, settings in held.stores.items() if store != chosen.store}
        gone = [f"{at}/etc/consentry/certs/{name}.pem" for name in ("store", "tablets")]
        revoked = apply.revoked_with(Files(chosen.folder), held, chosen.store, gone)
        code = _provision(chosen, Estate(held.hq, others, revoked))
        if not chosen.dry_run:
            print("Next: install the broker's bundle and reload mosquitto (SIGHUP): until then it lets the store in.")
        return code
    before = held.stores.get(chosen.store)
    settings = dataclasses.replace(before or StoreSettings(), **_chosen(chosen, StoreSettings))
    code = _provision(chosen, dataclasses.replace(held, stores={**held.stores, chosen.store: settings}))
    if before is None and not chosen.dry_run:
        print(_STORE_NEXT.format(folder=chosen.folder, store=chosen.store))
    return code


def _satellite(chosen: argparse.Namespace) -> int:
    held, bundle = _estate(chosen), satellite_folder(chosen.store, chosen.name)
    before = _known(held, chosen, [ReceiverKind.SATELLITE])
    if before is None and not chosen.radios:
        raise RefusedError("the first time, its radios are needed", "add --radio NODE, or NODE=ADDRESS for each")
    radios = tuple(chosen.radios) if chosen.radios else before.radios if before else ()
    if chosen.rotate or chosen.remove:
        revoked = apply.revoked_with(
            Files(chosen.folder), held, f"{chosen.store}/{chosen.name}", [f"{bundle}/etc/consentry/certs/satellite.pem"]
        )
        held = dataclasses.replace(held, revoked=revoked)
    one = None if chosen.remove else ReceiverSettings(ReceiverKind.SATELLITE, chosen.name, radios)
    return _with_receiver(chosen, held, before, one, _SATELLITE_NEXT, bundle)


def _receiver(chosen: argparse.Namespace) -> int:
    held, bundle = _estate(chosen), receiver_folder(chosen.store, chosen.name)
    before = _known(held, chosen, [one for one in ReceiverKind if one is not ReceiverKind.SATELLITE])
    if before is None and not (chosen.kind and chosen.node):
        raise RefusedError("the first time, its kind and its node are needed", "add --kind KIND --node NODE")
    kind = ReceiverKind(chosen.kind) if chosen.kind else before.kind if before else ReceiverKind.THEENGS
    radios = (chosen.node,) if chosen.node else before.radios if before else ()
    if chosen.rotate and not chosen.dry_run:
        Files(chosen.folder).remove(f"{bundle}/password")  # made anew, and with it all that holds it
    one = None if chosen.remove else ReceiverSettings(kind, chosen.name, radios)
    return _with_receiver(chosen, held, before, one, _RECEIVER_NEXT, bundle)


def _known(held: Estate, chosen: argparse.Namespace, kinds: Sequence[ReceiverKind]) -> ReceiverSettings | None:
    """The receiver of that name, None where there is none yet. Raises: RefusedError."""
    if chosen.store not in held.stores:
        raise RefusedError("there is no such store in the folder", f"consentry-provision store {chosen.store} first")
    found = next((one for one in held.stores[chosen.store].receivers if one.name == chosen.name), None)
    if found is not None and found.kind not in kinds:
        raise RefusedError(f"{chosen.name} is a {found.kind.value}", "name it by the command of its kind")
    if found is None and (chosen.remove or chosen.rotate):
        raise RefusedError("there is no such receiver in the store", "look under satellites/ and receivers/")
    return found


def _with_receiver(
    chosen: argparse.Namespace,
    held: Estate,
    before: ReceiverSettings | None,
    one: ReceiverSettings | None,
    following: str,
    bundle: str,
) -> int:
    """Provisions with this receiver in place of the one before; None: without it."""
    store = held.stores[chosen.store]
    there = [each for each in store.receivers if each.name != chosen.name]
    if one is not None:
        place = store.receivers.index(before) if before is not None else len(there)
        there.insert(place, one)
    store = dataclasses.replace(store, receivers=tuple(there))
    code = _provision(chosen, dataclasses.replace(held, stores={**held.stores, chosen.store: store}))
    if not chosen.dry_run:
        text = following if before is None else _CHANGED_NEXT
        print(text.format(folder=chosen.folder, store=chosen.store, bundle=chosen.folder / bundle))
    return code


def _tablet(chosen: argparse.Namespace) -> int:
    held = _estate(chosen)
    settings = held.stores.get(chosen.store)
    if settings is None:
        raise RefusedError("there is no such store in the folder", f"consentry-provision store {chosen.store} first")
    code = _provision(chosen, held)
    name = tablet_names(chosen.store, settings)[0]
    print(_TABLET_NEXT.format(folder=chosen.folder, store=chosen.store, name=name, port=settings.tablet_port))
    return code


def _sign(chosen: argparse.Namespace) -> int:
    from provisioning import sign  # here alone: no other command needs what it loads

    if chosen.store not in _estate(chosen).stores:
        raise RefusedError("there is no such store in the folder", f"consentry-provision store {chosen.store} first")
    address = sign.page_address(chosen.hq, chosen.store)
    languages = tuple(dict.fromkeys(chosen.languages or sorted(TEXTS)))
    now = datetime.now(UTC)
    drawn = {
        f"signs/{chosen.store}/sign-{paper.value}.pdf": sign.draw(
            chosen.name or chosen.store, address, languages, paper, now
        )
        for paper in ([Paper(chosen.paper)] if chosen.paper else Paper)
    }
    files = Files(chosen.folder.absolute())
    for path, content in drawn.items():
        if not chosen.dry_run:
            with files.locked():
                files.write(path, content, 0o644)
        print(f"{'would write' if chosen.dry_run else 'wrote'} {chosen.folder / path}: {', '.join(languages)}")
    print(f"Its QR code leads to {address}. Print it without scaling, and hang it where people come in.")
    return 0


def _rotate(chosen: argparse.Namespace) -> int:
    held = _estate(chosen)
    if chosen.what in ("store", "tablets") and chosen.store not in held.stores:
        raise RefusedError("there is no such store in the folder", "name one that is under stores/")
    path = {
        "hq": "hq/etc/consentry/certs/hq.pem",
        "broker": "broker/etc/mosquitto/consentry/server.pem",
    }.get(chosen.what, f"{store_folder(chosen.store or '')}/etc/consentry/certs/{chosen.what}.pem")
    revoked = apply.revoked_with(Files(chosen.folder), held, chosen.store or chosen.what, [path])
    code = _provision(chosen, dataclasses.replace(held, revoked=revoked))
    if not chosen.dry_run:
        print("Next: install the broker's bundle and this one again; reload mosquitto (SIGHUP), restart what uses it.")
    return code


def _hq_keys(chosen: argparse.Namespace) -> int:
    held, files = _estate(chosen), Files(chosen.folder.absolute())
    if chosen.dry_run:
        raise RefusedError("a rotation cannot be tried", "leave --dry-run out")
    with files.locked():
        match chosen.what:
            case "rotate":
                hq_keys.rotate(files)
            case "retire":
                hq_keys.retire(files)
            case "rotate-wrapping":
                hq_keys.rotate_wrapping(files)
            case _:
                hq_keys.retire_wrapping(files, chosen.name)
    code = _provision(chosen, held)
    print(_KEYS_NEXT[chosen.what].format(folder=chosen.folder))
    return code


def _doctor(chosen: argparse.Namespace) -> int:
    findings = doctor.examine(chosen.folder, _estate(chosen), datetime.now(UTC), _units(chosen), not chosen.offline)
    bad = 0
    for finding in findings:
        print(finding)
        bad += not finding.good
    return 1 if bad else 0


def _estate(chosen: argparse.Namespace) -> Estate:
    held = apply.read(chosen.folder)
    if held is None:
        raise RefusedError(f"{chosen.folder} holds no HQ yet", "consentry-provision hq --broker-host NAME first")
    return held


def _chosen(chosen: argparse.Namespace, settings: type[HqSettings | StoreSettings]) -> dict[str, Any]:
    """The options that were given, by the names of the settings."""
    given = {one.name: getattr(chosen, one.name, None) for one in dataclasses.fields(settings)}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value is not None
    }


def _units(chosen: argparse.Namespace) -> dict[str, bytes]:
    return apply.read_units(chosen.units)


def _provision(chosen: argparse.Namespace, estate: Estate) -> int:
    steps = apply.provision(
        chosen.folder, estate, datetime.now(UTC), units=_units(chosen), dry_run=chosen.dry_run, report=print
    )
    return _told(steps, chosen)


def _told(steps: Sequence[Step], chosen: argparse.Namespace) -> int:
    due = changes(steps)
    if chosen.dry_run:
        for step in due:
            print(step)
    if due:
        print(f"{len(due)} of {len(steps)} files {'would change' if chosen.dry_run else 'changed'}.")
    else:
        print("Nothing to do.")
    return 0


if __name__ == "__main__":
    main()
