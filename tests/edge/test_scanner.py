"""Scanning with the real bleak against the fake bluetoothd: what is a sighting, and what is not."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from dbus_fast import Variant

from edge import bluez
from edge.errors import RadioError
from edge.recovery import Step
from edge.scanner import Scanner
from tests.fakes.bluetoothd import ADDRESS, FakeBluetoothd, Version
from wire import air
from wire.sighting import RadioReason

TOKEN = bytes(range(16))
PHONE = "C0:00:00:00:00:01"
F1 = air.f1(TOKEN, bytes(5))


@asynccontextmanager
async def _scanning(bus, version=Version.V5_82, wanted=None, **options):
    """A fake bluetoothd, a scanner that scans on it, and what it heard."""
    fake = FakeBluetoothd(bus.address, version, **options)
    await fake.start()
    heard = []
    scanner = Scanner(wanted, lambda *advert: heard.append(advert))
    try:
        await scanner.take(Step.REBUILD)
        yield fake, scanner, heard
    finally:
        await scanner.stop()
        await fake.close()


async def _until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", Version)
def test_each_advert_is_heard(bus, version):
    """A phone that lies still, without discoverable flags and always alike, is heard with each advert."""

    async def run():
        async with _scanning(bus, version) as (fake, scanner, heard):
            assert scanner.address == ADDRESS
            for number in range(1, 6):
                fake.report(PHONE, -60, F1)
                await _until(lambda count=number: len(heard) == count)
            manufacturer, uuids, rssi_dbm = heard[-1]
            assert air.candidates_of_properties(manufacturer, uuids, 0xFFFF) == (TOKEN,)
            assert rssi_dbm == -60

    asyncio.run(run())


def test_a_change_of_another_property_is_no_sighting(bus):
    """A link that comes, resolves services and goes, and an RSSI that is invalidated, are not heard; adverts are."""

    async def run():
        async with _scanning(bus) as (fake, _, heard):
            fake.report(PHONE, -60, F1)
            await _until(lambda: len(heard) == 1)
            for name, value in (
                ("Connected", True),
                ("ServicesResolved", True),
                ("ServicesResolved", False),
                ("Connected", False),
            ):
                fake.set_property(PHONE, name, Variant("b", value))
            fake.invalidate_rssi(PHONE)
            fake.report("C0:00:00:00:00:02", -127, F1)
            await _until(lambda: len(heard) == 2)
            assert heard[1][2] == -127
            fake.report(PHONE, -61, F1)
            await _until(lambda: len(heard) == 3)
            assert heard[2][2] == -61

    asyncio.run(run())


def test_a_radio_is_found_by_its_address_whatever_its_name(bus):
    """The configured radio is used though it became hci1, and is powered on if it is off."""

    async def run():
        wanted = "00:00:00:00:00:0B"
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        fake.add("hci1", wanted, powered=False)
        heard = []
        scanner = Scanner(wanted.lower(), lambda *advert: heard.append(advert))
        await scanner.take(Step.REBUILD)
        assert scanner.address == wanted
        assert [one.discovering for one in await bluez.adapters()] == [False, True]
        fake.remove("hci1")
        fake.add("hci2", wanted)
        await scanner.take(Step.RESTART)
        assert [(one.name, one.discovering) for one in await bluez.adapters()] == [("hci0", False), ("hci2", True)]
        fake.report(PHONE, -60, F1)
        await _until(lambda: len(heard) == 1)
        fake.remove("hci2")
        with pytest.raises(RadioError) as raised:
            await scanner.take(Step.RESTART)
        assert raised.value.reason is RadioReason.OTHER_RADIO
        await fake.close()

    asyncio.run(run())


@pytest.mark.parametrize("step", Step)
def test_each_step_hears_again_after_bluetoothd_was_killed(bus, step):
    """bluetoothd killed and started again is silent without an error; each step ends that."""

    async def run():
        async with _scanning(bus) as (fake, scanner, heard):
            fake.report(PHONE, -60, F1)
            await _until(lambda: len(heard) == 1)
            await fake.kill()
            with pytest.raises(RadioError) as raised:
                await scanner.take(step)
            assert raised.value.reason is RadioReason.NO_BLUEZ
            await fake.start()
            await scanner.take(step)
            fake.report(PHONE, -60, F1)
            await _until(lambda: len(heard) == 2)

    asyncio.run(run())


def test_a_power_cycle_powers_off_and_on(bus):
    """The harshest step really takes the power away, and scans afterwards."""

    async def run():
        async with _scanning(bus) as (fake, scanner, heard):
            fake.calls.clear()
            await scanner.take(Step.POWER_CYCLE)
            assert fake.calls.count("Set") == 2
            fake.report(PHONE, -60, F1)
            await _until(lambda: len(heard) == 1)

    asyncio.run(run())


def test_a_restarted_bus_is_no_trouble(bus):
    """dbus-daemon killed and started again: the scan starts anew on the new bus."""

    async def run():
        async with _scanning(bus) as (fake, scanner, heard):
            bus.kill()
            with pytest.raises(RadioError) as raised:
                await scanner.take(Step.RESTART)
            assert raised.value.reason is RadioReason.NO_DBUS
            await fake.kill()
            bus.start()
            await fake.start()
            await scanner.take(Step.RESTART)
            fake.report(PHONE, -60, F1)
            await _until(lambda: len(heard) == 1)

    asyncio.run(run())


@pytest.mark.parametrize("version", Version)
def test_the_fake_needs_the_filters_where_bluez_does(bus, version):
    """With bleak's defaults 5.82 tells neither a repeat nor a phone without flags, and 5.66 tells all: as measured."""
    from bleak import BleakScanner

    async def run():
        fake = FakeBluetoothd(bus.address, version)
        await fake.start()
        heard = []
        async with BleakScanner(lambda phone, advert: heard.append((phone.address, advert.rssi))):
            for rssi in (-60, -60, -65, -70):
                fake.report(PHONE, rssi, b"\x02\x01\x06" + F1)
            fake.report("C0:00:00:00:00:02", -60, F1)
            await asyncio.sleep(0.3)
        told = [rssi for address, rssi in heard if address == PHONE]
        if version is Version.V5_82:
            assert told == [-60, -70]
            assert len(heard) == 2
        else:
            assert told == [-60, -60, -65, -70]
            assert len(heard) == 5
        await fake.close()

    asyncio.run(run())
