"""Asks iPhones in the background for their tokens over GATT, one at a time a radio (format F4).

Which phone and when is the planner's affair (`edge.overflow`); here one is connected to, read and left, in 8 s at most.

- The kernel stops the scan while it connects, and begins it again once there is a link (docs/radio.md).
- `Connect` makes a phone one that BlueZ remembers, on disk and by its address. So a phone is left by `RemoveDevice`
  (bleak calls it `unpair`), which ends the link within 2 s and forgets the phone; the next advert makes it known anew.
- Nothing is ever paired: there is no agent, and a characteristic that wants it is a refusal.
- Neither bleak's cache of services nor the address is used, and no text of an error is kept: it may hold the address.

I/O: bleak; beside edge.scanner its only importer.
"""

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)

from edge import bluez
from edge.errors import of_dbus_error
from edge.overflow import ASK_S, LEAVE_S, READ_S, Outcome
from wire.air import CHARACTERISTIC_UUID, SERVICE_UUID, token_of_answer
from wire.sighting import RadioReason

LOOK_S: Final = 0.2  # between two looks at whether a phone is to be read: of the 2 s that a call for help may take
AWAKE_S: Final = 20.0  # looking costs a box more than the adverts of a quiet shop do (docs/benchmarks.md)
LINGER_S: Final = 5.0  # for a link of which BlueZ did not say within the 8 s that it is gone

_WANTS_PAIRING: Final = frozenset(
    {
        BleakGATTProtocolErrorCode.READ_NOT_PERMITTED,
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
        BleakGATTProtocolErrorCode.REQUEST_NOT_SUPPORTED,
    }
)
# As BlueZ answers where no agent pairs: "Not paired" among them (src/gatt-client.c, create_gatt_dbus_error).
_REFUSALS: Final = frozenset(
    {
        "org.bluez.Error.NotPermitted",
        "org.bluez.Error.NotAuthorized",
        "org.bluez.Error.AuthenticationFailed",
        "org.bluez.Error.AuthenticationCanceled",
        "org.bluez.Error.AuthenticationRejected",
        "org.bluez.Error.AuthenticationTimeout",
    }
)
_OF_THE_PHONE: Final = frozenset({RadioReason.FAILED, RadioReason.NO_RADIO})  # refused, or its object is gone


class Asks(Protocol):
    """Who is read next; `node.Node` is the one."""

    def next_read(self) -> str | None:
        """The D-Bus path of the phone to read now, None for none yet."""

    def linked(self) -> None:
        """That phone is connected to."""

    def end_read(self, outcome: Outcome, token: bytes | None) -> None:
        """That read ended so; the token is 16 bytes for TOKEN, else None."""


class Reader:
    """One radio's reads.

    `near`, where there is one, is set with each advert of a phone in the background; without such an advert for
    `AWAKE_S` nothing is looked at until the next.
    """

    def __init__(self, asks: Asks, near: asyncio.Event | None = None) -> None:
        self._asks = asks
        self._near = near
        self._left = True  # BlueZ said that the last link is gone

    async def keep(self) -> None:
        """Reads whoever is to be read, one after the other, until cancelled."""
        awake_looks = looks = round(AWAKE_S / LOOK_S)  # nobody was near yet
        while True:
            if self._near is not None and self._near.is_set():
                self._near.clear()
                looks = 0
            path = self._asks.next_read()
            if path is None:
                looks += 1
                if self._near is not None and looks > awake_looks:
                    await self._near.wait()
                else:
                    await asyncio.sleep(LOOK_S)
                continue
            outcome, token = Outcome.FAILED, None
            try:
                outcome, token = await self._read(path)
            finally:
                self._asks.end_read(outcome, token)
            if not self._left:
                await asyncio.sleep(LINGER_S)

    async def _read(self, path: str) -> tuple[Outcome, bytes | None]:
        """Connects to the phone at a D-Bus path, reads its token and leaves; in READ_S at most.

        Returns the token (16 bytes) with TOKEN, else None. The link is ended, or BlueZ was told to end it.
        """
        adapter = path.split("/")[3]
        # No address: the path names the phone, and whatever bleak says of it cannot tell it.
        phone = BLEDevice("", None, {"path": path})
        client = BleakClient(phone, services=[str(SERVICE_UUID)], timeout=READ_S, bluez={"adapter": adapter})
        outcome, token = Outcome.NO_ANSWER, None
        until_s = asyncio.get_running_loop().time() + READ_S
        try:
            # Two limits: bleak answers the first by asking BlueZ to disconnect, and waits for that as long as it takes.
            async with asyncio.timeout_at(until_s - LEAVE_S), asyncio.timeout(ASK_S):
                await client.connect()
                self._asks.linked()
                token = token_of_answer(bytes(await client.read_gatt_char(CHARACTERISTIC_UUID)))
            outcome = Outcome.MALFORMED if token is None else Outcome.TOKEN
        except FOREIGN as error:
            outcome = outcome_of(error)
        finally:
            await self._leave(client, until_s)
        return outcome, token

    async def _leave(self, client: BleakClient, until_s: float) -> None:
        """Ends the link and has BlueZ forget the phone; waits for it until then, by the loop's clock."""
        self._left = False
        try:
            async with asyncio.timeout_at(until_s):
                await client.unpair()
            self._left = True
        except BleakDeviceNotFoundError:
            self._left = True  # forgotten already
        except FOREIGN:
            pass  # gone with its radio or with BlueZ
        finally:
            with suppress(*FOREIGN):
                await client.disconnect()  # closes this client's connection to the bus; there is no link any more


# What bleak lets through: its own errors, dbus-fast's, an `assert` for a bus that died between two calls, and KeyError
# for a service that went between two looks.
FOREIGN: Final = (BleakError, AssertionError, KeyError, *bluez.FOREIGN)
Foreign = BleakError | AssertionError | KeyError | bluez.Foreign


def outcome_of(error: Foreign) -> Outcome:
    """How a read ended that raised this."""
    match error:
        case TimeoutError():
            return Outcome.NO_ANSWER
        case BleakCharacteristicNotFoundError():
            return Outcome.FOREIGN
        case BleakGATTProtocolError():
            return Outcome.REFUSED if error.code in _WANTS_PAIRING else Outcome.FAILED
        case BleakDBusError():
            if error.dbus_error in _REFUSALS:
                return Outcome.REFUSED
            return Outcome.FAILED if of_dbus_error(error.dbus_error).reason in _OF_THE_PHONE else Outcome.RADIO
        case BleakBluetoothNotAvailableError():
            return Outcome.RADIO
        case BleakError() | KeyError():
            return Outcome.FAILED
        case _:
            return Outcome.RADIO
