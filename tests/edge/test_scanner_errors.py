"""Every exception that bleak lets through becomes one RadioError with a remedy."""

import asyncio
import inspect

import bleak.exc
import pytest
from bleak import BleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from dbus_fast.errors import AuthError, InternalError, InvalidAddressError, InvalidMessageError

from edge.errors import RadioError
from edge.recovery import Step
from edge.scanner import Scanner
from tests.fakes.bluetoothd import FakeBluetoothd
from wire.sighting import RadioReason

Unavailable = BleakBluetoothNotAvailableReason
EXPECTED = [
    (BleakError("adapter 'hci0' not found"), RadioReason.NO_RADIO),
    *(
        (BleakBluetoothNotAvailableError("", reason), expected)
        for reason, expected in {
            Unavailable.NO_BLUETOOTH: RadioReason.NO_RADIO,
            Unavailable.NO_BLE_CENTRAL_ROLE: RadioReason.NO_RADIO,
            Unavailable.POWERED_OFF: RadioReason.BLOCKED,
            Unavailable.DENIED_BY_USER: RadioReason.NO_PERMISSION,
            Unavailable.DENIED_BY_SYSTEM: RadioReason.NO_PERMISSION,
            Unavailable.DENIED_BY_UNKNOWN: RadioReason.NO_PERMISSION,
            Unavailable.UNKNOWN: RadioReason.FAILED,
        }.items()
    ),
    *(
        (BleakDBusError(name, ["text"]), expected)
        for name, expected in {
            "org.freedesktop.DBus.Error.AccessDenied": RadioReason.NO_PERMISSION,
            "org.freedesktop.DBus.Error.AuthFailed": RadioReason.NO_PERMISSION,
            "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired": RadioReason.NO_PERMISSION,
            "org.freedesktop.DBus.Error.ServiceUnknown": RadioReason.NO_BLUEZ,
            "org.freedesktop.DBus.Error.NameHasNoOwner": RadioReason.NO_BLUEZ,
            "org.freedesktop.DBus.Error.Spawn.ChildExited": RadioReason.NO_BLUEZ,
            "org.freedesktop.systemd1.NoSuchUnit": RadioReason.NO_BLUEZ,
            "org.freedesktop.DBus.Error.UnknownObject": RadioReason.NO_RADIO,
            "org.freedesktop.DBus.Error.UnknownMethod": RadioReason.NO_RADIO,
            "org.freedesktop.DBus.Error.UnknownInterface": RadioReason.NO_RADIO,
            "org.freedesktop.DBus.Error.NoReply": RadioReason.NO_ANSWER,
            "org.freedesktop.DBus.Error.Timeout": RadioReason.NO_ANSWER,
            "org.freedesktop.DBus.Error.TimedOut": RadioReason.NO_ANSWER,
            "org.freedesktop.DBus.Error.Disconnected": RadioReason.NO_DBUS,
            "org.freedesktop.DBus.Error.NoServer": RadioReason.NO_DBUS,
            "org.bluez.Error.NotReady": RadioReason.BLOCKED,
            "org.bluez.Error.Blocked": RadioReason.BLOCKED,
            "org.bluez.Error.NotAuthorized": RadioReason.NO_PERMISSION,
            "org.bluez.Error.InProgress": RadioReason.BUSY,
            "org.bluez.Error.Busy": RadioReason.BUSY,
            "org.bluez.Error.Failed": RadioReason.FAILED,
            "org.bluez.Error.NotSupported": RadioReason.FAILED,
            "org.example.Unheard.Of": RadioReason.FAILED,
        }.items()
    ),
    (BleakDeviceNotFoundError("x"), RadioReason.FAILED),
    (BleakCharacteristicNotFoundError("x"), RadioReason.FAILED),
    (BleakGATTProtocolError(1), RadioReason.FAILED),
    (AuthError("no"), RadioReason.NO_PERMISSION),
    (InvalidAddressError("no"), RadioReason.NO_DBUS),
    (InternalError("no"), RadioReason.FAILED),
    (InvalidMessageError("no"), RadioReason.FAILED),
    (FileNotFoundError(2, "no"), RadioReason.NO_DBUS),
    (ConnectionRefusedError(111, "no"), RadioReason.NO_DBUS),
    (BrokenPipeError(32, "no"), RadioReason.NO_DBUS),
    (ConnectionResetError(104, "no"), RadioReason.NO_PERMISSION),
    (PermissionError(13, "no"), RadioReason.NO_PERMISSION),
    (TimeoutError(), RadioReason.NO_ANSWER),
    (EOFError(), RadioReason.NO_DBUS),
    (AssertionError(), RadioReason.FAILED),
]


def _name(value):
    if isinstance(value, BleakDBusError):
        return value.dbus_error
    return type(value).__name__ if isinstance(value, Exception) else str(value)


def test_every_exception_and_reason_of_bleak_is_in_the_table():
    """A new exception or reason in a later bleak fails here until it is mapped."""
    theirs = {one for _, one in inspect.getmembers(bleak.exc, inspect.isclass) if issubclass(one, Exception)}
    assert theirs == {type(error) for error, _ in EXPECTED if isinstance(error, BleakError)}
    told = {error.reason for error, _ in EXPECTED if isinstance(error, BleakBluetoothNotAvailableError)}
    assert told == set(BleakBluetoothNotAvailableReason)


@pytest.mark.parametrize(("error", "reason"), EXPECTED, ids=_name)
def test_an_error_at_the_start_is_told_with_its_remedy(bus, mocker, error, reason):
    """Whatever bleak raises when the scan starts, the edge gets a reason and says what to do."""

    async def run():
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        mocker.patch.object(BleakScanner, "start", side_effect=error)
        with pytest.raises(RadioError) as raised:
            await Scanner(None, lambda *_: None).take(Step.REBUILD)
        await fake.close()
        return raised.value

    raised = asyncio.run(run())
    assert raised.reason is reason
    assert raised.remedy
    assert "\n" not in str(raised)


@pytest.mark.parametrize("error", [error for error, _ in EXPECTED], ids=_name)
def test_an_error_at_the_stop_is_let_go(bus, mocker, error):
    """A scan that cannot be stopped is gone: the next step scans again all the same."""

    async def run():
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        scanner = Scanner(None, lambda *_: None)
        await scanner.take(Step.REBUILD)
        stop = mocker.patch.object(BleakScanner, "stop", side_effect=error)
        start = mocker.patch.object(BleakScanner, "start")
        await scanner.take(Step.RESTART)
        assert (stop.call_count, start.call_count) == (1, 1)
        await scanner.stop()
        await fake.close()

    asyncio.run(run())


@pytest.mark.parametrize("reason", RadioReason)
def test_every_reason_has_its_remedy(reason):
    """No reason is without words, and each is one line."""
    error = RadioError(reason)
    assert error.text and error.remedy
    assert error.exit_code == 69
