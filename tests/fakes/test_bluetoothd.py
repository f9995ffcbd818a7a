"""The fake bluetoothd as a process: orders on standard input, seen by a real D-Bus caller."""

import asyncio
import json
import sys

import pytest

from edge import bluez
from edge.errors import RadioError
from edge.recovery import Step
from edge.scanner import Scanner
from tests.fakes.private_bus import PrivateBus
from wire import air
from wire.sighting import RadioReason

pytestmark = pytest.mark.system

TOKEN = bytes(range(16))
PHONE = {"address": "C0:00:00:00:00:01", "rssi": -60, "raw": air.f1(TOKEN, bytes(5)).hex(), "interval_s": 0.05}


@pytest.mark.parametrize("version", ["5.66", "5.82"])
def test_it_obeys_orders_line_by_line(needs, tmp_path, monkeypatch, version):
    """Each order is answered when it is done; what it does is seen on the bus; the end of input ends it."""
    needs("dbus-daemon")

    async def run(bus):
        fake = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fakes.bluetoothd", "--bus", bus.address, "--version", version),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

        async def answer():
            return json.loads(await asyncio.wait_for(fake.stdout.readline(), 10))

        async def order(what):
            fake.stdin.write(json.dumps(what).encode() + b"\n")
            return await answer()

        assert await answer() == {"ready": True}
        heard = asyncio.Event()
        scanner = Scanner(None, lambda *_: heard.set())
        await scanner.take(Step.REBUILD)
        assert await order({"advertise": PHONE}) == {"ok": True}
        await asyncio.wait_for(heard.wait(), 10)
        assert await order({"silence": PHONE["address"]}) == {"ok": True}
        await asyncio.sleep(0.2)
        heard.clear()
        await asyncio.sleep(0.3)
        assert not heard.is_set()

        assert await order({"power": False}) == {"ok": True}
        assert [one.powered for one in await bluez.adapters()] == [False]
        assert await order({"remove": "hci0"}) == {"ok": True}
        assert await bluez.adapters() == ()
        assert await order({"add": {"name": "hci1", "address": "00:00:00:00:00:0B"}}) == {"ok": True}
        assert [one.name for one in await bluez.adapters()] == ["hci1"]
        failure = {"member": "StartDiscovery", "error": "org.bluez.Error.InProgress"}
        assert await order({"fail": failure}) == {"ok": True}
        with pytest.raises(RadioError) as raised:
            await scanner.take(Step.REBUILD)
        assert raised.value.reason is RadioReason.BUSY
        assert await order({"stick": "hci1"}) == {"ok": True}
        assert [one.discovering for one in await bluez.adapters()] == [True]
        monkeypatch.setattr(bluez, "ANSWER_S", 0.5)
        assert await order({"hang": {"member": "GetManagedObjects"}}) == {"ok": True}
        with pytest.raises(RadioError) as raised:
            await bluez.adapters()
        assert raised.value.reason is RadioReason.NO_ANSWER
        monkeypatch.undo()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        assert await order({"kill": True}) == {"ok": True}
        with pytest.raises(RadioError):
            await bluez.adapters()
        assert await order({"start": True}) == {"ok": True}
        assert len(await bluez.adapters()) == 1
        assert "error" in await order({"explode": True})
        assert "error" in await order([])
        await scanner.stop()
        fake.stdin.close()
        assert await asyncio.wait_for(fake.wait(), 10) == 0

    with PrivateBus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        asyncio.run(run(bus))


def test_a_phone_is_forgotten_and_uuids_accumulate(needs, tmp_path, monkeypatch):
    """One address keeps its old service UUIDs, as BlueZ does; a controller that filters repeats tells them seldom."""
    needs("dbus-daemon")
    from tests.fakes.bluetoothd import FakeBluetoothd

    async def run(bus):
        fake = FakeBluetoothd(bus.address, repeats_s=0.5)
        await fake.start()
        heard = []
        scanner = Scanner(None, lambda *advert: heard.append(advert))
        await scanner.take(Step.REBUILD)
        first, second = bytes(range(16)), bytes(range(16, 32))
        fake.report("C0:00:00:00:00:01", -60, air.f3(first))
        fake.report("C0:00:00:00:00:01", -60, air.f3(first))
        fake.report("C0:00:00:00:00:01", -60, air.f3(second))
        await asyncio.sleep(0.2)
        assert [air.candidates_of_properties(*advert[:2], 0xFFFF) for advert in heard] == [(first,), (first, second)]
        await asyncio.sleep(0.4)
        fake.report("C0:00:00:00:00:01", -60, air.f3(first))
        await asyncio.sleep(0.2)
        assert len(heard) == 3
        await scanner.stop()
        await fake.close()

    with PrivateBus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        asyncio.run(run(bus))


@pytest.fixture
def bus(needs, tmp_path, monkeypatch):
    """A D-Bus daemon that this process takes for the system bus."""
    needs("dbus-daemon")
    with PrivateBus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        yield bus


def _heard(bus, story):
    """The tokens of each advert that was heard while `story` (given the fake) happened, each step of it for itself."""
    from tests.fakes.bluetoothd import FakeBluetoothd

    async def run():
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        heard = []
        scanner = Scanner(None, lambda *advert: heard.append(air.candidates_of_properties(*advert[:2], 0xFFFF)))
        await scanner.take(Step.REBUILD)
        steps = []
        for step in story:
            step(fake)
            await asyncio.sleep(0.1)
            steps.append(list(heard))
            heard.clear()
        await scanner.stop()
        await fake.close()
        return steps

    return asyncio.run(run())


def test_a_connectable_advert_waits_for_its_response_or_for_somebody_else(bus):
    """It is held back and joined to its scan response; alone it comes with the next report of another phone."""
    first, second, third = (bytes([number]) * 16 for number in range(3))
    here, there = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
    assert _heard(
        bus,
        [
            lambda fake: fake.report(here, -60, air.f1(first, bytes(5)), connectable=True),
            lambda fake: fake.report(here, -60, air.f1(first, bytes(5)), connectable=True, response=air.f3(second)),
            lambda fake: fake.report(here, -60, air.f1(first, bytes(5)), connectable=True),
            lambda fake: fake.report(here, -60, air.f1(first, bytes(5)), connectable=True),
            lambda fake: fake.report(there, -60, air.f1(third, bytes(5))),
        ],
    ) == [[], [(first, second)], [], [], [(first, second), (third,)]]


def test_of_two_structures_of_one_company_the_last_is_told(bus):
    """A token beside other data of its company is lost, and heard again when it is alone."""
    token, phone = bytes(range(16)), "C0:00:00:00:00:01"
    beacon, nearby = air.f1(token, bytes(5)), bytes.fromhex("07ff4c0010021122")
    assert _heard(
        bus,
        [
            lambda fake: fake.report(phone, -60, beacon + nearby),
            lambda fake: fake.report(phone, -60, nearby + beacon),
        ],
    ) == [[()], [(token,)]]
