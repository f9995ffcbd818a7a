"""A request's Host is one of the certificate's names, or the request is for somebody else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.identity import Subject, Use, make_authority, make_certificate, make_tls_key
from runtime import names
from tablet_api import server

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("store.example", "store.example"), ("Store.Example.:8443", "store.example"), ("192.0.2.7:1", "192.0.2.7"),
        ("[2001:DB8::0:1]:8443", "2001:db8::1"), ("[::1", None), ("[]", None), ("[.]", None), ("", None),
        ("a b", None), ("a/b", None), ("a@b", None), ("a:b", None), ("a:123456", None), ("é", None), ("x" * 254, None),
        ("a_b", None), ("a\r\nb", None), ("a\n", None),
    ],
)  # fmt: skip
def test_what_a_host_header_names(header: str, host: str | None) -> None:
    """Lower case, without brackets, port and last dot; what is neither name nor address is nothing."""
    assert names.host_of(header) == host


def test_a_star_stands_for_one_label() -> None:
    """The first one, whole, and no more."""
    held = frozenset({"store.example", "*.shops.example", "192.0.2.7"})
    assert all(names.fits(host, held) for host in ("store.example", "a.shops.example", "192.0.2.7"))
    assert not any(names.fits(host, held) for host in ("a.store.example", "shops.example", "a.b.shops.example", "*"))


def test_a_certificates_names_are_read(tmp_path: Path) -> None:
    """DNS names and addresses as they stand in it; of one whose time is over, none."""
    addresses = ("Berlin-1.shops.example", "*.wild.example", "192.0.2.7", "2001:db8::1")
    authority_key, key = make_tls_key(), make_tls_key()
    for then, found in ((NOW, {*map(str.lower, addresses)}), (NOW - timedelta(days=9000), None)):
        authority = make_authority("An authority", authority_key, then)
        made = make_certificate(Subject("a", Use.SERVER, addresses), key, authority, authority_key, then)
        certificate, tls_key = tmp_path / "certificate.pem", tmp_path / "tls-key"
        certificate.write_bytes(made)
        tls_key.write_bytes(key)
        context = server.tls(certificate, tls_key)
        if found is None:
            with pytest.raises(names.ssl.SSLError):
                names.of_context(context)
        else:
            assert names.of_context(context) == found
