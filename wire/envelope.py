"""The sealed and signed form in which every message crosses the broker (docs/protocol.md, section 3).

    envelope  = CBOR [1, header, sealed, signature]          the last three byte strings
    sealed    = HPKE(recipient's key, info = "consentry/1" ‖ header, aad empty): encapsulated key ‖ ciphertext
    signature = the sender's Ed25519 over "consentry/1/sig" ‖ CBOR([1, header, sealed])

A receiver checks size, CBOR, recipient, signature, then opens, then the schema.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from wire import cbor, schema
from wire.errors import Reason, WireError
from wire.schema import Range, Size, exactly
from wire.sync import KINDS, MAX_PAYLOAD_BYTES, SCHEMAS, Kind, Message

_VERSION = 1
_INFO = b"consentry/1"
_CONTEXT = b"consentry/1/sig"
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class Header:
    """What the broker can read of a message.

    sender, recipient: a store's id, or "@hq". number: rising per sender and start; it counts loss, nothing else.
    boot: the store's boot id, 16 bytes, in either direction (a message for another boot cannot be opened).
    nonce: down, the hello's or want's that it answers (empty: none); up, HQ's last challenge (empty: none yet).
    signed_by, sealed_to: numbers of HQ's keys in its key set; 0 for the store's own.
    """

    sender: Annotated[str, Size(1, 40)]
    recipient: Annotated[str, Size(1, 40)]
    kind: Kind
    number: int
    boot: Annotated[bytes, exactly(16)]
    nonce: Annotated[bytes, Size(0, 16)]
    signed_by: Annotated[int, Range(0, 2**16)]
    sealed_to: Annotated[int, Range(0, 2**16)]


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope taken apart, nothing of it checked yet but its form."""

    header: Header
    header_bytes: bytes
    sealed: bytes
    signature: bytes


def close(header: Header, message: Message, signer: Ed25519PrivateKey, recipient: MLKEM768X25519PublicKey) -> bytes:
    """The payload for the broker.

    Raises:
        WireError: the message is out of its schema's bounds, is not of the header's kind, or exceeds 64 KiB; or nothing
            can be sealed to that key.
    """
    if KINDS[type(message)] is not header.kind:
        raise WireError(Reason.SHAPE, "the header names another kind")
    return close_encoded(header, schema.encode(message), signer, recipient)


def close_encoded(
    header: Header, message: bytes, signer: Ed25519PrivateKey, recipient: MLKEM768X25519PublicKey
) -> bytes:
    """The payload of a message that is CBOR already, of the header's kind: for ranges, whose records are many.

    Raises:
        WireError: it exceeds 64 KiB, or nothing can be sealed to that key.
    """
    header_bytes = schema.encode(header)
    try:
        sealed = _SUITE.encrypt(message, recipient, _INFO + header_bytes)
    except ValueError as error:  # its X25519 half is of low order (wire.keys refuses such a key already)
        raise WireError(Reason.SEAL, "expected a key to which something can be sealed") from error
    signature = signer.sign(_CONTEXT + cbor.encode([_VERSION, header_bytes, sealed]))
    payload = cbor.encode([_VERSION, header_bytes, sealed, signature])
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(Reason.SIZE, f"a payload has at most {MAX_PAYLOAD_BYTES} bytes")
    return payload


def parse(payload: bytes) -> Envelope:
    """The parts of a payload, so that the receiver can find the keys that its header names.

    Raises:
        WireError: too large, or not an envelope.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(Reason.SIZE, f"a payload has at most {MAX_PAYLOAD_BYTES} bytes")
    match cbor.decode(payload):
        case [version, bytes(header_bytes), bytes(sealed), bytes(signature)] if _is_version(version):
            return Envelope(schema.decode(Header, header_bytes), header_bytes, sealed, signature)
        case _:
            raise WireError(Reason.SHAPE, "expected an envelope of version 1")


def _is_version(value: object) -> bool:
    """Whether it is the number 1: Python takes True for 1, which would leave the first byte uncovered."""
    return type(value) is int and value == _VERSION


def open_(
    envelope: Envelope, recipient: str, sender_key: Ed25519PublicKey, recipient_key: MLKEM768X25519PrivateKey
) -> Message:
    """The message inside, once recipient, signature, seal and schema held, in this order.

    Raises:
        WireError: one of them did not.
    """
    verify(envelope, recipient, sender_key)
    try:
        opened = _SUITE.decrypt(envelope.sealed, recipient_key, _INFO + envelope.header_bytes)
    except (InvalidTag, ValueError) as error:
        raise WireError(Reason.SEAL, "not sealed to this key") from error
    return schema.decode(SCHEMAS[envelope.header.kind], opened)


def verify(envelope: Envelope, recipient: str, sender_key: Ed25519PublicKey) -> None:
    """Checks recipient and signature of what cannot be opened, or not yet.

    Raises:
        WireError: it is for somebody else, or not of its sender.
    """
    if envelope.header.recipient != recipient:
        raise WireError(Reason.RECIPIENT, "addressed to somebody else")
    stated = cbor.encode([_VERSION, envelope.header_bytes, envelope.sealed])
    try:
        sender_key.verify(envelope.signature, _CONTEXT + stated)
    except InvalidSignature as error:
        raise WireError(Reason.SIGNATURE, "not signed by its sender") from error
