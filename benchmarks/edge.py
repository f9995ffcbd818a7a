"""What an advert costs the edge, beside a bare bleak callback that hears the same ones, and beside a sensor decoder.

The real edge and the bare callback listen side by side on one private D-Bus, on which the tests' bluetoothd plays a
busy shop: the same adverts, at the same rate, in the same seconds. CPU time is what the kernel counts of each process.

I/O: clocks, a private D-Bus, the programs, /proc, a temporary folder.
"""

import importlib.util
import json
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from benchmarks.air import Phone, crowd, split
from benchmarks.report import Row
from edge.__main__ import boot_ms
from edge.coalesce import WINDOW_MS
from edge.edge import Edge
from edge.node import Node
from edge.scanner import Scanner
from edge.sender import Sender
from runtime.logs import Log
from runtime.notify import Notify
from tests.fakes.private_bus import PrivateBus
from wire import sighting
from wire.air import TEST_COMPANY, candidates, candidates_of_properties
from wire.sighting import DATAGRAM_BYTES, Health

PHONES: Final = 250
RATES: Final = (500, 2_000)  # adverts a second
OWN_RATE: Final = 2_000  # adverts a second of which each half second makes a batch
_SETTLE_S: Final = 3.0  # every phone is an object by then, and both programs have started
_ANSWER_S: Final = 20.0
_TOP: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class _Cost:
    """CPU seconds for 1,000 adverts of the edge and of the bare callback, in one and the same stretch of time."""

    edge_s: float
    bare_s: float
    per_s: float


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: one rate, short stretches."""
    rows = []
    for rate in RATES[:1] if quick else RATES:
        idle_s, costs = _side_by_side(rate, stretches=1 if quick else 5, stretch_s=2.0 if quick else 10.0)
        per_s, edge_s, bare_s = (
            fmean(row) for row in zip(*((c.per_s, c.edge_s, c.bare_s) for c in costs), strict=True)
        )
        rows.append(
            Row(
                f"CPU for 1,000 adverts, heard at {per_s:,.0f}/s, {PHONES} phones",
                f"{edge_s * 1000:.1f} ms",
                f"{bare_s * 1000:.1f} ms a bare bleak callback",
                edge_s / bare_s,
            )
        )
        rows.append(
            Row(
                f"adverts for which one core has time, D-Bus and bleak included, at {per_s:,.0f}/s",
                f"{1000 / edge_s:,.0f}/s",
                f"{1000 / bare_s:,.0f}/s a bare bleak callback",
                bare_s / edge_s,
            )
        )
        if rate == RATES[0]:
            rows.append(Row("CPU of the edge while nobody is on the air, each second", f"{idle_s * 1000:.1f} ms"))
    rounds = 2 if quick else 7
    phones = crowd(1000)
    rows.append(Row("adverts from bleak's callback to sightings sent, one core", f"{_own_part(phones, rounds):,.0f}/s"))
    return [*rows, *_decoders(phones, rounds)]


# --- side by side -------------------------------------------------------------------------------------------------


def _side_by_side(rate: int, stretches: int, stretch_s: float) -> tuple[float, list[_Cost]]:
    """CPU seconds of the edge in each second without an advert, and what the adverts cost."""
    costs = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consentry-bench-")))
        bus = stack.enter_context(PrivateBus(folder))
        fake = stack.enter_context(_program(bus, "tests.fakes.bluetoothd", "--bus", bus.address))
        _answer(fake)
        gateway = stack.enter_context(_gateway(folder))
        config = folder / "edge.toml"
        config.write_text(f'gateway_socket = "{folder / "sightings"}"\n[[radios]]\nnode = "till-1"\n')
        bare = stack.enter_context(_program(bus, "benchmarks.bare_callback"))
        edge = stack.enter_context(_program(bus, "edge", "--config", str(config)))
        _answer(bare)
        patience = time.perf_counter() + _ANSWER_S
        while not _drain(gateway, bare, _SETTLE_S):
            if time.perf_counter() > patience:
                raise RuntimeError("the edge does not start")
        idle_s = _cpu_s(edge.pid)
        _drain(gateway, bare, stretch_s)
        idle_s = (_cpu_s(edge.pid) - idle_s) / stretch_s
        for phone in crowd(PHONES):
            order = {"address": phone.address, "rssi": phone.rssi_dbm, "raw": phone.raw.hex()}
            _answer(fake, json.dumps({"advertise": {**order, "interval_s": PHONES / rate}}))
        # Pairs of what the edge says that it heard, and what the bare callback counted at that moment.
        heard: list[tuple[int, int]] = []
        patience = time.perf_counter() + _ANSWER_S
        while not heard and time.perf_counter() < patience:
            heard += [pair for pair in _drain(gateway, bare, _SETTLE_S) if pair[0]]
        for _ in range(stretches):
            before = _cpu_s(edge.pid), _cpu_s(bare.pid), _counted(bare), time.perf_counter()
            heard += _drain(gateway, bare, stretch_s)
            after = _cpu_s(edge.pid), _cpu_s(bare.pid), _counted(bare), time.perf_counter()
            thousands = (after[2] - before[2]) / 1000
            costs.append(
                _Cost(
                    (after[0] - before[0]) / thousands,
                    (after[1] - before[1]) / thousands,
                    thousands * 1000 / (after[3] - before[3]),
                )
            )
        edge.terminate()  # its last word is how many it heard
        heard += _drain(gateway, bare, 1.0)
        if len(heard) < 2 or not 0.8 < (heard[-1][0] - heard[0][0]) / (heard[-1][1] - heard[0][1]) < 1.25:
            raise RuntimeError("the edge and the bare callback did not hear the same adverts")
    return idle_s, costs


@contextmanager
def _program(bus: PrivateBus, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=_TOP, env=bus.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@contextmanager
def _gateway(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as far:
        far.bind(str(folder / "sightings"))
        yield far


def _drain(gateway: socket.socket, bare: subprocess.Popen[bytes], seconds: float) -> list[tuple[int, int]]:
    """Reads for so long; what the edge said that it heard, with what the bare callback had counted then."""
    heard = []
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        if select.select([gateway], [], [], left)[0]:
            said = sighting.decode(gateway.recv(DATAGRAM_BYTES))
            if isinstance(said, Health):
                heard.append((said.adverts, _counted(bare)))
    return heard


def _counted(bare: subprocess.Popen[bytes]) -> int:
    return int(_answer(bare, "count"))


def _answer(program: subprocess.Popen[bytes], order: str | None = None) -> bytes:
    assert program.stdin is not None and program.stdout is not None
    if order is not None:
        program.stdin.write(order.encode() + b"\n")
        program.stdin.flush()
    if not select.select([program.stdout], [], [], _ANSWER_S)[0]:
        raise RuntimeError("a program does not answer")
    line = program.stdout.readline()
    if not line:
        raise RuntimeError("a program ended")
    return line


def _cpu_s(pid: int) -> float:
    """CPU time of all threads until now (proc(5), schedstat: nanoseconds on a CPU)."""
    spent = [one.read_text(encoding="ascii") for one in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(one.split()[0]) for one in spent) / 1e9


# --- the edge's own part ------------------------------------------------------------------------------------------


def _own_part(phones: Sequence[Phone], rounds: int) -> float:
    """Adverts a second of this process's own time, from the callback on, through batches, to a socket that is read."""
    called = [_as_bleak_calls(phone) for phone in phones]
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as folder, _gateway(Path(folder)) as far:
        sender = Sender(Path(folder) / "sightings")
        node = Node("till-1", TEST_COMPANY, boot_ms)
        edge = Edge([node], sender, boot_ms, Notify(None, None), Log("edge"))
        on_callback = Scanner(None, node.hear)._on_callback
        a_batch = OWN_RATE * WINDOW_MS // 1000

        def hear_and_send() -> None:
            for at, (phone, advert) in enumerate(called, 1):
                on_callback(phone, advert)
                if at % a_batch == 0:
                    edge.send_sightings()

        best = 0.0
        for _ in range(rounds):
            spent = 0.0
            for _ in range(50):
                began = time.process_time()
                hear_and_send()
                spent += time.process_time() - began
                _empty(far)
            best = max(best, 50 * len(called) / spent)
        sender.close()
        if node.unsent:
            raise RuntimeError("the socket did not take every sighting")
    return best


def _empty(far: socket.socket) -> None:
    while select.select([far], [], [], 0)[0]:
        far.recv(DATAGRAM_BYTES)


def _as_bleak_calls(phone: Phone) -> tuple[BLEDevice, AdvertisementData]:
    manufacturer, uuids, services, name = split(phone.raw)
    path = f"/org/bluez/hci0/dev_{phone.address.replace(':', '_')}"
    properties: dict[str, Any] = {"Address": phone.address, "RSSI": phone.rssi_dbm, "UUIDs": uuids}
    advert = AdvertisementData(name, manufacturer, services, uuids, None, phone.rssi_dbm, (path, properties))
    return BLEDevice(phone.address, name, {}), advert


# --- the decoders -------------------------------------------------------------------------------------------------


def _decoders(phones: Sequence[Phone], rounds: int) -> list[Row]:
    """The edge's decoder beside Theengs Gateway's, on the same adverts, each given what it takes."""
    found = [split(phone.raw) for phone in phones]

    def properties() -> None:
        for manufacturer, uuids, _, _ in found:
            candidates_of_properties(manufacturer, uuids, TEST_COMPANY)

    def raw() -> None:
        for phone in phones:
            candidates(phone.raw, TEST_COMPANY)

    ours = {
        "what BlueZ tells of an advert, to candidate tokens": _rate(properties, len(phones), rounds),
        "an advert's raw bytes, to candidate tokens": _rate(raw, len(phones), rounds),
    }
    if importlib.util.find_spec("TheengsDecoder") is None:
        print("TheengsDecoder is not installed (`make bench` tells why), so there is nothing to compare with.\n")
        return [Row(what, f"{rate:,.0f}/s") for what, rate in ours.items()]
    from TheengsDecoder import decodeBLE  # type: ignore[import-not-found]

    told = [_as_theengs_gateway_tells(phone) for phone in phones]

    def theengs() -> None:
        for one in told:
            decodeBLE(json.dumps(one))

    base = _rate(theengs, len(phones), min(rounds, 2))
    return [Row(what, f"{rate:,.0f}/s", f"{base:,.0f}/s Theengs' decoder", rate / base) for what, rate in ours.items()]


def _as_theengs_gateway_tells(phone: Phone) -> dict[str, Any]:
    """What Theengs Gateway (`ble_gateway.py`, its callback) makes of bleak's advert for its decoder."""
    manufacturer, _, services, name = split(phone.raw)
    told: dict[str, Any] = {"id": phone.address, "rssi": phone.rssi_dbm}
    if name:
        told["name"] = name
    if manufacturer:
        company, value = next(iter(manufacturer.items()))
        told["manufacturerdata"] = (company.to_bytes(2, "little") + value).hex()
    if services:
        uuid, value = next(iter(services.items()))
        told |= {"servicedatauuid": uuid[4:8], "servicedata": value.hex()}
    return told


def _rate(act: Callable[[], None], times: int, rounds: int) -> float:
    """The best round: how many a second of this process's own time."""
    best = 0.0
    for _ in range(rounds):
        began, done = time.process_time(), 0
        while (spent := time.process_time() - began) < 0.25 or not done:
            act()
            done += times
        best = max(best, done / spent)
    return best
