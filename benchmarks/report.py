"""What a benchmark found, as lines of a Markdown table, and the machine on which it found it.

I/O: reads /proc and asks git for the commit.
"""

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its baseline. `ratio` None: the figure stands for itself."""

    what: str
    figure: str
    baseline: str = "–"
    ratio: float | None = None

    def line(self) -> str:
        """The row of the table."""
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else "–"
        return f"| {self.what} | {self.figure} | {self.baseline} | {ratio} |"


def table(title: str, rows: Sequence[Row]) -> str:
    """A heading and the rows."""
    head = ["| what | figure | baseline | ratio |", "|---|---|---|---|"]
    return "\n".join([f"### {title}", "", *head, *(row.line() for row in rows)])


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def machine() -> str:
    """CPU, cores, memory, kernel, Python, commit, and how busy the machine is already, in one line."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    memory_kb = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory_kb / 2**20:.0f} GiB; Linux {platform.release()}; "
        f"Python {platform.python_version()}; commit {commit.stdout.strip() or 'unknown'}; "
        f"load average {os.getloadavg()[0]:.1f}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
