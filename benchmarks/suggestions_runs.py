"""Runs a part of the measurements in a process of its own, so that its seconds and its memory are its own.

I/O: processes, /proc; the clock.
"""

import importlib
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple


class Place(NamedTuple):
    """A function, by name: it is imported where it runs, so that no other's libraries count as its memory."""

    module: str
    function: str


METHODS: Final = {
    "global frequency": Place("benchmarks.suggestions_rivals", "global_frequency"),
    "personal frequency": Place("benchmarks.suggestions_rivals", "personal_frequency"),
    "combined frequency": Place("benchmarks.suggestions_rivals", "combined_frequency"),
    "TIFU-KNN": Place("benchmarks.suggestions_rivals", "tifu_knn"),
    "UP-CF": Place("benchmarks.suggestions_rivals", "up_cf"),
    "ours": Place("benchmarks.suggestions_ours", "ours"),
}
GUARDED: Final = Place("benchmarks.suggestions_guarded", "cost")
MEMBERSHIP: Final = Place("benchmarks.suggestions_membership", "attacked")


@dataclass(frozen=True, slots=True)
class Ran:
    """What it gave, and what it took. `processor_s`: of all its threads. `added_bytes`: its peak above the baskets."""

    gave: Any
    seconds: float
    processor_s: float
    added_bytes: int


class RunError(RuntimeError):
    """It did not come to its end; its own words are on standard error."""


def run(name: str, place: Place, *arguments: object) -> Ran:
    """Calls the function with the arguments and, last, how to tell of its progress (one line to standard error).

    Raises:
        RunError: it failed or was killed (by a lack of memory, say).
    """
    context = multiprocessing.get_context("fork")  # the baskets are shared, not read again
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, name, place, arguments))
    child.start()
    theirs.close()
    found: object = None
    with suppress(EOFError):
        found = ours.recv()
    child.join()
    if not isinstance(found, Ran):
        raise RunError(f"{name} ended with {child.exitcode} before it was done")
    return found


def _child(answer: Connection, name: str, place: Place, arguments: tuple[object, ...]) -> None:
    began_s = time.monotonic()

    def told(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began_s:7.1f} s  {name}: {text}\n")
        sys.stderr.flush()

    told("begins")
    before_bytes = _forget_peak()
    function: Callable[..., object] = getattr(importlib.import_module(place.module), place.function)
    gave = function(*arguments, told)
    seconds = time.monotonic() - began_s
    answer.send(Ran(gave, seconds, time.process_time(), max(0, _peak_bytes() - before_bytes)))
    told("done")


def _forget_peak() -> int:
    """Lets the kernel count the peak anew, where it does; returns the bytes held now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status_bytes("VmRSS")


def _peak_bytes() -> int:
    return _status_bytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status_bytes(what: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")), 0)
