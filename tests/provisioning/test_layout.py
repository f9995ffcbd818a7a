"""What is written is what the programs read: configurations, keys, certificates."""

import json
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

import edge.config
import hq.settings
import probe.settings
import store_gateway.settings
import tablet_api.settings
from provisioning import apply, identity
from provisioning.settings import Estate, HqSettings, StoreSettings
from runtime.config import credential, load
from tests.provisioning.conftest import NOW
from wire import keys

_NAMES = ("shop.example", "192.168.7.2")


@pytest.fixture(params=["in place", "for boxes"])
def made(request: pytest.FixtureRequest, tmp_path: Path, estate: Estate) -> Path:
    """A folder to run from, and one whose bundles are installed elsewhere."""
    chosen = estate if request.param == "in place" else Estate(HqSettings("mqtt.example"), estate.stores)
    apply.provision(tmp_path / "f", chosen, NOW)
    return tmp_path / "f"


def test_every_program_reads_the_configuration_written_for_it(made: Path) -> None:
    """No key is unknown, none is missing, every one has its form."""
    store = made / "stores/berlin-1/etc/consentry"
    assert load(store / "edge.toml", edge.config.EdgeConfig).radios[0].node == "edge-1"
    assert load(store / "gateway.toml", store_gateway.settings.Settings).store == "berlin-1"
    assert load(store / "tablets.toml", tablet_api.settings.Settings).port == 8443
    assert load(store / "probe.toml", probe.settings.Settings).port == 8443
    assert load(made / "hq/etc/consentry/hq.toml", hq.settings.Settings).broker.tls


def test_sockets_and_paths_agree_between_the_programs(made: Path) -> None:
    """The edge and the tablet API look where the gateway listens."""
    store = made / "stores/berlin-1/etc/consentry"
    sockets = load(store / "gateway.toml", store_gateway.settings.Settings).runtime_dir
    assert load(store / "edge.toml", edge.config.EdgeConfig).gateway_socket == sockets / "sightings.sock"
    assert load(store / "tablets.toml", tablet_api.settings.Settings).gateway_socket == sockets / "tablets.sock"


def test_run_in_place_every_path_is_there(folder: Path) -> None:
    """Credentials, keys and certificates lie where the configurations say."""
    gateway = load(folder / "stores/berlin-1/etc/consentry/gateway.toml", store_gateway.settings.Settings)
    assert len(credential("identity-key", gateway.credentials_dir, length=32)) == 32
    assert len(credential("box-secret", gateway.credentials_dir, length=32)) == 32
    head = load(folder / "hq/etc/consentry/hq.toml", hq.settings.Settings)
    assert len(credential("sealing-key", head.credentials_dir, length=96)) == 96
    for path in (gateway.hq_root_key, gateway.hq_keys, gateway.broker.ca, gateway.broker.certificate, head.keys):
        assert path is not None
        assert path.is_file()


def test_the_pinned_root_opens_the_key_set_and_hq_holds_its_keys(folder: Path) -> None:
    """What a store trusts is what HQ signs and opens with."""
    etc, held = folder / "stores/berlin-1/etc/consentry", folder / "hq/credentials/hq"
    root = Ed25519PublicKey.from_public_bytes((etc / "hq-root.pub").read_bytes())
    key_set = keys.open_key_set(root, (etc / "keys.cbor").read_bytes())
    seed = Ed25519PrivateKey.from_private_bytes((held / "signing-key").read_bytes())
    assert [one.public for one in key_set.signing] == [seed.public_key().public_bytes_raw()]
    assert [one.public for one in key_set.sealing] == [keys.sealing_public_bytes((held / "sealing-key").read_bytes())]
    assert key_set.not_after_s > NOW.timestamp()


def test_a_new_sealing_key_gets_a_new_number_and_a_higher_version(folder: Path, estate: Estate) -> None:
    """A key keeps its number; the version only rises."""
    path, key = folder / "hq/etc/consentry/keys.cbor", folder / "hq/credentials/hq/sealing-key"
    root = Ed25519PublicKey.from_public_bytes((folder / "stores/berlin-1/etc/consentry/hq-root.pub").read_bytes())
    before = keys.open_key_set(root, path.read_bytes())
    key.write_bytes(keys.make_sealing_private())
    apply.provision(folder, estate, NOW)
    after = keys.open_key_set(root, path.read_bytes())
    assert after.version > before.version
    assert after.signing == before.signing
    assert after.sealing[0].number not in {before.signing[0].number, before.sealing[0].number}


def test_hq_is_told_the_stores_identity(folder: Path) -> None:
    """The row holds the public half of the key that the box signs with."""
    row = json.loads((folder / "stores/berlin-1/store.json").read_text())
    seed = (folder / "stores/berlin-1/credentials/gateway/identity-key").read_bytes()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert row == {"store": "berlin-1", "identity": public.hex()}


def test_stores_share_no_secret(folder: Path) -> None:
    """Every key of every store is its own."""
    found = [path.read_bytes() for path in (folder / "stores").rglob("credentials/*/*")]
    assert len(found) == 10
    assert len(set(found)) == 10


@pytest.mark.needs("openssl")
def test_openssl_accepts_the_chains_in_strict_mode(folder: Path, needs: Callable[[str], str]) -> None:
    """Another implementation, as strict as it can be, agrees with every certificate and its purpose."""
    stores, authority = folder / "stores/berlin-1/etc/consentry/certs", folder / "authority"
    for ca, purpose, certificate in (
        (authority / "broker-ca.pem", "sslclient", folder / "hq/etc/consentry/certs/hq.pem"),
        (authority / "broker-ca.pem", "sslclient", stores / "store.pem"),
        (authority / "broker-ca.pem", "sslserver", folder / "broker/etc/mosquitto/consentry/server.pem"),
        (authority / "stores/berlin-1/ca.pem", "sslserver", stores / "tablets.pem"),
    ):
        command: list[str | Path] = [
            needs("openssl"),
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            ca,
            certificate,
        ]
        assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0, certificate
    wrong: list[str | Path] = [
        needs("openssl"),
        "verify",
        "-purpose",
        "sslserver",
        "-CAfile",
        authority / "broker-ca.pem",
        stores / "store.pem",
    ]
    assert subprocess.run(wrong, capture_output=True, check=False).returncode != 0


def test_a_tablet_that_trusts_the_stores_authority_trusts_the_box(tmp_path: Path) -> None:
    """A TLS handshake, checked by name and address, with the very files; another name is refused."""
    estate = Estate(HqSettings("mqtt.example"), {"s": StoreSettings(tablet_names=_NAMES)})
    apply.provision(tmp_path, estate, NOW)
    far = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    far.load_cert_chain(
        tmp_path / "stores/s/etc/consentry/certs/tablets.pem", tmp_path / "stores/s/credentials/tablets/tls-key"
    )
    near = ssl.create_default_context(cafile=str(tmp_path / "tablets/s/store-authority.pem"))
    near.verify_flags |= ssl.VERIFY_X509_STRICT
    for name, trusted in (
        ("shop.example", True),
        ("192.168.7.2", True),
        ("s.local", True),
        ("elsewhere.example", False),
    ):
        assert _shakes_hands(near, far, name) is trusted


@pytest.mark.parametrize("name", ["bank.example", "shop.example.evil.example", "192.168.7.3"])
def test_the_key_that_the_box_holds_signs_for_no_other_server(tmp_path: Path, name: str) -> None:
    """Whoever steals it cannot play another server to a tablet that trusts the store's authority."""
    apply.provision(tmp_path, Estate(HqSettings("mqtt.example"), {"s": StoreSettings(tablet_names=_NAMES)}), NOW)
    authority = tmp_path / "tablets/s/store-authority.pem"
    stolen = (tmp_path / "stores/s/credentials/gateway/authority-key").read_bytes()
    far = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = identity.make_tls_key()
    subject = identity.Subject("forged", identity.Use.SERVER, (name,))
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "forged").write_bytes(
        identity.make_certificate(subject, key, authority.read_bytes(), stolen, datetime.now(UTC))
    )
    far.load_cert_chain(tmp_path / "forged", tmp_path / "key")
    assert not _shakes_hands(ssl.create_default_context(cafile=str(authority)), far, name)
    free = ssl.create_default_context(cafile=str(tmp_path / "forged"))
    free.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    assert _shakes_hands(free, far, name)  # the forgery has no other fault


def _shakes_hands(near: ssl.SSLContext, far: ssl.SSLContext, name: str) -> bool:
    lines = [ssl.MemoryBIO() for _ in range(4)]
    asking = near.wrap_bio(lines[0], lines[1], server_hostname=name)
    answering = far.wrap_bio(lines[2], lines[3], server_side=True)
    for _ in range(4):
        for end in (asking, answering):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
            lines[2].write(lines[1].read())
            lines[0].write(lines[3].read())
    return asking.version() is not None
