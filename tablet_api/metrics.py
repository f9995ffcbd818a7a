"""Counts what this program did, for `/metrics`; no figure has an identifier of a person, tablet or visit.

I/O: none of its own; guarded by a lock.
"""

import threading
from collections import Counter


class Metrics:
    """Counters and gauges by name and one label."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Adds `amount`, which may be negative for what comes and goes."""
        with self._lock:
            self._figures[(name, label)] += amount

    def text(self, more: tuple[tuple[str, str, int], ...] = ()) -> str:
        """Prometheus' text form, ours and `more` (name, label, value)."""
        with self._lock:
            ours = [(name, label, value) for (name, label), value in self._figures.items()]
        lines = [
            f'consentry_{name}{{kind="{_escaped(label)}"}} {value}' if label else f"consentry_{name} {value}"
            for name, label, value in sorted([*ours, *more])
        ]
        return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    """As Prometheus' text form wants it: a policy may name a receiver as it likes."""
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
