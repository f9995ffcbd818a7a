"""Judges a server's certificate with its chain and key: HQ before it delivers one, a store before it takes one.

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from wire.trust import MAX_CHAIN_BYTES, MAX_KEY_BYTES, CertificateFault, id_of

# CA/Browser Forum, Baseline Requirements 6.1.5 and 7.1.3.2: what browsers take of public issuers.
_LEAST_RSA_BITS: Final = 2048
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that was found good: its id (16 bytes), the DNS names that it bears, and its life."""

    id: bytes
    names: tuple[str, ...]
    serial: int
    not_before: datetime
    not_after: datetime

    @property
    def half(self) -> datetime:
        """When it is renewed: at half its life."""
        return self.not_before + (self.not_after - self.not_before) / 2

    @property
    def late(self) -> datetime:
        """When somebody has to be told that it was not renewed: at two thirds of its life."""
        return self.not_before + (self.not_after - self.not_before) * 2 / 3


def judge(chain: bytes, key: bytes, name: str, now: datetime | None) -> Leaf | CertificateFault:
    """The leaf of a PEM chain (the leaf first), or why it does not serve `name` with this PEM key.

    `now` None: it is not known what time it is, and its life is not judged. Whether anybody trusts the issuer is not
    judged either: that is the tablets' to say.
    """
    if len(chain) > MAX_CHAIN_BYTES or len(key) > MAX_KEY_BYTES:
        return CertificateFault.UNREADABLE
    try:
        found = x509.load_pem_x509_certificates(chain)
        private = serialization.load_pem_private_key(key, password=None)
        fault = _fault(found, private, name, now)
        names = dns_names(found[0])
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return CertificateFault.UNREADABLE
    if fault is not None:
        return fault
    leaf = found[0]
    return Leaf(id_of(chain), names, leaf.serial_number, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def _fault(
    found: Sequence[x509.Certificate], private: object, name: str, now: datetime | None
) -> CertificateFault | None:
    leaf = found[0]
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        return CertificateFault.UNFIT
    if leaf.public_key() != private.public_key():
        return CertificateFault.OTHER_KEY
    if not any(serves(borne, name) for borne in dns_names(leaf)):
        return CertificateFault.OTHER_NAME
    if now is not None and now >= leaf.not_valid_after_utc:
        return CertificateFault.EXPIRED
    if now is not None and now < leaf.not_valid_before_utc:
        return CertificateFault.NOT_YET
    if not (_is_strong(private) and _is_for_servers(leaf)):
        return CertificateFault.UNFIT
    try:
        for one, above in pairwise(found):
            one.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return CertificateFault.BROKEN_CHAIN
    return None


def _is_strong(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bool:
    if isinstance(private, rsa.RSAPrivateKey):
        return private.key_size >= _LEAST_RSA_BITS
    return isinstance(private.curve, _CURVES)


def _is_for_servers(leaf: x509.Certificate) -> bool:
    if not isinstance(leaf.signature_hash_algorithm, _HASHES):
        return False
    for extension in leaf.extensions:
        match extension.value:
            case x509.ExtendedKeyUsage() as uses if ExtendedKeyUsageOID.SERVER_AUTH not in uses:
                return False
            case x509.BasicConstraints(ca=True):
                return False
    return True


def dns_names(leaf: x509.Certificate) -> tuple[str, ...]:
    """The DNS names that a certificate bears, in lower case."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(one.lower() for one in names.get_values_for_type(x509.DNSName))


def serves(borne: str, name: str) -> bool:
    """Whether a name in a certificate stands for `name`: itself, or `*` for its first label (RFC 9525, 6.3)."""
    borne, name = borne.lower(), name.lower()
    return borne == name or (borne.startswith("*.") and name.partition(".")[2] == borne[2:] and "." in borne[2:])
