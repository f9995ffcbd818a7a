"""How many sightings the gateway's directory resolves, and what its table costs to make and to hold.

Time is that of this process alone, so the figures are per core. The sizes take turns, so that a busy machine slows all
of them alike, and the best round of each counts: whatever else runs only ever makes a round slower.

I/O: clocks, the child process that makes tables, the system's random generator.
"""

import itertools
import os
import queue
import random
import resource
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks.report import Row
from store_gateway.build_table import MEMBER_BYTES, ORDER_HEAD, PHONE_BYTES
from store_gateway.core.directory import Directory
from store_gateway.core.table import HELP_BIT, PRESENCE_BIT, SLOTS, Table, lay_out
from store_gateway.core.table import Row as Phone
from store_gateway.keyring import Built, Order, TableMaker
from wire.token import Kind, day_of_slot, token

SLOT = 2_991_666
PRESENT = 1000  # phones heard again and again in a crowded store
ROUNDS = 7
_BOTH = PRESENCE_BIT | HELP_BIT
_MADE_S = 180.0


def phones(count: int) -> list[Phone]:
    """So many members of one phone each, both kinds of token of each to be recognised."""
    day = day_of_slot(SLOT)
    return [Phone(os.urandom(16), _BOTH, day, os.urandom(16)) for _ in range(count)]


def heard(found: list[Phone]) -> list[bytes]:
    """Ten thousand sightings' tokens: of up to `PRESENT` phones, in no order."""
    present = [token(phone.day_key, Kind.PRESENCE, SLOT) for phone in found[:PRESENT]]
    # Each in bytes of its own, as it comes out of a datagram.
    sightings = [bytes(bytearray(one)) for one in itertools.islice(itertools.cycle(present), 10_000)]
    random.Random(1).shuffle(sightings)
    return sightings


def rate(act: Callable[[], object], times: int) -> float:
    """How many a second, where `act` does `times` of them; of this process's own time."""
    began = time.process_time()
    done = 0
    while time.process_time() - began < 0.25:
        act()
        done += times
    return done / (time.process_time() - began)


class _Case:
    """One size of the directory, with its sightings and its baseline."""

    def __init__(self, members: int) -> None:
        self.members = members
        known = phones(members)
        table = Table(memoryview(b"".join(lay_out(known, SLOT - 1))))
        self.directory = Directory()
        self.directory.adopt(table, 0)
        self._find = table.find
        self.sightings = heard(known)
        self.strangers = [os.urandom(16) for _ in range(10_000)]
        self._known = {one: known[at % len(known)].pseudonym for at, one in enumerate(dict.fromkeys(self.sightings))}
        self._key = known[0].day_key
        self.rates: dict[str, list[float]] = {"heard": [], "first": [], "strangers": [], "baseline": []}

    def measure(self) -> None:
        """One round of all four."""
        times = len(self.sightings)
        self.rates["heard"].append(rate(self._heard, times))
        self.rates["first"].append(rate(self._first, times))
        self.rates["strangers"].append(rate(self._strangers, times))
        self.rates["baseline"].append(rate(self._baseline, times))

    def _heard(self) -> None:
        resolve = self.directory.resolve
        for one in self.sightings:
            resolve(one, SLOT)

    def _first(self) -> None:
        for one in self.sightings:
            self._find(one)

    def _strangers(self) -> None:
        resolve = self.directory.resolve
        for one in self.strangers:
            resolve(one, SLOT)

    def _baseline(self) -> None:
        known, key = self._known, self._key
        for one in self.sightings:
            if known.get(one) is not None:
                Cipher(algorithms.AES128(key), modes.ECB()).decryptor().update(one)


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: a tenth of the members, fewer rounds."""
    sizes = (1, 1_000, 10_000 if quick else 100_000)
    cases = [_Case(size) for size in sizes]
    for _ in range(2 if quick else ROUNDS):
        for case in cases:
            case.measure()
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
                    f"{title}, {case.members:,} members (to 1: {found / alone:.2f})",
                    f"{found:,.0f}/s",
                    f"{baseline:,.0f}/s dict and one AES call",
                    found / baseline,
                )
            )
    return [*rows, *_build(sizes[-1])]


def _build(members: int) -> list[Row]:
    """The real child process, fed and waited for as the gateway does it."""
    known = phones(members)
    made: queue.Queue[Built] = queue.Queue()
    order = Order(
        0,
        ORDER_HEAD.pack(SLOT - 1, members, members),
        bytearray(b"".join(phone.pseudonym + bytes([_BOTH]) for phone in known)),
        bytearray(b"".join(phone.day.to_bytes(4, "little") + phone.pseudonym + phone.day_key for phone in known)),
    )
    assert len(order.members) == members * MEMBER_BYTES
    assert len(order.phones) == members * PHONE_BYTES
    began = time.perf_counter()
    TableMaker(made.put).start(order)
    built = made.get(timeout=_MADE_S)
    took_s = time.perf_counter() - began
    if built.table is None:
        raise RuntimeError("the child process made no table")
    peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    began = time.perf_counter()
    bare = {token(phone.day_key, kind, slot): phone.pseudonym
            for phone in known for kind in Kind for slot in range(SLOT - 1, SLOT - 1 + SLOTS)}  # fmt: skip
    bare_s = time.perf_counter() - began
    bare_bytes = sys.getsizeof(bare) + sum(sys.getsizeof(one) for one in bare)  # the pseudonyms are shared
    return [
        Row(f"table of {members:,} members, build", f"{took_s:.2f} s", f"{bare_s:.2f} s a plain dict", took_s / bare_s),
        Row(
            f"table of {members:,} members, memory in the gateway",
            f"{built.table.size_bytes / 2**20:.1f} MiB",
            f"{bare_bytes / 2**20:.1f} MiB a plain dict",
            built.table.size_bytes / bare_bytes,
        ),
        Row("peak memory of the child that makes it", f"{peak_bytes / 2**20:.0f} MiB"),
    ]
