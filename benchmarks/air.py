"""What is on the air of a busy shop, made up: phones that say what published captures say, some of them members'.

Pure: no I/O, no clock.
"""

import random
from dataclasses import dataclass

from wire import air

MEMBERS_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Phone:
    """One address and its AD structures; `token` is that of a member's phone, None of a stranger's."""

    address: str
    raw: bytes
    rssi_dbm: int
    token: bytes | None


def crowd(count: int, seed: int = 1) -> list[Phone]:
    """So many phones, watches and tags; the same ones for one seed."""
    chance = random.Random(seed)
    phones = []
    for number in range(count):
        address = "C0:" + ":".join(f"{number:010X}"[at : at + 2] for at in range(0, 10, 2))
        token = chance.randbytes(16) if chance.random() < MEMBERS_SHARE else None
        raw = _member(token, chance) if token is not None else _stranger(chance)
        phones.append(Phone(address, raw, chance.randint(-95, -50), token))
    chance.shuffle(phones)
    return phones


def _member(token: bytes, chance: random.Random) -> bytes:
    flags = b"\x02\x01\x1a"
    return chance.choice(
        [
            flags + air.f1(token, chance.randbytes(5)),
            flags + air.f2(token, air.TEST_COMPANY, -12),
            flags + air.f3(token),
        ]
    )


def _stranger(chance: random.Random) -> bytes:
    """Nearby info, Find My, a Windows computer, exposure notification, a thermometer, in about a shop's shares."""
    flags = b"\x02\x01\x1a"
    return chance.choices(
        [
            flags + b"\x02\x0a\x0c\x0a\xff\x4c\x00\x10\x05" + chance.randbytes(5),
            b"\x1e\xff\x4c\x00\x12\x19" + chance.randbytes(25),
            flags + b"\x1b\xff\x06\x00\x01\x09\x20\x22" + chance.randbytes(20),
            flags + b"\x03\x03\x6f\xfd\x17\x16\x6f\xfd" + chance.randbytes(20),
            # A Xiaomi LYWSD03MMC with the free firmware: service 181A, which sensor decoders know.
            b"\x10\x16\x1a\x18\xa4\xc1\x38" + chance.randbytes(10) + b"\x0b\x09LYWSD03MMC"[:12],
        ],
        [40, 20, 15, 10, 15],
    )[0]


def split(raw: bytes) -> tuple[dict[int, bytes], list[str], dict[str, bytes], str | None]:
    """What BlueZ makes of it: manufacturer values, service UUIDs, service values, name."""
    manufacturer: dict[int, bytes] = {}
    uuids: list[str] = []
    services: dict[str, bytes] = {}
    name = None
    for kind, value in air.structures(raw):
        match kind:
            case 0xFF:
                manufacturer[int.from_bytes(value[:2], "little")] = value[2:]
            case 0x02 | 0x03:
                uuids += [_spelled_out(value[at : at + 2]) for at in range(0, len(value), 2)]
            case 0x06 | 0x07:
                text = value[15::-1].hex()
                uuids.append("-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])))
            case 0x16:
                services[_spelled_out(value[:2])] = value[2:]
            case 0x09:
                name = value.decode("ascii", "replace")
            case _:
                pass
    return manufacturer, list(dict.fromkeys([*uuids, *services])), services, name


def _spelled_out(uuid: bytes) -> str:
    return f"0000{uuid[::-1].hex()}-0000-1000-8000-00805f9b34fb"
