"""Members' phones as the air knows them: adverts in formats F1, F2 and F3 that carry the token of the moment.

A simulated phone does what docs/protocol.md, section 2 says: one token per slot, the rotation drawn up to 60 s around
the slot's border, a new radio address with each token. An iPhone in the foreground alternates F1 and F3, an Android
phone sends F2 (or F1).

Pure: no I/O, no clock.
"""

from dataclasses import dataclass, field
from enum import Enum
from random import Random

from wire import air, token
from wire.token import Kind

SHIFT_S = 60  # docs/protocol.md, section 2: the instant of rotation is random within ±60 s
_FLAGS = b"\x02\x01\x1a"  # flags, as every connectable phone sends them
_TX_DBM = -59


class Format(Enum):
    """How a phone packs its token."""

    BEACON = "F1"
    COMPANY = "F2"
    SERVICE = "F3"
    IPHONE = "F1 and F3"


@dataclass(frozen=True, slots=True, repr=False)
class Phone:
    """One phone: its presence secret (32 bytes), its format, how near it is, and how far off its rotation is."""

    secret: bytes
    format: Format
    rssi_dbm: int = -58
    shift_s: int = 0
    company_id: int = field(default=air.TEST_COMPANY)


@dataclass(frozen=True, slots=True, repr=False)
class Heard:
    """An advert as a radio hears it: the address is text, `raw` the AD structures."""

    address: str
    rssi_dbm: int
    raw: bytes


def current_token(phone: Phone, kind: Kind, unix_s: int) -> bytes:
    """The 16 bytes that the phone sends at `unix_s` by its own idea of the slot."""
    slot = token.slot_of(unix_s + phone.shift_s)
    return token.token(token.day_key(phone.secret, token.day_of_slot(slot)), kind, slot)


def adverts(phone: Phone, kind: Kind, unix_s: int, chance: Random) -> tuple[Heard, ...]:
    """What the phone sends around `unix_s`: one advert, or two where it alternates formats.

    `chance` gives the ignored bytes and the signal's wobble; address and ignored bytes stay while the token stays.
    """
    of_slot = current_token(phone, kind, unix_s)
    steady = Random(of_slot)
    address = random_address(steady)
    four, tx = steady.randbytes(4), _TX_DBM.to_bytes(1, "little", signed=True)
    packed = {
        Format.BEACON: (air.f1(of_slot, four + tx),),
        Format.COMPANY: (air.f2(of_slot, phone.company_id, _TX_DBM),),
        Format.SERVICE: (air.f3(of_slot),),
        Format.IPHONE: (air.f1(of_slot, four + tx), air.f3(of_slot)),
    }[phone.format]
    return tuple(Heard(address, phone.rssi_dbm + chance.randint(-4, 2), _FLAGS + one) for one in packed)


def random_address(chance: Random) -> str:
    """A resolvable private address (Core Specification 6.B.1.3.2.2: the two top bits are 01), as phones have them."""
    octets = bytearray(chance.randbytes(6))
    octets[0] = octets[0] & 0x3F | 0x40
    return ":".join(f"{octet:02X}" for octet in octets)
