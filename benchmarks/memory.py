"""How much memory each program holds with many members in the store's audience, beside a store with ten.

HQ is given its members before it starts; the gateway fills its cache from it, makes its table and goes live.

I/O: /proc, loopback, the programs.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Row
from benchmarks.shop import Shop, shop

FEW = 10
_LIVE_S = 1_800.0
_SETTLE_S = 20.0  # after the fill: the table is made, a heartbeat passes
PROGRAMS = ("edge", "gateway", "tablets", "hq", "broker")


@dataclass(frozen=True, slots=True)
class _Found:
    now_bytes: dict[str, int]
    peak_bytes: dict[str, int]
    live_s: float


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 1,000 members."""
    many = 1_000 if quick else 100_000
    few_found = _measure(FEW)
    found = _measure(many)
    rows = []
    for name in PROGRAMS:
        now, few = found.now_bytes[name], few_found.now_bytes[name]
        rows.append(
            Row(
                f"{name}, {many:,} members (peak {_mib(found.peak_bytes[name])})",
                _mib(now),
                f"{_mib(few)} with {FEW}",
                now / few,
            )
        )
    rows.append(
        Row(
            f"from the gateway's start with an empty cache to live, {many:,} members",
            f"{found.live_s:.1f} s",
            f"{few_found.live_s:.1f} s with {FEW}",
            found.live_s / few_found.live_s,
        )
    )
    return rows


def _measure(members: int) -> _Found:
    with shop(members) as opened:
        live_s = opened.open(_LIVE_S)
        opened.sign_in()
        with opened.present(min(members, 50)):
            time.sleep(_SETTLE_S)
            opened.tablet.floor()
            return _Found(_all(opened, "VmRSS"), _all(opened, "VmHWM"), live_s)


def _all(opened: Shop, what: str) -> dict[str, int]:
    return {name: _of(opened.store.children.pid(name), what) for name in PROGRAMS}


def _of(pid: int, what: str) -> int:
    """A figure of /proc/PID/status, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


def _mib(count_bytes: int) -> str:
    return f"{count_bytes / 2**20:.1f} MiB"
