"""A bluetoothd that has no radio: `org.bluez` on a private bus, with phones that a test puts on the air.

It behaves as BlueZ 5.66 or 5.82 was measured to:

- without `DuplicateData` and `RSSI` filters, 5.82 makes no object for an advert without discoverable flags, tells RSSI
  only when it moved 8 dB, says nothing of a repeated advert, and does not scan for 5.2 s after every 10.4 s; 5.66 tells
  every advert;
- with `repeats_s` the controller itself reports a steady beacon only that often;
- each new address is an object, removed 30 s after its last advert; the UUIDs of one address accumulate over its life,
  so that after a rotation of format F3 the old token is told beside the new one; of manufacturer structures the last
  of each company is kept; on 5.82 UUIDs hold those of service data too;
- a connectable advert is held back by the kernel, one an adapter, until its scan response comes and is joined to it, or
  until a report of somebody else comes; its own repeat takes its place (net/bluetooth/hci_event.c, Linux 6.1);
- discovery belongs to the caller and ends with it; NotReady, InProgress, Failed as BlueZ says them;
- several adapters hear independently: a signal is one number, or one by the address of each adapter that is in reach;
- `stick` is a stuck discovery: Discovering stays true, no advert comes, StartDiscovery and StopDiscovery answer
  InProgress, until the power goes off; `hang` is a call that is never answered;
- a property may change without an advert (`set_property`), and RSSI goes when the scan ends;
- `kill` is kill -9: the name goes without a signal, and nothing is remembered; an adapter that is removed takes its
  objects with it.

As a process, driven by JSON lines on standard input and answering each with a line:

    python -m tests.fakes.bluetoothd --bus unix:path=… --version 5.66
    {"advertise": {"address": "C0:…", "rssi": -60, "raw": "0201…", "interval_s": 0.25, "for_s": 60}}
    {"silence": "C0:…"}   {"power": false}   {"remove": "hci0"}   {"add": {"name": "hci1", "address": "00:…"}}
    {"kill": true}   {"start": true}   {"stop": true}   {"fail": {"member": "StartDiscovery", "error": "org.bluez.…"}}
    {"stick": "hci0"}   {"hang": {"member": "StartDiscovery", "name": "hci0"}}
"""

import argparse
import asyncio
import contextlib
import socket
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.fakes.bluez_objects import ADDRESS, Held, Radio, Version, payload
from tests.fakes.bluez_orders import serve
from wire.air import structures

ADAPTER = "org.bluez.Adapter1"
PHONE = "org.bluez.Device1"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"

FORGET_S = 30.0  # after the last advert of an address
SCAN_S, PAUSE_S = 10.4, 5.2  # 5.82 without filters
DELTA_DB = 8
SEND_BUFFER_BYTES = 4 * 1024 * 1024  # dbus-fast does not try again when a send would block


class FakeBluetoothd:
    """The daemon. Between `start` and `kill` or `stop` it owns org.bluez; phones stay on the air throughout."""

    def __init__(
        self, bus_address: str, version: Version = Version.V5_82, *, radios: bool = True, repeats_s: float = 0.0
    ) -> None:
        self._bus_address = bus_address
        self._version = version
        self._repeats_s = repeats_s
        self._bus: MessageBus | None = None
        self._radios: dict[str, Radio] = {"hci0": Radio("hci0")} if radios else {}
        self._on_air: dict[str, asyncio.Task[None]] = {}
        self._forgetting: asyncio.Task[None] | None = None
        # (method, adapter or "" for any) → the errors of its next calls; None is no answer at all
        self._failures: dict[tuple[str, str], list[str | None]] = defaultdict(list)
        self.calls: list[str] = []

    async def start(self) -> None:
        """Takes the name and shows the adapters, powered as they were."""
        bus = MessageBus(bus_address=self._bus_address)
        await bus.connect()
        bus._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        bus.add_message_handler(self._on_message)
        await bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=["sender='org.freedesktop.DBus',member='NameOwnerChanged'"],
            )
        )
        self._bus = bus
        await bus.request_name("org.bluez")
        for radio in self._radios.values():
            self._added(radio.path, {ADAPTER: radio.properties()})
        self._forgetting = asyncio.create_task(self._forget())

    async def kill(self) -> None:
        """As kill -9: gone without a word."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        bus, self._bus = self._bus, None  # first, so that no phone's advert meets a connection that is closing
        if bus is not None:
            bus.disconnect()
            with contextlib.suppress(OSError, EOFError):
                await bus.wait_for_disconnect()
        for radio in self._radios.values():
            radio.sessions.clear()
            radio.filters.clear()
            radio.phones.clear()
            radio.heard_at.clear()
            radio.held = None

    async def stop(self) -> None:
        """As systemctl stop: every object is removed first."""
        for radio in self._radios.values():
            self._remove_objects(radio)
        await asyncio.sleep(0.05)
        await self.kill()

    async def close(self) -> None:
        """Ends it and takes every phone off the air."""
        for task in self._on_air.values():
            task.cancel()
        await self.kill()

    def advertise(
        self, address: str, rssi: int | Mapping[str, int], raw: bytes, interval_s: float = 0.25, for_s: float = 3600.0
    ) -> None:
        """Puts a phone on the air: `raw` are its AD structures. Takes the place of what this address sent before."""
        self.silence(address)
        self._on_air[address] = asyncio.create_task(self._send(address, rssi, raw, interval_s, for_s))

    def silence(self, address: str) -> None:
        """Takes a phone off the air."""
        if task := self._on_air.pop(address, None):
            task.cancel()

    def power(self, on: bool, name: str = "hci0") -> None:
        """Powers an adapter; off ends every scan and forgets the phones."""
        radio = self._radios[name]
        if radio.powered == on:
            return
        radio.powered = on
        if not on:
            radio.sessions.clear()
            radio.stuck, radio.held = False, None
            self._remove_phones(radio)
            self._changed(radio.path, ADAPTER, {"Discovering": Variant("b", False)})
        self._changed(radio.path, ADAPTER, {"Powered": Variant("b", on)})

    def remove(self, name: str = "hci0") -> None:
        """Unplugs an adapter."""
        self._remove_objects(self._radios.pop(name))

    def add(self, name: str = "hci0", address: str = ADDRESS, powered: bool = True) -> None:
        """Plugs an adapter in."""
        radio = self._radios[name] = Radio(name, address, powered)
        self._added(radio.path, {ADAPTER: radio.properties()})

    def fail(self, member: str, error: str, times: int = 1, name: str = "") -> None:
        """The next calls of a method, of one adapter where named, are answered with this error."""
        self._failures[member, name] = [error] * times

    def hang(self, member: str, times: int = 1, name: str = "") -> None:
        """The next calls of a method, of one adapter where named, are not answered at all."""
        self._failures[member, name] = [None] * times

    def stick(self, name: str = "hci0") -> None:
        """A discovery that is stuck: until the power goes off BlueZ says that it scans, and nothing is heard."""
        self._radios[name].stuck = True

    def set_property(self, address: str, name: str, value: Variant, radio: str = "hci0") -> None:
        """Changes a phone's property without an advert."""
        self._radios[radio].phones[address][name] = value
        self._changed(self._radios[radio].phone_path(address), PHONE, {name: value})

    def invalidate_rssi(self, address: str, radio: str = "hci0") -> None:
        """Takes a phone's RSSI away, as BlueZ does for one that it hears no longer."""
        self._radios[radio].phones[address].pop("RSSI", None)
        self._changed(self._radios[radio].phone_path(address), PHONE, {}, ["RSSI"])

    def report(
        self,
        address: str,
        rssi: int | Mapping[str, int],
        raw: bytes,
        *,
        connectable: bool = False,
        response: bytes | None = None,
    ) -> None:
        """One advert, with its scan response if there is one, reaches every adapter that scans and is in reach."""
        for radio in self._radios.values():
            if self._bus is None or not radio.powered or radio.stuck or not radio.sessions:
                continue
            there = rssi if isinstance(rssi, int) else rssi.get(radio.address)
            if there is None:
                continue
            held, radio.held = radio.held, None
            if held is not None and held.address != address:
                self._hear(radio, held.address, held.rssi, held.raw)
            if connectable and response is None:
                radio.held = Held(address, there, raw)
            else:
                self._hear(radio, address, there, raw + (response or b""))

    async def _send(
        self, address: str, rssi: int | Mapping[str, int], raw: bytes, interval_s: float, for_s: float
    ) -> None:
        until = time.monotonic() + for_s
        while time.monotonic() < until:
            self.report(address, rssi, raw)
            await asyncio.sleep(interval_s)

    def _hear(self, radio: Radio, address: str, rssi: int, raw: bytes) -> None:
        now = time.monotonic()
        last = radio.reported_at.get((address, raw))
        if last is not None and now - last < self._repeats_s:
            return
        filters = radio.sessions.values()
        every = self._version is Version.V5_66 or any(one.get("DuplicateData") and "RSSI" in one for one in filters)
        weakest = min(one.get("RSSI", -127) for one in filters)
        if rssi < weakest:
            return
        if not every and (now - radio.scanning_since) % (SCAN_S + PAUSE_S) > SCAN_S:
            return
        phone = radio.phones.get(address)
        parts = structures(raw)
        discoverable = any(kind == 0x01 and value and value[0] & 0x03 for kind, value in parts)
        if phone is None and not every and not discoverable:
            return
        radio.reported_at[address, raw] = now
        radio.heard_at[address] = now
        found = payload(self._version, phone or {}, parts)
        if phone is None:
            radio.phones[address] = {
                "Address": Variant("s", address),
                "AddressType": Variant("s", "random"),
                "Alias": Variant("s", address.replace(":", "-")),
                "Adapter": Variant("o", radio.path),
                "Paired": Variant("b", False),
                "Trusted": Variant("b", False),
                "Blocked": Variant("b", False),
                "Connected": Variant("b", False),
                "ServicesResolved": Variant("b", False),
                "LegacyPairing": Variant("b", False),
                "UUIDs": Variant("as", []),
                "RSSI": Variant("n", rssi),
                **found,
            }
            self._added(radio.phone_path(address), {PHONE: radio.phones[address]})
            return
        data = ("ManufacturerData", "ServiceData")
        changed = {name: value for name, value in found.items() if phone.get(name) != value or (every and name in data)}
        before = phone.get("RSSI")
        if every or before is None or abs(before.value - rssi) >= DELTA_DB:
            changed["RSSI"] = Variant("n", rssi)
        phone.update(changed)
        if changed:
            self._changed(radio.phone_path(address), PHONE, changed)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(1)
            for radio in list(self._radios.values()):
                late = time.monotonic() - FORGET_S
                for address in [one for one, at in radio.heard_at.items() if at < late]:
                    self._remove_phone(radio, address)

    def _remove_phone(self, radio: Radio, address: str) -> None:
        radio.heard_at.pop(address, None)
        for key in [key for key in radio.reported_at if key[0] == address]:
            del radio.reported_at[key]
        if radio.phones.pop(address, None) is not None:
            self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [radio.phone_path(address), [PHONE, PROPERTIES]])

    def _remove_phones(self, radio: Radio) -> None:
        for address in list(radio.phones):
            self._remove_phone(radio, address)

    def _remove_objects(self, radio: Radio) -> None:
        radio.sessions.clear()
        self._remove_phones(radio)
        self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [radio.path, [ADAPTER, PROPERTIES]])

    def _added(self, path: str, interfaces: dict[str, dict[str, Variant]]) -> None:
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, {PROPERTIES: {}, **interfaces}])

    def _changed(self, path: str, interface: str, changed: dict[str, Variant], gone: list[str] | None = None) -> None:
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, gone or []])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus is not None:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if not owner:
                for radio in self._radios.values():
                    radio.filters.pop(name, None)
                    self._end_session(radio, name)
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        member = message.member or ""
        self.calls.append(member)
        for key in ((member, ""), (member, (message.path or "").rsplit("/", 1)[-1])):
            if self._failures.get(key):
                error = self._failures[key].pop(0)
                return True if error is None else Message.new_error(message, error, "injected")
        if message.path == "/" and member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
        radio = next((radio for radio in self._radios.values() if radio.path == message.path), None)
        if radio is None:
            text = f'Method "{member}" with signature "{message.signature}" on interface does not exist'
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", text)
        if message.interface == PROPERTIES and member == "Set":
            self.power(bool(message.body[2].value), radio.name)
            return Message.new_method_return(message)
        if message.interface == ADAPTER:
            return self._on_adapter_call(radio, message)
        return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "no such method")

    def _on_adapter_call(self, radio: Radio, message: Message) -> Message:
        sender = message.sender or ""
        error = None
        match message.member:
            case "SetDiscoveryFilter":
                radio.filters[sender] = {name: value.value for name, value in message.body[0].items()}
                if sender in radio.sessions:
                    radio.sessions[sender] = radio.filters[sender]
            case "StartDiscovery" if not radio.powered:
                error = ("org.bluez.Error.NotReady", "Resource Not Ready")
            case "StartDiscovery" | "StopDiscovery" if radio.stuck and radio.powered:
                error = ("org.bluez.Error.InProgress", "Operation already in progress")
            case "StartDiscovery" if sender in radio.sessions:
                error = ("org.bluez.Error.InProgress", "Operation already in progress")
            case "StartDiscovery":
                if not radio.sessions:
                    radio.scanning_since = time.monotonic()
                    self._changed(radio.path, ADAPTER, {"Discovering": Variant("b", True)})
                radio.sessions[sender] = radio.filters.get(sender, {})
            case "StopDiscovery" if not radio.powered:
                error = ("org.bluez.Error.NotReady", "Resource Not Ready")
            case "StopDiscovery" if sender not in radio.sessions:
                error = ("org.bluez.Error.Failed", "No discovery started")
            case "StopDiscovery":
                self._end_session(radio, sender)
            case _:
                error = ("org.freedesktop.DBus.Error.UnknownMethod", "no such method")
        return Message.new_error(message, *error) if error else Message.new_method_return(message)

    def _end_session(self, radio: Radio, sender: str) -> None:
        if radio.sessions.pop(sender, None) is not None and not radio.sessions:
            self._changed(radio.path, ADAPTER, {"Discovering": Variant("b", False)})
            for address in radio.phones:
                self.invalidate_rssi(address, radio.name)

    def _objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        found: dict[str, dict[str, dict[str, Variant]]] = {"/org/bluez": {"org.bluez.AgentManager1": {}}}
        for radio in self._radios.values():
            found[radio.path] = {ADAPTER: radio.properties()}
            for address, phone in radio.phones.items():
                found[radio.phone_path(address)] = {PHONE: phone}
        return found


def main() -> None:
    """The process: ends when standard input does."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.bluetoothd", description="A bluetoothd without radio.")
    parser.add_argument("--bus", required=True, metavar="ADDRESS", help="the private bus, unix:path=…")
    parser.add_argument("--version", type=Version, choices=list(Version), default=Version.V5_82)
    parser.add_argument("--no-radio", action="store_true", help="begin without an adapter")
    parser.add_argument("--repeats-s", type=float, default=0.0, help="report a steady beacon only so often")
    chosen = parser.parse_args()
    fake = FakeBluetoothd(chosen.bus, chosen.version, radios=not chosen.no_radio, repeats_s=chosen.repeats_s)
    asyncio.run(serve(fake))


if __name__ == "__main__":
    main()
