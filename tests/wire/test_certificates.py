"""A server's certificate is judged before it is taken."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.issuer import LIFE, Issuer, Pair, pem_of
from wire.certificates import Leaf, judge, serves
from wire.trust import MAX_CHAIN_BYTES, CertificateFault, id_of

NAME = "berlin-1.shops.example.org"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
ISSUER = Issuer()
GOOD = ISSUER.issue(NAME, "more.example.org", at=NOW)


def test_a_good_certificate_tells_its_names_and_its_life() -> None:
    """Half and two thirds are counted from its own beginning."""
    leaf = judge(GOOD.chain, GOOD.key, NAME, NOW)
    assert isinstance(leaf, Leaf)
    assert leaf.names == (NAME, "more.example.org")
    assert leaf.id == id_of(GOOD.chain)
    assert (leaf.not_before, leaf.half, leaf.late, leaf.not_after) == (
        NOW, NOW + LIFE / 2, NOW + LIFE * 2 / 3, NOW + LIFE,
    )  # fmt: skip


def test_an_rsa_key_and_a_chain_without_its_root_are_good() -> None:
    """As many issuers give them."""
    pair = ISSUER.issue(NAME, at=NOW, key=rsa.generate_private_key(65537, 2048), above=b"")
    assert isinstance(judge(pair.chain, pair.key, NAME, NOW), Leaf)


BAD = {
    "no PEM": (Pair(b"nonsense", GOOD.key), CertificateFault.UNREADABLE),
    "nothing": (Pair(b"", b""), CertificateFault.UNREADABLE),
    "cut": (Pair(GOOD.chain[:300], GOOD.key), CertificateFault.UNREADABLE),
    "a key that is cut": (Pair(GOOD.chain, GOOD.key[:60]), CertificateFault.UNREADABLE),
    "too long": (Pair(GOOD.chain + b"\n" * MAX_CHAIN_BYTES, GOOD.key), CertificateFault.UNREADABLE),
    "another key": (
        Pair(GOOD.chain, pem_of(ec.generate_private_key(ec.SECP256R1()))), CertificateFault.OTHER_KEY,
    ),
    "another name": (ISSUER.issue("paris-2.shops.example.org", at=NOW), CertificateFault.OTHER_NAME),
    "expired": (ISSUER.issue(NAME, at=NOW - LIFE), CertificateFault.EXPIRED),
    "not yet": (ISSUER.issue(NAME, at=NOW + timedelta(seconds=1)), CertificateFault.NOT_YET),
    "for clients": (ISSUER.issue(NAME, at=NOW, uses=(ExtendedKeyUsageOID.CLIENT_AUTH,)), CertificateFault.UNFIT),
    "an authority": (ISSUER.issue(NAME, at=NOW, ca=True), CertificateFault.UNFIT),
    "a short key": (
        ISSUER.issue(NAME, at=NOW, key=rsa.generate_private_key(65537, 1024)), CertificateFault.UNFIT,
    ),
    "above it somebody else": (ISSUER.issue(NAME, at=NOW, above=Issuer("Another").root), CertificateFault.BROKEN_CHAIN),
    "above it the same name with another key": (
        ISSUER.issue(NAME, at=NOW, above=Issuer().root), CertificateFault.BROKEN_CHAIN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_each_that_does_not_serve_is_refused_for_its_reason(what: str) -> None:
    """One fault each; all else of it is right."""
    pair, fault = BAD[what]
    assert judge(pair.chain, pair.key, NAME, NOW) is fault


def test_a_key_of_another_kind_is_unfit() -> None:
    """Browsers take no Ed25519."""
    key = ed25519.Ed25519PrivateKey.generate()
    assert judge(GOOD.chain, pem_of(key), NAME, NOW) is CertificateFault.UNFIT  # type: ignore[arg-type]


def test_without_a_time_its_life_is_not_judged() -> None:
    """A box without trusted time takes what HQ says."""
    pair = ISSUER.issue(NAME, at=NOW - LIFE * 2)
    assert isinstance(judge(pair.chain, pair.key, NAME, None), Leaf)


@given(at=st.integers(0, len(GOOD.chain) - 1), byte=st.integers(0, 255))
def test_a_byte_that_was_changed_harms_nobody(at: int, byte: int) -> None:
    """Whatever came of it is refused for a reason, or bears the name and belongs to the key all the same."""
    chain = GOOD.chain[:at] + bytes([byte]) + GOOD.chain[at + 1 :]
    found = judge(chain, GOOD.key, NAME, NOW)
    assert isinstance(found, CertificateFault) or NAME in found.names


@pytest.mark.parametrize(
    ("borne", "name", "does"),
    [
        ("a.example", "A.Example", True),
        ("*.example.org", "a.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "a.b.example.org", False),
        ("*.org", "a.org", False),
        ("b.example", "a.example", False),
    ],
)
def test_a_star_stands_for_one_label(borne: str, name: str, does: bool) -> None:
    """As browsers read it."""
    assert serves(borne, name) is does
