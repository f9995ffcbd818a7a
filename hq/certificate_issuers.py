"""Asks for a store's certificate: looks into a folder, or runs the program that an operator named.

Either leaves `fullchain.pem` and `privkey.pem`, as ACME's programs call them. The program gets its own folder, which is
removed with the key in it whatever happens.

I/O: the file system; runs one program.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.config import CREDENTIALS_VARIABLE
from wire.trust import MAX_CHAIN_BYTES, MAX_KEY_BYTES

CHAIN: Final = "fullchain.pem"
KEY: Final = "privkey.pem"
_RUNTIME: Final = "RUNTIME_DIRECTORY"  # systemd's, in memory


@dataclass(frozen=True, slots=True, repr=False)
class Issued:
    """A chain and its key, PEM, not judged yet."""

    chain: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class NotIssued:
    """Why there is none."""

    why: str


def from_folder(folder: Path, store: str) -> Issued | NotIssued:
    """What lies in the store's folder below `folder`."""
    return _read(folder / store, "the folder has no certificate for this store")


def from_hook(program: Path, store: str, name: str, timeout_s: float) -> Issued | NotIssued:
    """What `program STORE NAME FOLDER` leaves in FOLDER when it ends with 0.

    It gets nothing on its standard input, none of HQ's credentials in its environment, and its words are not kept; when
    its time is over it is killed with all that it started.
    """
    with tempfile.TemporaryDirectory(prefix="certificate-", dir=os.environ.get(_RUNTIME)) as made:
        environment = {key: value for key, value in os.environ.items() if key != CREDENTIALS_VARIABLE}
        try:
            running = subprocess.Popen(
                [program, store, name, made], env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            return NotIssued(f"the hook cannot be run: {error.strerror}")
        try:
            code = running.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return NotIssued(f"the hook did not end within {timeout_s:.0f} s")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        if code != 0:
            return NotIssued(f"the hook ended with {code}")
        return _read(Path(made), "the hook left no certificate")


def _read(folder: Path, missing: str) -> Issued | NotIssued:
    try:
        return Issued(_first(folder / CHAIN, MAX_CHAIN_BYTES), _first(folder / KEY, MAX_KEY_BYTES))
    except OSError as error:
        return NotIssued(f"{missing}: {error.strerror}")


def _first(file: Path, most_bytes: int) -> bytes:
    with file.open("rb") as stream:
        return stream.read(most_bytes + 1)
