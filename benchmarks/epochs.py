"""What a new epoch and an erasure cost a full cache: the longest step, bytes written, and how long it takes.

The gateway's own code does the orders on a real file, a step at a time, as the state thread does between two answers.
Members have 300-byte bodies and a phone each. Steps are measured by the clock and by this process's own time, since on
a busy machine the clock counts others' work too; each waits for the disk as often as it writes.

I/O: clocks, a temporary folder, /proc/self/io, the system's random generator.
"""

import gc
import hashlib
import os
import random
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Row, median, percentile
from store_gateway import order_works
from store_gateway.cache import Cache
from store_gateway.core.lease import Keeper
from store_gateway.epochs import Epochs
from store_gateway.orders import Step
from store_gateway.replication import Replication
from store_gateway.vault import Touched, Vault
from wire import keyring, sync
from wire.sync import EpochShare, Order, Outcome, Record, Verb

STORE, DAY = "berlin-1", 20_778
MEMBERS, KEYRING = f"members/{STORE}", f"keyring/{STORE}/{DAY}"
LIMIT_S = 0.020
ROLLS = 5
ERASURES = 5
_BODY_BYTES = 300
_AT_ONCE = 2_000
_BARE_BYTES = 32 * 1024  # about what a step adds to SQLite's log
_SECRET = bytes(32)


class _Host:
    """What the orders need of a running gateway."""

    def __init__(self, file: Path) -> None:
        self.beside = file.with_name("bare")
        self.keeper = Keeper()
        self.cache: Cache | None = Cache(file, secrets.token_bytes)
        self.epochs: Epochs | None = Epochs(self.cache, _SECRET, (_share(1),), secrets.token_bytes)
        self.vault: Vault | None = Vault(self.cache, self.epochs, secrets.token_bytes, STORE)
        self.replication = Replication(secrets.token_bytes, Counter())

    def lock_down(self, now_mono_s: float, touched: Touched) -> None:
        """Not measured."""

    def begin_anew(self, order: bytes, now_mono_s: float, touched: Touched) -> None:
        """Not measured."""


@dataclass(frozen=True, slots=True)
class _Work:
    """How long each step took, by the clock and of our own, seconds; what was written, bytes."""

    steps_s: tuple[float, ...]
    own_s: tuple[float, ...]
    bare_s: tuple[float, ...]  # of a bare write as large as a step's, synced, by turns with the steps
    written_bytes: int


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 5,000 members."""
    count = 5_000 if quick else 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="consentry-bench-"))
    try:
        host = _Host(folder / "cache.sqlite3")
        _fill(host, count)
        assert host.cache is not None
        file_bytes = (folder / "cache.sqlite3").stat().st_size
        keys = host.cache._connection.execute("select count(*), sum(length(wrapped)) from buckets").fetchone()
        gc.collect()
        gc.freeze()
        rolls = [_roll(host, epoch) for epoch in range(2, 2 + ROLLS)]
        erased = random.Random(1).sample(range(count), ERASURES)
        erasures = [_erase(host, _pseudonym(number)) for number in erased]
        bucket_bytes = _bucket_bytes(host, _pseudonym(erased[-1]))
        host.cache.close()
    finally:
        shutil.rmtree(folder)
    title = f"{count:,} members, {keys[0]:,} bucket keys, file of {file_bytes / 2**20:,.0f} MiB"
    return [
        *_rows(f"a new epoch ({title})", rolls, f"{keys[1] / 1024:.0f} KiB of wrapped keys", keys[1]),
        *_rows("an erasure", erasures, f"{bucket_bytes / 1024:.0f} KiB in the buckets of the member", bucket_bytes),
    ]


def _rows(what: str, works: list[_Work], least: str, least_bytes: int) -> Iterator[Row]:
    steps_s = [step for work in works for step in work.steps_s]
    own_s = [step for work in works for step in work.own_s]
    written = sorted(work.written_bytes for work in works)[len(works) // 2]
    limit = f"{LIMIT_S * 1000:.0f} ms, the limit"
    longest, own = max(steps_s), max(own_s)
    yield Row(f"{what}: longest step, this process's own time", f"{own * 1000:.1f} ms", limit, own / LIMIT_S)
    bare_s = [one for work in works for one in work.bare_s]
    for name, figure, bare in (
        ("longest step by the clock", longest, max(bare_s)),
        (f"p99 of {len(steps_s):,} steps by the clock", percentile(steps_s, 0.99), percentile(bare_s, 0.99)),
        ("median of them", median(steps_s), median(bare_s)),
    ):
        yield Row(f"{what}: {name}", f"{figure * 1000:.1f} ms", f"{bare * 1000:.1f} ms bare", figure / bare)
    total = min(sum(work.steps_s) for work in works)
    yield Row(f"{what}: all steps together", f"{total:.2f} s")
    yield Row(f"{what}: written to the disk", f"{written / 1024:,.0f} KiB", least, written / least_bytes)


# --- the cache --------------------------------------------------------------------------------------------------------


def _fill(host: _Host, count: int) -> None:
    assert host.vault is not None
    host.vault.holdings.learn(
        sync.DigestKey(name, hashlib.sha256(name.encode()).digest()) for name in (MEMBERS, KEYRING)
    )
    body = secrets.token_bytes(_BODY_BYTES)
    buckets: dict[bytes, list[tuple[bytes, tuple[bytes, ...]]]] = {}
    records = []
    for number in range(count):
        pseudonym = _pseudonym(number)
        buckets.setdefault(sync.bucket_key(pseudonym), []).append((pseudonym, (pseudonym,)))
        records.append(Record(pseudonym, number + 1, body))
    _apply(host.vault, MEMBERS, records, _AT_ONCE)
    packed = [
        Record(key, number, keyring.pack(sorted(entries))) for number, (key, entries) in enumerate(buckets.items(), 1)
    ]
    _apply(host.vault, KEYRING, packed, 64)


def _apply(vault: Vault, name: str, records: list[Record], most: int) -> None:
    held = vault.holdings.instances[name]
    # By their paths, as a fill brings them: else each transaction would touch a page for each row.
    records.sort(key=lambda one: hashlib.blake2b(one.key, key=held.digest_key, digest_size=8).digest())
    for start in range(0, len(records), most):
        with vault.writing(1000.0 * start):  # so that what was applied before is no delta any more
            vault.holdings.apply(held, records[start : start + most], lambda held, key, body: None)
        vault.holdings.cache.tidy()  # as the gateway does between two slices; else the first epoch pays for the fill


def _bucket_bytes(host: _Host, pseudonym: bytes) -> int:
    """What an erasure has to write at least: the rows of the member's buckets."""
    assert host.vault is not None and host.cache is not None
    total = 0
    for place in order_works._places(host.vault, pseudonym):
        shift, bits = (64 - 10, place.bucket & 1023) if place.bucket >= 1024 else (64 - 8, place.bucket)
        low = bits << shift
        found = host.cache._connection.execute(
            "select sum(length(sealed)) from records where instance = ? and path between ? and ?",
            (place.instance, low.to_bytes(8, "big"), (low | ((1 << shift) - 1)).to_bytes(8, "big")),
        )
        total += found.fetchone()[0] or 0
    return total


def _pseudonym(number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(8, "little"), digest_size=16, person=b"member").digest()


def _share(epoch: int) -> EpochShare:
    return EpochShare(epoch, hashlib.sha256(epoch.to_bytes(4, "big")).digest())


# --- the orders -------------------------------------------------------------------------------------------------------


def _roll(host: _Host, epoch: int) -> _Work:
    assert host.epochs is not None
    host.epochs.learn((_share(epoch),))
    return _timed(order_works.roll(host, _order(Verb.ROLL, epoch.to_bytes(4, "big")), _ignore, 0.0), host.beside)


def _erase(host: _Host, pseudonym: bytes) -> _Work:
    return _timed(order_works.erase(host, _order(Verb.ERASE, pseudonym), _ignore, 0.0), host.beside)


def _order(verb: Verb, subject: bytes) -> Order:
    return Order(bytes(16), verb, bytes(16), 0, subject, None)


def _ignore(touched: Touched) -> None:
    pass


def _timed(steps: Iterable[Step], beside: Path) -> _Work:
    took, own, bare = [], [], []
    before = _written_bytes()
    work = iter(steps)
    while True:
        clock_s, process_s = time.perf_counter(), time.process_time()
        step = next(work)
        took.append(time.perf_counter() - clock_s)
        own.append(time.process_time() - process_s)
        bare.append(_bare_s(beside))
        if isinstance(step, tuple):
            assert step[0] is Outcome.DONE
            written = _written_bytes() - before - _BARE_BYTES * len(bare)
            return _Work(tuple(took), tuple(own), tuple(bare), written)


def _bare_s(beside: Path) -> float:
    """How long a write of the size of a step's takes until it is on the disk, now, on this machine."""
    with beside.open("ab", buffering=0) as stream:
        began_s = time.perf_counter()
        stream.write(bytes(_BARE_BYTES))
        os.fsync(stream.fileno())
        return time.perf_counter() - began_s


def _written_bytes() -> int:
    """What this process has sent to the disk since its start."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
