"""Several radios of one process, with the real bleak against the fake bluetoothd: none disturbs another."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from edge import scanner as edge_scanner
from edge.errors import RadioError
from edge.recovery import Step
from edge.scanner import Scanner, Shared
from tests.fakes.bluetoothd import ADDRESS, FakeBluetoothd
from wire import air
from wire.sighting import RadioReason

OTHER = "00:00:00:00:00:0B"
PHONE = "C0:00:00:00:00:01"
F1 = air.f1(bytes(range(16)), bytes(5))
NEAR_ONE, NEAR_OTHER, BETWEEN = {ADDRESS: -50}, {OTHER: -70}, {ADDRESS: -50, OTHER: -70}


@asynccontextmanager
async def _two(bus):
    """A fake with two adapters, a scanner that scans with each, and the signals that each heard."""
    fake = FakeBluetoothd(bus.address)
    await fake.start()
    fake.add("hci1", OTHER)
    shared = Shared()
    one, other = [], []
    scanners = (
        Scanner(ADDRESS, lambda *advert: one.append(advert[2]), shared=shared),
        Scanner(OTHER, lambda *advert: other.append(advert[2]), shared=shared),
    )
    try:
        await asyncio.gather(*(scanner.take(Step.REBUILD) for scanner in scanners))
        yield fake, scanners, (one, other)
    finally:
        await asyncio.gather(*(scanner.stop() for scanner in scanners))
        await fake.close()


async def _until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def test_each_radio_hears_what_is_in_its_reach(bus):
    """A phone between two radios is heard by both, each with its own signal; one near a radio by that alone."""

    async def run():
        async with _two(bus) as (fake, _, (one, other)):
            fake.report(PHONE, BETWEEN, F1)
            await _until(lambda: (one, other) == ([-50], [-70]))
            fake.report(PHONE, NEAR_ONE, F1)
            fake.report(PHONE, NEAR_OTHER, F1)
            await _until(lambda: (one, other) == ([-50, -50], [-70, -70]))

    asyncio.run(run())


@pytest.mark.parametrize("step", Step)
def test_a_step_of_one_radio_leaves_the_others_scan_alone(bus, step):
    """While one radio stops, starts, or is powered off and on, the other hears every advert."""

    async def run():
        async with _two(bus) as (fake, scanners, (one, other)):
            stepping = asyncio.create_task(scanners[0].take(step))
            sent = 0
            while not stepping.done():
                fake.report(PHONE, NEAR_OTHER, F1)
                sent += 1
                await asyncio.sleep(0.01)
            await stepping
            await _until(lambda: len(other) == sent)
            fake.report(PHONE, BETWEEN, F1)
            await _until(lambda: (len(one), len(other)) == (1, sent + 1))

    asyncio.run(run())


@pytest.mark.parametrize("lost", ["removed", "powered off", "stuck"])
def test_a_lost_radio_is_its_own_affair(bus, lost):
    """What one radio cannot do is told for it alone; the other hears, and can be taken through every step."""

    async def run():
        async with _two(bus) as (fake, scanners, (_, other)):
            match lost:
                case "removed":
                    fake.remove("hci0")
                case "powered off":
                    fake.power(False, "hci0")
                    fake.fail("Set", "org.bluez.Error.Failed", 9, "hci0")
                case "stuck":
                    fake.stick("hci0")
            with pytest.raises(RadioError) as raised:
                await scanners[0].take(Step.RESTART)
            assert (
                raised.value.reason
                is {
                    "removed": RadioReason.OTHER_RADIO,
                    "powered off": RadioReason.BLOCKED,
                    "stuck": RadioReason.BUSY,
                }[lost]
            )
            for number, step in enumerate(Step, 1):
                fake.report(PHONE, NEAR_OTHER, F1)
                await _until(lambda count=number: len(other) == count)
                await scanners[1].take(step)

    asyncio.run(run())


def test_a_stuck_discovery_ends_with_the_power(bus):
    """Neither a restart nor a new scanner frees it, as BlueZ answers that it scans already; the power cycle does."""

    async def run():
        async with _two(bus) as (fake, scanners, (one, _)):
            fake.stick("hci0")
            for step in (Step.RESTART, Step.REBUILD):
                with pytest.raises(RadioError) as raised:
                    await scanners[0].take(step)
                assert raised.value.reason is RadioReason.BUSY
            fake.report(PHONE, NEAR_ONE, F1)
            await scanners[0].take(Step.POWER_CYCLE)
            assert one == []
            fake.report(PHONE, NEAR_ONE, F1)
            await _until(lambda: one == [-50])

    asyncio.run(run())


def test_a_call_that_hangs_takes_no_turn_of_another_radio(bus, monkeypatch):
    """While one start hangs the other radio's scan goes on; its own start waits, is not given up, and then succeeds."""
    monkeypatch.setattr(edge_scanner, "START_S", 1.0)

    async def run():
        async with _two(bus) as (fake, scanners, (_, other)):
            fake.hang("StartDiscovery", 3, "hci0")
            for number in range(1, 4):
                hanging = asyncio.create_task(scanners[0].take(Step.RESTART))
                await _until(lambda calls=number: fake.calls.count("StartDiscovery") > 2 * calls)
                fake.report(PHONE, NEAR_OTHER, F1)
                await _until(lambda count=2 * number - 1: len(other) == count)
                await scanners[1].take(Step.RESTART)
                assert hanging.done()
                with pytest.raises(RadioError) as raised:
                    await hanging
                assert raised.value.reason is RadioReason.NO_ANSWER
                fake.report(PHONE, NEAR_OTHER, F1)
                await _until(lambda count=2 * number: len(other) == count)

    asyncio.run(run())


def test_a_radio_that_comes_back_under_anothers_name_hears_for_itself(bus):
    """Both are gone and one returns as hci0, which the other was: the other neither hears through it nor stops it."""

    async def run():
        async with _two(bus) as (fake, scanners, (one, other)):
            fake.remove("hci0")
            fake.remove("hci1")
            fake.add("hci0", OTHER)
            await scanners[1].take(Step.RESTART)
            fake.report(PHONE, NEAR_OTHER, F1)
            await _until(lambda: other == [-70])
            with pytest.raises(RadioError) as raised:
                await scanners[0].take(Step.RESTART)
            assert raised.value.reason is RadioReason.OTHER_RADIO
            fake.report(PHONE, NEAR_OTHER, F1)
            await _until(lambda: other == [-70, -70])
            fake.add("hci1", ADDRESS)
            await scanners[0].take(Step.REBUILD)
            fake.report(PHONE, BETWEEN, F1)
            await _until(lambda: (one, other) == ([-50], [-70, -70, -70]))

    asyncio.run(run())
