"""Every exception that bleak lets through a read becomes one outcome, and ends no loop."""

import asyncio
import inspect

import bleak.exc
import pytest
from bleak import BleakClient
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)
from dbus_fast.errors import AuthError, InternalError, InvalidAddressError, InvalidMessageError

from edge import reader
from edge.overflow import Outcome
from edge.reader import Reader
from wire import air

PATH = "/org/bluez/hci0/dev_C0_00_00_00_00_01"
TOKEN = bytes(range(16))
WANT_PAIRING = {
    BleakGATTProtocolErrorCode.READ_NOT_PERMITTED,
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
    BleakGATTProtocolErrorCode.REQUEST_NOT_SUPPORTED,
}
EXPECTED = [
    (BleakError("device 'dev_C0_00_00_00_00_01' not found"), Outcome.FAILED),
    *((BleakBluetoothNotAvailableError("", reason), Outcome.RADIO) for reason in BleakBluetoothNotAvailableReason),
    *(
        (BleakGATTProtocolError(code), Outcome.REFUSED if code in WANT_PAIRING else Outcome.FAILED)
        for code in BleakGATTProtocolErrorCode
    ),
    (BleakGATTProtocolError(0x80), Outcome.FAILED),
    *(
        (BleakDBusError(name, ["text"]), expected)
        for name, expected in {
            "org.bluez.Error.NotPermitted": Outcome.REFUSED,
            "org.bluez.Error.NotAuthorized": Outcome.REFUSED,
            "org.bluez.Error.AuthenticationFailed": Outcome.REFUSED,
            "org.bluez.Error.AuthenticationCanceled": Outcome.REFUSED,
            "org.bluez.Error.AuthenticationRejected": Outcome.REFUSED,
            "org.bluez.Error.AuthenticationTimeout": Outcome.REFUSED,
            "org.bluez.Error.Failed": Outcome.FAILED,
            "org.bluez.Error.ConnectionAttemptFailed": Outcome.FAILED,
            "org.bluez.Error.NotConnected": Outcome.FAILED,
            "org.freedesktop.DBus.Error.UnknownObject": Outcome.FAILED,
            "org.bluez.Error.InProgress": Outcome.RADIO,
            "org.bluez.Error.NotReady": Outcome.RADIO,
            "org.freedesktop.DBus.Error.NoReply": Outcome.RADIO,
            "org.freedesktop.DBus.Error.ServiceUnknown": Outcome.RADIO,
            "org.freedesktop.DBus.Error.AccessDenied": Outcome.RADIO,
        }.items()
    ),
    (BleakDeviceNotFoundError("x"), Outcome.FAILED),
    (BleakCharacteristicNotFoundError("x"), Outcome.FOREIGN),
    (AuthError("no"), Outcome.RADIO),
    (InvalidAddressError("no"), Outcome.RADIO),
    (InternalError("no"), Outcome.RADIO),
    (InvalidMessageError("no"), Outcome.RADIO),
    (FileNotFoundError(2, "no"), Outcome.RADIO),
    (ConnectionResetError(104, "no"), Outcome.RADIO),
    (EOFError(), Outcome.RADIO),
    (AssertionError(), Outcome.RADIO),
    (KeyError("service"), Outcome.FAILED),
    (TimeoutError(), Outcome.NO_ANSWER),
]


class _Asks:
    """One phone to be read, and how that ended."""

    def __init__(self):
        self.left = 1
        self.ended = []

    def next_read(self):
        self.left -= 1
        return PATH if self.left >= 0 else None

    def linked(self):
        self.ended.append("linked")

    def end_read(self, outcome, token):
        self.ended.append((outcome, token))


def _name(value):
    if isinstance(value, BleakDBusError):
        return value.dbus_error
    return repr(value) if isinstance(value, Exception) else str(value)


def _read():
    """What a loop that reads one phone tells of it; the loop must go on."""

    async def run():
        asks = _Asks()
        loop = asyncio.create_task(Reader(asks).keep())
        async with asyncio.timeout(5):
            while asks.left >= 0 and not loop.done():
                await asyncio.sleep(0.005)
        assert not loop.done()
        loop.cancel()
        return asks.ended

    return asyncio.run(run())


def test_every_exception_of_bleak_is_in_the_table():
    """A new exception in a later bleak fails here until it has an outcome."""
    theirs = {one for _, one in inspect.getmembers(bleak.exc, inspect.isclass) if issubclass(one, Exception)}
    assert theirs == {type(error) for error, _ in EXPECTED if isinstance(error, BleakError)}


@pytest.mark.parametrize(("error", "outcome"), EXPECTED, ids=_name)
def test_an_error_in_connecting_is_an_outcome(mocker, error, outcome):
    """Whatever bleak raises while it connects, the read ends so, and the next can begin."""
    mocker.patch.object(reader, "LINGER_S", 0)
    mocker.patch.object(BleakClient, "connect", side_effect=error)
    mocker.patch.object(BleakClient, "unpair")
    assert _read() == [(outcome, None)]


@pytest.mark.parametrize(("error", "outcome"), EXPECTED, ids=_name)
def test_an_error_in_reading_is_an_outcome(mocker, error, outcome):
    """The same for what it raises while it reads; the phone is left all the same."""
    mocker.patch.object(BleakClient, "connect")
    mocker.patch.object(BleakClient, "read_gatt_char", side_effect=error)
    unpair = mocker.patch.object(BleakClient, "unpair")
    assert _read() == ["linked", (outcome, None)]
    assert unpair.call_count == 1


@pytest.mark.parametrize("error", [error for error, _ in EXPECTED], ids=_name)
def test_an_error_in_leaving_loses_no_token(mocker, error):
    """A phone that cannot be left was read all the same."""
    mocker.patch.object(reader, "LINGER_S", 0)
    mocker.patch.object(BleakClient, "connect")
    mocker.patch.object(BleakClient, "read_gatt_char", return_value=bytearray(air.answer(TOKEN)))
    mocker.patch.object(BleakClient, "unpair", side_effect=error)
    mocker.patch.object(BleakClient, "disconnect", side_effect=error)
    assert _read() == ["linked", (Outcome.TOKEN, TOKEN)]


def test_a_bluez_that_answers_nothing_is_waited_for_no_longer_than_a_read_may_take(mocker):
    """Connecting, bleak's own disconnecting and forgetting the phone all hang: the read ends in its time."""

    async def hangs(*_):
        await asyncio.sleep(60)

    async def hangs_twice(*_):
        try:
            await hangs()
        finally:
            await hangs()

    mocker.patch.object(reader, "READ_S", 2.0)
    mocker.patch.object(reader, "ASK_S", 0.5)
    mocker.patch.object(reader, "LEAVE_S", 0.3)
    mocker.patch.object(reader, "LINGER_S", 0)
    mocker.patch.object(BleakClient, "connect", hangs_twice)
    mocker.patch.object(BleakClient, "unpair", hangs)
    mocker.patch.object(BleakClient, "disconnect")

    async def run():
        async with asyncio.timeout(3.2):  # with a second limit of its own, leaving would end after 3.5 s
            return await Reader(_Asks())._read(PATH)

    assert asyncio.run(run()) == (Outcome.NO_ANSWER, None)
