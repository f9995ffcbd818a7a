"""Starts the virtual machines when the tests begin, and lets their findings be judged when all others are done."""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from tests.radio import machine
from tests.radio.machine import BOOKWORM, TRIXIE, Suite

COMMAND = "/opt/consentry/bin/python3 -m tests.radio /out"
LOGS = ("machine.log", "out/edge.log", "out/journal.log", "out/kernel.log")
SHOWN_BYTES = 12_000
HERE = Path(__file__).parent


class Run:
    """One machine from its making to its end, in the background."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.work = Path(mkdtemp(prefix=f"consentry-{suite.name}-"))
        self._trouble = ""
        self._running: subprocess.Popen[bytes] | None = None
        self._over = False
        self._thread = threading.Thread(target=self._play, name=suite.name, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        try:
            machine.prepare(self.suite, self.work)
        except subprocess.CalledProcessError as error:
            said = (error.stdout or b"")[-2000:] + (error.stderr or b"")[-4000:]
            self._trouble = f"{error.cmd[0]} ended with {error.returncode}:\n{said.decode(errors='replace')}"
            return
        except (OSError, subprocess.SubprocessError) as error:
            self._trouble = f"the machine could not be made: {error}"
            return
        if self._over:
            return
        self._running = machine.start(self.suite, self.work, COMMAND, self.work / "machine.log")
        status = self._running.wait()
        if status != 0:
            self._trouble = f"the run in the machine ended with {status}"

    def findings(self) -> dict[str, dict[str, Any]]:
        """What was found, once it ended; fails where there is nothing."""
        self._thread.join()
        path = self.work / "out" / "report.json"
        if not path.exists():
            pytest.fail(self._trouble or "the machine left no report", pytrace=False)
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def show(self) -> None:
        """Prints the machine's logs, which pytest keeps to itself unless a test fails."""
        print(self._trouble)
        for name in LOGS:
            path = self.work / name
            if path.exists():
                print(f"---- {name}\n{path.read_bytes()[-SHOWN_BYTES:].decode(errors='replace')}")

    def end(self) -> None:
        """Ends the machine if it still runs, and removes its folder."""
        self._over = True
        if self._running is not None and self._running.poll() is None:
            os.killpg(self._running.pid, signal.SIGTERM)
            self._running.wait()
        shutil.rmtree(self.work, ignore_errors=True)


_runs: dict[str, Run] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The machines' findings are judged last: until then they run beside the other tests."""
    items.sort(key=lambda item: _suite_of(item) is not None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Starts a machine for each suite that is to be judged, where this machine can run it."""
    if session.config.option.collectonly:
        return
    chosen = {suite.name for item in session.items if (suite := _suite_of(item)) is not None}
    for suite in (BOOKWORM, TRIXIE):
        there = os.geteuid() == 0 and all(shutil.which(program) for program in suite.programs)
        if suite.name in chosen and there:
            _runs[suite.name] = Run(suite)


def pytest_sessionfinish() -> None:
    """Ends what still runs."""
    for run in _runs.values():
        run.end()
    _runs.clear()


def _suite_of(item: pytest.Item) -> Suite | None:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    suite = parameters.get("suite") if item.path.is_relative_to(HERE) else None
    return suite if isinstance(suite, Suite) else None


@pytest.fixture
def findings(suite: Suite) -> Iterator[dict[str, dict[str, Any]]]:
    """What was found in the suite's machine; its logs are shown where a test fails."""
    if suite.name not in _runs:
        reason = f"the machine of {suite.name} needs root, to make its root file system and a chroot in it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason + " (nothing is skipped in CI)")
        pytest.skip(reason)
    run = _runs[suite.name]
    found = run.findings()
    run.show()
    yield found
