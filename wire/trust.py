"""How a store's certificate for its tablets travels: from HQ to the store, and from the gateway to the tablet API.

Certificates and keys are PEM; a certificate's id is the first half of the SHA-256 of its chain. Times are Unix
milliseconds UTC.

Pure: no I/O, no clock.
"""

import base64
import hashlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from wire.limits import Id16, Millis
from wire.schema import Count, Size

MAX_CHAIN_BYTES = 24 * 1024  # leaf and authorities above it; with the key it has room in one payload
MAX_KEY_BYTES = 8 * 1024  # RSA with 4,096 bits takes 3.3 kB

MOST_NAMES = 64  # of one certificate that are shown to tablets

DnsName = Annotated[str, Size(1, 253)]
Chain = Annotated[bytes, Size(0, MAX_CHAIN_BYTES)]
Key = Annotated[bytes, Size(0, MAX_KEY_BYTES)]


class CertificateFault(IntEnum):
    """Why a certificate is not taken; the one before it stays."""

    UNREADABLE = 1  # chain or key is no PEM, cut or broken
    OTHER_KEY = 2  # the key is not the certificate's
    OTHER_NAME = 3  # it does not bear the store's name
    EXPIRED = 4
    NOT_YET = 5  # its time has not begun
    UNFIT = 6  # for no server, or too weak
    BROKEN_CHAIN = 7  # one of the chain did not sign the one before it


class CertificateSource(StrEnum):
    """Whose certificate it is."""

    HQ = "hq"  # delivered, of an issuer that tablets trust already
    OWN = "own"  # of the store's own authority, made by the gateway


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """`certificate`: chain and key for the store's DNS name; an empty chain takes away what was delivered before."""

    name: DnsName
    chain: Chain
    key: Key


@dataclass(frozen=True, slots=True, repr=False)
class AskCertificates:
    """What the tablet API shows to tablets; on its socket only, with the ids that it has. → Certificates | Accepted"""

    held: Annotated[tuple[Id16, ...], Count(4)]


@dataclass(frozen=True, slots=True, repr=False)
class CertificateKit:
    """One certificate with its key, for the names that it bears."""

    source: CertificateSource
    id: Id16
    names: Annotated[tuple[DnsName, ...], Count(MOST_NAMES)]
    chain: Annotated[bytes, Size(1, MAX_CHAIN_BYTES)]
    key: Annotated[bytes, Size(1, MAX_KEY_BYTES)]
    not_after_ms: Millis


@dataclass(frozen=True, slots=True, repr=False)
class Certificates:
    """All that there are, and the store's own authority (PEM; empty: none), which tablets may install."""

    kits: Annotated[tuple[CertificateKit, ...], Count(4)]
    authority: Chain


@dataclass(frozen=True, slots=True)
class CertificateView:
    """One certificate, as the status tells it."""

    ROW = True
    source: CertificateSource
    name: DnsName
    not_after_ms: Millis


def fingerprint(pem: bytes) -> str:
    """SHA-256 of the first certificate in PEM, as people compare it: AB:CD:… Raises: ValueError, where it is none."""
    _, begun, rest = pem.partition(b"-----BEGIN CERTIFICATE-----")
    body, ended, _ = rest.partition(b"-----END CERTIFICATE-----")
    if not begun or not ended:
        raise ValueError("expected a certificate in PEM")
    digest = hashlib.sha256(base64.b64decode(b"".join(body.split()), validate=True)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def id_of(chain: bytes) -> bytes:
    """The 16 bytes by which a chain is named."""
    return hashlib.sha256(chain).digest()[:16]
