"""Looks at a folder, plans, and does what the plan says, one whole file at a time.

I/O: the folder, through `provisioning.files`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from provisioning import identity, layout
from provisioning.errors import RefusedError
from provisioning.files import Files
from provisioning.plan import Action, State, Step, plan
from provisioning.settings import Estate, HqSettings, Revoked, RevokedList, StoreSettings
from provisioning.wanted import Wanted, store_folder
from runtime.config import load

UNIT_NAMES: Final = (
    "consentry-edge.service",
    "consentry-gateway.service",
    "consentry-probe.service",
    "consentry-tablets.service",
    "consentry-hq.service",
    "consentry-hq-web.service",
    "consentry-satellite.service",
    "consentry.target",
    "bluetooth.service.d/consentry.conf",
    "sysusers.d/consentry.conf",
)


def read(folder: Path) -> Estate | None:
    """What the folder provides for, None where HQ is not in it yet.

    Raises: ConfigError, where a settings file is broken.
    """
    if not (folder / layout.SETTINGS).is_file():
        return None
    files = Files(folder)
    stores = {
        store: load(folder / store_folder(store) / layout.SETTINGS, StoreSettings)
        for store in files.folders("stores")
        if (folder / store_folder(store) / layout.SETTINGS).is_file()
    }
    revoked = load(folder / layout.REVOKED, RevokedList).revoked if (folder / layout.REVOKED).is_file() else ()
    return Estate(load(folder / layout.SETTINGS, HqSettings), stores, revoked)


def read_units(place: Path | None = None) -> dict[str, bytes]:
    """The unit files, from `place`, else from where they are installed, else from the checkout.

    Raises: RefusedError, where they are in neither.
    """
    here = Path(__file__).resolve().parent.parent
    for folder in [place] if place else [here / "systemd", Path("/opt/consentry/share/consentry/systemd")]:
        if all((folder / name).is_file() for name in UNIT_NAMES):
            return {name: (folder / name).read_bytes() for name in UNIT_NAMES}
    raise RefusedError("the unit files are not there", "name their folder with --units")


def provision(
    folder: Path,
    estate: Estate,
    now: datetime,
    *,
    units: Mapping[str, bytes] | None = None,
    files: Files | None = None,
    dry_run: bool = False,
    report: Callable[[Step], None] = lambda step: None,
) -> tuple[Step, ...]:
    """Makes the folder hold what `estate` wants (see `layout`), and returns every step, kept files too.

    `report` is called with each step that changes something, once it is done; with `dry_run` nothing is done or told.
    Interrupted anywhere, another run with the same estate, or one that `read` gives, completes it.

    Raises: ProvisioningError; what was written before stays.
    """
    folder = folder.absolute()
    files = files or Files(folder)
    wanted = layout.wanted(folder, estate, read_units() if units is None else units)
    if dry_run:
        return _planned(files, wanted, estate, now)
    with files.locked():
        steps = _planned(files, wanted, estate, now)
        made = {one.path: one for one in wanted}
        for step in steps:
            _carry_out(files, made.get(step.path), step, now)
            if step.action is not Action.KEEP:
                report(step)
    return steps


def revoked_with(files: Files, estate: Estate, owner: str, certificates: Sequence[str]) -> tuple[Revoked, ...]:
    """The estate's revocations and those of the certificates at these paths, where they are there."""
    found = list(estate.revoked)
    for path in certificates:
        if files.mode(path) is None:
            continue
        certificate = x509.load_pem_x509_certificate(files.read(path))
        one = Revoked(f"{certificate.serial_number:x}", owner, identity.fingerprint(certificate))
        if one not in found:
            found.append(one)
    return tuple(found)


def _planned(files: Files, wanted: Sequence[Wanted], estate: Estate, now: datetime) -> tuple[Step, ...]:
    return plan(wanted, {one.path: _state(files, one, now) for one in wanted}, _leftovers(files, wanted, estate))


def _state(files: Files, one: Wanted, now: datetime) -> State:
    mode = files.mode(one.path)
    if mode is None:
        return State()
    if any(files.mode(path) is None for path in one.recipe.inputs):
        return State(mode)  # the plan replaces it, as what it is made from will be new
    try:
        inputs = {path: files.read(path) for path in one.recipe.inputs}
        return State(mode, one.recipe.fault(files.read(one.path), inputs, now))
    except ValueError:
        return State(mode, "made from something damaged")


def _leftovers(files: Files, wanted: Sequence[Wanted], estate: Estate) -> list[str]:
    """The files of stores and receivers that are no more: settings first, so that an interrupted removal goes on."""
    gone = []
    for place in ("stores", "authority/stores", "tablets", "satellites", "receivers"):
        for store in files.folders(place):
            if store not in estate.stores:
                paths = files.listed(f"{place}/{store}")
                gone += sorted(paths, key=lambda path: not path.endswith(layout.SETTINGS))
    there = {one.path for one in wanted}
    for store in sorted(estate.stores):
        certificates = f"stores/{store}/etc/consentry/certs"
        for place in (f"satellites/{store}", f"receivers/{store}", f"stores/{store}/etc/mosquitto", certificates):
            gone += [path for path in files.listed(place) if path not in there]
    return gone


def _carry_out(files: Files, one: Wanted | None, step: Step, now: datetime) -> None:
    match step.action:
        case Action.KEEP:
            return
        case Action.REMOVE:
            files.remove(step.path)
        case Action.PROTECT:
            files.protect(step.path, step.mode)
        case Action.CREATE | Action.REPLACE:
            if one is None:
                raise AssertionError("a step without a file")
            inputs = {path: files.read(path) for path in one.recipe.inputs}
            before = files.read(step.path) if step.action is Action.REPLACE else None
            files.write(step.path, one.recipe.make(inputs, before, now), step.mode)
