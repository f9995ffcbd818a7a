"""A hundred tablets on a busy floor: 200 members present, up to 50 changes a second, all streams acknowledging.

The real broker, HQ, gateway and tablet API on loopback. Calls for help and moves between zones come as sightings, who
attends by the API; a call is three changes: pressed, attended, done. The tablets are one process (`benchmarks.crowd`),
which shares the cores.

I/O: clocks, loopback, the programs, /proc.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.report import Row, median, percentile
from benchmarks.shop import PIN, Shop, shop
from benchmarks.tablets import _asked, _Constant
from demo.store import NODE, now_ms
from demo.tablet import Tablet
from wire import sighting, token
from wire.sighting import Sighting
from wire.token import Kind

TABLETS, PRESENT = 100, 200
MOVES_S = 26  # a second from zone to zone: nobody can be seen to walk more often than once in eight seconds
EVENTS, PAGES = "/api/v1/floor/events", "/floor/stream"  # the same stream as JSON, and as pages get it
FAR = "edge-2"
_ZONES = '\n[[stores.zones]]\nid = "sports"\nlabel = "Sports"\nkind = "department"\nnodes = ["edge-2"]\n'
_LIVE_S, _ALL_HEARD_S, _WITHIN_S = 120.0, 90.0, 5.0
_HEARD_S = 0.5
_PROGRAMS = {"the tablet API": "tablets", "the gateway": "gateway"}


@dataclass(frozen=True, slots=True)
class _Marks:
    """When a call was pressed, taken and done: (handle, help, attended by somebody) and the monotonic second."""

    pressed: list[tuple[str, float]] = field(default_factory=list)
    attended: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Stage:
    """So many calls a second, and what the tablets follow."""

    name: str
    path: str
    calls_s: int
    seconds: float


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 8 tablets, 20 members, a few seconds."""
    tablets, present, seconds = (8, 20, 2.0) if quick else (TABLETS, PRESENT, 30.0)
    stages = (
        _Stage("a call a second", EVENTS, 1, seconds),
        _Stage("eight calls a second", EVENTS, 8, seconds),
        _Stage("eight calls a second, pages", PAGES, 8, seconds / 2),
    )
    rows = []
    with shop(present, _ZONES) as opened:
        for number in range(tablets):
            opened.store.office.add_staff(
                _name(number), opened.store.plan.store, f"A {number}", "associate", PIN, now_ms()
            )
        opened.open(_LIVE_S)
        opened.sign_in()
        floor = _Floor(opened, present)
        with floor.heard(), _Constant(opened) as constant:
            handles = floor.wait_for_all()
            sessions = [_signed_in(opened, number) for number in range(tablets)]
            for stage in stages:
                with _crowd(opened, sessions, stage.path) as crowd:
                    floor.marks = _Marks()
                    before = _spent(opened, crowd.pid)
                    taken = _busy(opened, floor, handles, constant.connection, sessions, stage)
                    spent = {name: cpu_s - before[name] for name, cpu_s in _spent(opened, crowd.pid).items()}
                    found = _rows(floor.marks, _ended(crowd), taken, spent, stage.seconds)
                rows += [replace(row, what=f"{stage.name}: {row.what}") for row in found]
        most = {what: _most_bytes(opened.store.children.pid(name)) / 2**20 for what, name in _PROGRAMS.items()}
        return [*rows, *(Row(f"memory of {what} (most)", f"{mib:.1f} MiB") for what, mib in most.items())]


def _rows(
    marks: _Marks, found: dict[str, Any], taken: dict[str, list[float]], spent: dict[str, float], seconds: float
) -> list[Row]:
    bare = taken.pop("constant")
    rows = []
    for what, marked, state in (
        ("from a pressed call's sighting to a stream", marks.pressed, lambda help, by: help and by is None),
        ("from the request of who attends to a stream", marks.attended, lambda help, by: help and by is not None),
    ):
        delays = _delays(marked, found["told"], state) if found["told"] else []
        for name, share in (("median", 0.5), ("p99", 0.99), ("longest", 1.0)) if delays else ():
            rows.append(Row(f"{what}, {name} of {len(delays):,}", _ms(percentile(delays, share))))
    for what, times in taken.items():
        for name, figure, baseline in (
            ("median", median(times), median(bare)),
            ("p99", percentile(times, 0.99), percentile(bare, 0.99)),
        ):
            rows.append(
                Row(f"{what}, {name} of {len(times):,}", _ms(figure), f"{_ms(baseline)} constant", figure / baseline)
            )
    rows += [Row(f"CPU of {name}, of one core", f"{cpu_s / seconds:.0%}") for name, cpu_s in spent.items()]
    if found["told"]:
        changes = (2 * len(marks.attended) + len(marks.pressed) + found["zones"]) / seconds
        rows.append(Row("changes that a tablet was told", f"{changes:.0f} a second"))
    rows.append(Row("events to all tablets", f"{found['events'] / seconds:.0f} a second"))
    rows.append(Row("bytes to all tablets", f"{found['bytes'] / seconds / 1e6:.2f} MB/s"))
    return rows


def _delays(marked: Sequence[tuple[str, float]], told: Sequence[Any], is_state: Any) -> list[float]:
    """Seconds from each mark until each stream told it; what no stream told in time is so long."""
    by_handle: dict[str, list[tuple[int, float]]] = {}
    for number, at_s, handle, help, by in told:
        if is_state(help, by):
            by_handle.setdefault(handle, []).append((number, at_s))
    tablets = len({number for number, *_ in told})
    delays = []
    for handle, at_s in marked:
        first: dict[int, float] = {}
        for number, then_s in by_handle.get(handle, ()):
            if at_s <= then_s < at_s + _WITHIN_S:
                first.setdefault(number, then_s - at_s)
        delays += [*first.values(), *[_WITHIN_S] * (tablets - len(first))]
    return delays


class _Floor:
    """The phones: each is heard by two radios twice a second, and is nearer to one of them."""

    def __init__(self, opened: Shop, present: int) -> None:
        self._opened = opened
        self._secrets = opened.secrets[:present]
        self._far = [False] * present
        self._helps = [False] * present
        self._calls = [0] * present
        self._lock = threading.Lock()
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._gateway = str(opened.store.at / "run/sightings.sock")
        self.marks = _Marks()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Until the block ends."""
        stop = threading.Event()
        speaking = threading.Thread(target=self._speak, args=(stop,), daemon=True)
        speaking.start()
        try:
            yield
        finally:
            stop.set()
            speaking.join()
            self._line.close()

    def _speak(self, stop: threading.Event) -> None:
        while not stop.wait(_HEARD_S):
            for node in (NODE, FAR):
                self._send(node, [self._sighting(node, number) for number in range(len(self._secrets))])

    def _sighting(self, node: str, number: int) -> Sighting:
        now_s = now_ms() // 1000
        kind = Kind.HELP if self._helps[number] else Kind.PRESENCE
        # A token calls once; the phones' clocks are off by so much that each has three that count now.
        slot = token.slot_of(now_s) + (0, 1, -1)[self._calls[number] % 3]
        said = token.token(token.day_key(self._secrets[number], token.day_of_slot(slot)), kind, slot)
        boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return Sighting(node, said, -50 if self._far[number] is (node == FAR) else -72, 3, boot_ms - 400, boot_ms)

    def _send(self, node: str, sightings: list[Sighting]) -> None:
        with self._lock:
            for datagram in sighting.encode_batch(node, sightings):
                self._line.sendto(datagram, self._gateway)

    def moves(self, number: int) -> None:
        """Walks to the other zone."""
        self._far[number] = not self._far[number]

    def presses(self, number: int, handle: str) -> None:
        """Calls for help; heard at once."""
        self._calls[number] += 1
        self._helps[number] = True
        self.marks.pressed.append((handle, time.monotonic()))
        self._send(FAR if self._far[number] else NODE, [self._sighting(FAR if self._far[number] else NODE, number)])

    def is_helped(self, number: int) -> None:
        """The phone says presence again."""
        self._helps[number] = False

    def wait_for_all(self) -> list[str]:
        """The handle of each member's visit, in their order."""
        end = time.monotonic() + _ALL_HEARD_S
        while len(visits := self._opened.tablet.floor().body["visits"]) < len(self._secrets):
            if time.monotonic() > end:
                raise RuntimeError(f"{len(visits)} of {len(self._secrets)} members arrived in {_ALL_HEARD_S:.0f} s")
            time.sleep(0.5)
        named = {self._opened.tablet.card(one["handle"]).body["name"]: one["handle"] for one in visits}
        return [named[f"Name {number}"] for number in range(len(self._secrets))]


def _busy(
    opened: Shop,
    floor: _Floor,
    handles: list[str],
    constant: http.client.HTTPConnection,
    sessions: list[str],
    stage: _Stage,
) -> dict[str, list[float]]:
    """Fifty changes a second, and beside them the floor, a card, who attends and the constant, each asked in turn."""
    bearer = {"Authorization": f"Bearer {opened.tablet.session}"}
    connection = opened.store.address.connect(20.0)
    taken: dict[str, list[float]] = {name: [] for name in ("the floor", "a card", "who attends", "constant")}
    began, turn = time.monotonic(), 0
    moved = pressed = 0
    waiting: list[tuple[float, int]] = []
    attended: list[tuple[float, int]] = []
    while (passed := time.monotonic() - began) < stage.seconds:
        while moved < passed * MOVES_S:
            floor.moves(moved % len(handles))
            moved += 1
        while pressed < passed * stage.calls_s:
            number = (pressed * 7) % len(handles)
            floor.presses(number, handles[number])
            waiting.append((passed + 0.7, number))
            pressed += 1
        while waiting and waiting[0][0] <= passed:
            _, number = waiting.pop(0)
            floor.marks.attended.append((handles[number], time.monotonic()))
            taken["who attends"].append(
                _says(connection, handles[number], "attending", sessions[number % len(sessions)])
            )
            attended.append((passed + 0.7, number))
        while attended and attended[0][0] <= passed:
            _, number = attended.pop(0)
            floor.is_helped(number)
            _says(connection, handles[number], "done", sessions[number % len(sessions)])
        if turn % 3 == 0:
            taken["the floor"].append(_asked(connection, "/api/v1/floor", bearer))
        elif turn % 3 == 1:
            taken["a card"].append(_asked(connection, f"/api/v1/visits/{handles[turn % len(handles)]}", bearer))
        else:
            taken["constant"].append(_asked(constant, "/", bearer))
        turn += 1
        time.sleep(0.01)
    for _, number in (*waiting, *attended):  # the next stage begins with nobody waiting
        floor.is_helped(number)
        for action in ("attending", "done"):
            _says(connection, handles[number], action, sessions[number % len(sessions)])
    connection.close()
    return taken


def _says(connection: http.client.HTTPConnection, handle: str, action: str, session: str) -> float:
    """Seconds until it was answered."""
    began = time.perf_counter()
    connection.request(
        "POST", f"/api/v1/visits/{handle}/attendance", json.dumps({"action": action}),
        {"Authorization": f"Bearer {session}", "Content-Type": "application/json"},
    )  # fmt: skip
    answer = connection.getresponse()
    answer.read()
    if answer.status != http.client.NO_CONTENT:
        raise RuntimeError(f"who attends was answered with {answer.status}")
    return time.perf_counter() - began


def _name(number: int) -> str:
    return f"a-{number}"


def _signed_in(opened: Shop, number: int) -> str:
    tablet = Tablet(opened.store.address)
    tablet.pair(opened.store.pairing_code(), f"Tablet {number}")
    answer = tablet.sign_in(_name(number), PIN)
    if answer.status != http.client.CREATED:
        raise RuntimeError(f"sign-in was answered with {answer.status}")
    return tablet.session


@contextmanager
def _crowd(opened: Shop, sessions: list[str], path: str) -> Iterator[subprocess.Popen[str]]:
    """The tablets' process, once all streams are open."""
    running = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    address = opened.store.address
    order: dict[str, Any] = {"host": address.host, "port": address.port, "authority": address.authority}
    order |= {"sessions": sessions, "path": path}
    assert running.stdin is not None and running.stdout is not None
    try:
        running.stdin.write(json.dumps(order) + "\n")
        running.stdin.flush()
        if running.stdout.readline() != "open\n":
            raise RuntimeError("the tablets' streams were not opened")
        yield running
    finally:
        running.kill()
        running.communicate()


def _ended(crowd: subprocess.Popen[str]) -> dict[str, Any]:
    """What the tablets noted."""
    assert crowd.stdin is not None and crowd.stdout is not None
    time.sleep(1.0)  # what is on its way
    crowd.stdin.close()
    crowd.stdin = None
    found: dict[str, Any] = json.loads(crowd.stdout.readline())
    return found


def _spent(opened: Shop, crowd: int) -> dict[str, float]:
    """CPU seconds of each until now."""
    spent = {what: _cpu_s(opened.store.children.pid(name)) for what, name in _PROGRAMS.items()}
    return {**spent, "the tablets themselves (this benchmark's)": _cpu_s(crowd)}


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process until now, of its threads that ended as well (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _most_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
