"""The box inside the virtual machine: systemd's units, D-Bus, bluetoothd, and the edge under test.

I/O: processes; systemd and D-Bus by systemctl, busctl and journalctl.
"""

import asyncio
import os
import signal
import time
from pathlib import Path

from runtime.errors import UnavailableError
from store_gateway import operator
from tests.radio.radios import TESTED
from wire import query

PROGRAMS = Path("/opt/consentry/bin")
BUNDLE = Path("/app/provisioned/stores/box-1")
OPERATOR = Path("/run/consentry-gateway/operator.sock")
UNITS = ("consentry-edge", "consentry-gateway", "consentry-tablets")


def boot_s() -> float:
    """The clock of everything here: seconds since the machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def busy_s() -> float:
    """How long the processor has worked since the machine started."""
    total = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]]
    return (sum(total[:8]) - total[3] - total[4]) / os.sysconf("SC_CLK_TCK")


async def call(*command: str | Path, limit_s: float = 90) -> str:
    """What a program prints. Raises: RuntimeError where it fails."""
    running = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(limit_s):
            said, complained = await running.communicate()
    except TimeoutError:
        running.kill()
        raise RuntimeError(f"{command[0]} did not end within {limit_s:.0f} s") from None
    if running.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {running.returncode}, {complained.decode()[-500:]}")
    return said.decode()


async def install() -> list[str]:
    """Installs the store's bundle as docs/operating.md says; the names of the secrets that were sealed."""
    await call(PROGRAMS / "consentry-provision", "install", BUNDLE)
    await call("systemctl", "daemon-reload")
    await call("systemctl", "restart", "bluetooth.service")  # for the drop-in that came with the bundle
    return sorted(path.name for path in Path("/etc/credstore.encrypted").iterdir())


async def properties(unit: str) -> dict[str, str]:
    """What systemd says of a unit."""
    said = await call("systemctl", "show", unit, "--property=ActiveState,SubState,MainPID,NRestarts,Result")
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


async def kill(unit: str, number: signal.Signals) -> int:
    """Sends a signal to a unit's main process; its id."""
    pid = int((await properties(unit))["MainPID"])
    os.kill(pid, number)
    return pid


async def discovering(index: int) -> bool:
    """Whether BlueZ says that the radio hci`index` scans."""
    said = await call(
        "busctl", "get-property", "org.bluez", f"/org/bluez/hci{index}", "org.bluez.Adapter1", "Discovering"
    )
    return said.strip() == "b true"


async def power_off(index: int) -> None:
    """Powers the radio hci`index` off, as anybody at the box may."""
    await call(
        "busctl", "set-property", "org.bluez", f"/org/bluez/hci{index}", "org.bluez.Adapter1", "Powered", "b", "false"
    )


async def gateway_sightings() -> int:
    """How many sightings the gateway has counted since it started; 0 where it does not answer."""
    try:
        reply = await asyncio.to_thread(operator.ask, OPERATOR, query.AskStatus())
    except UnavailableError:
        return 0
    assert isinstance(reply, query.Status)
    return sum(counter.value for counter in reply.counters if counter.name == "sightings_total")


async def start_edge(gateway_socket: Path, log: Path) -> asyncio.subprocess.Process:
    """The edge under test, with every radio but the unit's."""
    lines = [f'gateway_socket = "{gateway_socket}"']
    for radio in TESTED:
        lines += ["[[radios]]", f'node = "{radio.node}"', f'adapter = "{radio.address}"']
    config = gateway_socket.with_suffix(".toml")
    config.write_text("\n".join(lines), encoding="utf-8")
    with log.open("wb") as to:
        return await asyncio.create_subprocess_exec(
            PROGRAMS / "consentry-edge", "--config", config, stdin=asyncio.subprocess.DEVNULL, stdout=to, stderr=to
        )
