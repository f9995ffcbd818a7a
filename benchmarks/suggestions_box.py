"""What suggestions cost a store's box: memory that they add to the gateway's, and the time of a request.

A cache is filled by one process (`benchmarks.suggestions_shop`), which learns the tables, too. Another opens it with
the gateway's own parts and nothing of what only HQ needs, reads catalog and tables as the gateway does, then makes
suggestions for members drawn by a seed, each for the first time on a visit: the record is opened from the sealed cache,
the grants are asked, the guard and the ranker run. Each is asked for several times, long after each other: the least
time of a member's is what the request takes, and what the others take more is the machine's.

I/O: processes, a temporary folder, the cache, /proc; the clock.
"""

import contextlib
import gc
import hashlib
import itertools
import json
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from benchmarks.report import Row, median, percentile

STORE_AT: Final = "berlin-1"
BOX_SECRET: Final = bytes(32)
NOW_DAY: Final = 20_780
ADDED_BYTES: Final = 120 * 2**20  # the aims
REQUEST_S: Final = 0.003
_DAY_S: Final = 86_400
_REQUESTS: Final = 2_000
_ROUNDS: Final = 5


def share() -> Any:
    """The store's part of the cache's key."""
    from wire.sync import EpochShare

    return EpochShare(1, hashlib.sha256(b"box").digest())


def pseudonym(number: int) -> bytes:
    """Of the member of that number."""
    return hashlib.blake2b(number.to_bytes(8, "little"), digest_size=16, person=b"member").digest()


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 600 members and 500 items."""
    return figures(600, 500, 300) if quick else figures(100_000, 20_000, _REQUESTS)


def figures(members: int, items: int, requests: int) -> list[Row]:
    """Of a shop of so many, and so many requests."""
    folder = Path(tempfile.mkdtemp(prefix="consentry-bench-"))
    try:
        began_s = time.perf_counter()
        _apart("fill", folder, members, items)
        filled_s = time.perf_counter() - began_s
        found = json.loads(_apart("measure", folder, members, requests))
    finally:
        shutil.rmtree(folder)
    return [
        *_memory(found, f"{members:,} members, {found['items']:,} items"),
        *_times(found, requests),
        Row("suggestions of a request, mean", f"{found['suggested']:.1f}"),
        Row("making the shop, learning its tables, filling the cache", f"{filled_s:.0f} s"),
    ]


def _memory(found: Any, title: str) -> list[Row]:
    return [
        Row(
            f"memory added to an open cache of {title}", f"{found['added_bytes'] / 2**20:.0f} MiB",
            f"{ADDED_BYTES / 2**20:.0f} MiB, the limit", found["added_bytes"] / ADDED_BYTES,
        ),
        Row("of it the tables", f"{found['tables_bytes'] / 2**20:.0f} MiB"),
        Row("of it names and sorts of the catalog", f"{found['catalog_bytes'] / 2**20:.0f} MiB"),
        Row("the whole process, at its peak", f"{found['peak_bytes'] / 2**20:.0f} MiB"),
        Row("tables read and made", f"{found['made_s']:.1f} s"),
    ]  # fmt: skip


def _times(found: Any, requests: int) -> list[Row]:
    own_s, clock_s, bare_s, constant_s, between_s = (
        found[name] for name in ("own_s", "clock_s", "bare_s", "constant_s", "between_s")
    )
    least_s = [min(times) for times in zip(*own_s, strict=True)]
    every_s = list(itertools.chain.from_iterable(own_s))
    p99_s = percentile(least_s, 0.99)
    spread, constant = (percentile(times, 0.99) / median(times) for times in (every_s, constant_s))
    rows = [
        Row(
            f"a request, p99 of {requests:,} members, least own time of {_ROUNDS}", f"{p99_s * 1e3:.2f} ms",
            f"{REQUEST_S * 1e3:.0f} ms, the limit", p99_s / REQUEST_S,
        )
    ]  # fmt: skip
    for what, times in (
        (f"least own time of {_ROUNDS}", least_s), ("own time of each", every_s), ("each by the clock", clock_s),
    ):  # fmt: skip
        for name, figure, bare in (
            ("median", median(times), median(bare_s)),
            ("p99", percentile(times, 0.99), percentile(bare_s, 0.99)),
        ):
            title = f"a request, {name}, {what}"
            rows.append(Row(title, f"{figure * 1e3:.2f} ms", f"{bare * 1e3:.3f} ms Counter", figure / bare))
    return [
        *rows,
        Row(
            "a request, p99 as a multiple of the median, own time of each", f"{spread:.2f}",
            f"{constant:.2f} of a constant piece of work", spread / constant,
        ),
        Row("collecting garbage between two requests, mean", f"{sum(between_s) / len(between_s) * 1e3:.3f} ms"),
        Row("collecting garbage between two requests, longest", f"{max(between_s) * 1e3:.1f} ms"),
    ]  # fmt: skip


def _apart(what: str, folder: Path, members: int, number: int) -> str:
    command = [sys.executable, "-m", "benchmarks.suggestions_box", what, str(folder), str(members), str(number)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return done.stdout


class _Kept:
    """What `Offers` needs of the replica and of who knows the members, of an open vault alone."""

    def __init__(self, vault: Any) -> None:
        self._vault = vault

    def policy(self) -> Any:
        return self._vault.policy

    def memory(self, pseudonym: bytes) -> Any:
        return self._vault.memory(pseudonym)

    def record(self, pseudonym: bytes) -> Any:
        return self._vault.member(pseudonym), self._vault.denied(pseudonym)


def measure(folder: Path, members: int, requests: int) -> dict[str, object]:
    """The figures of an open cache, in a process that holds nothing else."""
    from consent.visit import Visit
    from runtime import garbage
    from store_gateway.assortment import Assortment
    from store_gateway.cache import Cache
    from store_gateway.epochs import Epochs
    from store_gateway.offers import Offers
    from store_gateway.shelf import Shelf
    from store_gateway.tables import Tables
    from store_gateway.vault import Vault

    cache = Cache(folder / "cache.sqlite3", secrets.token_bytes)
    vault = Vault(cache, Epochs(cache, BOX_SECRET, (share(),), secrets.token_bytes), secrets.token_bytes, STORE_AT)
    policy = vault.policy
    assert policy is not None
    shelf = Shelf(lambda: vault, contextlib.nullcontext)
    assortment, tables = Assortment(shelf), Tables(shelf, lambda make: make())
    offers = Offers(_Kept(vault), _Kept(vault), assortment, tables)
    drawn = [pseudonym(at) for at in random.Random(3).sample(range(members), min(members, requests + 200))]
    for member in drawn[requests:]:  # what a gateway without suggestions holds: records of who was shown lately
        vault.member(member)
    gc.collect()
    before_bytes = _status_bytes("VmRSS")
    while assortment.work(0.0):
        pass
    gc.collect()
    sorted_bytes = _status_bytes("VmRSS")
    began_s = time.perf_counter()
    while tables.work(0.0):
        pass
    made_s = time.perf_counter() - began_s
    gc.collect()
    tables_bytes = _status_bytes("VmRSS")
    assert tables.model is not None and len(assortment.sorts)
    garbage.settle()  # as the gateway does
    role = policy.main.roles[0].id
    clock_s, bare_s, between_s, constant_s, suggested = [], [], [], [], 0
    own_s: list[list[float]] = [[] for _ in range(_ROUNDS)]
    now_ms = (NOW_DAY * _DAY_S + 36_000) * 1000
    for at, (times, member) in enumerate(itertools.product(own_s, drawn[:requests])):
        visit = Visit(at.to_bytes(16, "big"), now_ms, policy.store.zones[0].id, invited=True)
        clock, own = time.perf_counter(), time.process_time()
        found = offers.of(member, visit, role, policy, now_ms)
        times.append(time.process_time() - own)
        clock_s.append(time.perf_counter() - clock)
        suggested += len(found.entries)
        offers.left(visit.handle)
        clock = time.perf_counter()
        garbage.between()  # as the gateway does
        between_s.append(time.perf_counter() - clock)
        bought = [
            line.item for one in vault.member(member).fields if one.scope == "history.store" for line in one.value.items
        ]
        clock = time.perf_counter()
        Counter(bought).most_common(6)
        bare_s.append(time.perf_counter() - clock)
        own = time.process_time()
        _constant()
        constant_s.append(time.process_time() - own)
    assert suggested
    return {
        "items": len(assortment.sorts), "catalog_bytes": sorted_bytes - before_bytes,
        "tables_bytes": tables_bytes - sorted_bytes, "added_bytes": _status_bytes("VmRSS") - before_bytes,
        "peak_bytes": _status_bytes("VmHWM"), "made_s": made_s, "own_s": own_s, "clock_s": clock_s, "bare_s": bare_s,
        "between_s": between_s,
        "constant_s": constant_s,
        "suggested": suggested / len(clock_s),
    }  # fmt: skip


def _constant() -> None:
    """About as long as a request, and always the same: what differs is the machine's."""
    found: dict[int, float] = {}
    for at in range(12_000):
        found[at % 500] = found.get(at % 500, 0.0) + at * 0.5


def _status_bytes(what: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


if __name__ == "__main__":
    _, what, where, members, number = sys.argv
    if what == "fill":
        from benchmarks.suggestions_shop import fill

        fill(Path(where), int(members), int(number))
    else:
        print(json.dumps(measure(Path(where), int(members), int(number))))
