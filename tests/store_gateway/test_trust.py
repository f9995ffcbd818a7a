"""What proves the box to tablets: HQ's certificate, kept while the cache is locked, and one of its own authority."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from provisioning import identity
from store_gateway import authority as authorities
from store_gateway import trust_text
from store_gateway.authority import Authority
from store_gateway.cache import Cache
from store_gateway.errors import CacheError, KeyFileError
from store_gateway.replica import Replica
from store_gateway.settings import Tablets
from store_gateway.trust import Trust
from tablet_api.certificates import from_memory
from tests.fakes.hq import STORE, TODAY_MS, FakeHQ, Line
from tests.wire.issuer import LIFE, Issuer, Pair, pem_of
from wire.trust import Certificate, CertificateFault, CertificateSource, id_of

NAME = "berlin-1.shops.example.org"
NAMES = (NAME, "192.168.7.2", "berlin-1.local")
NOW = datetime.fromtimestamp(TODAY_MS / 1000, UTC)
ISSUER = Issuer("A public issuer")
SECRET = bytes(range(32))


def entropy(size: int) -> bytes:
    """Anything."""
    return b"\x07" * size


@dataclass
class Box:
    """A box: its own authority, its cache file, and what it shows."""

    authority: Authority
    file: Path

    def start(self, secret: bytes = SECRET) -> tuple[Trust, Cache]:
        """After the power came back."""
        cache = Cache(self.file, entropy)
        trust = Trust(self.authority, secret, entropy)
        trust.use(cache)
        return trust, cache


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """As provisioning makes it."""
    key = identity.make_tls_key()
    pem = identity.make_authority("Consentry tablets of berlin-1", key, NOW, NAMES)
    (tmp_path / "authority.pem").write_bytes(pem)
    (tmp_path / "authority-key").write_bytes(key)
    loaded = authorities.load(Tablets(NAMES, tmp_path / "authority.pem"), tmp_path)
    return Box(loaded, tmp_path / "cache.db")


def sent(pair: Pair, name: str = NAME) -> Certificate:
    """As HQ delivers it."""
    return Certificate(name, pair.chain, pair.key)


def sources(trust: Trust, now_ms: int | None = TODAY_MS) -> list[CertificateSource]:
    """What tablets are shown."""
    return [one.source for one in trust.certificates(now_ms).kits]


def trusted(trust: Trust, root: bytes, name: str) -> bool:
    """Whether a client that trusts this root alone accepts the own certificate for a name."""
    kit = trust.certificates(None).kits[-1]
    far, near = from_memory(kit), ssl.create_default_context(cadata=root.decode())
    near.verify_flags |= ssl.VERIFY_X509_STRICT
    lines = [ssl.MemoryBIO() for _ in range(2)]
    ends = near.wrap_bio(lines[0], lines[1], server_hostname=name), far.wrap_bio(lines[1], lines[0], server_side=True)
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return True


def test_the_own_one_is_trusted_by_whom_installed_the_authority(box: Box) -> None:
    """By each of the box's names and addresses, at once, without HQ, for a year at most."""
    trust, cache = box.start()
    trust.tick(None, TODAY_MS)
    assert [trusted(trust, box.authority.pem, name) for name in (*NAMES, "elsewhere.example")] == [
        True,
        True,
        True,
        False,
    ]
    leaf = x509.load_pem_x509_certificate(trust.certificates(None).kits[0].chain)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=366)
    cache.close()


def test_the_own_one_is_renewed_at_half_its_life(box: Box) -> None:
    """By the box itself, with a new key; not a day before, and not with every tick."""
    trust, cache = box.start()
    trust.tick(TODAY_MS, 0)
    first = trust.certificates(TODAY_MS).kits[0]
    begins = x509.load_pem_x509_certificate(first.chain).not_valid_before_utc
    half_ms = (first.not_after_ms + int(begins.timestamp() * 1000)) // 2
    trust.tick(half_ms - 1000, 0)
    assert trust.certificates(TODAY_MS).kits[0].id == first.id
    trust.tick(half_ms + 1000, 0)
    second = trust.certificates(TODAY_MS).kits[0]
    assert second.id != first.id
    assert second.key != first.key
    assert second.not_after_ms > first.not_after_ms
    trust.tick(half_ms + 2000, 0)
    assert trust.certificates(TODAY_MS).kits[0].id == second.id
    cache.close()


def test_what_hq_delivers_is_there_while_the_cache_is_locked(box: Box) -> None:
    """After a power cut without network a tablet still meets the name that it knows; and only this box opens it."""
    trust, cache = box.start()
    pair = ISSUER.issue(NAME, at=NOW)
    trust.take(cache, sent(pair), 1.0, TODAY_MS)
    trust.tick(TODAY_MS, 0)
    assert sources(trust) == [CertificateSource.HQ, CertificateSource.OWN]
    cache.close()
    assert pair.key not in box.file.read_bytes()
    assert pair.key.splitlines()[1] not in box.file.read_bytes()
    again, cache = box.start()
    again.tick(None, 0)
    assert sources(again, None) == [CertificateSource.HQ, CertificateSource.OWN]
    assert again.seen == id_of(pair.chain)
    assert again.certificates(None).kits[0].key == pair.key
    cache.close()
    other, cache = box.start(secret=bytes(32))
    assert other.seen is None
    assert sources(other, None) == []
    cache.close()


BAD: dict[str, tuple[Callable[[], Certificate], CertificateFault]] = {
    "another name": (lambda: sent(ISSUER.issue("paris-2.example.org", at=NOW)), CertificateFault.OTHER_NAME),
    "a name that is not this box's": (
        lambda: sent(ISSUER.issue("paris-2.example.org", at=NOW), "paris-2.example.org"), CertificateFault.OTHER_NAME,
    ),
    "expired": (lambda: sent(ISSUER.issue(NAME, at=NOW - LIFE)), CertificateFault.EXPIRED),
    "not yet": (lambda: sent(ISSUER.issue(NAME, at=NOW + timedelta(hours=1))), CertificateFault.NOT_YET),
    "corrupted": (lambda: Certificate(NAME, b"-----BEGIN", b"nonsense"), CertificateFault.UNREADABLE),
    "another key": (
        lambda: sent(Pair(ISSUER.issue(NAME, at=NOW).chain, pem_of(Issuer().key))), CertificateFault.OTHER_KEY,
    ),
    "for clients": (
        lambda: sent(ISSUER.issue(NAME, at=NOW, uses=(ExtendedKeyUsageOID.CLIENT_AUTH,))), CertificateFault.UNFIT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_serve_leaves_the_one_before(box: Box, what: str) -> None:
    """Counted, and HQ is told which and why; after a restart the one before is still there."""
    trust, cache = box.start()
    good = sent(ISSUER.issue(NAME, at=NOW))
    trust.take(cache, good, 1.0, TODAY_MS)
    make, fault = BAD[what]
    bad = make()
    trust.take(cache, bad, 2.0, TODAY_MS)
    assert (trust.seen, trust.fault) == (id_of(bad.chain), fault)
    assert trust.counts[f"certificates_refused_{fault.name.lower()}"] == 1
    assert trust.certificates(TODAY_MS).kits[0].id == id_of(good.chain)
    cache.close()
    again, cache = box.start()
    assert (again.seen, again.fault) == (id_of(good.chain), None)
    cache.close()


def test_a_renewed_one_takes_the_place_of_the_one_before(box: Box) -> None:
    """At once; and a recording of the earlier delivery does not bring that one back."""
    trust, cache = box.start()
    first, second = (sent(ISSUER.issue(NAME, at=NOW)) for _ in range(2))
    trust.take(cache, first, 1.0, TODAY_MS)
    trust.take(cache, second, 2.0, TODAY_MS)
    trust.take(cache, first, 1.0, TODAY_MS)
    assert trust.certificates(TODAY_MS).kits[0].id == id_of(second.chain)
    assert trust.counts["certificates_void"] == 1
    cache.close()


def test_a_withdrawn_one_is_gone_for_good(box: Box) -> None:
    """From what tablets are shown and from the file."""
    trust, cache = box.start()
    trust.take(cache, sent(ISSUER.issue(NAME, at=NOW)), 1.0, TODAY_MS)
    trust.take(cache, Certificate(NAME, b"", b""), 2.0, TODAY_MS)
    trust.tick(TODAY_MS, 0)
    assert sources(trust) == [CertificateSource.OWN]
    assert cache.certificate() is None
    cache.close()


def test_one_that_ends_gives_way_to_the_own(box: Box) -> None:
    """A tablet that has the authority goes on; the operator was told at two thirds of its life, once."""
    trust, cache = box.start()
    trust.take(cache, sent(ISSUER.issue(NAME, at=NOW)), 1.0, TODAY_MS)
    late_ms = TODAY_MS + int(LIFE.total_seconds() * 1000 * 2 / 3)
    for now_ms in (late_ms - 1000, late_ms + 1000, late_ms + 2000):
        trust.tick(now_ms, 0)
    ended_ms = TODAY_MS + int(LIFE.total_seconds() * 1000)
    trust.tick(ended_ms, 0)
    assert sources(trust, ended_ms - 1000) == [CertificateSource.HQ, CertificateSource.OWN]
    assert sources(trust, ended_ms) == [CertificateSource.OWN]
    assert trust.counts["certificates_late"] == 1
    cache.close()


def test_a_wipe_takes_it_out_of_the_file(box: Box) -> None:
    """With all other keys, before a byte is overwritten."""
    trust, cache = box.start()
    trust.take(cache, sent(ISSUER.issue(NAME, at=NOW)), 1.0, TODAY_MS)
    cache.destroy_keys(bytes(16), 0)
    assert cache.certificate() is None
    cache.close()


def test_a_disk_that_fails_leaves_all_as_it_was(box: Box) -> None:
    """It was not taken: HQ hears so, and sends it again."""
    trust, cache = box.start()
    cache.close()
    with pytest.raises(CacheError):
        trust.take(cache, sent(ISSUER.issue(NAME, at=NOW)), 1.0, TODAY_MS)
    assert trust.seen is None
    assert sources(trust) == []


def test_a_box_without_an_authority_takes_nothing(box: Box) -> None:
    """Nobody said by which names tablets call it."""
    _, cache = box.start()
    trust = Trust(None, SECRET, entropy)
    trust.tick(TODAY_MS, 0)
    trust.take(cache, sent(ISSUER.issue(NAME, at=NOW)), 1.0, TODAY_MS)
    assert trust.fault is CertificateFault.OTHER_NAME
    assert sources(trust) == []
    cache.close()


def test_the_pairing_sheet_names_the_page_and_the_fingerprint(tmp_path: Path, box: Box) -> None:
    """Of the very certificate that tablets install, as they show it; an IPv6 address stands in brackets."""
    settings = Tablets(NAMES, tmp_path / "authority.pem")
    assert trust_text.address(settings, "box") == f"https://{NAME}:8443"
    assert trust_text.address(None, "box") == "https://box:8443"
    shown = trust_text.sheet(settings, f"https://{NAME}:8443")
    assert f"http://{NAME}:8080/trust" in shown
    digest = box.authority.certificate.fingerprint(hashes.SHA256()).hex().upper()
    assert ":".join(digest[at : at + 2] for at in range(0, 64, 2)) in shown
    assert trust_text.link("https://[fd00::7]:8443") == "http://[fd00::7]:8080/trust"
    (tmp_path / "authority.pem").write_bytes(b"nonsense")
    with pytest.raises(KeyFileError):
        trust_text.sheet(settings, "https://box:8443")


@pytest.mark.parametrize("file", ["authority.pem", "authority-key"])
def test_an_authority_that_does_not_fit_its_key_is_refused_at_the_start(tmp_path: Path, box: Box, file: str) -> None:
    """One line with the file and what is expected, and nothing of the key."""
    for content in (b"nonsense", identity.make_tls_key()):
        (tmp_path / file).write_bytes(content)
        with pytest.raises(KeyFileError) as raised:
            authorities.load(Tablets(NAMES, tmp_path / "authority.pem"), tmp_path)
        assert "BEGIN" not in raised.value.text


def test_it_comes_with_the_answer_to_a_hello(tmp_path: Path, box: Box) -> None:
    """Over the whole conversation: asked for by the hello, taken, and named by the next hello."""
    hq = FakeHQ(STORE)
    replica = Replica(STORE, tmp_path / "replica.db", replace(hq.box(), authority=box.authority), "test/1")
    line = Line(replica, hq)
    hq.certificate = sent(ISSUER.issue(NAME, at=NOW))
    line.up()
    line.run(30)
    assert [one.source for one in replica.trust.certificates(None).kits] == [
        CertificateSource.HQ,
        CertificateSource.OWN,
    ]
    assert hq.told_certificate == (id_of(hq.certificate.chain), None)
    replica.close()
