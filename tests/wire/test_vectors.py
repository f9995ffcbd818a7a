"""The golden envelopes open to what they say, also for a reader written from the page alone."""

import hashlib
import hmac
import json
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wire import envelope, keys, schema, sync
from wire.errors import WireError

GOLDEN = json.loads((Path(__file__).parents[1] / "vectors" / "messages.json").read_text())
KEYS = {name: bytes.fromhex(value) for name, value in GOLDEN["keys"].items()}
MESSAGES, REFUSED = GOLDEN["messages"], GOLDEN["refused"]
STORE = "berlin-1"


def parties(message):
    """Recipient, the sender's signing key and the recipient's raw sealing key."""
    if message["topic"] == sync.up(STORE):
        return sync.HQ, KEYS["store_identity_seed"], KEYS["hq_sealing_private"]
    return STORE, KEYS["hq_signing_seed"], KEYS["boot_sealing_private"]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["kind"])
def test_golden_envelopes(message):
    """Each opens to the published body, which encodes to the same bytes again, under the published signature."""
    recipient, seed, raw = parties(message)
    signer = Ed25519PrivateKey.from_private_bytes(seed)
    parsed = envelope.parse(bytes.fromhex(message["payload"]))
    opened = envelope.open_(parsed, recipient, signer.public_key(), keys.sealing_private(raw))
    assert parsed.header.kind.name.lower() == message["kind"]
    assert schema.encode(parsed.header).hex() == message["header"]
    assert schema.encode(opened).hex() == message["body"]
    assert parsed.signature.hex() == message["signature"]


def test_every_kind_is_among_them():
    """No message is without an example."""
    assert {message["kind"] for message in MESSAGES} == {kind.name.lower() for kind in sync.Kind}


@pytest.mark.parametrize("wrong", REFUSED, ids=lambda wrong: wrong["what"])
def test_golden_refusals(wrong):
    """What must not be believed is refused for the published reason."""
    signer = Ed25519PrivateKey.from_private_bytes(KEYS["hq_signing_seed"])
    private = keys.sealing_private(KEYS["boot_sealing_private"])
    with pytest.raises(WireError) as caught:
        envelope.open_(envelope.parse(bytes.fromhex(wrong["payload"])), STORE, signer.public_key(), private)
    assert caught.value.reason == wrong["reason"]


def test_golden_key_set():
    """The root's signature over the key set, and the keys in it, are those published."""
    root = Ed25519PrivateKey.from_private_bytes(KEYS["root_seed"])
    signed = bytes.fromhex(GOLDEN["key_set"]["payload"])
    key_set = keys.open_key_set(root.public_key(), signed)
    assert schema.encode(key_set).hex() == GOLDEN["key_set"]["body"]
    assert keys.sign_key_set(root, key_set) == signed
    hq = Ed25519PrivateKey.from_private_bytes(KEYS["hq_signing_seed"]).public_key().public_bytes_raw()
    assert [key.public for key in key_set.signing] == [hq]
    assert [key.public for key in key_set.sealing] == [keys.sealing_public_bytes(KEYS["hq_sealing_private"])]
    assert keys.sealing_public_bytes(KEYS["boot_sealing_private"]) == KEYS["boot_sealing_public"]


# --- a reader written from docs/protocol.md, with nothing of `wire` -----------------------------------------------

KEM_ID, KDF_ID, AEAD_ID = b"\x64\x7a", b"\x00\x01", b"\x00\x03"
SUITE = b"HPKE" + KEM_ID + KDF_ID + AEAD_ID
XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")  # draft-connolly-cfrg-xwing-kem


def extract(salt, label, secret):
    """LabeledExtract of RFC 9180, section 4."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + SUITE + label + secret, "sha256")


def expand(secret, label, context, length):
    """LabeledExpand of RFC 9180, section 4, of at most one block."""
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + context
    return hmac.digest(secret, labelled + b"\x01", "sha256")[:length]


def unsealed(sealed, raw, info):
    """The plain text of an HPKE message in base mode to an X-Wing key, from the primitives."""
    mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(raw[:64]), X25519PrivateKey.from_private_bytes(raw[64:])
    first, second, ciphertext = sealed[:1088], sealed[1088:1120], sealed[1120:]
    combined = mlkem.decapsulate(first) + x25519.exchange(X25519PublicKey.from_public_bytes(second))
    combined += second + x25519.public_key().public_bytes_raw() + XWING_LABEL
    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(hashlib.sha3_256(combined).digest(), b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, b"")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["kind"])
def test_a_stranger_reads_them_too(message):
    """Signature and seal are the standards' own: RFC 8032, RFC 9180 with X-Wing, and the page's contexts."""
    _, seed, raw = parties(message)
    version, header, sealed, signature = cbor2.loads(bytes.fromhex(message["payload"]))
    stated = b"consentry/1/sig" + cbor2.dumps([version, header, sealed], canonical=True)
    Ed25519PrivateKey.from_private_bytes(seed).public_key().verify(signature, stated)
    assert unsealed(sealed, raw, b"consentry/1" + header).hex() == message["body"]
