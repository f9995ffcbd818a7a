"""HQ's key set, signed by the root that is pinned at provisioning; and the raw forms of keys.

Signing keys are Ed25519 (seed and public 32 bytes). Sealing keys are ML-KEM-768 + X25519: private 96 bytes =
ML-KEM seed 64 ‖ X25519 32; public 1,216 bytes = ML-KEM 1,184 ‖ X25519 32.

Pure: no I/O, no clock.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

from wire import cbor, schema
from wire.errors import Reason, WireError
from wire.schema import Count, Range, exactly

SEED_BYTES = 32
SEALING_PRIVATE_BYTES = 96
SEALING_PUBLIC_BYTES = 1216
_MLKEM_SEED_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184
_CONTEXT = b"consentry/1/keys"
# With a point of low order every private key agrees on zeros (RFC 7748, 6.1): any one finds it.
_ANY = X25519PrivateKey.from_private_bytes(bytes(32))

_MARK = b"consentry/1/mark"
_MARK_BYTES = 8

KeyNumber = Annotated[int, Range(1, 2**16)]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public Ed25519 key of HQ and its number, which stands in headers."""

    ROW = True
    number: KeyNumber
    public: Annotated[bytes, exactly(32)]


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A public HPKE key of HQ and its number, which stands in headers."""

    ROW = True
    number: KeyNumber
    public: Annotated[bytes, exactly(1216)]


@dataclass(frozen=True, slots=True)
class KeySet:
    """HQ's valid keys. A version only rises; `not_after_s` is Unix seconds. Stores seal to the last sealing key."""

    version: Annotated[int, Range(1, 2**32)]
    not_after_s: Annotated[int, Range(0, 2**40)]
    signing: Annotated[tuple[SigningKey, ...], Count(8)]
    sealing: Annotated[tuple[SealingKey, ...], Count(8)]


def sign_key_set(root: Ed25519PrivateKey, key_set: KeySet) -> bytes:
    """CBOR `[1, key set, signature]`: both byte strings, the signature over "consentry/1/keys" ‖ key set."""
    stated = schema.encode(key_set)
    return cbor.encode([1, stated, root.sign(_CONTEXT + stated)])


def open_key_set(root: Ed25519PublicKey, signed: bytes) -> KeySet:
    """The key set that the root signed.

    Raises:
        WireError: not a key set, or not signed by this root.
    """
    match cbor.decode(signed):
        case [version, bytes(stated), bytes(signature)] if type(version) is int and version == 1:
            try:
                root.verify(signature, _CONTEXT + stated)
            except InvalidSignature as error:
                raise WireError(Reason.SIGNATURE, "key set not signed by the pinned root") from error
            return schema.decode(KeySet, stated)
        case _:
            raise WireError(Reason.SHAPE, "expected a signed key set")


def sealing_private(raw: bytes) -> MLKEM768X25519PrivateKey:
    """The private HPKE key of its 96 bytes.

    Raises:
        WireError: another length.
    """
    if len(raw) != SEALING_PRIVATE_BYTES:
        raise WireError(Reason.SIZE, f"a private sealing key has {SEALING_PRIVATE_BYTES} bytes")
    return MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(raw[:_MLKEM_SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(raw[_MLKEM_SEED_BYTES:]),
    )


def sealing_public(raw: bytes) -> MLKEM768X25519PublicKey:
    """The public HPKE key of its 1,216 bytes.

    Raises:
        WireError: another length, no key, or one to which nothing can be sealed: its X25519 half is of low order.
    """
    if len(raw) != SEALING_PUBLIC_BYTES:
        raise WireError(Reason.SIZE, f"a public sealing key has {SEALING_PUBLIC_BYTES} bytes")
    try:
        x25519 = X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC_BYTES:])
        _ANY.exchange(x25519)
        return MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC_BYTES]), x25519)
    except ValueError as error:
        raise WireError(Reason.SHAPE, "not a public sealing key") from error


def sealing_public_bytes(private_raw: bytes) -> bytes:
    """The 1,216 public bytes that belong to a private key's 96."""
    if len(private_raw) != SEALING_PRIVATE_BYTES:
        raise WireError(Reason.SIZE, f"a private sealing key has {SEALING_PRIVATE_BYTES} bytes")
    mlkem = MLKEM768PrivateKey.from_seed_bytes(private_raw[:_MLKEM_SEED_BYTES]).public_key().public_bytes_raw()
    x25519 = X25519PrivateKey.from_private_bytes(private_raw[_MLKEM_SEED_BYTES:]).public_key().public_bytes_raw()
    return mlkem + x25519


def make_sealing_private() -> bytes:
    """A new private sealing key, 96 bytes from the system's generator."""
    return MLKEM768PrivateKey.generate().private_bytes_raw() + X25519PrivateKey.generate().private_bytes_raw()


def mark(key: bytes) -> bytes:
    """`BLAKE2b-64(key, "consentry/1/mark")`, 8 bytes: names a secret key of 32 bytes without telling it."""
    return hashlib.blake2b(_MARK, digest_size=_MARK_BYTES, key=key).digest()
