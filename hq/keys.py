"""HQ's keys and the few values made with them: challenges, pseudonyms, the public halves' numbers.

I/O: reads credentials and the signed key set at start, and the system's random generator.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from hq.custody import Custody
from hq.errors import KeyMismatch
from runtime.config import credential
from runtime.errors import ConfigError, CredentialError
from wire import cbor, schema
from wire.errors import WireError
from wire.keys import SEALING_PRIVATE_BYTES, SEED_BYTES, KeySet, sealing_private, sealing_public_bytes
from wire.sync import CHALLENGE_S

PAIRWISE_KEY_BYTES = 32
CHALLENGE_KEY_BYTES = 32
WRAPPING_KEY_BYTES = 32
_MOST_KEYS = 8  # as many as a key set holds
PAIRWISE_NUMBER = 1  # of the pairwise key in use; stands in each audience row
_PSEUDONYM_BYTES = 16
_MAC_BYTES = 12
_SKEW_S = 5  # another HQ process's clock may be ahead of ours by so much


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A signing key and the number that stands in headers."""

    number: int
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What HQ signs, opens, and makes pseudonyms and challenges with. Never shown."""

    signers: tuple[Signer, ...]  # those of ours that the key set names, in its order: the newest last
    sealing: Mapping[int, MLKEM768X25519PrivateKey]  # by number; one that the key set names no more is not here
    pairwise: bytes
    challenge: bytes
    key_set: bytes  # signed by the root, as it goes to stores
    key_set_version: int
    key_set_ends_s: int  # Unix seconds
    custody: Custody

    def __repr__(self) -> str:
        return "Keys(…)"

    def signer(self, version: int) -> Signer:
        """What to sign with for a store whose key set has this version: it must know the key already.

        A store with an older set knows the oldest of the keys that are still valid, or none of them.
        """
        return self.signers[-1] if version >= self.key_set_version else self.signers[0]


def assemble(
    signing_seeds: bytes, sealing_raws: bytes, pairwise: bytes, challenge: bytes, key_set: bytes, wrapping: bytes
) -> Keys:
    """The keys from their raw forms, and the key set that the root signed.

    One or several of 32, 96, and for `wrapping` 32 bytes, one after the other, the newest last; 32 and 32 bytes. A key
    that the set does not name is left alone: that is how a new one comes, and an old one goes.

    Raises:
        KeyMismatch: the key set is none, or names not one of our keys; or a key is malformed.
    """
    try:
        stated = _stated(key_set)
        signing = [Ed25519PrivateKey.from_private_bytes(one) for one in _parts(signing_seeds, SEED_BYTES)]
        sealing = {
            sealing_public_bytes(one): sealing_private(one) for one in _parts(sealing_raws, SEALING_PRIVATE_BYTES)
        }
        custody = Custody(_parts(wrapping, WRAPPING_KEY_BYTES))
    except (WireError, ValueError) as error:
        raise KeyMismatch("a key or the key set is malformed", "run consentry-provision hq again") from error
    held = {one.public_key().public_bytes_raw(): one for one in signing}
    signers = tuple(Signer(one.number, held[one.public]) for one in stated.signing if one.public in held)
    opening = {one.number: sealing[one.public] for one in stated.sealing if one.public in sealing}
    if not signers or not opening or stated.sealing[-1].number not in opening:
        raise KeyMismatch("the key set does not name HQ's own keys", "run consentry-provision hq again")
    return Keys(
        signers, opening, pairwise, challenge, key_set, stated.version, stated.not_after_s, custody
    )  # fmt: skip


def _parts(raw: bytes, length: int) -> list[bytes]:
    if not raw or len(raw) % length or len(raw) > _MOST_KEYS * length:
        raise ValueError(f"1 to {_MOST_KEYS} keys of {length} bytes")
    return [raw[start : start + length] for start in range(0, len(raw), length)]


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
        ConfigError: one cannot be read. KeyMismatch: they do not belong together, or there is no wrapping key.
    """
    try:
        signed = key_set.read_bytes()
    except OSError as error:
        raise ConfigError(key_set, "", "the signed key set cannot be read") from error
    return assemble(
        credential("signing-key", credentials),
        credential("sealing-key", credentials),
        credential("pairwise-key", credentials, length=PAIRWISE_KEY_BYTES),
        credential("challenge-key", credentials, length=CHALLENGE_KEY_BYTES),
        signed,
        _wrapping(credentials),
    )


def _wrapping(credentials: Path | None) -> bytes:
    try:
        return credential("wrapping-key", credentials)
    except CredentialError as error:
        raise KeyMismatch(
            "there is no wrapping key, under which HQ's database is sealed",
            "run consentry-provision hq, install its bundle and its unit again, then start HQ",
        ) from error


def pseudonym(keys: Keys, store: str, member: bytes) -> bytes:
    """`HMAC-SHA256(pairwise key, store ‖ 0x00 ‖ member)`, first 16 bytes (docs/protocol.md, section 5).

    `member` is HQ's own reference, 16 random bytes: who comes back after an erasure is somebody new in every store.
    """
    return hmac.digest(keys.pairwise, store.encode() + b"\x00" + member, "sha256")[:_PSEUDONYM_BYTES]


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
