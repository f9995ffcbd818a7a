"""Starts the virtual machines when the tests begin, and lets their findings be judged when all others are done."""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Collection
from enum import Enum
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from tests.radio import machine
from tests.radio.machine import BOOKWORM, TRIXIE, Suite

SHOWN_BYTES = 12_000
HERE = Path(__file__).parent


class Play(Enum):
    """What is played in a machine: the command. Each has a machine of its own."""

    RADIOS = "python3 -m tests.radio /out"
    BACKGROUND = (
        "consentry-provision install /app/provisioned/stores/box-1 && systemctl daemon-reload &&"
        " systemctl restart bluetooth && python3 -m tests.radio.peripheral >/out/found.jsonl"
    )


class Run:
    """The machines of one suite from their making to their end, in the background."""

    def __init__(self, suite: Suite, plays: Collection[Play]) -> None:
        self._suite = suite
        self._work = Path(mkdtemp(prefix=f"consentry-{suite.name}-"))
        self._plays = plays
        self._trouble = ""
        self._running: dict[Play, subprocess.Popen[bytes]] = {}
        self._over = False
        self._thread = threading.Thread(target=self._start, name=suite.name, daemon=True)
        self._thread.start()

    def _start(self) -> None:
        try:
            machine.prepare(self._suite, self._work)
        except subprocess.CalledProcessError as error:
            said = (error.stdout or b"")[-2000:] + (error.stderr or b"")[-4000:]
            self._trouble = f"{error.cmd[0]} ended with {error.returncode}:\n{said.decode(errors='replace')}"
        except (OSError, subprocess.SubprocessError) as error:
            self._trouble = f"the machine could not be made: {error}"
        else:
            for play in self._plays:
                if self._over:
                    return
                # One after the other: two suites then keep two cores busy.
                self._running[play] = machine.start(self._suite, self._work, play.value, self._out(play))
                self._running[play].wait()

    def _out(self, play: Play) -> Path:
        return self._work / play.name.lower()

    def ended(self, play: Play) -> Path:
        """The folder of what a play left, once it ended. Prints the logs, which pytest shows where a test fails."""
        self._thread.join()
        if play not in self._running:
            pytest.fail(self._trouble or "the machine was not started", pytrace=False)
        print(f"the run in the machine of {self._suite.name} ended with {self._running[play].wait()}")
        for path in (self._out(play) / name for name in ("machine.log", "edge.log", "journal.log", "kernel.log")):
            if path.exists():
                print(f"---- {path.name}\n{path.read_bytes()[-SHOWN_BYTES:].decode(errors='replace')}")
        return self._out(play)

    def end(self) -> None:
        """Ends the machines that still run, and removes what they left."""
        self._over = True
        for running in list(self._running.values()):
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGTERM)
                running.wait()
        shutil.rmtree(self._work, ignore_errors=True)


_runs: dict[str, Run] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The machines' findings are judged last: until then they run beside the other tests."""
    items.sort(key=lambda item: _suite_of(item) is not None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Starts a machine for each suite that is to be judged, where this machine can run it."""
    if session.config.option.collectonly:
        return
    for suite in (BOOKWORM, TRIXIE):
        items = [item for item in session.items if _suite_of(item) is suite]
        plays = [play for play in Play if any(play.name.lower() in _fixtures(item) for item in items)]
        there = os.geteuid() == 0 and all(shutil.which(program) for program in suite.programs)
        if plays and there:
            _runs[suite.name] = Run(suite, plays)


def pytest_sessionfinish() -> None:
    """Ends what still runs."""
    for run in _runs.values():
        run.end()
    _runs.clear()


def _suite_of(item: pytest.Item) -> Suite | None:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    suite = parameters.get("suite") if item.path.is_relative_to(HERE) else None
    return suite if isinstance(suite, Suite) else None


def _fixtures(item: pytest.Item) -> Collection[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else ()


def _run_of(suite: Suite) -> Run:
    if suite.name not in _runs:
        reason = f"the machine of {suite.name} needs root, to make its root file system and a chroot in it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason + " (nothing is skipped in CI)")
        pytest.skip(reason)
    return _runs[suite.name]


@pytest.fixture
def radios(suite: Suite) -> dict[str, dict[str, Any]]:
    """What was found where everything befell the radios, by scene."""
    report = _run_of(suite).ended(Play.RADIOS) / "report.json"
    if not report.exists():
        pytest.fail("the machine left no report", pytrace=False)
    found: dict[str, dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))
    return found


@pytest.fixture
def background(suite: Suite) -> list[dict[str, Any]]:
    """What was said where phones in the background were asked for their tokens."""
    said = _run_of(suite).ended(Play.BACKGROUND) / "found.jsonl"
    if not said.exists():
        pytest.fail("the machine left no report", pytrace=False)
    return [json.loads(line) for line in said.read_text(encoding="utf-8").splitlines()]
