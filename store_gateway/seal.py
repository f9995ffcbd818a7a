"""Seals what the cache keeps: bodies under the key of their bucket, bucket keys under the epoch key.

The epoch key is HKDF-SHA256 over the box's secret and HQ's share, so that neither the disk nor the box without HQ
opens anything. Sealed form: nonce 12 ‖ ChaCha20-Poly1305 (RFC 8439); boxes often lack AES instructions.

Pure: no I/O, no clock.
"""

from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store_gateway.errors import CacheError, CacheReason

KEY_BYTES = 32
NONCE_BYTES = 12  # random: a bucket key seals some thousand rows, far from where 96 random bits repeat
_EPOCH_INFO = b"consentry/epoch/1"
_CHECK = b"consentry/check/1"

Entropy = Callable[[int], bytes]


def epoch_key(box_secret: bytes, share: bytes, incarnation: bytes) -> bytes:
    """HKDF-SHA256(ikm = box secret 32 ‖ share 32, salt = incarnation 16, info = "consentry/epoch/1"), 32 bytes."""
    hkdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=incarnation, info=_EPOCH_INFO)
    return hkdf.derive(box_secret + share)


def bound_row(instance: str, column: bytes, seq: int, version: int) -> bytes:
    """Associated data of a record's row: collection and instance, key column, seq and bucket version."""
    return _row_head(instance) + column + seq.to_bytes(8, "big") + version.to_bytes(4, "big")


@lru_cache(maxsize=64)  # asked for every row of some instances
def _row_head(instance: str) -> bytes:
    name = instance.encode()
    return b"row" + bytes([len(name)]) + name


def bound_bucket(instance: str, bucket: int, version: int) -> bytes:
    """Associated data of a wrapped bucket key. Below 256: as the first version wrote it."""
    head = b"bucket" + bytes([bucket]) if bucket < 256 else b"bucket/2" + bucket.to_bytes(2, "big")
    return head + version.to_bytes(4, "big") + instance.encode()


def bound_local(table: str, key: bytes, version: int) -> bytes:
    """Associated data of what only this store writes: an event, a local denial, a tablet.

    Bucket version 1: as the first version wrote it, which knew no other.
    """
    head = b"local" if version == 1 else b"local/2" + version.to_bytes(4, "big")
    return head + table.encode() + b"\x00" + key


def bound_digest_key(instance: str) -> bytes:
    """Associated data of an instance's digest key, which is sealed under the newest epoch."""
    return b"digest-key" + instance.encode()


class Seal:
    """Seals and opens under one 32-byte key."""

    __slots__ = ("_aead", "_entropy")

    def __init__(self, key: bytes, entropy: Entropy) -> None:
        self._aead = ChaCha20Poly1305(key)
        self._entropy = entropy

    def __repr__(self) -> str:
        return "Seal(…)"

    def close(self, content: bytes, bound: bytes) -> bytes:
        """nonce ‖ ciphertext; 28 bytes longer than `content`."""
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, bound)

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """What was sealed with the same associated data.

        Raises: CacheError(CORRUPT) for anything else.
        """
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError) as error:
            raise CacheError(CacheReason.CORRUPT) from error


def check_of(epoch: Seal, incarnation: bytes) -> bytes:
    """What tells the right epoch key from a wrong one at the next unlock."""
    return epoch.close(_CHECK, incarnation)


def verify_check(epoch: Seal, incarnation: bytes, check: bytes) -> None:
    """Raises: CacheError(WRONG_KEY) unless `check` was made under this epoch key for this incarnation."""
    try:
        right = epoch.open(check, incarnation) == _CHECK
    except CacheError:
        right = False
    if not right:
        raise CacheError(CacheReason.WRONG_KEY)
