"""The real process hears again by itself, within 45 s, whatever was taken from it."""

import asyncio
import secrets
import time

import pytest

from tests.edge.running import edge_and_gateway
from tests.fakes.bluetoothd import ADDRESS, FakeBluetoothd, Version
from tests.fakes.private_bus import PrivateBus
from wire import air
from wire.sighting import RadioState

pytestmark = pytest.mark.system

PHONE = "C0:00:00:00:00:01"
LIMIT_S = 45.0


async def _bluetoothd_killed(fake, bus):
    await fake.kill()
    await asyncio.sleep(1)
    await fake.start()


async def _bluetoothd_restarted(fake, bus):
    await fake.stop()
    await asyncio.sleep(1)
    await fake.start()


async def _adapter_removed_and_back(fake, bus):
    fake.remove("hci0")
    await asyncio.sleep(2)
    fake.add("hci1", ADDRESS, powered=False)


async def _powered_off(fake, bus):
    fake.power(False)


async def _bus_restarted(fake, bus):
    bus.kill()
    await fake.kill()
    await asyncio.sleep(1)
    bus.start()
    await fake.start()


LOSSES = [_bluetoothd_killed, _bluetoothd_restarted, _adapter_removed_and_back, _powered_off, _bus_restarted]
CASES = [(loss, version) for loss in LOSSES for version in Version]
IDS = [f"{loss.__name__[1:]}-{version}" for loss, version in CASES]


async def _lose(folder, loss, version):
    """Seconds from the loss until the edge heard again, and the states it told."""
    token = secrets.token_bytes(16)
    with PrivateBus(folder) as bus:
        fake = FakeBluetoothd(bus.address, version)
        await fake.start()
        fake.advertise(PHONE, -60, air.f1(token, bytes(5)), 0.25)
        async with edge_and_gateway(folder, bus.environment) as (edge, gateway):
            await gateway.hears(token, 30)
            lost_at = time.monotonic()
            await loss(fake, bus)
            await asyncio.sleep(2)
            heard_at = time.monotonic()
            try:
                silent_s = heard_at - lost_at + await gateway.hears(token, LIMIT_S + 15, since=heard_at)
                await edge.says("event=hearing_again", 5)
            except TimeoutError:
                silent_s = None
            code = await edge.end()
        await fake.close()
    return silent_s, code, edge.lines


@pytest.fixture(scope="module")
def outcomes(needs, tmp_path_factory):
    """Every loss at once, each in a world of its own: half a minute of silence takes as long for all as for one."""
    needs("dbus-daemon")

    async def run():
        folders = [tmp_path_factory.mktemp("edge") for _ in CASES]
        return await asyncio.gather(
            *(_lose(folder, loss, version) for folder, (loss, version) in zip(folders, CASES, strict=True))
        )

    return dict(zip(IDS, asyncio.run(run()), strict=True))


@pytest.mark.parametrize("case", IDS)
def test_it_hears_again_by_itself(outcomes, case):
    """Silence ends within 45 s of the loss, with no hand laid on the edge, and it still ends cleanly."""
    silent_s, code, lines = outcomes[case]
    told = "\n".join(lines)
    assert silent_s is not None, told
    assert 25 < silent_s <= LIMIT_S, told
    assert code == 0
    assert not any("level=error" in line for line in lines), told
    assert any("event=radio_silent" in line and "level=warning" in line for line in lines)


@pytest.mark.long
def test_a_long_outage_is_told_ill_and_ends_by_itself(needs, bus, tmp_path):
    """A bluetoothd away for two minutes makes the radio ill, told to the gateway and once to the log; it then hears."""
    token = secrets.token_bytes(16)

    async def run():
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        fake.advertise(PHONE, -60, air.f1(token, bytes(5)), 0.25)
        async with edge_and_gateway(tmp_path, bus.environment) as (edge, gateway):
            await gateway.hears(token, 30)
            await fake.kill()
            await asyncio.sleep(120)
            assert gateway.healths[-1].state is RadioState.ILL
            await fake.start()
            await gateway.hears(token, LIMIT_S)
            await edge.says("event=hearing_again", 5)
            await asyncio.sleep(1)
            assert gateway.healths[-1].state is RadioState.HEARING
            assert await edge.end() == 0
            assert len([line for line in edge.lines if "level=error" in line]) == 1
        await fake.close()

    asyncio.run(run())
