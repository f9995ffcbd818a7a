"""How each kind of file is made, and when one that is there still serves.

A recipe names the files it is made from (`inputs`, paths in the folder). `make` gives the content, `fault` says why a
content does not serve (None: it does). A secret is made once and never again.

I/O: the system's random generator alone; no clock.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provisioning import identity
from provisioning.identity import Subject
from wire import keys
from wire.errors import WireError

Inputs = Mapping[str, bytes]
_KEY_SET_LIFE: Final = timedelta(days=1826)
_KEY_SET_RENEWED_BEFORE: Final = timedelta(days=365)


class Recipe(Protocol):
    """What all recipes are."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths that the content is made from; when one of them is written anew, this is too."""

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """The content; `before` is what was there."""

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Why `content` has to be written anew."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A text that follows from the settings."""

    content: bytes
    inputs: tuple[str, ...] = ()

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """The text itself."""
        return self.content

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Any difference counts."""
        return None if content == self.content else "settings changed"


class Kind(StrEnum):
    """The secrets there are; each with its length in bytes, from `wire.keys` and the specification of sync."""

    SEED = "seed"
    SEALING = "sealing"
    BYTES = "bytes"


LENGTHS: Final = {Kind.SEED: keys.SEED_BYTES, Kind.SEALING: keys.SEALING_PRIVATE_BYTES, Kind.BYTES: 32}
MOST_KEYS: Final = 8  # of several in one secret: as many as a key set holds


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that cannot be replaced without cutting somebody off.

    `proof` is a file that is only written after it: where that is there and the secret is not, the secret was lost.
    `several`: after a rotation the file holds up to 8 keys, one after the other, the newest last.
    """

    kind: Kind
    proof: str
    inputs: tuple[str, ...] = ()
    several: bool = False

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New from the system's random generator."""
        return new_key(self.kind)

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Another length is damage."""
        count, rest = divmod(len(content), LENGTHS[self.kind])
        return None if rest == 0 and 1 <= count <= (MOST_KEYS if self.several else 1) else "damaged"


def new_key(kind: Kind) -> bytes:
    """A new key from the system's random generator."""
    return keys.make_sealing_private() if kind is Kind.SEALING else secrets.token_bytes(LENGTHS[kind])


def split(kind: Kind, content: bytes) -> list[bytes]:
    """The keys of a secret that holds several, the newest last."""
    length = LENGTHS[kind]
    return [content[start : start + length] for start in range(0, len(content), length)]


@dataclass(frozen=True, slots=True)
class Mark:
    """Names the newest wrapping key without telling it, in hex; HQ tells the same of the key it was started with."""

    key: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The key."""
        return (self.key,)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """Follows from the key."""
        return (keys.mark(split(Kind.BYTES, inputs[self.key])[-1]).hex() + "\n").encode()

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Of another key."""
        return None if content == self.make(inputs, None, now) else "belongs to another key"


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """An authority's private key in PEM: lost like a `Secret`."""

    proof: str
    inputs: tuple[str, ...] = ()

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New."""
        return identity.make_tls_key()

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """What is no key is damage."""
        return None if _is_tls_key(content) else "damaged"


@dataclass(frozen=True, slots=True)
class TlsKey:
    """A private key in PEM that may be replaced at any time, and is once its public half is `revoked`."""

    revoked: frozenset[str]
    inputs: tuple[str, ...] = ()

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New."""
        return identity.make_tls_key()

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Damaged or revoked."""
        if not _is_tls_key(content):
            return "damaged"
        return "revoked" if identity.fingerprint(identity.tls_key(content)) in self.revoked else None


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority's own certificate; with `names` it can sign for these alone."""

    name: str
    key: str
    names: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its key."""
        return (self.key,)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New, for the key that is there."""
        return identity.make_authority(self.name, inputs[self.key], now, self.names)

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Another key, name or names."""
        return identity.authority_fault(content, self.name, inputs[self.key], self.names)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A leaf certificate by an authority."""

    subject: Subject
    key: str
    issuer: str
    issuer_key: str
    life: timedelta = identity.LEAF_LIFE

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its key and its authority."""
        return (self.key, self.issuer, self.issuer_key)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New."""
        found = (inputs[self.key], inputs[self.issuer], inputs[self.issuer_key])
        return identity.make_certificate(self.subject, *found, now, self.life)

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Another key, authority or name, or its time is nearly over."""
        return identity.certificate_fault(content, self.subject, inputs[self.key], inputs[self.issuer], now)


@dataclass(frozen=True, slots=True)
class Revocations:
    """The list by which the broker refuses certificates before their time."""

    serials: tuple[int, ...]
    issuer: str
    issuer_key: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its authority."""
        return (self.issuer, self.issuer_key)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New."""
        return identity.make_revocations(self.serials, inputs[self.issuer], inputs[self.issuer_key], now)

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Another authority or other serial numbers."""
        return identity.revocations_fault(content, self.serials, inputs[self.issuer])


@dataclass(frozen=True, slots=True)
class Copy:
    """The same bytes in another place."""

    source: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is copied."""
        return (self.source,)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """The source's content."""
        return inputs[self.source]

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Any difference counts."""
        return None if content == inputs[self.source] else "the original changed"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The 32 raw public bytes of an Ed25519 seed."""

    seed: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The seed."""
        return (self.seed,)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """Follows from the seed."""
        return identity.public_of_seed(inputs[self.seed])

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Another seed's."""
        return None if content == identity.public_of_seed(inputs[self.seed]) else "belongs to another key"


@dataclass(frozen=True, slots=True)
class StoreRow:
    """What HQ has to know of a store, as JSON: `{"store": id, "identity": 64 hex digits of its Ed25519 public key}`."""

    store: str
    identity_key: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The store's identity."""
        return (self.identity_key,)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """Follows from the seed."""
        public = identity.public_of_seed(inputs[self.identity_key])
        return (json.dumps({"store": self.store, "identity": public.hex()}) + "\n").encode()

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Any difference counts."""
        return None if content == self.make(inputs, None, now) else "belongs to another key"


@dataclass(frozen=True, slots=True)
class SignedKeySet:
    """HQ's key set, signed by the root: all keys that HQ holds, the newest last.

    A key keeps its number; the version rises with every change.
    """

    root: str
    signing: str
    sealing: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The root and the keys in it."""
        return (self.root, self.signing, self.sealing)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """The next version."""
        root = Ed25519PrivateKey.from_private_bytes(inputs[self.root])
        held = self._opened(before, root.public_key()) if before is not None else None
        signing, sealing = self._publics(inputs)
        numbers: dict[bytes, int] = {}
        if held is not None:
            numbers = {one.public: one.number for one in held.signing}
            numbers |= {one.public: one.number for one in held.sealing}
        for one in (*signing, *sealing):
            numbers.setdefault(one, max(numbers.values(), default=0) + 1)
        key_set = keys.KeySet(
            # Seconds, so that it rises even where the earlier set was lost: stores keep the highest they saw.
            version=max(held.version + 1 if held else 1, int(now.timestamp())),
            not_after_s=int((now + _KEY_SET_LIFE).timestamp()),
            signing=tuple(keys.SigningKey(number=numbers[one], public=one) for one in signing),
            sealing=tuple(keys.SealingKey(number=numbers[one], public=one) for one in sealing),
        )
        return keys.sign_key_set(root, key_set)

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Another root or key, or its time is nearly over."""
        held = self._opened(content, Ed25519PrivateKey.from_private_bytes(inputs[self.root]).public_key())
        if held is None:
            return "not signed by this root"
        there = ([one.public for one in held.signing], [one.public for one in held.sealing])
        if there != self._publics(inputs):
            return "keys changed"
        return "ends soon" if held.not_after_s < (now + _KEY_SET_RENEWED_BEFORE).timestamp() else None

    def _publics(self, inputs: Inputs) -> tuple[list[bytes], list[bytes]]:
        return (
            [identity.public_of_seed(one) for one in split(Kind.SEED, inputs[self.signing])],
            [keys.sealing_public_bytes(one) for one in split(Kind.SEALING, inputs[self.sealing])],
        )

    @staticmethod
    def _opened(content: bytes, root: Ed25519PublicKey) -> keys.KeySet | None:
        try:
            return keys.open_key_set(root, content)
        except WireError:
            return None


def _is_tls_key(pem: bytes) -> bool:
    try:
        identity.tls_key(pem)
    except ValueError:
        return False
    return True
