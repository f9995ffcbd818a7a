"""Starts the real programs, waits until each says that it is ready, and leaves none behind.

A child learns of its parent's end from the kernel (PR_SET_PDEATHSIG), so that none survives even a `kill -9` of the
demo. It says READY=1 over a socket of its own, as it would to systemd. Its stderr goes to a file in the folder. Ctrl-C
reaches the demo alone (each child has a process group of its own), which then ends them in order.

I/O: subprocess; its only importer.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from demo.errors import DemoError

STOP_S: Final = 10.0
RUN_S: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_LIBC: Final = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: a forked child must not load anything
_LAST_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class _Child:
    name: str
    running: "subprocess.Popen[bytes]"
    log: Path
    notify: socket.socket | None


def python(module: str, *arguments: str | Path) -> list[str]:
    """The command line that runs a program of ours with this very Python."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


class Children:
    """The programs running in `folder`, in the order in which they were started.

    To be used from the thread that made it, which must live as long as the children: the kernel takes that thread's
    end for the parent's.
    """

    def __init__(self, folder: Path, extra_environment: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = {**os.environ, **(extra_environment or {})}
        self._children: dict[str, _Child] = {}
        (folder / "logs").mkdir(exist_ok=True)

    def start(self, name: str, command: Sequence[str], says_ready: bool = True, reads: bool = False) -> None:
        """Starts a program; with `reads`, `stdin(name)` is a pipe to it. A name started again appends to its log."""
        line = _notify_socket(self._folder / f"{name}.ready") if says_ready else None
        environment = dict(self._environment)
        environment.pop("NOTIFY_SOCKET", None)
        if line is not None:
            environment["NOTIFY_SOCKET"] = str(self._folder / f"{name}.ready")
        log = self.log(name)
        with log.open("ab") as stream:
            running = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=environment,
                cwd=self._folder,
                process_group=0,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - two system calls, nothing that a fork could leave locked
            )
        self._children[name] = _Child(name, running, log, line)

    def wait_ready(self, name: str, within_s: float) -> None:
        """Returns when the program said READY=1.

        Raises: DemoError where it ended before, or said nothing for `within_s`.
        """
        child = self._children[name]
        line = child.notify
        if line is None:
            return
        line.settimeout(0.1)
        for _ in range(round(within_s / 0.1)):
            with suppress(TimeoutError):
                if b"READY=1" in line.recv(4096).split(b"\n"):
                    return
            if child.running.poll() is not None:
                break
        raise self._failed(child, "did not start")

    @staticmethod
    def pause(seconds: float) -> None:
        """Waits; here so that no other module of the demo needs a clock for it."""
        time.sleep(seconds)

    def stdin(self, name: str) -> IO[bytes]:
        """The pipe to a program that was started with `reads`."""
        pipe = self._children[name].running.stdin
        assert pipe is not None
        return pipe

    def log(self, name: str) -> Path:
        """Where a program's stderr goes."""
        return self._folder / "logs" / f"{name}.log"

    def pid(self, name: str) -> int:
        """The process id of a running program."""
        return self._children[name].running.pid

    def ended(self) -> str | None:
        """The name of a program that ended by itself, if one did."""
        return next((name for name, child in self._children.items() if child.running.poll() is not None), None)

    def check(self) -> None:
        """Raises: DemoError where a program ended by itself."""
        name = self.ended()
        if name is not None:
            raise self._failed(self._children[name], "ended by itself")

    def stop(self, name: str) -> int:
        """Ends a program as systemd would (SIGTERM, then SIGKILL) and returns its exit code."""
        child = self._children.pop(name)
        with suppress(BrokenPipeError):
            if child.running.stdin is not None:
                child.running.stdin.close()
        child.running.terminate()
        try:
            code = child.running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.running.kill()
            code = child.running.wait()
        _forget(child, self._folder)
        return code

    def kill(self, name: str) -> None:
        """Ends a program at once, as a power cut would: SIGKILL to it and to its own children."""
        child = self._children.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(child.running.pid, signal.SIGKILL)
        child.running.wait()
        if child.running.stdin is not None:
            with suppress(BrokenPipeError):
                child.running.stdin.close()
        _forget(child, self._folder)

    def stop_all(self) -> None:
        """Ends all programs, the last started first."""
        for name in reversed(list(self._children)):
            self.stop(name)

    def run(self, name: str, command: Sequence[str]) -> str:
        """Runs a command to its end and returns what it printed.

        Raises: DemoError where it fails; its last line says why.
        """
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=self._folder,
            env=self._environment,
            timeout=RUN_S,
            check=False,
            preexec_fn=_die_with(os.getpid()),
        )
        with self.log(name).open("ab") as stream:
            stream.write(done.stderr)
        if done.returncode != 0:
            raise DemoError(f"{name} failed: {_last_lines(done.stderr)}", "report this line to the maintainers")
        return done.stdout.decode()

    def _failed(self, child: _Child, what: str) -> DemoError:
        return DemoError(
            f"{child.name} {what}: {_last_lines(child.log.read_bytes())}",
            "if the line does not say what to do, report it to the maintainers",
        )


def _last_lines(log: bytes) -> str:
    lines = [line for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or "it said nothing"


def _notify_socket(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    line.bind(str(path))
    return line


def _forget(child: _Child, folder: Path) -> None:
    if child.notify is not None:
        child.notify.close()
        (folder / f"{child.name}.ready").unlink(missing_ok=True)


def _die_with(parent: int) -> Callable[[], None]:
    """What a new child does before it becomes the program: ask for SIGTERM at its parent's end."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it ended between fork and prctl
            os._exit(1)

    return ask
