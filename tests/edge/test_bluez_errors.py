"""Every exception of dbus-fast and of its socket becomes one RadioError."""

import asyncio
import inspect

import dbus_fast.errors
import pytest
from dbus_fast.aio import MessageBus
from dbus_fast.errors import (
    AuthError,
    AuthTimeoutError,
    DBusError,
    DBusFastError,
    InterfaceNotFoundError,
    InternalError,
    InvalidAddressError,
    InvalidBusNameError,
    InvalidInterfaceNameError,
    InvalidIntrospectionError,
    InvalidMemberNameError,
    InvalidMessageError,
    InvalidObjectPathError,
    InvalidSignatureError,
    SignalDisabledError,
    SignatureBodyMismatchError,
)

from edge import bluez
from edge.errors import RadioError
from wire.sighting import RadioReason

EXPECTED = [
    (AuthError("no"), RadioReason.NO_PERMISSION),
    (AuthTimeoutError("no"), RadioReason.NO_ANSWER),
    (DBusError("org.freedesktop.DBus.Error.AccessDenied", "no"), RadioReason.NO_PERMISSION),
    (DBusError("org.freedesktop.DBus.Error.ServiceUnknown", "no"), RadioReason.NO_BLUEZ),
    (InvalidAddressError("no"), RadioReason.NO_DBUS),
    *(
        (kind("no"), RadioReason.FAILED)
        for kind in (
            DBusFastError,
            InterfaceNotFoundError,
            InternalError,
            InvalidBusNameError,
            InvalidInterfaceNameError,
            InvalidIntrospectionError,
            InvalidMemberNameError,
            InvalidMessageError,
            InvalidObjectPathError,
            InvalidSignatureError,
            SignalDisabledError,
            SignatureBodyMismatchError,
        )
    ),
    (FileNotFoundError(2, "no"), RadioReason.NO_DBUS),
    (ConnectionRefusedError(111, "no"), RadioReason.NO_DBUS),
    (BrokenPipeError(32, "no"), RadioReason.NO_DBUS),
    (OSError(9, "no"), RadioReason.NO_DBUS),
    (ConnectionResetError(104, "no"), RadioReason.NO_PERMISSION),
    (PermissionError(13, "no"), RadioReason.NO_PERMISSION),
    (TimeoutError(), RadioReason.NO_ANSWER),
    (EOFError(), RadioReason.NO_DBUS),
]


def _name(value):
    return type(value).__name__ if isinstance(value, Exception) else str(value)


def test_every_exception_of_dbus_fast_is_in_the_table():
    """A new exception in a later dbus-fast fails here until it is mapped."""
    theirs = {
        one
        for _, one in inspect.getmembers(dbus_fast.errors, inspect.isclass)
        if issubclass(one, Exception) and one.__module__ == dbus_fast.errors.__name__
    }
    assert theirs == {type(error) for error, _ in EXPECTED if isinstance(error, DBusFastError)}


@pytest.mark.parametrize("place", ["connect", "call"])
@pytest.mark.parametrize(("error", "reason"), EXPECTED, ids=_name)
def test_each_error_is_told_with_its_remedy(bus, mocker, place, error, reason):
    """Whether the bus refuses the connection or the call, the edge gets a reason and says what to do."""
    mocker.patch.object(MessageBus, place, side_effect=error)
    with pytest.raises(RadioError) as raised:
        asyncio.run(bluez.adapters())
    assert raised.value.reason is reason
    assert raised.value.remedy


def test_a_bus_that_gives_no_reply_is_told(bus, mocker):
    """A call that comes back with nothing at all is a bus that is not there."""
    mocker.patch.object(MessageBus, "call", return_value=None)
    with pytest.raises(RadioError) as raised:
        asyncio.run(bluez.adapters())
    assert raised.value.reason is RadioReason.NO_DBUS
