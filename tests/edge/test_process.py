"""The real consentry-edge process on a private D-Bus with the fake bluetoothd."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
from itertools import pairwise

import pytest

from tests.edge.running import Gateway, edge_and_gateway, start_edge, write_config
from tests.fakes.bluetoothd import ADDRESS, FakeBluetoothd, Version
from tests.fakes.private_bus import PrivateBus
from wire import air
from wire.sighting import RadioState

pytestmark = pytest.mark.system

PHONES = [f"C0:00:00:00:00:{number:02X}" for number in range(1, 10)]
OTHER = "00:00:00:00:00:0B"
FLAGS = bytes.fromhex("02011a")


def _edge(*arguments, environment=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=30,
        **options,
    )


@pytest.mark.parametrize("version", Version)
def test_it_hears_members_and_keeps_strangers_to_itself(bus, tmp_path, version):
    """F1, F2 and F3 reach the gateway as one sighting per half second; of strangers nothing leaves or is logged."""
    f1, f2, f3 = (secrets.token_bytes(16) for _ in range(3))
    strangers = [secrets.token_bytes(9) for _ in range(3)]
    exposure = b"\x03\x03\x6f\xfd" + b"\x0c\x16\x6f\xfd" + strangers[0]
    nearby = b"\x0f\xff\x4c\x00\x10\x0a" + strangers[1] + b"\x01\x02"
    named = b"\x0a\x09" + strangers[2].hex()[:9].encode()

    async def run():
        fake = FakeBluetoothd(bus.address, version)
        await fake.start()
        async with edge_and_gateway(tmp_path, bus.environment) as (edge, gateway):
            fake.advertise(PHONES[0], -60, air.f1(f1, secrets.token_bytes(5)), 0.1)
            fake.advertise(PHONES[1], -61, FLAGS + air.f2(f2, 0xFFFF, 4), 0.1)
            fake.advertise(PHONES[2], -62, FLAGS + air.f3(f3), 0.1)
            fake.advertise(PHONES[3], -40, FLAGS + exposure, 0.1)
            fake.advertise(PHONES[4], -40, FLAGS + nearby, 0.1)
            fake.advertise(PHONES[5], -40, FLAGS + named, 0.1)
            for token in (f1, f2, f3):
                await gateway.hears(token, 45)
            await asyncio.sleep(2)
            assert await edge.end() == 0
        await fake.close()
        return edge, gateway

    edge, gateway = asyncio.run(run())
    assert gateway.tokens() == {f1, f2, f3}
    mine = [one for _, one in gateway.sightings if one.token == f1]
    assert {one.rssi_dbm for one in mine} == {-60}
    assert max(one.count for one in mine) > 1
    assert all(later.first_ms >= earlier.last_ms for earlier, later in pairwise(mine))
    assert all(one.last_ms - one.first_ms < 700 for one in mine)
    assert gateway.healths[-1].adapter == ADDRESS
    assert gateway.healths[-1].state is RadioState.HEARING
    assert gateway.healths[-1].adverts > gateway.healths[-1].candidates > 0
    sent, logged = b"".join(gateway.datagrams), "\n".join(edge.lines)
    for part in strangers:
        assert part not in sent
        assert part.hex()[:9].encode() not in sent
        assert part.hex()[:9] not in logged
    for address in PHONES:
        assert address not in logged
        assert address.replace(":", "_") not in logged
    for token in (f1, f2, f3):
        assert token.hex() not in logged


@pytest.mark.parametrize("version", Version)
def test_killed_and_started_again_it_hears(bus, tmp_path, version):
    """kill -9 of the edge leaves nothing behind that keeps the next one from hearing at once."""
    token = secrets.token_bytes(16)

    async def run():
        fake = FakeBluetoothd(bus.address, version)
        await fake.start()
        fake.advertise(PHONES[0], -60, air.f1(token, bytes(5)), 0.1)
        async with edge_and_gateway(tmp_path, bus.environment) as (edge, gateway):
            await gateway.hears(token, 45)
            await edge.kill()
        async with edge_and_gateway(tmp_path, bus.environment) as (edge, gateway):
            await gateway.hears(token, 45)
            assert await edge.end() == 0
        await fake.close()

    asyncio.run(run())


def test_a_box_without_a_radio_counts_as_started_and_hears_when_it_gets_one(bus, tmp_path):
    """systemd is told "ready"; the log has one error with the remedy; a radio that is plugged in is used by itself."""
    token = secrets.token_bytes(16)

    async def run():
        fake = FakeBluetoothd(bus.address, radios=False)
        await fake.start()
        fake.advertise(PHONES[0], -60, air.f1(token, bytes(5)), 0.1)
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notified.bind(str(tmp_path / "notify"))
        notified.setblocking(False)
        told = []
        environment = {**bus.environment, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        async with edge_and_gateway(tmp_path, environment) as (edge, gateway):
            line = await edge.says("event=cannot_scan")
            assert "level=error" in line
            assert 'remedy="plug one in' in line
            async with asyncio.timeout(10):
                while not any("READY=1" in one for one in told) or sum("WATCHDOG=1" in one for one in told) < 3:
                    told.append((await asyncio.get_running_loop().sock_recv(notified, 4096)).decode())
                while not gateway.healths:
                    await asyncio.sleep(0.02)
            assert gateway.healths[0].adapter == "none"
            assert gateway.healths[0].state is RadioState.RECOVERING
            fake.add()
            await gateway.hears(token, 45)
            await edge.says("event=hearing_again")
            assert await edge.end() == 0
            assert gateway.healths[-1].adapter == ADDRESS
            assert gateway.healths[-1].state is RadioState.HEARING
            assert len([one for one in edge.lines if "cannot_scan" in one]) == 1
        while True:
            try:
                told.append(notified.recv(4096).decode())
            except BlockingIOError:
                break
        assert "STOPPING=1" in told
        notified.close()
        await fake.close()

    asyncio.run(run())


def test_radios_are_listed_one_a_line(bus):
    """Name, address, power and discovery, for a person and for a script."""

    async def run():
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        fake.add("hci1", OTHER, powered=False)
        ran = await asyncio.to_thread(_edge, "adapters")
        await fake.close()
        return ran

    ran = asyncio.run(run())
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [line.split() for line in ran.stdout.splitlines()] == [
        ["hci0", ADDRESS, "powered", "on", "idle"],
        ["hci1", OTHER, "powered", "off", "idle"],
    ]


def _one_line(ran, code, *said):
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.count("\n") == 1
    for text in said:
        assert text in ran.stderr


def test_no_radio_is_one_line_with_the_remedy(bus):
    """BlueZ runs and knows no adapter."""

    async def run():
        fake = FakeBluetoothd(bus.address, radios=False)
        await fake.start()
        ran = await asyncio.to_thread(_edge, "adapters")
        await fake.close()
        return ran

    _one_line(asyncio.run(run()), 69, "no Bluetooth radio", "plug one in")


def test_no_bluez_is_one_line_with_the_remedy(bus):
    """The bus is there, and nobody owns org.bluez."""
    _one_line(_edge("adapters"), 69, "BlueZ is not running", "apt-get install bluez")


def test_no_permission_is_one_line_with_the_remedy(needs, tmp_path):
    """The bus does not let this account speak to org.bluez."""
    needs("dbus-daemon")

    async def run(bus):
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        ran = await asyncio.to_thread(_edge, "adapters", environment=bus.environment)
        await fake.close()
        return ran

    with PrivateBus(tmp_path, deny_bluez=True) as bus:
        _one_line(asyncio.run(run(bus)), 69, "no permission", "consentry-edge", "bluetooth")


@pytest.mark.parametrize("address", ["unix:path=/nonexistent/bus", "nonsense"])
def test_no_dbus_is_one_line_with_the_remedy(address):
    """There is no bus at all, or its address is none."""
    ran = _edge("adapters", environment={"DBUS_SYSTEM_BUS_ADDRESS": address})
    _one_line(ran, 69, "no system D-Bus", "dbus")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"company_id": 0x10000}, "company_id"),
        ({"zone": "fitting"}, "zone"),
        ({"node": "till-1"}, "node"),
        ({"radios": ()}, "radios"),
        ({"radios": [{}]}, "radios[0].node"),
        ({"radios": [{"node": "Till 1"}]}, "radios[0].node"),
        ({"radios": [{"node": "a", "adapter": "hci0"}]}, "radios[0].adapter"),
        ({"radios": [{"node": "a", "zone": "fitting"}]}, "radios[0].zone"),
        ({"radios": [{"node": "a", "adapter": ADDRESS}, {"node": "b"}]}, "radios[1].adapter"),
        ({"radios": [{"node": "a", "adapter": ADDRESS}, {"node": "a", "adapter": OTHER}]}, "radios[1].node"),
        ({"radios": [{"node": "a", "adapter": ADDRESS}, {"node": "b", "adapter": ADDRESS}]}, "radios[1].adapter"),
        ({"radios": [{"node": "a", "adapter": OTHER}, {"node": "b", "adapter": OTHER.lower()}]}, "radios[1].adapter"),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path, settings, key):
    """The line names the file and the key, and the exit code is 78."""
    file = write_config(tmp_path, **settings)
    _one_line(_edge("--config", file), 78, str(file), key)


def test_recorded_adverts_take_the_same_path(tmp_path):
    """Lines on standard input are heard live; bad ones are counted drops; the end of the input ends it cleanly."""
    first, second = secrets.token_bytes(16), secrets.token_bytes(16)

    def line(raw, rssi):
        return json.dumps({"address": PHONES[0], "rssi": rssi, "raw": raw.hex()}).encode() + b"\n"

    async def run():
        gateway = await Gateway(tmp_path / "sightings.sock").open()
        edge = await start_edge("--config", write_config(tmp_path), "replay", "-", stdin=asyncio.subprocess.PIPE)
        stdin = edge.process.stdin
        stdin.write(line(FLAGS + air.f1(first, bytes(5)), -60) + line(air.f3(first), -50) + b"broken\n\n")
        await gateway.hears(first, 45)
        [(_, sighting)] = gateway.sightings
        assert (sighting.rssi_dbm, sighting.count) == (-50, 2)
        stdin.write(line(air.f2(second, 0xFFFF, 0), -127))
        stdin.close()
        assert await asyncio.wait_for(edge.process.wait(), 15) == 0
        await asyncio.sleep(0.1)
        gateway.close()
        return gateway

    gateway = asyncio.run(run())
    assert [one.rssi_dbm for _, one in gateway.sightings if one.token == second] == [None]
    last = gateway.healths[-1]
    assert (last.adapter, last.adverts, last.candidates, last.drops) == ("replay", 3, 3, 2)


def test_without_a_gateway_it_goes_on_and_counts(tmp_path):
    """No gateway is one warning with the remedy; what was dropped is counted; a gateway that comes hears the rest."""
    token = secrets.token_bytes(16)
    line = json.dumps({"rssi": -60, "raw": air.f3(token).hex()}).encode() + b"\n"

    async def run():
        edge = await start_edge("--config", write_config(tmp_path), "replay", "-", stdin=asyncio.subprocess.PIPE)
        edge.process.stdin.write(line)
        said = await edge.says("event=cannot_send")
        assert "remedy=" in said
        await asyncio.sleep(1.5)
        gateway = await Gateway(tmp_path / "sightings.sock").open()
        edge.process.stdin.write(line)
        await gateway.hears(token, 45)
        await edge.says("event=gateway_back")
        assert await edge.end() == 0
        await asyncio.sleep(0.1)
        gateway.close()
        assert gateway.healths[-1].drops == 1
        assert len([one for one in edge.lines if "cannot_send" in one]) == 1

    asyncio.run(run())


def test_a_replay_that_cannot_be_read_is_one_line(tmp_path):
    """A file that is not there ends it with a clear error."""
    ran = _edge("--config", write_config(tmp_path), "replay", tmp_path / "nothing")
    assert ran.returncode == 66
    assert "No such file" in ran.stderr.splitlines()[-1]


def test_help_and_version():
    """Both are printed and end well; the help names every option and command."""
    ran = _edge("--help")
    assert ran.returncode == 0
    for option in ("--config", "--version", "run", "adapters", "replay"):
        assert option in ran.stdout
    assert _edge("--version").stdout.startswith("consentry-edge ")
