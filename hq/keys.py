"""HQ's keys and the few values made with them: challenges, pseudonyms, the public halves' numbers.

I/O: reads credentials and the signed key set at start, and the system's random generator.
"""

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from hq.errors import KeyMismatch
from runtime.config import credential
from runtime.errors import ConfigError
from wire import cbor, schema
from wire.errors import WireError
from wire.keys import SEALING_PRIVATE_BYTES, SEED_BYTES, KeySet, sealing_private, sealing_public_bytes
from wire.sync import CHALLENGE_S

PAIRWISE_KEY_BYTES = 32
CHALLENGE_KEY_BYTES = 32
PAIRWISE_NUMBER = 1  # of the pairwise key in use; stands in each audience row
_PSEUDONYM_BYTES = 16
_MAC_BYTES = 12
_SKEW_S = 5  # another HQ process's clock may be ahead of ours by so much


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What HQ signs, opens, and makes pseudonyms and challenges with. Never shown."""

    signing: Ed25519PrivateKey
    signing_number: int
    sealing: MLKEM768X25519PrivateKey
    sealing_number: int
    pairwise: bytes
    challenge: bytes
    key_set: bytes  # signed by the root, as it goes to stores
    key_set_version: int

    def __repr__(self) -> str:
        return "Keys(…)"


def assemble(signing_seed: bytes, sealing_raw: bytes, pairwise: bytes, challenge: bytes, key_set: bytes) -> Keys:
    """The keys from their raw forms: 32, 96, 32 and 32 bytes, and the key set that the root signed.

    Raises:
        KeyMismatch: the key set is none, or does not name one of our keys.
    """
    try:
        stated = _stated(key_set)
        signing, sealing = Ed25519PrivateKey.from_private_bytes(signing_seed), sealing_private(sealing_raw)
        sealing_public = sealing_public_bytes(sealing_raw)
    except (WireError, ValueError) as error:
        raise KeyMismatch("a key or the key set is malformed", "run consentry-provision hq again") from error
    signing_public = signing.public_key().public_bytes_raw()
    signing_numbers = [one.number for one in stated.signing if one.public == signing_public]
    sealing_numbers = [one.number for one in stated.sealing if one.public == sealing_public]
    if not signing_numbers or not sealing_numbers:
        raise KeyMismatch("the key set does not name HQ's own keys", "run consentry-provision hq again")
    return Keys(
        signing, signing_numbers[-1], sealing, sealing_numbers[-1], pairwise, challenge, key_set, stated.version
    )


def _stated(key_set: bytes) -> KeySet:
    # Not verified here: HQ does not hold the root's key; the stores verify it.
    match cbor.decode(key_set):
        case [1, bytes(stated), bytes()]:
            return schema.decode(KeySet, stated)
        case _:
            raise KeyMismatch("the key set is malformed", "run consentry-provision hq again")


def load(key_set: Path, credentials: Path | None) -> Keys:
    """The keys from the credentials directory and the key set's file.

    Raises:
        ConfigError: one cannot be read. KeyMismatch: they do not belong together.
    """
    try:
        signed = key_set.read_bytes()
    except OSError as error:
        raise ConfigError(key_set, "", "the signed key set cannot be read") from error
    return assemble(
        credential("signing-key", credentials, length=SEED_BYTES),
        credential("sealing-key", credentials, length=SEALING_PRIVATE_BYTES),
        credential("pairwise-key", credentials, length=PAIRWISE_KEY_BYTES),
        credential("challenge-key", credentials, length=CHALLENGE_KEY_BYTES),
        signed,
    )


def pseudonym(keys: Keys, store: str, member: str) -> bytes:
    """`HMAC-SHA256(pairwise key, store ‖ 0x00 ‖ member)`, first 16 bytes (docs/protocol.md, section 5)."""
    return hmac.digest(keys.pairwise, store.encode() + b"\x00" + member.encode(), "sha256")[:_PSEUDONYM_BYTES]


def make_challenge(keys: Keys, store: str, boot: bytes, now_s: int) -> bytes:
    """16 bytes that only this boot of this store can echo, for 60 s; HQ keeps nothing."""
    stamp = (now_s & 0xFFFF_FFFF).to_bytes(4, "big")
    return stamp + _challenge_mac(keys, store, boot, stamp)


def is_fresh(keys: Keys, store: str, boot: bytes, echoed: bytes, now_s: int) -> bool:
    """Whether `echoed` is a challenge that HQ gave to this boot of this store in the last 60 s."""
    if len(echoed) != 4 + _MAC_BYTES:
        return False
    stamp, mac = echoed[:4], echoed[4:]
    age_s = ((now_s & 0xFFFF_FFFF) - int.from_bytes(stamp, "big") + 2**31) % 2**32 - 2**31  # over the 32-bit border
    expected = _challenge_mac(keys, store, boot, stamp)
    return hmac.compare_digest(mac, expected) and -_SKEW_S <= age_s <= CHALLENGE_S


def _challenge_mac(keys: Keys, store: str, boot: bytes, stamp: bytes) -> bytes:
    stated = store.encode() + b"\x00" + boot + stamp
    return hmac.new(keys.challenge, stated, hashlib.sha256).digest()[:_MAC_BYTES]
