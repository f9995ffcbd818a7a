"""Puts a bundle in its places on the machine that it is for, its secrets sealed to that machine.

I/O: the file systems of bundle and machine through `provisioning.files`; systemd-creds and systemd-sysusers.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.errors import ProvisioningError, RefusedError
from provisioning.files import Files
from provisioning.plan import Action, Step

SEALED_FOLDER: Final = "etc/credstore.encrypted"
_SYSUSERS: Final = "etc/sysusers.d/consentry.conf"
_TIMEOUT_S: Final = 60
# Who may read what is neither public nor a sealed secret; everything else is root's.
_OWNERS: Final = {
    "etc/consentry/hq.toml": ("root", "consentry-hq"),
    "etc/mosquitto/consentry/server.key": ("mosquitto", "mosquitto"),
    "etc/mosquitto/consentry/topics.acl": ("mosquitto", "mosquitto"),
    "etc/mosquitto/consentry-store/server.key": ("mosquitto", "mosquitto"),
    "etc/mosquitto/consentry-store/topics.acl": ("mosquitto", "mosquitto"),
    "etc/mosquitto/consentry-store/passwords": ("mosquitto", "mosquitto"),
}


@dataclass(frozen=True, slots=True)
class Sealer:
    """systemd-creds: what it seals opens on this machine only, under the same name only."""

    program: str = "systemd-creds"

    def there(self) -> bool:
        """Whether the program is installed."""
        return shutil.which(self.program) is not None

    def seal(self, name: str, secret: bytes) -> bytes:
        """The sealed form. Raises: ProvisioningError."""
        return self._run("encrypt", name, secret)

    def opens(self, name: str, sealed: bytes) -> bytes | None:
        """The secret, None where this machine cannot open it."""
        try:
            return self._run("decrypt", name, sealed)
        except ProvisioningError:
            return None

    def _run(self, verb: str, name: str, content: bytes) -> bytes:
        try:
            return subprocess.run(
                [self.program, verb, f"--name={name}", "-", "-"],
                input=content, capture_output=True, check=True, timeout=_TIMEOUT_S,
            ).stdout  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
            why = f": {said[-1]}" if said else ""  # systemd's own words; a secret is never among them
            raise ProvisioningError(
                f"{self.program} {verb} failed{why}", "run it as root on the machine itself"
            ) from error


def install(
    bundle: Path,
    root: Path,
    *,
    sealer: Sealer | None = None,
    dry_run: bool = False,
    report: Callable[[Step], None] = lambda step: None,
) -> tuple[Step, ...]:
    """Brings `bundle` (hq/, broker/, stores/ID/, satellites/ID/NAME/) under `root`, and returns every step.

    Like `apply.provision` it changes only what differs, and goes on where it was interrupted.

    Raises: ProvisioningError, RefusedError.
    """
    sealer = sealer or Sealer()
    source, target = Files(bundle), Files(root, folder_mode=0o755)
    plain = [path for path in source.listed("etc") if not Path(path).name.startswith(".")]
    secrets = [path for path in source.listed("credentials") if not Path(path).name.startswith(".")]
    if not plain:
        raise RefusedError(
            f"{bundle} is not a bundle", "name hq/, broker/, stores/ID/ or satellites/ID/NAME/ of a folder"
        )
    if secrets and not sealer.there():
        raise RefusedError(
            "systemd-creds is missing, so secrets cannot be sealed", "install systemd 250 or later on this machine"
        )
    steps = []
    # First who there is: files are then given to them.
    for path in sorted(plain, key=lambda path: path != _SYSUSERS):
        step = _plain_step(source, target, path)
        if not dry_run and step.action is not Action.KEEP:
            target.write(path, source.read(path), step.mode, _owner(root, path))
            if path == _SYSUSERS:
                _make_users(root)
            report(step)
        steps.append(step)
    for path in secrets:
        part, name = Path(path).parts[1:]
        place = f"{SEALED_FOLDER}/consentry-{part}.{name}"
        step = _secret_step(source, target, path, place, name, sealer)
        if not dry_run and step.action is not Action.KEEP:
            (root / SEALED_FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write(place, sealer.seal(name, source.read(path)), step.mode, _owner(root, place))
            report(step)
        steps.append(step)
    return tuple(steps)


def _plain_step(source: Files, target: Files, path: str) -> Step:
    mode = source.mode(path) or 0
    found = target.mode(path)
    if found is None:
        return Step(Action.CREATE, path, mode)
    if target.read(path) != source.read(path):
        return Step(Action.REPLACE, path, mode, "the bundle changed")
    return Step(Action.KEEP, path, mode) if found == mode else Step(Action.REPLACE, path, mode, f"was {found:04o}")


def _secret_step(source: Files, target: Files, path: str, place: str, name: str, sealer: Sealer) -> Step:
    if target.mode(place) is None:
        return Step(Action.CREATE, place, 0o600)
    if sealer.opens(name, target.read(place)) != source.read(path):
        return Step(Action.REPLACE, place, 0o600, "the bundle changed")
    return Step(Action.KEEP, place, 0o600)


def _make_users(root: Path) -> None:
    if os.geteuid() != 0:
        return
    program = shutil.which("systemd-sysusers")
    if program is None:
        raise RefusedError("systemd-sysusers is missing", "install systemd on this machine")
    try:
        subprocess.run(
            [program, f"--root={root}", root / _SYSUSERS], check=True, capture_output=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ProvisioningError("systemd-sysusers failed", "run it by hand to see why") from error


def _owner(root: Path, path: str) -> tuple[int, int] | None:
    """User and group number by the machine's own tables; None where this run may not give files away."""
    if os.geteuid() != 0:
        return None
    owner, group = _OWNERS.get(path, ("root", "root"))
    return _number(root / "etc/passwd", owner), _number(root / "etc/group", group)


def _number(table: Path, name: str) -> int:
    if name == "root":
        return 0
    lines: Sequence[str] = table.read_text(encoding="utf-8").splitlines() if table.is_file() else ()
    for line in lines:
        row = line.split(":")
        if row[0] == name:
            return int(row[2])
    raise RefusedError(f"there is no {name} in {table}", f"install what makes it (for mosquitto: apt install {name})")
