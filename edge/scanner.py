"""Scans with one radio and says what each advertisement holds.

bleak's callback is used and never its cache: its map of phones grows with every change of address (measured: 1,390
entries for 200 phones). The filters make BlueZ report each advertisement, see docs/radio.md.

BlueZ calls back for every change of a property, not for advertisements alone, and bleak does not say which property
changed. What tells them apart:

- While RSSI is absent (bleak shows -127) the callback is for a property that went, or for a phone remembered from
  storage: BlueZ sets RSSI with every advertisement and takes it away when it no longer hears the phone. An RSSI that
  is there and is -127 is an advertisement whose signal is not known.
- While a link exists (`Connected` or `ServicesResolved`) changes come from the link. The callback in which the link
  ends carries old bytes too. So the paths of phones with a link are remembered, a few at most since a radio holds few,
  until that callback came.

The rest (Trusted, Alias: an operator at bluetoothctl) cannot be told apart, does not happen to members' phones, and
does no harm but one sighting more.

Several radios share one event loop, and with it bleak's one connection to the bus, on which it makes one call at a
time. So they start and stop by turns: a call that hangs costs the others its time limit, and their scans nothing.

I/O: bleak; beside edge.reader its only importer.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError, BleakError

from edge import bluez
from edge.errors import RadioError, of_dbus_error
from edge.recovery import Step
from wire.air import APPLE, APPLE_LEAST_BYTES, SERVICE_UUID, apple_has_overflow, is_beacon, overflow_bit
from wire.sighting import RadioReason

Hear = Callable[[Mapping[int, bytes], Sequence[str], int], None]
"""Takes manufacturer values by company, service UUIDs as text, and the signal in dBm (-127: not known)."""
OnOverflow = Callable[[str, int], None]
"""Takes the D-Bus path of a phone whose Apple data has our service's overflow bit (format F4), and the signal."""
OnFront = Callable[[str], None]
"""Takes the D-Bus path of a phone that sent an iBeacon: one that was in the background is in the foreground."""

START_S: Final = 10.0  # for bleak to connect, set the filter and start; while it lasts no other radio's scan begins
STOP_S: Final = 5.0  # well within the unit's TimeoutStopSec
POWER_OFF_S: Final = 1.0  # a radio that is powered on again at once was seen to stay stuck
LINKS_MAX: Final = 64  # more than any radio holds
_OVERFLOW_BIT: Final = overflow_bit(SERVICE_UUID)

_FILTERS: Final[dict[str, Any]] = {"DuplicateData": True, "RSSI": -127}  # docs/radio.md
_UNAVAILABLE: Final = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: RadioReason.NO_RADIO,
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: RadioReason.NO_RADIO,
    BleakBluetoothNotAvailableReason.POWERED_OFF: RadioReason.BLOCKED,
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: RadioReason.NO_PERMISSION,
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: RadioReason.NO_PERMISSION,
    BleakBluetoothNotAvailableReason.DENIED_BY_UNKNOWN: RadioReason.NO_PERMISSION,
    BleakBluetoothNotAvailableReason.UNKNOWN: RadioReason.FAILED,
}


class Shared:
    """What the radios of one process share: whose turn it is at bleak's connection, and whose each hciN is."""

    __slots__ = ("holders", "turn")

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.holders: dict[str, Scanner] = {}


class Scanner:
    """One radio: the one with the address `wanted`, or for None the first that is powered.

    `on_overflow` and `on_front` are called beside `hear`. `shared` is one for all radios of a process. `address` is
    that of the radio last chosen, None before.
    """

    def __init__(
        self,
        wanted: str | None,
        hear: Hear,
        on_overflow: OnOverflow | None = None,
        on_front: OnFront | None = None,
        *,
        shared: Shared | None = None,
    ) -> None:
        self._wanted = wanted
        self._hear = hear
        self._on_overflow = on_overflow
        self._on_front = on_front
        self._shared = shared or Shared()
        self._name = ""
        self._scanner: BleakScanner | None = None
        self._linked: set[str] = set()
        self.address: str | None = None

    async def take(self, step: Step) -> None:
        """Does one step of recovery; REBUILD is also how scanning begins. It scans afterwards.

        Raises: RadioError; nothing scans then.
        """
        await self.stop()
        if step is not Step.RESTART:
            self._scanner = None
        radio = bluez.choose(await bluez.adapters(), self._wanted)
        self.address = radio.address.upper()
        powered = radio.powered
        if step is Step.POWER_CYCLE and powered:
            await bluez.power(radio.name, False)
            await asyncio.sleep(POWER_OFF_S)
            powered = False
        if not powered:
            await bluez.power(radio.name, True)
        if self._scanner is None or self._name != radio.name:
            self._name = radio.name
            self._scanner = BleakScanner(
                self._on_callback,
                scanning_mode="active",
                bluez={"adapter": radio.name, "filters": _FILTERS},  # type: ignore[typeddict-item]
            )
        # Waiting for the turn does not count: else a radio that hangs could take every one of another's.
        async with self._shared.turn:
            await self._take_name()
            try:
                async with asyncio.timeout(START_S):
                    await self._scanner.start()
            except _FOREIGN as error:
                raise _radio_error(error) from error

    async def stop(self) -> None:
        """Stops scanning; what cannot be stopped is let go, for it is gone or will be scanned with anew."""
        async with self._shared.turn:
            await self._stop()

    async def _take_name(self) -> None:
        """Ends the scan of a radio that was called like this one before hciN changed.

        bleak knows radios by name: else the other one would hear with this radio, in the wrong zone, and its next step
        would stop this one's scan.
        """
        holder = self._shared.holders.get(self._name)
        if holder is not None and holder is not self and holder._name == self._name:
            await holder._stop()
        self._shared.holders[self._name] = self

    async def _stop(self) -> None:
        self._linked.clear()
        if self._scanner is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await self._scanner.stop()
        except _FOREIGN:
            # An adapter that was unplugged, a bluetoothd or a bus that was restarted (docs/radio.md): the scan is
            # gone with it. bleak has forgotten it before it raises, so it can be started again.
            return

    def _on_callback(self, phone: BLEDevice, advert: AdvertisementData) -> None:
        path, properties = advert.platform_data
        if properties.get("Connected") or properties.get("ServicesResolved"):
            if len(self._linked) >= LINKS_MAX:
                self._linked.clear()  # left by phones that BlueZ removed while linked
            self._linked.add(path)
            return
        if self._linked and path in self._linked:
            self._linked.discard(path)
            return
        if "RSSI" not in properties:
            return
        manufacturer = advert.manufacturer_data
        self._hear(manufacturer, advert.service_uuids, advert.rssi)
        apple = manufacturer.get(APPLE)
        # Most of what Apple's phones say is settled here, without a call: too short for either, and often.
        if apple is not None and len(apple) >= APPLE_LEAST_BYTES:
            if is_beacon(apple):
                if self._on_front is not None:
                    self._on_front(path)
            elif self._on_overflow is not None and apple_has_overflow(apple, _OVERFLOW_BIT):
                self._on_overflow(path, advert.rssi)


# What bleak lets through: its own errors, dbus-fast's, and an `assert` for a bus that died between two calls.
_FOREIGN: Final = (BleakError, AssertionError, *bluez.FOREIGN)


def _radio_error(error: BleakError | AssertionError | bluez.Foreign) -> RadioError:
    match error:
        case BleakDBusError():
            return of_dbus_error(error.dbus_error)
        case BleakBluetoothNotAvailableError():
            return RadioError(_UNAVAILABLE[error.reason], type(error).__name__)
        case BleakError() | AssertionError():
            # A BleakError of no subclass says that the adapter is not there (bleak 3.1, `_check_adapter`).
            reason = RadioReason.NO_RADIO if type(error) is BleakError else RadioReason.FAILED
            return RadioError(reason, type(error).__name__)
        case _:
            return bluez.radio_error(error)
