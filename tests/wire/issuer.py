"""An issuer of server certificates for tests: roots, intermediates, leaves good and bad."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LIFE = timedelta(days=90)


def pem_of(key: PrivateKey) -> bytes:
    """The key, unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Pair:
    """A chain and its key, PEM."""

    chain: bytes
    key: bytes


@dataclass
class Issuer:
    """A root; `root` is what a tablet would trust."""

    name: str = "Test issuer"
    begins: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @cached_property
    def root(self) -> bytes:
        """The root's own certificate, PEM."""
        return self._root().public_bytes(serialization.Encoding.PEM)

    def _root(self) -> x509.Certificate:
        return (
            self._begun(self.name, self.key, self.begins, timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(
        self,
        *names: str,
        at: datetime,
        life: timedelta = LIFE,
        key: PrivateKey | None = None,
        ca: bool = False,
        uses: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,),
        above: bytes | None = None,
    ) -> Pair:
        """A leaf that begins at `at`, with the root behind it (or `above`)."""
        key = key if key is not None else ec.generate_private_key(ec.SECP256R1())
        leaf = (
            self._begun(names[0], key, at, life)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(list(uses)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        chain = leaf.public_bytes(serialization.Encoding.PEM) + (self.root if above is None else above)
        return Pair(chain, pem_of(key))

    def _begun(self, name: str, key: PrivateKey, at: datetime, life: timedelta) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at)
            .not_valid_after(at + life)
        )
