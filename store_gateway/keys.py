"""Loads the keys of this box, and holds HQ's key set, whose version only rises.

I/O: the key files and credentials, through `runtime.config`.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from runtime import config
from store_gateway import authority
from store_gateway.authority import Authority
from store_gateway.errors import KeyFileError
from store_gateway.settings import Tablets
from wire.errors import WireError
from wire.keys import SEED_BYTES, KeySet, open_key_set

BOX_SECRET_BYTES = 32
_MAX_KEY_SET_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class BoxKeys:
    """What the box is given at provisioning. `secret`: 32 bytes, half of what opens the cache."""

    identity: Ed25519PrivateKey
    secret: bytes
    root: Ed25519PublicKey
    key_set: KeySet
    authority: Authority | None = None  # the store's own, for tablets

    def __repr__(self) -> str:
        return "BoxKeys(…)"


def load(hq_root_key: Path, hq_keys: Path, credentials_dir: Path | None, tablets: Tablets | None = None) -> BoxKeys:
    """The keys that the configuration and the credentials name: `identity-key`, `box-secret`, `authority-key`.

    Raises: KeyFileError, or CredentialError where a credential is missing.
    """
    root_raw = _read(hq_root_key, "hq_root_key")
    if len(root_raw) != SEED_BYTES:
        raise KeyFileError(hq_root_key, "hq_root_key", f"exactly {SEED_BYTES} bytes are expected")
    root = Ed25519PublicKey.from_public_bytes(root_raw)
    try:
        key_set = open_key_set(root, _read(hq_keys, "hq_keys"))
    except WireError as error:
        raise KeyFileError(hq_keys, "hq_keys", f"a key set signed by the root is expected: {error.hint}") from error
    if not key_set.signing or not key_set.sealing:
        raise KeyFileError(hq_keys, "hq_keys", "a key set with a signing and a sealing key is expected")
    identity = Ed25519PrivateKey.from_private_bytes(
        config.credential("identity-key", credentials_dir, length=SEED_BYTES)
    )
    secret = config.credential("box-secret", credentials_dir, length=BOX_SECRET_BYTES)
    own = authority.load(tablets, credentials_dir) if tablets is not None else None
    return BoxKeys(identity, secret, root, key_set, own)


def _read(file: Path, key: str) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_KEY_SET_BYTES)
    except OSError as error:
        raise KeyFileError(file, key, f"cannot be read: {error.strerror}") from error
