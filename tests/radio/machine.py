"""Brings Consentry into the virtual machine and runs a command there.

What is made once per Debian suite (kernel, root image, wheels) is kept in a folder, `.vm/` of the checkout or what
CONSENTRY_VM names; two runs may share it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

from tests.radio.radios import UNIT

TOP = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
SCRIPTS = HERE / "machine"
LOCKS = (TOP / "requirements.lock", HERE / "requirements.lock")
PROGRAMS = (
    "mmdebstrap", "mke2fs", "cpio", "qemu-system-x86_64", "zstd", "xz", "depmod", "modprobe", "dpkg-deb",
)  # fmt: skip
# Wheels are built for one of these: the C library of Debian 12 is 2.36.
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")
BUILD_S = 900  # a slow mirror
# The other tests come first: what is measured in the machine does not depend on how fast it runs.
_LAST = ("nice", "-n", "10")
RUN_S = 1500  # many times what it takes where nothing else runs


@dataclass(frozen=True, slots=True)
class Suite:
    """One Debian: its name, its Python, and whether its secrets are sealed to a TPM (else to a key of the host)."""

    name: str
    python: str
    tpm: bool

    @property
    def programs(self) -> tuple[str, ...]:
        """What this machine must have to run it."""
        return (*PROGRAMS, "swtpm") if self.tpm else PROGRAMS


BOOKWORM = Suite("bookworm", "3.11", tpm=False)  # BlueZ 5.66, systemd 252
TRIXIE = Suite("trixie", "3.13", tpm=True)  # BlueZ 5.82, systemd 257
SUITES = {suite.name: suite for suite in (BOOKWORM, TRIXIE)}


def cache() -> Path:
    """Where the parts of the machines are kept."""
    return Path(os.environ.get("CONSENTRY_VM") or TOP / ".vm").absolute()


def prepare(suite: Suite, work: Path) -> None:
    """Makes all that `start` needs in `work`, an empty folder: app/ and software.img.

    Raises: subprocess.CalledProcessError, with what the program said on standard error.
    """
    kept = cache()
    _call([SCRIPTS / "build.sh", suite.name, kept], BUILD_S)
    wheels = _wheels(suite, kept)
    ours = _our_wheel(work)
    app = work / "app"
    _copy_tests(app)
    _bundle(app)
    _call([SCRIPTS / "software.sh", suite.name, kept, wheels, ours, work / "software.img"], BUILD_S)


def start(suite: Suite, work: Path, command: str, out: Path) -> subprocess.Popen[bytes]:
    """Starts `command` in a machine that writes to `out`, where machine.log is what it prints.

    It ends with the command's status; 125: there was none.
    """
    tpm = ["-T"] if suite.tpm else []
    out.mkdir()
    with (out / "machine.log").open("wb") as to:
        return subprocess.Popen(
            [*_LAST, SCRIPTS / "run.sh", "-s", suite.name, "-t", str(RUN_S), *tpm,
             cache(), work / "software.img", work / "app", out, command],
            stdin=subprocess.DEVNULL, stdout=to, stderr=to, start_new_session=True,
        )  # fmt: skip


def _wheels(suite: Suite, kept: Path) -> Path:
    """The folder with the wheels of both locks, fetched by name and checked by hash where they are not there yet."""
    entries = _locked_for(suite, "".join(lock.read_text(encoding="utf-8") for lock in LOCKS))
    folder = kept / "wheels" / f"{suite.name}-{hashlib.sha256(entries.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    fetched = folder.with_suffix(f".{os.getpid()}")
    fetched.mkdir(parents=True)
    lock = fetched / "requirements.lock"
    lock.write_text(entries, encoding="utf-8")
    command: list[str | Path] = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
        "--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version", suite.python,
        "--dest", fetched, "--requirement", lock,
    ]  # fmt: skip
    for platform in _PLATFORMS:
        command += ["--platform", platform]
    for attempt in range(1, 4):
        try:
            _call(command, BUILD_S)
            break
        except subprocess.CalledProcessError:
            if attempt == 3:
                raise
            time.sleep(attempt * 3)
    fetched.rename(folder)
    return folder


def _locked_for(suite: Suite, lock: str) -> str:
    """The entries of a lock that hold for the suite's Python; pip would judge them by the Python that it runs on."""
    there = {"python_version": suite.python, "python_full_version": f"{suite.python}.0"}
    entries = re.findall(r"^[a-z0-9._-]+==\S+.*\n(?: +--hash=.*\n)+", lock, re.M)
    wanted = []
    for entry in entries:
        _, _, marker = entry.splitlines()[0].rstrip(" \\").partition(" ; ")
        if not marker or Marker(marker).evaluate(there):
            wanted.append(entry.replace(f" ; {marker}", ""))
    return "".join(wanted)


def _our_wheel(work: Path) -> Path:
    """Consentry's own wheel, built from a copy, since the build leaves things lying about."""
    source = work / "source"
    source.mkdir(parents=True)
    for path in (*sorted(TOP.glob("*/__init__.py")), TOP / "pyproject.toml", TOP / "README.md"):
        if path.name != "__init__.py":
            shutil.copy(path, source)
        elif path.parent.name != "tests":
            shutil.copytree(path.parent, source / path.parent.name, ignore=shutil.ignore_patterns("__pycache__"))
    command: list[str | Path] = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index",
        "--no-build-isolation", "--wheel-dir", work / "wheel", source,
    ]  # fmt: skip
    _call(command, BUILD_S)
    return next((work / "wheel").glob("*.whl"))


def _copy_tests(app: Path) -> None:
    for path in (TOP / "tests" / "__init__.py", *HERE.glob("*.py")):
        target = app / path.relative_to(TOP)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copytree(TOP / "systemd", app / "systemd")


def _bundle(app: Path) -> None:
    """A store's bundle as an operator makes it; its broker is nowhere, so the store stays locked."""
    provision: list[str | Path] = [sys.executable, "-m", "provisioning"]
    folder: list[str | Path] = ["--folder", app / "provisioned"]
    _call([*provision, "hq", *folder, "--broker-host", "127.0.0.1"], 120)
    _call([*provision, "store", "box-1", *folder, "--radio", f"{UNIT.node}={UNIT.address}"], 120)


def _call(command: Sequence[str | Path], limit_s: float) -> None:
    subprocess.run(
        [*_LAST, *command], cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=limit_s
    )
