"""Starts the virtual machines when the tests begin, and lets their findings be judged when all others are done."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Collection
from enum import Enum
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest

from tests.radio import machine
from tests.radio.machine import BOOKWORM, TRIXIE, Suite

SHOWN_BYTES = 12_000
ALL_S = 3600.0  # for both plays, far beyond what they take
HERE = Path(__file__).parent


class Play(Enum):
    """What is played in a machine: the command. Each has a machine of its own."""

    RADIOS = "python3 -m tests.radio /out"
    BACKGROUND = (
        "consentry-provision install /app/provisioned/stores/box-1 && systemctl daemon-reload &&"
        " systemctl restart bluetooth && python3 -m tests.radio.peripheral >/out/found.jsonl"
    )


class Run:
    """The machines of one suite from their making to their end, in the background.

    Where tests are spread over processes (pytest-xdist), one `owns` the machines and the others wait for its word.
    """

    def __init__(self, suite: Suite, plays: Collection[Play], work: Path, owns: bool) -> None:
        self._suite = suite
        self._plays = plays
        self._work = work
        self._owns = owns
        self._running: dict[Play, subprocess.Popen[bytes]] = {}
        self._stopped = False
        self._thread = threading.Thread(target=self._start, name=suite.name, daemon=True)
        if owns:
            work.mkdir(mode=0o700)
            self._thread.start()

    def _start(self) -> None:
        trouble = "the machine was not started"
        try:
            machine.prepare(self._suite, self._work)
            for play in self._plays:
                if self._stopped:
                    break
                # One after the other: two suites then keep two cores busy.
                self._running[play] = machine.start(self._suite, self._work, play.value, self._out(play))
                self._running[play].wait()
        except subprocess.CalledProcessError as error:
            said = ((error.stdout or b"")[-2000:] + (error.stderr or b"")[-4000:]).decode(errors="replace")
            trouble = f"{' '.join(map(str, error.cmd[:6]))} ended with {error.returncode}:\n{said}"
        except (OSError, subprocess.SubprocessError) as error:
            trouble = f"the machine could not be made: {error}"
        finally:
            statuses = {play.name: running.returncode for play, running in self._running.items()}
            for path in self._work.iterdir():
                if path not in map(self._out, Play):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            word = self._work / "word"
            word.write_text(json.dumps({"trouble": trouble, "statuses": statuses}), encoding="utf-8")
            word.rename(self._over)

    @property
    def _over(self) -> Path:
        return self._work / "over.json"

    def _out(self, play: Play) -> Path:
        return self._work / play.name.lower()

    def ended(self, play: Play) -> Path:
        """The folder of what a play left, once all ended. Prints the logs, which pytest shows where a test fails."""
        until_s = time.monotonic() + ALL_S
        while not self._over.exists():
            assert time.monotonic() < until_s, "the machines have not ended"
            time.sleep(0.2)
        over = json.loads(self._over.read_text(encoding="utf-8"))
        if play.name not in over["statuses"]:
            pytest.fail(over["trouble"], pytrace=False)
        print(f"the run in the machine of {self._suite.name} ended with {over['statuses'][play.name]}")
        for path in (self._out(play) / name for name in ("machine.log", "edge.log", "journal.log", "kernel.log")):
            if path.exists():
                print(f"---- {path.name}\n{path.read_bytes()[-SHOWN_BYTES:].decode(errors='replace')}")
        return self._out(play)

    def end(self) -> None:
        """Ends the machines that still run."""
        self._stopped = True
        for running in list(self._running.values()):
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGTERM)

    def leave(self, interrupted: bool, alone: bool) -> None:
        """This process is done. The owner waits for the end where others may still judge, and else removes it all."""
        if not self._owns:
            return
        if interrupted or alone:
            self.end()
        self._thread.join()
        if alone:
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
    spread = getattr(session.config, "workerinput", {"workerid": "gw0", "testrunuid": os.urandom(8).hex()})
    for suite in (BOOKWORM, TRIXIE):
        items = [item for item in session.items if _suite_of(item) is suite]
        plays = [play for play in Play if any(play.name.lower() in _fixtures(item) for item in items)]
        there = os.geteuid() == 0 and all(shutil.which(program) for program in suite.programs)
        if plays and there:
            work = Path(gettempdir()) / f"consentry-{suite.name}-{spread['testrunuid']}"
            _tidy(suite)
            _runs[suite.name] = Run(suite, plays, work, owns=spread["workerid"] == "gw0")


def _tidy(suite: Suite) -> None:
    """Removes the logs of runs that were judged by several processes, none of which could know itself the last."""
    for over in Path(gettempdir()).glob(f"consentry-{suite.name}-*/over.json"):
        if time.time() - over.stat().st_mtime > ALL_S:
            shutil.rmtree(over.parent, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leaves no machine running."""
    for run in _runs.values():
        run.leave(exitstatus == pytest.ExitCode.INTERRUPTED, alone=not hasattr(session.config, "workerinput"))
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
