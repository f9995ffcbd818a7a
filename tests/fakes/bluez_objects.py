"""What the fake bluetoothd shows on the bus: its adapters, and the properties that BlueZ makes of an advert."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dbus_fast import Variant

ADDRESS = "00:00:00:00:5A:AD"
BASE_UUID = "-0000-1000-8000-00805f9b34fb"


class Version(StrEnum):
    """The BlueZ that is played."""

    V5_66 = "5.66"
    V5_82 = "5.82"


@dataclass(frozen=True, slots=True)
class Held:
    """A connectable advert that waits for its scan response."""

    address: str
    rssi: int
    raw: bytes


@dataclass
class Radio:
    """One adapter: its properties, who scans with which filter, and the phones it knows."""

    name: str
    address: str = ADDRESS
    powered: bool = True
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    scanning_since: float = 0.0
    phones: dict[str, dict[str, Variant]] = field(default_factory=dict)
    heard_at: dict[str, float] = field(default_factory=dict)
    reported_at: dict[tuple[str, bytes], float] = field(default_factory=dict)
    held: Held | None = None
    stuck: bool = False

    @property
    def path(self) -> str:
        """Its object path."""
        return f"/org/bluez/{self.name}"

    def phone_path(self, address: str) -> str:
        """The object path of a phone that it heard."""
        return f"{self.path}/dev_{address.replace(':', '_')}"

    def properties(self) -> dict[str, Variant]:
        """As BlueZ shows them."""
        return {
            "Address": Variant("s", self.address),
            "AddressType": Variant("s", "public"),
            "Name": Variant("s", "box"),
            "Alias": Variant("s", "box"),
            "Class": Variant("u", 0),
            "Powered": Variant("b", self.powered),
            "Discoverable": Variant("b", False),
            "Pairable": Variant("b", False),
            "Discovering": Variant("b", bool(self.sessions) or self.stuck),
            "UUIDs": Variant("as", []),
            "Roles": Variant("as", ["central", "peripheral"]),
        }


def payload(version: Version, phone: dict[str, Variant], parts: tuple[tuple[int, bytes], ...]) -> dict[str, Variant]:
    """What BlueZ shows of an advert: the values of this one over those it kept."""
    found: dict[str, Variant] = {}
    manufacturer: dict[int, Variant] = dict(phone["ManufacturerData"].value) if "ManufacturerData" in phone else {}
    services: dict[str, Variant] = dict(phone["ServiceData"].value) if "ServiceData" in phone else {}
    uuids: list[str] = list(phone["UUIDs"].value) if "UUIDs" in phone else []
    named: list[str] = []
    for kind, value in parts:
        if kind == 0xFF and len(value) >= 2:
            manufacturer[int.from_bytes(value[:2], "little")] = Variant("ay", value[2:])
            found["ManufacturerData"] = Variant("a{qv}", manufacturer)
        elif kind in (0x02, 0x03):
            named += [_uuid16(value[at : at + 2]) for at in range(0, len(value) - 1, 2)]
        elif kind in (0x06, 0x07):
            named += [_uuid128(value[at : at + 16]) for at in range(0, len(value) - 15, 16)]
        elif kind in (0x16, 0x21):
            size = 2 if kind == 0x16 else 16
            if len(value) >= size:
                uuid = _uuid16(value[:2]) if size == 2 else _uuid128(value[:16])
                services[uuid] = Variant("ay", value[size:])
                found["ServiceData"] = Variant("a{sv}", services)
                if version is Version.V5_82:
                    named.append(uuid)
        elif kind in (0x08, 0x09):
            found["Name"] = found["Alias"] = Variant("s", value.decode("utf-8", "replace"))
    fresh = [uuid for uuid in dict.fromkeys(named) if uuid not in uuids]
    if fresh:
        found["UUIDs"] = Variant("as", uuids + fresh)
    return found


def _uuid16(value: bytes) -> str:
    return f"0000{value[::-1].hex()}{BASE_UUID}"


def _uuid128(value: bytes) -> str:
    text = value[::-1].hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
