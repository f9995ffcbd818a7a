"""Waits in tests: for what happens elsewhere, up to a limit that only a failure reaches."""

import time
from collections.abc import Callable


def until(true: Callable[[], object], within_s: float = 30, what: str = "it") -> None:
    """Waits for something to become true; fails where it did not within so many seconds."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"{what} did not happen within {within_s} s"
        time.sleep(0.02)
