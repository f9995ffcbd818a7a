"""How many sightings the gateway's directory resolves, what its tables cost, and what waits for them.

The gateway's own keyring reads a replica in memory, orders tables of the real child process and adopts them, in a loop
that looks up tokens meanwhile. Rates are of this process's own time, so the figures are per core; the sizes take turns,
so that a busy machine slows all of them alike, and the best round of each counts.

I/O: clocks, the child process that makes tables, /proc, the system's random generator.
"""

import gc
import itertools
import os
import queue
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks.report import Row
from consent.visit import NOTHING_DENIED, Denied
from store_gateway.core.directory import Directory
from store_gateway.keyring import Built, Keyring, TableMaker, give_back, kinds_of, nameless
from wire.member import Mode
from wire.token import Kind, day_of_slot, token

SLOT = 2_991_666
DAY = day_of_slot(SLOT)
PRESENT = 1000  # phones heard again and again in a crowded store
PUBLISHED = 65_000
ROUNDS = 7
_SWITCH_S = 0.001  # as the gateway's program sets it
_BATCH = 64  # tokens looked up in one pass of the loop: what an edge sends at once
_IDLE_S = 5.0
_PUBLISHED_AT_ONCE = 32  # members in one message
_MIB = 2**20


class _Replica:
    """So many members of one phone each, in mode open; nothing is kept of them."""

    def __init__(self, members: int) -> None:
        self.members = members

    def denied(self, pseudonym: bytes) -> Denied:
        return NOTHING_DENIED

    def key_days(self) -> tuple[int, ...]:
        return (DAY,)

    def modes(self) -> Iterator[tuple[bytes, Mode]]:
        return ((_pseudonym(number), Mode.OPEN) for number in range(self.members))

    def keyring(self, day: int) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        return ((_pseudonym(number), (_key(number),)) for number in range(self.members))

    def failed(self) -> bool:
        return False


def _pseudonym(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "little"), digest_size=16, person=b"member").digest()


def _key(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "little"), digest_size=16, person=b"phone").digest()


class Passes:
    """How long the loop took for its passes, seconds: who asks waits for one of them."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.longest_own_s = 0.0
        self.own_s = 0.0  # all of them

    def add(self, wall_s: float, own_s: float) -> None:
        """One more."""
        self.longest_s = max(self.longest_s, wall_s)
        self.longest_own_s = max(self.longest_own_s, own_s)
        self.own_s += own_s

    def row(self, what: str, idle: "Passes") -> Row:
        """The longest, beside the longest of an idle loop."""
        return Row(
            f"longest pass of the loop, {what} (of its own time {self.longest_own_s * 1e3:.1f} ms)",
            f"{self.longest_s * 1e3:.1f} ms",
            f"{idle.longest_s * 1e3:.1f} ms idle",
            self.longest_s / idle.longest_s,
        )


class _Store:
    """One size of the directory: the gateway's own parts, and the loop around them."""

    def __init__(self, members: int) -> None:
        self.members = members
        self.built: queue.SimpleQueue[Built] = queue.SimpleQueue()
        self.maker = TableMaker(self.built.put)
        self.directory = Directory(nameless, give_back)
        self.keyring = Keyring(_Replica(members), self.directory, self.maker.start)
        self.strangers = [os.urandom(16) for _ in range(10_000)]
        self._batches = itertools.cycle([self.strangers[at : at + _BATCH] for at in range(0, 9_000, _BATCH)])
        self.slot: int | None = None
        self.child_peak_bytes = 0

    def passes(self, until: Callable[[], bool], act: Callable[[], object] = lambda: None) -> Passes:
        """The loop: some tokens, `act`, what came from the child, a slice of work; until it is so."""
        found, looked_s = Passes(), 0.0
        while not until():
            began_s, own_s = time.perf_counter(), time.thread_time()
            for one in next(self._batches):
                self.directory.resolve(one, SLOT)
            act()
            if not self.built.empty():
                made = self.built.get()
                if not made.tables:
                    raise RuntimeError("the child process made no table")
                self.keyring.built(made, began_s)
                del made
            self.keyring.work(self.slot, began_s)
            own_s = time.thread_time() - own_s
            ended_s = time.perf_counter()
            found.add(ended_s - began_s, own_s)
            if ended_s - looked_s > 0.05:
                looked_s = ended_s
                self._look_at_child()
        return found

    def _look_at_child(self) -> None:
        pid = self.maker.pid
        if pid is None:
            return
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            name = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return
        if b"build_table" in name:  # not a copy of this process, which it is at first
            self.child_peak_bytes = max(self.child_peak_bytes, _kib(status, "VmHWM") * 1024)

    def is_ready(self) -> bool:
        """All tables are there."""
        if self.slot is None or self.keyring.reading:
            return False
        due = self.directory.roll(self.slot)
        return not due.missing and not due.stale

    def publication(self, members: int) -> tuple[Callable[[], bool], Callable[[], None]]:
        """Whether all of so many new members were told, and the telling of the next few."""
        numbers = iter(range(self.members, self.members + members))
        here = token(_key(0), Kind.PRESENCE, SLOT)

        def told() -> bool:
            return numbers.__length_hint__() == 0

        def tell() -> None:
            for number in itertools.islice(numbers, _PUBLISHED_AT_ONCE):
                self.keyring.put_kinds(_pseudonym(number), kinds_of(Mode.OPEN, NOTHING_DENIED))
                self.directory.put_keys(DAY, _pseudonym(number), (_key(number),))
            self.keyring.lay()
            if self.directory.resolve(here, SLOT) is None:
                raise RuntimeError("a member who is present is not known any more")

        return told, tell


class _Rates:
    """What is resolved in one size of the directory, and the baseline."""

    def __init__(self, store: _Store) -> None:
        self.store = store
        numbers = range(min(store.members, PRESENT))
        self.known = {token(_key(number), Kind.PRESENCE, SLOT): _pseudonym(number) for number in numbers}
        # Each in bytes of its own, as it comes out of a datagram.
        self.sightings = [bytes(bytearray(one)) for one in itertools.islice(itertools.cycle(self.known), 10_000)]
        random.Random(1).shuffle(self.sightings)
        self.rates: dict[str, list[float]] = {"heard": [], "first": [], "strangers": [], "baseline": []}

    def measure(self) -> None:
        """One round of all four."""
        for name, act in (("heard", self._heard), ("first", self._first), ("strangers", self._strangers)):
            self.rates[name].append(_rate(act, len(self.sightings)))
        self.rates["baseline"].append(_rate(self._baseline, len(self.sightings)))

    def _heard(self) -> None:
        resolve = self.store.directory.resolve
        for one in self.sightings:
            resolve(one, SLOT)

    def _first(self) -> None:
        directory = self.store.directory
        for at in range(0, len(self.sightings), PRESENT):
            for one in self.sightings[at : at + PRESENT]:
                directory._look_up(one, SLOT)  # what `resolve` does with a token that it does not know yet
            directory.turn_over()

    def _strangers(self) -> None:
        resolve = self.store.directory.resolve
        for one in self.store.strangers:
            resolve(one, SLOT)

    def _baseline(self) -> None:
        known, key = self.known, _key(0)
        for one in self.sightings:
            if known.get(one) is not None:
                Cipher(algorithms.AES128(key), modes.ECB()).decryptor().update(one)


def _rate(act: Callable[[], object], times: int) -> float:
    """How many a second, where `act` does `times` of them; of this process's own time."""
    began = time.process_time()
    done = 0
    while time.process_time() - began < 0.25:
        act()
        done += times
    return done / (time.process_time() - began)


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: a hundredth of the members, fewer rounds."""
    sys.setswitchinterval(_SWITCH_S)
    gc.freeze()  # as the program does
    large = _Store(10_000 if quick else 1_000_000)
    rows = _work(large, 6_000 if quick else PUBLISHED, 0.5 if quick else _IDLE_S)
    small = [_Store(size) for size in (1, 1_000)]
    for store in small:
        store.slot = SLOT
        store.passes(store.is_ready)
    large.slot = SLOT
    large.passes(large.is_ready)
    cases = [_Rates(store) for store in (*small, large)]
    for _ in range(2 if quick else ROUNDS):
        for case in cases:
            case.measure()
    return [*_resolved(cases), *rows]


def _resolved(cases: list[_Rates]) -> list[Row]:
    rows = []
    for what, title in (
        ("heard", "tokens of phones that are present"),
        ("first", "a token heard for the first time"),
        ("strangers", "tokens that are nobody's"),
    ):
        alone = max(cases[0].rates[what])
        for case in cases:
            found, baseline = max(case.rates[what]), max(case.rates["baseline"])
            rows.append(
                Row(
                    f"{title}, {case.store.members:,} members (to 1: {found / alone:.2f})",
                    f"{found:,.0f}/s",
                    f"{baseline:,.0f}/s dict and one AES call",
                    found / baseline,
                )
            )
    return rows


def _work(store: _Store, published: int, idle_s: float) -> list[Row]:
    """Reads, builds, adopts, goes over a slot's border, and takes a bulk publication, as the gateway does."""
    before_bytes = _resident_bytes()
    reading = store.passes(lambda: not store.keyring.reading)
    columns_bytes = _resident_bytes() - before_bytes
    until_s = time.perf_counter() + idle_s
    idle = store.passes(lambda: time.perf_counter() > until_s)
    store.slot = SLOT
    spent_s = _children_s()
    building = store.passes(store.is_ready)
    four_s, spent_s = _children_s() - spent_s, _children_s()
    four_peak_bytes, store.child_peak_bytes = store.child_peak_bytes, 0
    store.slot = SLOT + 1
    border = store.passes(store.is_ready)
    one_s, one_peak_bytes = _children_s() - spent_s, store.child_peak_bytes
    tables_bytes, all_bytes = store.directory.size_bytes, _resident_bytes() - before_bytes
    publishing = store.passes(*store.publication(published))
    following = store.passes(store.is_ready)
    bare_s, bare_bytes = _bare(store.members)
    name = f"{store.members:,} members"
    return [
        Row(f"{name}: reading the replica once, on the state thread, in slices", f"{reading.own_s:.2f} s"),
        _cost(f"{name}: four tables, the child's own time", four_s, bare_s),
        _cost(f"{name}: one table, as at each slot's border", one_s, bare_s / 4),
        Row(
            f"{name}: memory of the four tables in the gateway",
            f"{tables_bytes / _MIB:.1f} MiB",
            f"{bare_bytes / _MIB:.1f} MiB a plain dict",
            tables_bytes / bare_bytes,
        ),
        Row(f"{name}: memory of the columns and their index, one day's keys", f"{columns_bytes / _MIB:.1f} MiB"),
        Row(f"{name}: all that the gateway holds for them, as resident memory", f"{all_bytes / _MIB:.1f} MiB"),
        Row(
            f"{name}: peak of the child for four tables, and for one, with what it shares",
            f"{four_peak_bytes / _MIB:.0f} and {one_peak_bytes / _MIB:.0f} MiB",
        ),
        reading.row("the replica is read", idle),
        building.row("four tables are made and adopted", idle),
        border.row("one table is made and adopted, one let go", idle),
        publishing.row(f"{published:,} members are published", idle),
        following.row("and four tables made anew", idle),
    ]


def _cost(what: str, spent_s: float, bare_s: float) -> Row:
    return Row(what, f"{spent_s:.2f} s", f"{bare_s:.2f} s a plain dict", spent_s / bare_s)


def _bare(members: int) -> tuple[float, int]:
    """What a plain dict of the same tokens takes: seconds, bytes; of more than 100,000 members, by rule of three."""
    some = min(members, 100_000)
    began = time.process_time()
    bare = {token(_key(number), kind, slot): number for number in range(some) for kind in Kind for slot in _slots()}
    took_s = (time.process_time() - began) * members / some
    size_bytes = (sys.getsizeof(bare) + sum(sys.getsizeof(one) for one in bare)) * members // some
    return took_s, size_bytes


def _slots() -> range:
    return range(SLOT - 1, SLOT + 3)


def _children_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _kib(status: str, name: str) -> int:
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


def _resident_bytes() -> int:
    return _kib(Path("/proc/self/status").read_text(encoding="ascii"), "VmRSS") * 1024
