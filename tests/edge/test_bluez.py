"""Which radios there are, and which one is taken."""

import asyncio

import pytest

from edge import bluez
from edge.bluez import Adapter
from edge.errors import RadioError
from tests.fakes.bluetoothd import ADDRESS, FakeBluetoothd
from wire.sighting import RadioReason

OFF = Adapter("hci0", "00:00:00:00:00:01", powered=False, discovering=False)
ON = Adapter("hci1", "00:00:00:00:00:02", powered=True, discovering=False)


def test_the_radio_is_chosen_by_address_or_by_power():
    """A configured address decides, in any case of letters; without one, power does, and then the first."""
    assert bluez.choose([OFF, ON], OFF.address) is OFF
    assert bluez.choose([OFF, ON], ON.address.lower()) is ON
    assert bluez.choose([OFF, ON], None) is ON
    assert bluez.choose([OFF], None) is OFF


@pytest.mark.parametrize(
    ("there", "address", "reason"),
    [
        ([], None, RadioReason.NO_RADIO),
        ([], ON.address, RadioReason.NO_RADIO),
        ([OFF], ON.address, RadioReason.OTHER_RADIO),
    ],
)
def test_no_such_radio_is_told_apart_from_none(there, address, reason):
    """Another radio than the configured one is never taken in its place."""
    with pytest.raises(RadioError) as raised:
        bluez.choose(there, address)
    assert raised.value.reason is reason


def test_radios_are_listed_and_powered(bus):
    """What BlueZ says of its adapters is told in the order of their numbers, and power goes on and off."""

    async def run():
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        fake.add("hci10", "00:00:00:00:00:10")
        fake.add("hci2", "00:00:00:00:00:02", powered=False)
        assert [(one.name, one.powered) for one in await bluez.adapters()] == [
            ("hci0", True),
            ("hci2", False),
            ("hci10", True),
        ]
        await bluez.power("hci2", True)
        await bluez.power("hci0", False)
        assert [(one.address, one.powered) for one in await bluez.adapters()][:2] == [
            (ADDRESS, False),
            ("00:00:00:00:00:02", True),
        ]
        fake.fail("Set", "org.bluez.Error.Failed")
        with pytest.raises(RadioError) as raised:
            await bluez.power("hci0", True)
        assert raised.value.reason is RadioReason.BLOCKED
        await fake.close()

    asyncio.run(run())


def test_no_bluez_is_told(bus):
    """A bus without org.bluez is no missing radio."""
    with pytest.raises(RadioError) as raised:
        asyncio.run(bluez.adapters())
    assert raised.value.reason is RadioReason.NO_BLUEZ
