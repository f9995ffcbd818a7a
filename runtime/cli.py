"""The top of every program: its options, its signals, and the one line and exit code on which it ends.

I/O: signals, a pipe and a thread for them, and the process's exit.
"""

import argparse
import importlib.metadata
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from runtime.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOFTWARE, ProgramError
from runtime.logs import Log, is_set_up

_DISTRIBUTION: Final = "consentry"
_FRAMES: Final = 6


def version() -> str:
    """The version installed."""
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "0+uninstalled"


def parser(program: str, description: str, config: Path | None = None, epilog: str = "") -> argparse.ArgumentParser:
    """An argument parser with `--version` and, where a default path is given, `--config`."""
    found = argparse.ArgumentParser(
        prog=program, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--version", action="version", version=f"{program} {version()}")
    if config is not None:
        found.add_argument(
            "--config", type=Path, default=config, metavar="FILE", help=f"the configuration (default: {config})"
        )
    return found


def run(program: Callable[[], int | None], part: str = "") -> NoReturn:
    """Runs `program` and leaves the process with its exit code (None is 0).

    SIGTERM and Ctrl-C both end it as a `KeyboardInterrupt` in the main thread, so that `finally` and `with` clean up:
    exit 0 after SIGTERM, 130 after Ctrl-C. A `ProgramError` becomes one line with the remedy and its exit code; any
    other exception one line with type and place but not its message, which could hold a value, and exit 70.
    """
    terminated = False

    def on_terminate(number: int, frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_terminate)
    log = Log(part)
    try:
        code = program() or EXIT_OK
    except KeyboardInterrupt:
        code = EXIT_OK if terminated else EXIT_INTERRUPTED
    except BrokenPipeError:
        # `… | head`: the reader has enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_OK
    except ProgramError as error:
        _say(log, "cannot_run", error.remedy, reason=error.text)
        code = error.exit_code
    except Exception as error:
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        _say(
            log,
            "crashed",
            "report this line to the maintainers",
            exception=type(error).__name__,
            at=",".join(places[-_FRAMES:]),
        )
        code = EXIT_SOFTWARE
    sys.exit(code)


def stop_on_signals(stop: Callable[[], Any], on_hangup: Callable[[], Any] | None = None) -> None:
    """From now on SIGTERM and Ctrl-C call `stop`, once, instead of ending the program; SIGHUP calls `on_hangup`.

    For programs whose main loop waits on something that `stop` can set. Both are called on a thread of their own: what
    runs in a signal's Python handler runs between two steps of the main thread, which may hold the very lock that
    `stop` needs. Once a process, from the main thread.
    """
    heard, told = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(told, False)  # set_wakeup_fd(): the interpreter's own handler must never wait
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    wanted = [signal.SIGTERM, signal.SIGINT, *([] if on_hangup is None else [signal.SIGHUP])]
    for number in wanted:
        signal.signal(number, _heard)
    threading.Thread(target=_obey, args=(heard, stop, on_hangup), name="signals", daemon=True).start()


def _heard(number: int, frame: FrameType | None) -> None:
    """Nothing: the signal's number is in the pipe already. Without a handler of Python's it would not be."""


def _obey(heard: int, stop: Callable[[], Any], on_hangup: Callable[[], Any] | None) -> None:
    stopped = False
    while True:
        for number in os.read(heard, 64):
            if number == signal.SIGHUP and on_hangup is not None:
                on_hangup()
            elif number in (signal.SIGTERM, signal.SIGINT) and not stopped:
                stopped = True
                stop()


def _say(log: Log, event: str, remedy: str, **fields: str) -> None:
    """By the log where the program set one up, else one plain line: a command's reader is a person."""
    if is_set_up():
        log.error(event, remedy=remedy, **fields)
    else:
        print(f"{Path(sys.argv[0]).name}: {', '.join(fields.values())}: {remedy}", file=sys.stderr)
