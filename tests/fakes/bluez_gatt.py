"""The links of the fake bluetoothd: phones that are connected to, found to have services, read and left.

As BlueZ 5.66 and 5.82 were seen to do it on a virtual controller:

- while it connects, the scan is off; while a link exists, the phone does not advertise;
- Connect is answered when the services are known, `ServicesResolved` being the last property that changes;
- RemoveDevice ends a link first, is answered when that is done, and then removes the phone;
- Disconnect and RemoveDevice end a Connect that is under way: it fails;
- a characteristic that wants pairing answers NotPermitted, since there is no agent.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from dbus_fast import Message, MessageType, Variant

from tests.fakes.bluetoothd import OBJECTS, PROPERTIES, FakeBluetoothd
from tests.fakes.bluez_objects import Radio
from wire.air import CHARACTERISTIC_UUID, SERVICE_UUID

SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
ABORTED = ("org.bluez.Error.Failed", "le-connection-abort-by-local")
NOT_PAIRED = ("org.bluez.Error.NotPermitted", "Not paired")


class Stage(Enum):
    """Where a phone, or BlueZ, says nothing any more."""

    CONNECT = auto()
    RESOLVE = auto()
    READ = auto()
    LEAVE = auto()


@dataclass
class Server:
    """What a phone has to be read, and how it behaves. Times in seconds; errors are name and text."""

    value: bytes
    service: str = str(SERVICE_UUID)
    characteristic: str = str(CHARACTERISTIC_UUID)
    connect_s: float = 0.02
    resolve_s: float = 0.02
    read_s: float = 0.01
    leave_s: float = 0.02
    connect_error: tuple[str, str] | None = None
    read_error: tuple[str, str] | None = None
    hangs: Stage | None = None
    leaves: bool = False  # it breaks the link before its services are known


class LinkingBluetoothd(FakeBluetoothd):
    """The daemon, with `servers` by address; a phone without one is not there any more when it is connected to.

    `asked` tells whom it was asked to connect to and when (monotonic seconds), `most` how many links and connects one
    radio had at once, `removed` how many phones it was told to forget, `deaf_s` how long a radio did not scan.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.servers: dict[str, Server] = {}
        self.connecting: dict[str, str] = {}  # radio → address
        self.linked: set[tuple[str, str]] = set()
        self.asked: list[tuple[float, str]] = []
        self.most = 0
        self.removed = 0
        self.deaf_s = 0.0
        self._pending: dict[tuple[str, str], tuple[asyncio.Task[None], Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def kill(self) -> None:
        """As kill -9, and every link with it."""
        for task in [*self._tasks, *(task for task, _ in self._pending.values())]:
            task.cancel()
        self._pending.clear()
        self.connecting.clear()
        self.linked.clear()
        await super().kill()

    def _hear(self, radio: Radio, address: str, rssi: int, raw: bytes) -> None:
        if radio.name not in self.connecting and not any(one == address for _, one in self.linked):
            super()._hear(radio, address, rssi, raw)

    def _objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        found = super()._objects()
        for name, address in self.linked:
            found |= self._objects_of(self._radios[name].phone_path(address), address)
        return found

    def _on_message(self, message: Message) -> Message | bool | None:
        ours = ("RemoveDevice", "Connect", "Disconnect", "ReadValue")
        if message.message_type is not MessageType.METHOD_CALL or message.member not in ours:
            return super()._on_message(message)
        if any(member == message.member and errors for (member, _), errors in self._failures.items()):
            return super()._on_message(message)
        self.calls.append(message.member)
        path = message.body[0] if message.member == "RemoveDevice" else message.path
        radio = next((one for one in self._radios.values() if path.startswith(f"{one.path}/")), None)
        address = path.split("/")[4].removeprefix("dev_").replace("_", ":")
        if radio is None or address not in radio.phones:
            gone = ("org.freedesktop.DBus.Error.UnknownObject", "no such object")
            missing = ("org.bluez.Error.DoesNotExist", "Does Not Exist")
            return Message.new_error(message, *(missing if message.member == "RemoveDevice" else gone))
        match message.member:
            case "Connect":
                return self._connect(radio, address, message)
            case "Disconnect":
                self._later(self._disconnect(radio, address, message))
            case "ReadValue":
                self._later(self._read(address, message))
            case _:
                self._later(self._forget_phone(radio, address, message))
        return True

    def _connect(self, radio: Radio, address: str, message: Message) -> Message | bool:
        self.asked.append((time.monotonic(), address))
        if radio.name in self.connecting:
            return Message.new_error(message, "org.bluez.Error.InProgress", "Operation already in progress")
        self.connecting[radio.name] = address
        self.most = max(self.most, 1 + sum(name == radio.name for name, _ in self.linked))
        self._pending[radio.name, address] = (asyncio.create_task(self._link(radio, address, message)), message)
        return True

    async def _link(self, radio: Radio, address: str, message: Message) -> None:
        server = self.servers.get(address, Server(b"", hangs=Stage.CONNECT))  # a phone that is not there any more
        began = time.monotonic()
        try:
            if server.hangs is Stage.CONNECT:
                await asyncio.Event().wait()
            await asyncio.sleep(server.connect_s)
        finally:
            self.connecting.pop(radio.name, None)
            self.deaf_s += time.monotonic() - began
        if server.connect_error is not None:
            self._answer(Message.new_error(message, *server.connect_error))
            self._pending.pop((radio.name, address), None)
            return
        self.linked.add((radio.name, address))
        self.set_property(address, "Connected", Variant("b", True), radio.name)
        if server.hangs is Stage.RESOLVE:
            await asyncio.Event().wait()
        await asyncio.sleep(server.resolve_s)
        if server.leaves:
            self._pending.pop((radio.name, address), None)
            self.linked.discard((radio.name, address))
            self.set_property(address, "Connected", Variant("b", False), radio.name)
            self._answer(Message.new_error(message, "org.bluez.Error.Failed", "Software caused connection abort"))
            return
        for path, interfaces in self._objects_of(radio.phone_path(address), address).items():
            self._added(path, interfaces)
        self.set_property(address, "ServicesResolved", Variant("b", True), radio.name)
        self._pending.pop((radio.name, address), None)
        self._answer(Message.new_method_return(message))

    async def _read(self, address: str, message: Message) -> None:
        server = self.servers[address]
        if server.hangs is Stage.READ:
            return
        await asyncio.sleep(server.read_s)
        if server.read_error is not None:
            self._answer(Message.new_error(message, *server.read_error))
        else:
            self._answer(Message.new_method_return(message, "ay", [server.value]))

    async def _disconnect(self, radio: Radio, address: str, message: Message) -> None:
        if await self._unlink(radio, address):
            self._answer(Message.new_method_return(message))

    async def _forget_phone(self, radio: Radio, address: str, message: Message) -> None:
        if await self._unlink(radio, address):
            self.removed += 1
            self._remove_phone(radio, address)
            self._answer(Message.new_method_return(message))

    async def _unlink(self, radio: Radio, address: str) -> bool:
        """Whether it ended; False where BlueZ hangs."""
        server = self.servers.get(address)
        if server is not None and server.hangs is Stage.LEAVE:
            return False
        under_way = self._pending.pop((radio.name, address), None)
        if under_way is not None:
            under_way[0].cancel()
            self._answer(Message.new_error(under_way[1], *ABORTED))
        if (radio.name, address) in self.linked:
            await asyncio.sleep(server.leave_s if server is not None else 0)
            self.linked.discard((radio.name, address))
            for name in ("ServicesResolved", "Connected"):
                self.set_property(address, name, Variant("b", False), radio.name)
            for path, interfaces in self._objects_of(radio.phone_path(address), address).items():
                self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, [*interfaces, PROPERTIES]])
        return True

    def _objects_of(self, phone: str, address: str) -> dict[str, dict[str, dict[str, Variant]]]:
        server = self.servers[address]
        service, characteristic = f"{phone}/service000c", f"{phone}/service000c/char000d"
        return {
            service: {
                SERVICE: {
                    "UUID": Variant("s", server.service),
                    "Device": Variant("o", phone),
                    "Primary": Variant("b", True),
                    "Includes": Variant("ao", []),
                }
            },
            characteristic: {
                CHARACTERISTIC: {
                    "UUID": Variant("s", server.characteristic),
                    "Service": Variant("o", service),
                    "Value": Variant("ay", b""),
                    "Flags": Variant("as", ["read"]),
                    "MTU": Variant("q", 23),
                }
            },
        }

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _answer(self, message: Message) -> None:
        if self._bus is not None:
            self._bus.send(message)
