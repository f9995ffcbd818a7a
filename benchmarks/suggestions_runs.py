"""Runs each method in a process of its own, so that its seconds and its memory are its own.

I/O: processes, /proc; the clock.
"""

import importlib
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from benchmarks.suggestions_baskets import Baskets

Tops = dict[str, list[str]]
Told = Callable[[str], None]
Method = Callable[[Baskets, bool, Told], tuple[Tops, str]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a method suggested, what it chose, and what it took. `added_bytes`: its peak above the baskets alone."""

    tops: Tops
    chosen: str
    seconds: float
    added_bytes: int


# Each is imported when it runs, so that no other's libraries count as its memory.
METHODS: Final = {
    "global frequency": ("benchmarks.suggestions_rivals", "global_frequency"),
    "personal frequency": ("benchmarks.suggestions_rivals", "personal_frequency"),
    "combined frequency": ("benchmarks.suggestions_rivals", "combined_frequency"),
    "TIFU-KNN": ("benchmarks.suggestions_rivals", "tifu_knn"),
    "UP-CF": ("benchmarks.suggestions_rivals", "up_cf"),
    "ours": ("benchmarks.suggestions_ours", "ours"),
}


class MethodError(RuntimeError):
    """A method did not come to its end; its own words are on standard error."""


def run(name: str, baskets: Baskets, strict: bool) -> Ran:
    """The method's suggestions for the `test` shoppers.

    Raises:
        MethodError: it failed or was killed (by a lack of memory, say).
    """
    context = multiprocessing.get_context("fork")  # the baskets are shared, not read again
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, name, baskets, strict))
    child.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        found = None
    child.join()
    if not isinstance(found, Ran):
        raise MethodError(f"{name} ended with {child.exitcode} before it was done")
    return found


def _child(answer: Connection, name: str, baskets: Baskets, strict: bool) -> None:
    began_s = time.monotonic()

    def told(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began_s:7.1f} s  {name}: {text}\n")
        sys.stderr.flush()

    told("begins")
    before_bytes = _forget_peak()
    module, function = METHODS[name]
    method: Method = getattr(importlib.import_module(module), function)
    tops, chosen = method(baskets, strict, told)
    answer.send(Ran(tops, chosen, time.monotonic() - began_s, max(0, _peak_bytes() - before_bytes)))
    told("done")


def _forget_peak() -> int:
    """Lets the kernel count the peak anew, where it does; returns the bytes held now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
    return _status_bytes("VmRSS")


def _peak_bytes() -> int:
    return _status_bytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status_bytes(what: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")), 0)
