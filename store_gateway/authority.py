"""Signs certificates for this box by the store's own authority, whose key provisioning placed here.

The authority's certificate allows it the store's own names alone, so its key is worth no more than the box.

I/O: the authority's file and credential, through `runtime.config`; the system's random generator.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from runtime import config
from store_gateway.errors import KeyFileError
from store_gateway.settings import Tablets
from wire.trust import MAX_CHAIN_BYTES

# Apple's systems refuse a server's certificate of an authority that somebody installed over 825 days
# (support.apple.com/103769), and Mozilla's "intermediate" profile asks for a year at most.
LIFE: Final = timedelta(days=360)
_BACKDATED: Final = timedelta(days=1)  # a tablet's clock may be slow
_KEY_CREDENTIAL: Final = "authority-key"


@dataclass(frozen=True, slots=True, repr=False)
class Authority:
    """The store's own authority, and how tablets call the box. `pem` is what they install."""

    names: tuple[str, ...]
    pem: bytes
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return "Authority(…)"

    @property
    def dns_names(self) -> tuple[str, ...]:
        """Of the names those that are no addresses, in lower case."""
        return tuple(one.lower() for one in self.names if _ip(one) is None)

    def issue(self, now: datetime) -> tuple[bytes, bytes]:
        """A new key and its certificate for the box's names, PEM: (chain, key)."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key()
        ends = min(now + LIFE, self.certificate.not_valid_after_utc)
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Consentry box")]))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_for_signatures(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName(_general(self.names)), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return leaf.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def load(settings: Tablets, credentials_dir: Path | None) -> Authority:
    """The authority that the configuration and the credential `authority-key` name.

    Raises: KeyFileError, or CredentialError where the credential is missing.
    """
    try:
        pem = settings.authority.read_bytes()[: MAX_CHAIN_BYTES + 1]
        certificate = x509.load_pem_x509_certificate(pem)
    except (OSError, ValueError) as error:
        raise KeyFileError(settings.authority, "tablets.authority", "a certificate in PEM is expected") from error
    try:
        key = serialization.load_pem_private_key(config.credential(_KEY_CREDENTIAL, credentials_dir), password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(Path(_KEY_CREDENTIAL), "", "a private key in PEM is expected") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise KeyFileError(settings.authority, "tablets.authority", "belongs to another key than authority-key")
    return Authority(settings.names, pem, certificate, key)


def _for_signatures() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general(names: Sequence[str]) -> list[x509.GeneralName]:
    return [x509.DNSName(one) if (ip := _ip(one)) is None else x509.IPAddress(ip) for one in names]


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
