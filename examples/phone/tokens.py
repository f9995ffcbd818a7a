"""What a phone puts on the air, made as docs/protocol.md, section 2 says it; nothing of Consentry is needed for it.

Needs `cryptography` for one AES block; everything else is in Python.
"""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SLOT_S = 600
SLOTS_PER_DAY = 144
PRESENCE, HELP = 0x00, 0x01
COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "violet", "white")
TX_DBM = -59  # the signal at one metre, as a beacon states it


def be32(number: int) -> bytes:
    """Four bytes, the greatest first."""
    return number.to_bytes(4, "big")


def slot_at(unix_s: float) -> int:
    """The ten minutes in which this second lies."""
    return int(unix_s) // SLOT_S


def day_key(secret: bytes, slot: int) -> bytes:
    """The phone's key of the slot's day: HKDF-SHA256 (RFC 5869) without a salt, 16 bytes."""
    prk = hmac.digest(bytes(32), secret, "sha256")
    info = b"consentry/day/1" + be32(slot // SLOTS_PER_DAY)
    return hmac.digest(prk, info + b"\x01", "sha256")[:16]


def token(key: bytes, kind: int, slot: int) -> bytes:
    """The 16 bytes of this slot: one AES block."""
    block = bytes([0x01, kind]) + bytes(10) + be32(slot)
    return Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(block)


def sign(key: bytes, slot: int) -> str:
    """Colour and digits for the screen while help is asked for."""
    number = int.from_bytes(hmac.digest(key, b"consentry/sign/1" + be32(slot), hashlib.sha256)[:4], "big")
    return f"{COLOURS[number % 8]} {number // 8 % 100:02d}"


def leave_code(key: bytes, slot: int) -> str:
    """Eight digits to leave with, also without network; never advertised."""
    number = int.from_bytes(hmac.digest(key, b"consentry/leave/1" + be32(slot), hashlib.sha256)[:8], "big")
    return f"{number % 10**8:08d}"


def adverts(made: bytes, company: int) -> dict[str, bytes]:
    """The AD structure of each format: F1 as a beacon, F2 as manufacturer data, F3 as a service UUID."""
    tx = TX_DBM.to_bytes(1, "big", signed=True)
    return {
        "F1": bytes.fromhex("1aff4c000215") + made + secrets.token_bytes(4) + tx,
        "F2": b"\x15\xff" + company.to_bytes(2, "little") + b"\x01" + tx + made,
        "F3": b"\x11\x07" + made[::-1],
    }
