"""What one HQ process does of what ten thousand stores need: answers by threads, the outbox, ten thousand topics.

HQ's real parts on SQLite and, where it is installed, on a PostgreSQL of its own that syncs to disk as in production;
the broker is mosquitto on loopback. Wall clock, database and broker on the same cores: docs/scale.md reckons with it.

I/O: processes, folders in the temporary directory, loopback; the clock.
"""

import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, insert, select

from benchmarks.report import Row, median, percentile
from hq.database import open_database, writing
from hq.outbox import Outbox
from hq.place import Place
from hq.processes import RENEW_S
from hq.publisher import Link
from hq.records import DOWN
from hq.settings import Broker
from hq.tables import stores
from hq.waking import Waking
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters, text
from tests.postgresql import make_database, server
from wire import sync

STORES: Final = 200
ROUNDS: Final = 5
THREADS: Final = (1, 2, 4, 8)
TOPICS: Final = 10_000
EDITS: Final = 300
_WAIT_S: Final = 60.0


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: a tenth of everything."""
    part = 10 if quick else 1
    rows = []
    for name, opened in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        if name == "PostgreSQL" and shutil.which("initdb") is None:
            continue
        with opened() as engine:
            rows += _hellos(name, engine, STORES // part)
        with opened() as engine:
            rows += _outbox(name, engine, EDITS // part)
        with opened() as engine:
            rows += _places(name, engine, TOPICS // part)
    if shutil.which("mosquitto") is not None:
        rows += _topics(TOPICS // part)
    return rows


@contextmanager
def _sqlite() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'hq.db'}")
        yield engine
        engine.dispose()


@contextmanager
def _postgresql() -> Iterator[Engine]:
    with server(lambda program: shutil.which(program) or program, "fsync=on") as url:
        engine = open_database(make_database(url, "hq"))
        yield engine
        engine.dispose()


def _store(hq: Headquarters, name: str) -> FakeStore:
    identity = Ed25519PrivateKey.generate()
    hq.office.add_store(name, name, identity.public_key().public_bytes_raw(), "main", hq.now_ms)
    return FakeStore(name, identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)


def _hellos(name: str, engine: Engine, count: int) -> list[Row]:
    """Hellos answered a second by so many threads of one process: mostly OpenSSL's and the database's work."""
    hq = Headquarters(engine)
    fakes = [_store(hq, f"store-{number}") for number in range(count)]
    hq.tick()
    for store in fakes:
        store.come_up(hq.answers)
        store.say(hq.answers, store.hello())
    rates, spent_s, answered = {}, 0.0, 0
    for threads in THREADS:
        said = [store.close(store.hello()) for _ in range(ROUNDS) for store in fakes]
        with ThreadPoolExecutor(threads) as pool:
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            for replies in pool.map(lambda payload: hq.answers.answer(payload, hq.now_ms), said):
                assert replies
            rates[threads] = len(said) / (time.perf_counter() - began_s)
        spent_s += time.process_time() - began_cpu_s
        answered += len(said)
    return [
        *(
            Row(f"hellos a second on {name}, {threads} thread{'s' if threads > 1 else ''}", f"{rate:,.0f}",
                f"{rates[1]:,.0f} (one thread)", rate / rates[1])
            for threads, rate in rates.items()
        ),
        Row(f"a hello's CPU in HQ's process on {name}", f"{spent_s / answered * 1e3:.2f} ms"),
    ]  # fmt: skip


def _outbox(name: str, engine: Engine, edits: int) -> list[Row]:
    """From a member's edit to the broker, and how many messages a process seals and sends a second."""
    hq = Headquarters(engine)
    hq.join_many(50)
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    sent_s: list[float] = []

    def send(messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        sent_s.extend(time.perf_counter() for _ in messages)
        return [True] * len(messages)

    box = Outbox(engine, hq.sealer, DOWN, send)
    while box.drain(hq.now_ms)[0]:
        pass
    sent_s.clear()
    waking, stop = Waking(engine, (DOWN,)), threading.Event()
    delays_s = _delays(hq, box, waking, stop, sent_s, edits)
    for number in range(edits):
        hq.office.set_profile(f"m-{number % 50}", [text("size.shoe", f"again {number}")], hq.now_ms)
    began_s, waiting = time.perf_counter(), 0
    while found := box.drain(hq.now_ms)[0]:
        waiting += found
    rate = waiting / (time.perf_counter() - began_s)
    return [
        Row(f"from a commit to the broker on {name}, median", f"{median(delays_s) * 1e3:.1f} ms"),
        Row(f"from a commit to the broker on {name}, p99", f"{percentile(delays_s, 0.99) * 1e3:.1f} ms"),
        Row(f"messages sealed and sent a second on {name}, one thread", f"{rate:,.0f}"),
    ]


def _delays(
    hq: Headquarters, box: Outbox, waking: Waking, stop: threading.Event, sent_s: list[float], edits: int
) -> list[float]:
    def drain() -> None:
        while not stop.is_set():
            if not box.drain(hq.now_ms)[0]:
                waking.wait(DOWN)

    threads = [threading.Thread(target=target) for target in (lambda: waking.run(stop), drain)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    delays_s = []
    for number in range(edits):
        before = len(sent_s)
        hq.office.set_profile(f"m-{number % 50}", [text("size.shoe", f"once {number}")], hq.now_ms)
        committed_s = time.perf_counter()
        _until(lambda before=before: len(sent_s) > before)
        delays_s.append(max(0.0, sent_s[before] - committed_s))
    stop.set()
    waking.wake()
    for thread in threads:
        thread.join()
    return delays_s


def _places(name: str, engine: Engine, count: int) -> list[Row]:
    """What a process spends on its place among four, for ten thousand stores."""
    hq = Headquarters(engine)
    with writing(engine) as connection:
        row = dict(connection.execute(select(stores)).mappings().one())
        connection.execute(insert(stores), [{**row, "id": f"store-{number}"} for number in range(count - 1)])
    places = [Place(engine) for _ in range(4)]
    for place in (*places, *places):
        place.tick(hq.now_ms)
    places[3].leave()
    places[0].tick(hq.now_ms)
    places[3].tick(hq.now_ms)
    began_s, spent_s = time.perf_counter(), time.process_time()
    places[0].tick(hq.now_ms + 1)
    first_s, first_cpu_s = time.perf_counter() - began_s, time.process_time() - spent_s
    spent_s = time.process_time()
    for turn in range(10):
        places[0].tick(hq.now_ms + 2 + turn)
    cpu_s = (time.process_time() - spent_s) / 10
    sizes = sorted(len(place.stores) for place in places)
    return [
        Row(f"{count:,} stores divided anew among 4 processes on {name}",
            f"{first_s * 1e3:.0f} ms, {first_cpu_s * 1e3:.0f} of CPU"),
        Row(f"the look every {RENEW_S:.0f} s when nothing changed, on {name}", f"{cpu_s * 1e3:.1f} ms of CPU"),
        Row("the smallest and the largest part", f"{sizes[0]:,} to {sizes[-1]:,}"),
    ]  # fmt: skip


def _topics(count: int) -> list[Row]:
    """One subscription a store instead of `+`: how long it takes, and what a message costs then."""
    with tempfile.TemporaryDirectory() as folder, _mosquitto(Path(folder)) as port:
        broker = Broker("127.0.0.1", port, tls=False)
        heard: list[float] = []
        link = Link(broker, None, "hq-down", lambda topic, payload: heard.append(time.perf_counter()))
        stop = threading.Event()
        speaking = Link(broker, None, "store")
        threads = [threading.Thread(target=one.run, args=(stop,)) for one in (link, speaking)]
        for thread in threads:
            thread.start()
        _until(lambda: link.is_up and speaking.is_up)
        names = [f"store-{number}" for number in range(count)]
        began_s = time.perf_counter()
        link.follow(map(sync.up, names))
        speaking.send([(sync.up(names[-1]), b"the last topic of the last packet")])
        while not heard:
            speaking.send([(sync.up(names[-1]), b"again")])
        subscribed_s = time.perf_counter() - began_s
        own = _rate(speaking, heard, names)
        link.follow([sync.UP_OF_ALL])
        time.sleep(1.0)
        every = _rate(speaking, heard, names)
        stop.set()
        for thread in threads:
            thread.join()
    return [
        Row(f"{count:,} topics subscribed to on mosquitto, 200 a packet", f"{subscribed_s:.2f} s"),
        Row("hellos (2.6 KB) a second through the broker, own topics", f"{own:,.0f}", f"{every:,.0f} (`+`)",
            own / every),
    ]  # fmt: skip


def _rate(speaking: Link, heard: list[float], names: list[str]) -> float:
    time.sleep(0.5)
    heard.clear()
    payload = secrets.token_bytes(2_600)
    messages = [(sync.up(names[number * 7 % len(names)]), payload) for number in range(3_000)]
    began_s = time.perf_counter()
    for start in range(0, len(messages), 100):
        speaking.send(messages[start : start + 100])
    _until(lambda: len(heard) >= len(messages))
    return len(messages) / (heard[len(messages) - 1] - began_s)


@contextmanager
def _mosquitto(folder: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (folder / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 10000\n")
    running = subprocess.Popen(
        ["mosquitto", "-c", str(folder / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(0.5)
        yield port
    finally:
        running.terminate()
        running.wait()


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_S
    while not true():
        if time.monotonic() > end:
            raise RuntimeError("it did not happen")
        time.sleep(0.0005)
