"""What tablets are shown, over real TLS: two authorities, names, renewal in mid-stream, what is not taken."""

import http.client
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from runtime.errors import TlsError
from tablet_api import forms
from tablet_api.certificates import Shelf, from_memory
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics
from tablet_api.server import Server, tls
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import Serve
from tests.tablet_api.floor_of import fill, visit
from tests.wire.issuer import Issuer, Pair, pem_of
from wire.trust import CertificateKit, Certificates, CertificateSource, id_of

pytestmark = pytest.mark.needs("openssl")

NAME = "berlin-1.shops.example.org"
HQ, OWN = CertificateSource.HQ, CertificateSource.OWN
NOW = datetime.now(UTC)
PUBLIC = Issuer("A public issuer")
STORE = Issuer("The store's own authority")


def kit(source: CertificateSource, pair: Pair, *names: str) -> CertificateKit:
    """As the gateway tells it."""
    return CertificateKit(source, id_of(pair.chain), names, pair.chain, pair.key, 0)


def own() -> CertificateKit:
    """The store's own, for every name of the box."""
    names = (NAME, "berlin-1.local", "localhost")
    return kit(OWN, STORE.issue(*names, at=NOW - timedelta(hours=1), above=b""), *names)


def delivered() -> CertificateKit:
    """HQ's, for the one name that is known outside."""
    return kit(HQ, PUBLIC.issue(NAME, at=NOW - timedelta(hours=1)), NAME)


@pytest.fixture
def serving(app: Flask, serve: Serve) -> Server:
    """The tablet API with its start certificate."""
    return serve(app, True)


@pytest.fixture
def shelf(serving: Server, link: GatewayClient, authority: tuple[Path, Path], metrics: Metrics) -> Iterator[Shelf]:
    """What keeps it up to date; looks when it is told to."""
    yield Shelf(link, tls(*authority), serving.renew, metrics)


def shown(port: int, name: str | None, root: bytes) -> bytes:
    """The DER of the leaf that a client sees who calls this name and trusts this root alone; the name is checked."""
    context = ssl.create_default_context(cadata=root.decode())
    context.check_hostname = name is not None
    line = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    sock = socket.create_connection(("127.0.0.1", port), 10)
    line.sock = context.wrap_socket(sock, server_hostname=name)
    try:
        line.request("GET", "/healthz", headers={"Host": name or "localhost"})
        assert line.getresponse().status == 200
        found: bytes = line.sock.getpeercert(True)  # type: ignore[attr-defined]
        return found
    finally:
        line.close()


def test_each_name_is_shown_its_own_certificate(gateway: FakeGateway, serving: Server, shelf: Shelf) -> None:
    """Who calls HQ's name trusts a public issuer; who calls the box by mDNS, or by no name, the store's authority."""
    gateway.certificates = Certificates((delivered(), own()), STORE.root)
    shelf.look()
    assert shelf.authority == STORE.root
    public = shown(serving.port, NAME, PUBLIC.root)
    private = shown(serving.port, "berlin-1.local", STORE.root)
    assert public != private == shown(serving.port, "localhost", STORE.root) == shown(serving.port, None, STORE.root)
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(serving.port, "berlin-1.local", PUBLIC.root)
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(serving.port, "elsewhere.example", STORE.root)


def test_without_one_of_hqs_the_own_serves_every_name(gateway: FakeGateway, serving: Server, shelf: Shelf) -> None:
    """Also the name that HQ's bore, once HQ's was withdrawn."""
    gateway.certificates = Certificates((delivered(), own()), STORE.root)
    shelf.look()
    gateway.certificates = Certificates(gateway.certificates.kits[1:], STORE.root)
    shelf.look()
    assert shown(serving.port, NAME, STORE.root)


def test_a_stream_outlives_the_renewal(
    app: Flask, gateway: FakeGateway, serving: Server, shelf: Shelf, metrics: Metrics
) -> None:
    """The old connection goes on to be told what changes; the next handshake is shown the new certificate."""
    gateway.certificates = Certificates((delivered(), own()), STORE.root)
    shelf.look()
    before = shown(serving.port, NAME, PUBLIC.root)
    fill(gateway, visit(1))
    context = ssl.create_default_context(cadata=PUBLIC.root.decode())
    line = http.client.HTTPSConnection("127.0.0.1", serving.port, timeout=10, context=context)
    raw = socket.create_connection(("127.0.0.1", serving.port), 10)
    line.sock = context.wrap_socket(raw, server_hostname=NAME)
    secret = forms.to_text(gateway.sign_in())
    line.request("GET", "/api/v1/floor/events", headers={"Authorization": f"Bearer {secret}", "Host": NAME})
    answer = line.getresponse()

    def heard(name: str) -> None:
        while answer.readline() != f"event: {name}\n".encode():
            pass

    heard("roster")
    gateway.certificates = Certificates((delivered(), gateway.certificates.kits[1]), STORE.root)
    shelf.look()
    assert shown(serving.port, NAME, PUBLIC.root) != before
    fill(gateway, visit(1), visit(2))
    heard("change")
    line.close()
    assert 'certificates_renewed{kind="hq"} 2' in metrics.text()


BROKEN = {
    "cut": lambda good: Pair(good.chain[:200], good.key),
    "no PEM": lambda good: Pair(b"nonsense", good.key),
    "another key": lambda good: Pair(good.chain, pem_of(Issuer().key)),
    "a key that is cut": lambda good: Pair(good.chain, good.key[:80]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_does_not_serve_leaves_the_one_before(
    what: str, gateway: FakeGateway, serving: Server, shelf: Shelf, metrics: Metrics, capfd: pytest.CaptureFixture[str]
) -> None:
    """Counted and told once, without a byte of it."""
    good = delivered()
    gateway.certificates = Certificates((good, own()), STORE.root)
    shelf.look()
    before = shown(serving.port, NAME, PUBLIC.root)
    bad = BROKEN[what](PUBLIC.issue(NAME, at=NOW))
    gateway.certificates = Certificates((kit(HQ, bad, NAME), own()), STORE.root)
    shelf.look()
    shelf.look()
    assert shown(serving.port, NAME, PUBLIC.root) == before
    assert 'certificates_kept{kind="hq"} 1' in metrics.text()
    with pytest.raises(TlsError) as raised:
        from_memory(kit(HQ, bad, NAME))
    assert "BEGIN" not in raised.value.text


def test_while_the_gateway_is_away_what_is_shown_goes_on(
    gateway: FakeGateway, serving: Server, shelf: Shelf, link: GatewayClient
) -> None:
    """A restart of the gateway costs no tablet its connection."""
    gateway.certificates = Certificates((own(),), STORE.root)
    shelf.look()
    link.close()
    shelf.look()
    assert shown(serving.port, NAME, STORE.root)


def test_it_looks_until_it_is_told_to_stop(gateway: FakeGateway, serving: Server, shelf: Shelf) -> None:
    """At once, and then again and again."""
    gateway.certificates = Certificates((own(),), STORE.root)
    stopping = threading.Event()
    running = threading.Thread(target=shelf.run, args=(stopping,))
    running.start()
    stopping.set()
    running.join(10)
    assert not running.is_alive()
    assert shown(serving.port, NAME, STORE.root)


def test_the_memory_that_held_a_key_is_given_back() -> None:
    """It has no name, and is gone with the handing over, also where OpenSSL did not take the key."""
    from_memory(own())
    with pytest.raises(TlsError):
        from_memory(kit(HQ, Pair(b"nonsense", b"nonsense"), NAME))
    held = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert not [one for one in held if "consentry" in one and "memfd" in one]
