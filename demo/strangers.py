"""Everybody else in the shop: what phones, watches, tags and sensors of people who never heard of us send.

Each stranger is made of a number, so that a crowd is the same every time. Some of what they send looks like a token
(a museum's iBeacon, another app's service UUID) and is told apart by nobody but a holder of day keys.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator
from random import Random

from demo.phones import Heard, random_address

_APPLE = b"\x4c\x00"
_FLAGS = b"\x02\x01\x06"


def stranger(number: int) -> Heard:
    """The advert of stranger `number`: always the same one for the same number."""
    chance = Random(f"stranger {number}")
    raw = _KINDS[number % len(_KINDS)](chance)
    return Heard(random_address(chance), chance.randint(-95, -55), raw)


def crowd(count: int, start: int = 0) -> Iterator[Heard]:
    """The adverts of `count` strangers, from number `start` on."""
    return (stranger(number) for number in range(start, start + count))


def _structure(kind: int, value: bytes) -> bytes:
    return bytes((len(value) + 1, kind)) + value


def _exposure_notification(chance: Random) -> bytes:
    return _FLAGS + _structure(0x03, b"\x6f\xfd") + _structure(0x16, b"\x6f\xfd" + chance.randbytes(20))


def _find_my(chance: Random) -> bytes:
    return _structure(0xFF, _APPLE + b"\x12\x19" + chance.randbytes(25))


def _nearby(chance: Random) -> bytes:
    return _FLAGS + _structure(0xFF, _APPLE + b"\x10\x05" + chance.randbytes(5))


def _named(chance: Random) -> bytes:
    return _FLAGS + _structure(0x09, b"Watch " + chance.randbytes(2).hex().encode())


def _sensor(chance: Random) -> bytes:
    return _FLAGS + _structure(0x16, b"\x1a\x18" + chance.randbytes(13))


def _foreign_beacon(chance: Random) -> bytes:
    return _FLAGS + _structure(0xFF, _APPLE + b"\x02\x15" + chance.randbytes(20) + b"\xc5")


def _foreign_service(chance: Random) -> bytes:
    return _FLAGS + _structure(0x07, chance.randbytes(16))


_KINDS = (_exposure_notification, _find_my, _nearby, _named, _sensor, _foreign_beacon, _foreign_service)
