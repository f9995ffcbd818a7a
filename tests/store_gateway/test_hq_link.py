"""Two connections to a real mosquitto, lost and found again."""

import datetime
import os
import pwd
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from paho.mqtt import publish as paho_publish
from paho.mqtt import subscribe as paho_subscribe

from store_gateway.errors import LinkError, LinkReason
from store_gateway.hq_link import HqLink, tls_context
from store_gateway.settings import Broker, Settings
from wire import sync
from wire.sync import MAX_PAYLOAD_BYTES

STORE = "berlin-1"
LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Both as PEM files."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        encoding = serialization.Encoding.PEM
        key.write_bytes(self.key.private_bytes(encoding, form, serialization.NoEncryption()))
        return certificate, key


def issue(name: str, by: Issued | None, from_: datetime.datetime, days: int) -> Issued:
    """A certificate for `name`, signed by another or (an authority) by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(from_)
        .not_valid_after(from_ + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by is not None:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        builder = builder.add_extension(usages, critical=False)
    return Issued(builder.sign((by or Issued(None, key)).key, hashes.SHA256()), key)  # type: ignore[arg-type]


class Mosquitto:
    """A broker on loopback with what a test configures."""

    def __init__(self, program: str, folder: Path, settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._program = program
        self._file = folder / "mosquitto.conf"
        # Started by root it would else become a user who may not read a test's folder.
        owner = pwd.getpwuid(os.getuid()).pw_name
        self._file.write_text(f"user {owner}\nlistener {self.port} 127.0.0.1\n{settings}\n")
        self._log = folder / "mosquitto.log"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it listens."""
        with self._log.open("ab") as log:
            self._child = subprocess.Popen([self._program, "-c", self._file], stdout=log, stderr=log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self._child.poll() is None, self._log.read_text()
                time.sleep(0.025)
            else:
                return
        raise AssertionError("the broker does not listen")

    def kill(self) -> None:
        """It is gone without a word."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)
            self._child = None


class Heard:
    """A link and what it handed on."""

    def __init__(self, settings: Settings) -> None:
        self.messages: queue.Queue[tuple[bytes, bool]] = queue.Queue()
        self.links: queue.Queue[bool] = queue.Queue()
        self.link = HqLink(settings, lambda *found: self.messages.put(found), self.links.put, chance=lambda: 0.0)
        self.link.start()

    def await_lanes(self, count: int) -> None:
        """Waits until both lanes are up for the `count`th time."""
        wanted = {"link_main_connected": count, "link_now_connected": count}
        for _ in range(400):
            if wanted.items() <= self.link.counters().items():
                return
            time.sleep(0.025)
        raise AssertionError(self.link.counters())


@pytest.fixture
def links() -> Iterator[Callable[[Settings], Heard]]:
    """Starts links, and stops them at the end."""
    started: list[Heard] = []

    def begin(settings: Settings) -> Heard:
        started.append(Heard(settings))
        return started[-1]

    yield begin
    for heard in started:
        heard.link.stop()


@pytest.fixture
def brokers(needs: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[[str], Mosquitto]]:
    """Starts brokers, and ends them."""
    started: list[Mosquitto] = []

    def begin(settings: str) -> Mosquitto:
        started.append(Mosquitto(needs("mosquitto"), tmp_path, settings))
        started[-1].start()
        return started[-1]

    yield begin
    for broker in started:
        broker.kill()


def a_settings(port: int, **changes: object) -> Settings:
    """A gateway's settings for a broker on loopback."""
    broker = Broker("localhost", certificate=None, ca=None, port=port, tls=False)
    there = Path("/nonexistent")
    return Settings(STORE, there, there, replace(broker, **changes), None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Pki:
    """An authority, a broker's and a store's certificate."""

    folder: Path
    broker_configuration: str

    def settings(self, port: int) -> Settings:
        """A gateway that shows the store's certificate."""
        files = {"certificate": self.folder / "store.pem", "ca": self.folder / "ca.pem"}
        return replace(a_settings(port, tls=True, **files), credentials_dir=self.folder)


def a_pki(folder: Path, broker_from: datetime.datetime = LONG_AGO, *, strangers: bool = False) -> Pki:
    """Certificates; the broker's and the authority's ended long ago, as they seem to a box whose clock is wrong."""
    authority = issue("authority", None, broker_from, 30)
    today = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    authority.write(folder, "ca")
    ca_of_clients = issue("clients", None, today, 30)
    ca_of_clients.write(folder, "clients")
    other = issue("other", None, broker_from, 30) if strangers else authority
    certificate, key = issue("localhost", other, broker_from, 30).write(folder, "broker")
    _, store_key = issue(STORE, ca_of_clients, today, 30).write(folder, "store")
    store_key.rename(folder / "broker-key")
    return Pki(
        folder,
        f"cafile {folder / 'clients.pem'}\ncertfile {certificate}\nkeyfile {key}\n"
        "require_certificate true\nuse_identity_as_username true\nallow_anonymous false",
    )


@pytest.mark.needs("mosquitto")
def test_both_lanes_carry_and_say_which_they_are(
    brokers: Callable[[str], Mosquitto], links: Callable[[Settings], Heard]
) -> None:
    """What comes on `now` is told from `down`; what is published is on `up`; a strange payload breaks nothing."""
    broker = brokers("allow_anonymous true")
    heard = links(a_settings(broker.port))
    assert heard.links.get(timeout=10) is True
    heard.await_lanes(1)
    for topic, payload in (
        (sync.down(STORE), b"d"),
        (sync.now(STORE), b"n"),
        (sync.down("hamburg-1"), b"not ours"),
        (sync.down(STORE), b""),
        (sync.down(STORE), bytes(MAX_PAYLOAD_BYTES * 2)),
        (sync.down(STORE), b"last"),
    ):
        paho_publish.single(topic, payload, qos=1, hostname="127.0.0.1", port=broker.port)
    arrived = [heard.messages.get(timeout=10) for _ in range(5)]
    assert sorted(arrived, key=lambda one: one[1]) == [
        (b"d", False),
        (b"", False),
        (bytes(MAX_PAYLOAD_BYTES + 1), False),
        (b"last", False),
        (b"n", True),
    ]
    found: queue.Queue[bytes] = queue.Queue()
    listener = threading.Thread(
        target=lambda: found.put(
            paho_subscribe.simple(sync.UP_OF_ALL, qos=1, hostname="127.0.0.1", port=broker.port).payload
        ),
        daemon=True,
    )
    listener.start()
    for _ in range(100):
        heard.link.publish(b"hello")
        try:
            assert found.get(timeout=0.1) == b"hello"
        except queue.Empty:
            continue
        break
    else:
        raise AssertionError("nothing came up")
    listener.join(5)


@pytest.mark.needs("mosquitto")
def test_a_broker_that_goes_is_found_again(
    brokers: Callable[[str], Mosquitto], links: Callable[[Settings], Heard]
) -> None:
    """Killed in the middle and started again: down, then up, and the subscriptions are made anew."""
    broker = brokers("allow_anonymous true")
    heard = links(a_settings(broker.port))
    assert heard.links.get(timeout=10) is True
    heard.await_lanes(1)
    broker.kill()
    assert heard.links.get(timeout=10) is False
    heard.link.publish(b"into the void")
    assert heard.link.counters()["link_main_not_sent"] == 1
    broker.start()
    assert heard.links.get(timeout=10) is True
    heard.await_lanes(2)
    for topic in (sync.down(STORE), sync.now(STORE)):
        paho_publish.single(topic, b"again", qos=1, hostname="127.0.0.1", port=broker.port)
    assert {heard.messages.get(timeout=10) for _ in range(2)} == {(b"again", False), (b"again", True)}
    heard.link.stop()
    assert heard.links.get(timeout=10) is False


@pytest.mark.needs("mosquitto")
def test_an_ended_certificate_of_the_broker_is_no_hindrance(
    brokers: Callable[[str], Mosquitto], links: Callable[[Settings], Heard], tmp_path: Path
) -> None:
    """A box has no clock before HQ tells it the time, so dates alone are not looked at."""
    pki = a_pki(tmp_path)
    broker = brokers(pki.broker_configuration)
    heard = links(pki.settings(broker.port))
    assert heard.links.get(timeout=10) is True


@pytest.mark.needs("mosquitto")
def test_a_broker_of_another_authority_is_not_spoken_to(
    brokers: Callable[[str], Mosquitto], links: Callable[[Settings], Heard], tmp_path: Path
) -> None:
    """Only dates are passed over: who signed still counts."""
    pki = a_pki(tmp_path, strangers=True)
    broker = brokers(pki.broker_configuration)
    heard = links(pki.settings(broker.port))
    for _ in range(200):
        if heard.link.counters().get("link_main_failed_tls"):
            break
        time.sleep(0.05)
    assert heard.link.counters()["link_main_failed_tls"] >= 1
    assert heard.links.empty()


@pytest.mark.needs("mosquitto")
def test_another_hosts_certificate_is_not_accepted(
    brokers: Callable[[str], Mosquitto], links: Callable[[Settings], Heard], tmp_path: Path
) -> None:
    """The name in the certificate is the one that was dialled."""
    pki = a_pki(tmp_path)
    broker = brokers(pki.broker_configuration)
    settings = pki.settings(broker.port)
    heard = links(replace(settings, broker=replace(settings.broker, host="127.0.0.1")))
    for _ in range(200):
        if heard.link.counters().get("link_main_failed_tls"):
            break
        time.sleep(0.05)
    assert heard.links.empty()
    assert heard.link.counters()["link_main_failed_tls"] >= 1


def test_a_missing_or_broken_file_is_said(tmp_path: Path) -> None:
    """Before anything is dialled; no key is left in a file."""
    pki = a_pki(tmp_path)
    tls_context(pki.settings(1))
    for name in ("broker-key", "store.pem", "ca.pem"):
        kept = (tmp_path / name).read_bytes()
        for wrong in (b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", None):
            (tmp_path / name).unlink(missing_ok=True)
            if wrong is not None:
                (tmp_path / name).write_bytes(wrong)
            with pytest.raises(LinkError) as caught:
                tls_context(pki.settings(1))
            assert caught.value.reason is LinkReason.FILES
        (tmp_path / name).write_bytes(kept)


def test_no_broker_at_all_is_tried_again_and_ends_when_told(links: Callable[[Settings], Heard]) -> None:
    """Nothing listens: counted, said once, and `stop` does not wait for a dial."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        heard = links(a_settings(taken.getsockname()[1]))
        for _ in range(200):
            if heard.link.counters().get("link_main_failed_unreachable", 0) >= 2:
                break
            time.sleep(0.05)
        assert heard.link.counters()["link_main_failed_unreachable"] >= 2
        heard.link.stop()
    assert heard.links.empty()
