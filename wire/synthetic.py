"""The names of a store's synthetic member, and the secrets of its phone and its associate.

HQ and the box derive both from a key that only they share: the digest key of the store's members. So nothing more
has to be brought to a box, and what derives from it tells nothing about it.

Pure: no I/O, no clock.
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wire.token import SECRET_BYTES

ROLE = "synthetic"  # which no person has: a grant to it shows the synthetic member to its own associate alone
ASSOCIATE = "synthetic"
NODE = "synthetic"  # the receiver that hears its phone
LABEL = "synthetic"  # of its tablet

_PHONE = b"consentry/synthetic/phone/1"
_PIN = b"consentry/synthetic/pin/1"
_PIN_DIGITS = 12


def phone_secret(digest_key: bytes) -> bytes:
    """The presence secret of the synthetic phone, 32 bytes, from the digest key of `members/{store}`."""
    return _derived(digest_key, _PHONE, SECRET_BYTES)


def pin(digest_key: bytes) -> str:
    """The twelve digits with which the synthetic associate signs in."""
    number = int.from_bytes(_derived(digest_key, _PIN, 16), "big")
    return f"{number % 10**_PIN_DIGITS:0{_PIN_DIGITS}d}"


def _derived(digest_key: bytes, label: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=label).derive(digest_key)
