"""Makes and judges keys and certificates: TLS by elliptic curve (P-256), everything else as `wire.keys` has it.

Private keys for TLS are unencrypted PKCS #8 in PEM; all others are raw bytes. Times are aware UTC.

I/O: the system's random generator alone; no clock.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A box may have slept, or its clock may be slow: a certificate is valid from a day before it was made.
_BACKDATED: Final = timedelta(days=1)
AUTHORITY_LIFE: Final = timedelta(days=7305)  # 20 years: replaced with the box, not before
# Apple's systems refuse server certificates of private authorities over 825 days (support.apple.com/103769).
LEAF_LIFE: Final = timedelta(days=800)
# What browsers meet: Mozilla's "intermediate" profile (wiki.mozilla.org/Security/Server_Side_TLS) has a year at most.
TABLETS_LIFE: Final = timedelta(days=360)
RENEWED_BEFORE: Final = timedelta(days=90)


class Use(StrEnum):
    """What a certificate is for."""

    SERVER = "server"
    CLIENT = "client"


_USES: Final = {Use.SERVER: ExtendedKeyUsageOID.SERVER_AUTH, Use.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate names: the common name, and for a server its DNS names and IP addresses."""

    name: str
    use: Use
    addresses: tuple[str, ...] = ()


def make_tls_key() -> bytes:
    """A new private key in PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def tls_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key of its PEM. Raises: ValueError."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("an encrypted key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")
    return key


def fingerprint(key: ec.EllipticCurvePrivateKey | x509.Certificate) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo), in hex: names a key without telling it."""
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def public_of_seed(seed: bytes) -> bytes:
    """The 32 public bytes of an Ed25519 seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def make_authority(name: str, key_pem: bytes, now: datetime, names: Sequence[str] = ()) -> bytes:
    """A self-signed authority that signs leaves only, in PEM.

    With `names` it can sign for servers of these DNS names and IP addresses alone: whoever installs it has to trust it
    with nothing else.
    """
    key = tls_key(key_pem)
    whole = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _begun(whole, whole, key.public_key(), now, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(subject_key, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key), critical=False)
    )
    if names:
        builder = builder.add_extension(_constraints(names), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_certificate(
    subject: Subject,
    key_pem: bytes,
    issuer_pem: bytes,
    issuer_key_pem: bytes,
    now: datetime,
    life: timedelta = LEAF_LIFE,
) -> bytes:
    """A certificate for the public half of `key_pem`, signed by the issuer, in PEM."""
    issuer, issuer_key, key = x509.load_pem_x509_certificate(issuer_pem), tls_key(issuer_key_pem), tls_key(key_pem)
    ends = min(now + life, issuer.not_valid_after_utc)
    whole = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.name)])
    builder = (
        _begun(whole, issuer.subject, key.public_key(), now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USES[subject.use]]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if subject.addresses:
        builder = builder.add_extension(x509.SubjectAlternativeName(_names(subject.addresses)), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def certificate_fault(pem: bytes, subject: Subject, key_pem: bytes, issuer_pem: bytes, now: datetime) -> str | None:
    """Why a certificate has to be made anew, or None where it serves."""
    try:
        certificate, issuer = x509.load_pem_x509_certificate(pem), x509.load_pem_x509_certificate(issuer_pem)
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return "not signed by this authority"
    if fingerprint(certificate) != fingerprint(tls_key(key_pem)):
        return "belongs to another key"
    if certificate.subject.rfc4514_string() != f"CN={subject.name}" or certificate_names(certificate) != set(
        subject.addresses
    ):
        return "names changed"
    return lifetime_fault(certificate, now)


def authority_fault(pem: bytes, name: str, key_pem: bytes, names: Sequence[str] = ()) -> str | None:
    """Why an authority's certificate does not belong to its key, name and constraints, or None where it does."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return "not a certificate of its own"
    if fingerprint(certificate) != fingerprint(tls_key(key_pem)):
        return "belongs to another key"
    if certificate.subject.rfc4514_string() != f"CN={name}" or _constraints_of(certificate) != (
        _constraints(names) if names else None
    ):
        return "names changed"
    return None


def lifetime_fault(certificate: x509.Certificate, now: datetime) -> str | None:
    """Whether the certificate's time is over or nearly."""
    left = certificate.not_valid_after_utc - now
    if left <= timedelta(0):
        return "expired"
    return f"expires in {left.days} days" if left < RENEWED_BEFORE else None


def certificate_names(certificate: x509.Certificate) -> set[str]:
    """The DNS names and IP addresses that a server's certificate bears."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def make_revocations(serials: Sequence[int], issuer_pem: bytes, issuer_key_pem: bytes, now: datetime) -> bytes:
    """The list of revoked certificates, in PEM.

    It is valid as long as the authority: a broker refuses everybody by a list that ran out, and a store that cannot
    speak to HQ goes dark.
    """
    issuer = x509.load_pem_x509_certificate(issuer_pem)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(now - _BACKDATED)
        .next_update(issuer.not_valid_after_utc)
    )
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - _BACKDATED).build()
        )
    return builder.sign(tls_key(issuer_key_pem), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def revocations_fault(pem: bytes, serials: Sequence[int], issuer_pem: bytes) -> str | None:
    """Why a list of revoked certificates has to be made anew, or None where it serves."""
    issuer_key = x509.load_pem_x509_certificate(issuer_pem).public_key()
    try:
        listed = x509.load_pem_x509_crl(pem)
    except ValueError:
        return "not a list of revoked certificates"
    if not isinstance(issuer_key, ec.EllipticCurvePublicKey) or not listed.is_signature_valid(issuer_key):
        return "not signed by this authority"
    return None if {one.serial_number for one in listed} == set(serials) else "revocations changed"


def _begun(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before((now - _BACKDATED).astimezone(UTC))
        .not_valid_after(ends.astimezone(UTC))
    )


def _constraints(names: Sequence[str]) -> x509.NameConstraints:
    """These names and addresses; where there is no address, no address at all (RFC 5280, 4.2.1.10).

    Raises: ValueError, without a DNS name: a kind of name that is not constrained would be free.
    """
    permitted: list[x509.GeneralName] = []
    for one in names:
        ip = _ip(one)
        permitted.append(x509.DNSName(one) if ip is None else x509.IPAddress(ipaddress.ip_network(ip)))
    if not any(isinstance(one, x509.DNSName) for one in permitted):
        raise ValueError("a DNS name is expected")
    every = [x509.IPAddress(ipaddress.ip_network(one)) for one in ("0.0.0.0/0", "::/0")]
    is_free = not any(isinstance(one, x509.IPAddress) for one in permitted)
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=every if is_free else None)


def _constraints_of(certificate: x509.Certificate) -> x509.NameConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def _names(addresses: Sequence[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(ip) if (ip := _ip(one)) is not None else x509.DNSName(one) for one in addresses]


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
