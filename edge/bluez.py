"""Asks BlueZ which radios there are, and powers them on and off.

bleak knows adapters by `hciN` only, which changes after a reset; the edge knows its radio by address. Every question
opens its own connection to the bus and closes it: a bus or a bluetoothd that was restarted needs no care.

I/O: dbus-fast; its only importer.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, AuthTimeoutError, DBusError, DBusFastError, InvalidAddressError

from edge.errors import RadioError, of_dbus_error, of_lost_bus
from wire.sighting import RadioReason

ANSWER_S: Final = 10.0  # powering on loads firmware into some radios: up to 5 s seen
FOREIGN: Final = (DBusFastError, OSError, EOFError)  # what dbus-fast raises; a timeout is an OSError
Foreign = DBusFastError | OSError | EOFError
_BLUEZ: Final = "org.bluez"
_ADAPTER: Final = "org.bluez.Adapter1"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One radio: `name` is hciN of this moment, `address` stays."""

    name: str
    address: str
    powered: bool
    discovering: bool


async def adapters() -> tuple[Adapter, ...]:
    """The radios that BlueZ knows, by name; none is no error.

    Raises: RadioError where there is no D-Bus, no BlueZ, or no permission.
    """
    reply = await _ask("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    found = []
    for path, interfaces in reply.items():
        properties = interfaces.get(_ADAPTER)
        if properties is not None:
            found.append(
                Adapter(
                    path.rsplit("/", 1)[-1],
                    str(properties["Address"].value),
                    bool(properties["Powered"].value),
                    bool(properties["Discovering"].value),
                )
            )
    return tuple(sorted(found, key=lambda adapter: (len(adapter.name), adapter.name)))


async def power(name: str, on: bool) -> None:
    """Powers the adapter `name` (hciN) on or off; returns when BlueZ says that it is done.

    Raises: RadioError, with reason `blocked` where rfkill or the radio itself prevents it.
    """
    try:
        await _ask(
            f"/org/bluez/{name}",
            "org.freedesktop.DBus.Properties",
            "Set",
            "ssv",
            [_ADAPTER, "Powered", Variant("b", on)],
        )
    except RadioError as error:
        if error.name == "org.bluez.Error.Failed":
            raise RadioError(RadioReason.BLOCKED, error.name) from error
        raise


def choose(there: Sequence[Adapter], address: str | None) -> Adapter:
    """The radio with this address; for None the first that is powered, or else the first.

    Raises: RadioError where there is none.
    """
    if not there:
        raise RadioError(RadioReason.NO_RADIO)
    if address is None:
        return next((adapter for adapter in there if adapter.powered), there[0])
    for adapter in there:
        if adapter.address.upper() == address.upper():
            return adapter
    raise RadioError(RadioReason.OTHER_RADIO)


async def _ask(path: str, interface: str, member: str, signature: str = "", body: Sequence[Any] = ()) -> Any:
    """The first value of the reply to one call of BlueZ, None where it has none."""
    message = Message(
        destination=_BLUEZ, path=path, interface=interface, member=member, signature=signature, body=list(body)
    )
    try:
        async with asyncio.timeout(ANSWER_S):
            bus = MessageBus(bus_type=BusType.SYSTEM)
            try:
                await bus.connect()
                reply = await bus.call(message)
            finally:
                bus.disconnect()
    except FOREIGN as error:
        raise radio_error(error) from error
    if reply is None:
        raise RadioError(RadioReason.NO_DBUS, "no reply")
    if reply.message_type is MessageType.ERROR:
        raise of_dbus_error(reply.error_name or "")
    return reply.body[0] if reply.body else None


def radio_error(error: Foreign) -> RadioError:
    """The RadioError for whatever dbus-fast raised, by itself or through bleak."""
    name = type(error).__name__
    match error:
        case AuthTimeoutError():
            return RadioError(RadioReason.NO_ANSWER, name)
        case AuthError():
            return RadioError(RadioReason.NO_PERMISSION, name)
        case InvalidAddressError():
            return RadioError(RadioReason.NO_DBUS, name)
        case DBusError():
            return of_dbus_error(error.type)
        case DBusFastError():
            return RadioError(RadioReason.FAILED, name)
        case _:
            return of_lost_bus(error)
