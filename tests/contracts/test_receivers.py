"""A store's own broker by the configuration that is provisioned, with what speaks on it and the gateway's link to it.

mosquitto, TLS, certificates and passwords are real; satellites are real `consentry-edge` processes that replay adverts;
cheap receivers are played by an MQTT client that publishes what their documentation says.
"""

import json
import os
import pwd
import queue
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from provisioning import apply, identity
from provisioning.settings import Estate, HqSettings, ReceiverSettings, StoreSettings
from runtime.config import load
from runtime.errors import UnavailableError
from store_gateway import operator
from store_gateway.receivers_link import ReceiversLink
from store_gateway.settings import Settings
from tests.world import World, a_policy
from wire import air, query, satellite, sighting
from wire.member import Mode
from wire.receivers import ReceiverKind, adverts_topic, satellite_topic, state_topic
from wire.satellite import SatelliteFrame
from wire.sighting import Batch, Health, RadioReason, RadioState, Sighting
from wire.token import Kind

pytestmark = [pytest.mark.system, pytest.mark.needs("mosquitto")]

STORE, OTHER = "berlin-1", "paris-2"
BACK, FRONT, DOOR, TILL = "back", "front", "OMG_door", "till"
WITHIN_S = 20.0
TOKEN = bytes(range(16))


def boot_s() -> float:
    """CLOCK_BOOTTIME, as the gateway reads it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def until(true: Callable[[], object], what: str) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < end, f"{what} did not happen within {WITHIN_S} s"
        time.sleep(0.02)


class Floor:
    """A provisioned folder with two stores, and the first one's own broker."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.port, self.passwords_port = free_port(), free_port()
        there = (
            ReceiverSettings(ReceiverKind.SATELLITE, BACK, ("hats-1",)),
            ReceiverSettings(ReceiverKind.SATELLITE, FRONT, ("pharmacy-1",)),
            ReceiverSettings(ReceiverKind.OPENMQTTGATEWAY, DOOR, ("door-1",)),
            ReceiverSettings(ReceiverKind.THEENGS, TILL, ("till-1",)),
        )
        store = StoreSettings(
            ("shoes-1",), tablet_names=("localhost",), receivers=there, receivers_listen="127.0.0.1",
            receivers_port=self.port, passwords_port=self.passwords_port,
        )  # fmt: skip
        other = StoreSettings(
            tablet_names=("localhost",), receivers=(ReceiverSettings(ReceiverKind.SATELLITE, BACK, ("hats-1",)),),
            receivers_port=self.port,
        )  # fmt: skip
        me = pwd.getpwuid(os.getuid()).pw_name
        self.hq = HqSettings("127.0.0.1", in_place=True, unix_user=me)
        self.estate = Estate(self.hq, {STORE: store, OTHER: other})
        apply.provision(folder, self.estate, datetime.now(UTC))
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def settings(self) -> Settings:
        """The gateway's, as its program reads them."""
        return load(self.folder / f"stores/{STORE}/etc/consentry/gateway.toml", Settings)

    def start(self) -> None:
        """Starts the broker and waits until it listens."""
        at = self.folder / f"stores/{STORE}/etc/mosquitto/conf.d/consentry-store.conf"
        with (self.folder / "broker.log").open("ab") as log:
            self._child = subprocess.Popen([self._program, "-c", at], stdout=log, stderr=log)
        until(self._listens, "listening")

    def _listens(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, (self.folder / "broker.log").read_text()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def reload(self) -> None:
        """What an operator does after a changed bundle was installed."""
        assert self._child is not None
        self._child.send_signal(signal.SIGHUP)
        time.sleep(0.3)

    def kill(self) -> None:
        """The broker is gone without a word."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)
            self._child = None

    def freeze(self) -> None:
        """It stands still; the kernel goes on taking what is sent to it."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)

    def satellite_files(self, store: str, name: str) -> tuple[Path, Path]:
        """A satellite's certificate and key."""
        at = self.folder / f"satellites/{store}/{name}"
        return at / "etc/consentry/certs/satellite.pem", at / "credentials/satellite/satellite-key"

    def by_certificate(self, certificate: Path, key: Path) -> "Speaker":
        """A connection with a client's certificate."""
        return Speaker(self, self.port, certificate, key)

    def by_password(self, name: str, password: str | None = None) -> "Speaker":
        """A connection of a cheap receiver."""
        held = (self.folder / f"receivers/{STORE}/{name}/password").read_text().strip()
        return Speaker(self, self.passwords_port, name=name, password=password if password is not None else held)


class Speaker:
    """A connection to the broker. Raises: ConnectionError or OSError, where it is refused."""

    def __init__(
        self,
        floor: Floor,
        port: int,
        certificate: Path | None = None,
        key: Path | None = None,
        name: str | None = None,
        password: str | None = None,
        will: str | None = None,
    ) -> None:
        context = ssl.create_default_context(cafile=str(floor.folder / f"receivers/{STORE}/{DOOR}/receivers-ca.pem"))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        self.heard: list[tuple[str, bytes]] = []
        self._up: queue.Queue[bool] = queue.Queue()
        self._far = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311, reconnect_on_failure=False)
        self._far.tls_set_context(context)
        if name is not None:
            self._far.username_pw_set(name, password)
            self._far.will_set(state_topic(name), "offline", retain=True)
        self._far.on_connect = lambda *found: self._up.put(not found[3].is_failure)
        self._far.on_disconnect = lambda *found: self._up.put(False)
        self._far.on_message = lambda far, own, message: self.heard.append((message.topic, message.payload))
        self._far.connect("localhost", port, 10)
        self._far.loop_start()
        if not self._up.get(timeout=WITHIN_S):
            self.close()
            raise ConnectionError("refused")

    def say(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publishes, and waits for the broker's word (it acknowledges what it drops, too)."""
        self._far.publish(topic, payload, 1, retain).wait_for_publish(WITHIN_S)

    def listen(self, topic: str) -> None:
        """Subscribes, and waits for the broker's word."""
        there = threading.Event()
        self._far.on_subscribe = lambda *found: there.set()
        self._far.subscribe(topic)
        assert there.wait(WITHIN_S)

    def vanish(self) -> None:
        """The connection breaks without a goodbye."""
        opened = self._far.socket()
        assert opened is not None
        opened.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Says goodbye."""
        self._far.disconnect()
        self._far.loop_stop()


class Gateway:
    """The gateway's link, and what it hands on."""

    def __init__(self, floor: Floor) -> None:
        self.heard: queue.Queue[Batch | Health] = queue.Queue()
        self.all: list[Batch | Health] = []
        settings = floor.settings
        assert settings.receivers is not None
        self.link = ReceiversLink(
            STORE, settings.receivers, settings.credentials_dir, self._take, boot_s, chance=lambda: 0.0
        )
        self.link.start()
        until(lambda: self.counts("link_receivers_connected"), "the gateway's connection")

    def _take(self, heard: Batch | Health) -> None:
        self.all.append(heard)
        self.heard.put(heard)

    def counts(self, name: str) -> int:
        """One figure of the link."""
        return self.link.counters().get(name, 0)

    def hears(self, node: str, token: bytes = TOKEN) -> Sighting:
        """Waits for a sighting of that token at that node that comes from now on."""
        end = time.monotonic() + WITHIN_S
        while True:
            one = self.heard.get(timeout=max(0.01, end - time.monotonic()))
            if isinstance(one, Batch) and one.node == node:
                for found in one.sightings:
                    if found.token == token:
                        return found

    def says_of(self, node: str, state: RadioState) -> Health:
        """Waits for that node's health to be so."""
        end = time.monotonic() + WITHIN_S
        while True:
            one = self.heard.get(timeout=max(0.01, end - time.monotonic()))
            if isinstance(one, Health) and one.node == node and one.state is state:
                return one


class Edge:
    """A real `consentry-edge replay -` with a satellite's configuration, fed line by line."""

    def __init__(self, floor: Floor, config: Path) -> None:
        self._log = floor.folder / f"{config.parent.parent.parent.name}.log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "edge", "--config", config, "replay", "-"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip

    def replays(self, token: bytes, rssi_dbm: int) -> None:
        """One advert of format F1."""
        assert self._child.stdin is not None
        line = {"address": "C0:FF:EE:00:00:01", "rssi": rssi_dbm, "raw": air.f1(token, bytes(5)).hex()}
        self._child.stdin.write(json.dumps(line).encode() + b"\n")
        self._child.stdin.flush()

    def log(self) -> str:
        """Everything that it wrote."""
        return self._log.read_text()

    def end(self) -> int:
        """The end of the recording; its exit code."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        return self._child.wait(WITHIN_S)

    def kill(self) -> None:
        """Ends it however it is."""
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.close()


@pytest.fixture(scope="module")
def floor(needs: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """A store's broker that runs; a test that kills it starts it again."""
    made = Floor(tmp_path_factory.mktemp("floor"), needs("mosquitto"))
    yield made
    made.kill()


@pytest.fixture
def gateway(floor: Floor) -> Iterator[Gateway]:
    """The gateway's link, connected."""
    made = Gateway(floor)
    yield made
    made.link.stop()


@pytest.fixture
def edges(floor: Floor) -> Iterator[Callable[..., Edge]]:
    """Starts satellites, and ends them."""
    started: list[Edge] = []

    def begin(name: str = BACK, store: str = STORE, **changes: str) -> Edge:
        config = floor.folder / f"satellites/{store}/{name}/etc/consentry/satellite.toml"
        if changes:
            text = config.read_text()
            for old, new in changes.items():
                text = text.replace(old.replace("_", "-"), new)
            (config.parent / "changed.toml").write_text(text)
            config = config.parent / "changed.toml"
        started.append(Edge(floor, config))
        return started[-1]

    yield begin
    for one in started:
        one.kill()


def omg(token: bytes, rssi_dbm: int) -> str:
    """What OpenMQTTGateway publishes of an advert of format F1 with `pubadvdata`."""
    return json.dumps(
        {"id": "60:87:57:4C:9B:C2", "mac_type": 1, "adv_type": 0, "rssi": rssi_dbm,
         "manufacturerdata": air.f1(token, bytes(5))[2:].hex()}
    )  # fmt: skip


def a_frame(number: int, sent_ms: int, node: str = "hats-1", token: bytes = TOKEN) -> bytes:
    """What a satellite publishes, made by hand."""
    (datagram,) = sighting.encode_batch(node, [Sighting(node, token, -60, 1, sent_ms, sent_ms)])
    return satellite.encode(SatelliteFrame(b"s" * 16, number, sent_ms, datagram))


def test_a_member_heard_by_three_kinds_of_receivers_is_in_the_zone_of_the_strongest(
    floor: Floor, gateway: Gateway, edges: Callable[..., Edge]
) -> None:
    """The box's radio, a satellite and an OpenMQTTGateway hear one phone: one visit, in the right zone, that moves."""
    policy = a_policy()
    zones = tuple(replace(zone, hours=None) for zone in policy.store.zones)
    door = replace(zones[0], id="door", label="Door", nodes=("door-1",))
    world = World(replace(policy, store=replace(policy.store, dwell_s=1, zones=(*zones, door))))
    person, tablet = world.joins(Mode.OPEN), world.tablet()
    back, cheap = edges(), floor.by_password(DOOR)
    token = world.token(person, Kind.PRESENCE)

    def lives(box_dbm: int, satellite_dbm: int, cheap_dbm: int, zone: str) -> None:
        for _ in range(60):
            world.hears(person, Kind.PRESENCE, "shoes-1", box_dbm)
            back.replays(token, satellite_dbm)
            cheap.say(f"{adverts_topic(DOOR)}/6087574C9BC2", omg(token, cheap_dbm))
            time.sleep(0.1)
            while not gateway.heard.empty():
                world.gateway.on_sighting(gateway.heard.get(), world.now_s)
            world.passes(0.5)  # five times as fast as the clock on the wall
            visits = world.floor(tablet).visits
            if [visit.zone_label for visit in visits] == [zone]:
                return
        raise AssertionError(f"not in {zone}: {visits}")

    lives(-75, -50, -78, "Hats")
    (first,) = world.floor(tablet).visits
    lives(-80, -76, -48, "Door")
    (second,) = world.floor(tablet).visits
    assert second.handle == first.handle
    lives(-45, -70, -75, "Shoes")
    assert gateway.counts("receivers_adverts_total") >= 10
    assert back.end() == 0
    cheap.close()
    assert token.hex() not in back.log()


def test_a_satellites_health_comes_the_same_way(gateway: Gateway, edges: Callable[..., Edge]) -> None:
    """Each of its radios is told of, with the satellite's own counts."""
    back = edges()
    for _ in range(3):
        back.replays(TOKEN, -60)
    gateway.hears("hats-1")
    assert back.end() == 0, back.log()
    last = gateway.says_of("hats-1", RadioState.HEARING)
    until(lambda: any(isinstance(one, Health) and one.candidates == 3 for one in gateway.all), "the last health")
    assert last.adapter == sighting.REPLAY


def test_a_satellite_sends_four_times_a_second(gateway: Gateway, edges: Callable[..., Edge]) -> None:
    """A phone that is heard all the time is a sighting each quarter of a second, by the satellite's own clock."""
    back = edges()
    back.replays(TOKEN, -60)
    gateway.hears("hats-1")
    for _ in range(60):
        back.replays(TOKEN, -60)
        time.sleep(0.025)
    assert back.end() == 0
    began = [one.first_ms for batch in gateway.all if isinstance(batch, Batch) for one in batch.sightings]
    assert 200 <= statistics.median(later - earlier for earlier, later in pairwise(began)) <= 350


def test_a_broker_that_goes_is_found_again_by_both_and_the_loss_is_counted(
    floor: Floor, gateway: Gateway, edges: Callable[..., Edge]
) -> None:
    """Killed and started again: nothing that was heard meanwhile comes late, and all of it is counted."""
    back = edges()
    back.replays(TOKEN, -60)
    gateway.hears("hats-1")
    floor.kill()
    until(lambda: "event=link_down" in back.log(), "the satellite's warning")
    for n in range(4):
        back.replays(bytes([n]) * 16, -60)
        time.sleep(0.3)
    until(lambda: "event=cannot_send" in back.log(), "the satellite's drops")
    floor.start()
    until(lambda: gateway.counts("link_receivers_connected") == 2, "the gateway's return")
    until(lambda: back.log().count("event=connected") == 2, "the satellite's return")
    for _ in range(40):
        back.replays(b"again" + bytes(11), -60)
        time.sleep(0.05)
    gateway.hears("hats-1", b"again" + bytes(11))
    assert gateway.counts("receivers_lost_total") >= 4
    assert back.end() == 0
    tokens = {one.token for batch in gateway.all if isinstance(batch, Batch) for one in batch.sightings}
    assert tokens == {TOKEN, b"again" + bytes(11)}
    assert back.log().count("event=link_down") <= 2, "said once for each reason, not at each try"


@pytest.mark.long
def test_what_a_broker_held_back_is_not_heard_late(floor: Floor, gateway: Gateway, edges: Callable[..., Edge]) -> None:
    """A broker that stands still for six seconds and goes on: of what it held, only the last two seconds are heard."""
    back = edges()
    back.replays(TOKEN, -60)
    gateway.hears("hats-1")
    floor.freeze()
    tokens = [bytes([n]) * 16 for n in range(1, 13)]
    for token in tokens:
        back.replays(token, -60)
        time.sleep(0.5)
    floor.thaw()
    gateway.hears("hats-1", tokens[-1])
    heard = {one.token for batch in gateway.all if isinstance(batch, Batch) for one in batch.sightings}
    assert not heard & set(tokens[:6])
    assert set(tokens[-2:]) <= heard
    assert gateway.counts("receivers_stale_total") >= 6
    assert back.end() == 0


def test_a_satellite_of_another_store_does_not_come_in(
    floor: Floor, gateway: Gateway, edges: Callable[..., Edge]
) -> None:
    """Its certificate is of another authority; it does not trust this broker either."""
    wrong = edges(store=OTHER)
    until(lambda: "event=link_down" in wrong.log(), "the refusal")
    assert "reason=tls" in wrong.log()
    with pytest.raises((OSError, ConnectionError)):
        floor.by_certificate(*floor.satellite_files(OTHER, BACK))
    assert gateway.counts("receivers_frames_total") == 0


def test_wrong_credentials_are_refused_on_both_ports(floor: Floor, tmp_path: Path) -> None:
    """No certificate, one that was not signed, a wrong password, another's, none at all."""
    key = identity.make_tls_key()
    own = identity.make_certificate(
        identity.Subject(BACK, identity.Use.CLIENT), key, identity.make_authority("self", key, datetime.now(UTC)), key,
        datetime.now(UTC),
    )  # fmt: skip
    (tmp_path / "own.pem").write_bytes(own)
    (tmp_path / "own.key").write_bytes(key)
    refused = (OSError, ConnectionError)
    with pytest.raises(refused):
        floor.by_certificate(tmp_path / "own.pem", tmp_path / "own.key")
    with pytest.raises(refused):
        Speaker(floor, floor.port)
    with pytest.raises(refused):
        Speaker(floor, floor.passwords_port)
    with pytest.raises(refused):
        floor.by_password(DOOR, "wrong")
    with pytest.raises(refused):
        floor.by_password(DOOR, (floor.folder / f"receivers/{STORE}/{TILL}/password").read_text().strip())
    floor.by_password(TILL).close()


def test_nobody_speaks_or_listens_on_anothers_topic(floor: Floor, gateway: Gateway) -> None:
    """Neither a satellite nor a cheap receiver, whatever it tries; and none of them hears anything."""
    back, cheap = floor.by_certificate(*floor.satellite_files(STORE, BACK)), floor.by_password(DOOR)
    for one in (back, cheap):
        one.listen("#")
    now_ms = int(boot_s() * 1000)
    for topic in (satellite_topic(STORE, FRONT), satellite_topic(OTHER, BACK), f"{adverts_topic(TILL)}/x"):
        back.say(topic, a_frame(1, now_ms, "pharmacy-1"))
        cheap.say(topic, omg(TOKEN, -60))
    back.say(f"{adverts_topic(DOOR)}/x", omg(TOKEN, -60))
    cheap.say(satellite_topic(STORE, BACK), a_frame(1, now_ms))
    cheap.say(f"{adverts_topic(DOOR)}/x", omg(b"mine" * 4, -60))
    assert gateway.hears("door-1", b"mine" * 4).rssi_dbm == -60
    back.say(satellite_topic(STORE, BACK), a_frame(1, now_ms))
    gateway.hears("hats-1")
    nodes = [one.node for one in gateway.all if isinstance(one, Batch)]
    assert nodes == ["door-1", "hats-1"]
    assert back.heard == cheap.heard == []
    back.close()
    cheap.close()


def test_a_satellite_that_claims_a_blind_zones_node_is_not_believed(
    floor: Floor, gateway: Gateway, edges: Callable[..., Edge]
) -> None:
    """Neither one that was configured wrongly nor one that was broken into; each try is counted."""
    wrong = edges(hats_1="pharmacy-1")
    for _ in range(3):
        wrong.replays(TOKEN, -40)
    until(lambda: gateway.counts("receivers_foreign_total") >= 2, "the drops")
    assert wrong.end() == 0
    assert not [one for one in gateway.all if one.node in ("pharmacy-1", "hats-1")]


def test_what_is_stale_repeated_kept_or_nonsense_is_dropped_and_counted(floor: Floor, gateway: Gateway) -> None:
    """On the real way; what is good is heard between all that."""
    back, topic = floor.by_certificate(*floor.satellite_files(STORE, BACK)), satellite_topic(STORE, BACK)
    now_ms = int(boot_s() * 1000)
    back.say(topic, a_frame(1, now_ms))
    gateway.hears("hats-1")
    back.say(topic, a_frame(2, now_ms - 10_000))  # as if it had been held back for ten seconds
    back.say(topic, a_frame(1, now_ms))
    for payload in (b"", b"\xff" * 50, b"{}", bytes(9_000), a_frame(3, now_ms)[:-1]):
        back.say(topic, payload)
    back.say(topic, a_frame(3, now_ms), retain=True)
    back.say(topic, a_frame(4, int(boot_s() * 1000), token=b"last" * 4))
    gateway.hears("hats-1", b"last" * 4)
    figures = gateway.link.counters()
    assert figures["receivers_stale_total"] == 1
    assert figures["receivers_repeated_total"] == 1
    assert figures["receivers_malformed_total"] == 5
    assert figures["receivers_lost_total"] == 0
    assert figures["receivers_frames_total"] == 10
    again = Gateway(floor)  # who subscribes now is sent what the broker kept
    until(lambda: again.counts("receivers_retained_total") == 1, "the kept frame")
    assert not [one for one in again.all if isinstance(one, Batch)]
    again.link.stop()
    back.say(topic, b"", retain=True)
    back.close()


def test_a_cheap_receiver_is_ill_when_the_broker_says_that_it_went(floor: Floor, gateway: Gateway) -> None:
    """Its last will; one that comes back is heard again."""
    cheap = floor.by_password(TILL)
    cheap.say(state_topic(TILL), "online", retain=True)
    cheap.say(f"{adverts_topic(TILL)}/608757", omg(TOKEN, -70))
    assert gateway.hears("till-1").rssi_dbm == -70
    assert gateway.says_of("till-1", RadioState.HEARING).adverts == 1
    cheap.vanish()
    gone = gateway.says_of("till-1", RadioState.ILL)
    assert gone.reason is RadioReason.NO_ANSWER
    cheap.close()
    again = floor.by_password(TILL)
    again.say(f"{adverts_topic(TILL)}/608757", omg(TOKEN, -71))
    assert gateway.hears("till-1").rssi_dbm == -71
    again.close()


def test_the_gateways_program_hears_a_satellite(floor: Floor, edges: Callable[..., Edge]) -> None:
    """By the configuration that is written for it: a sighting from another box counts like any other."""
    config = floor.folder / f"stores/{STORE}/etc/consentry/gateway.toml"
    settings = floor.settings
    for place in (settings.runtime_dir, settings.state_dir):
        place.mkdir(mode=0o700, exist_ok=True)
    with (floor.folder / "gateway.log").open("wb") as log:
        child = subprocess.Popen([sys.executable, "-m", "store_gateway", "--config", config], stderr=log)

    def figures() -> dict[str, int]:
        with suppress(UnavailableError):
            status = operator.ask(settings.runtime_dir / "operator.sock", query.AskStatus())
            assert isinstance(status, query.Status)
            return {one.name: one.value for one in status.counters}
        assert child.poll() is None, (floor.folder / "gateway.log").read_text()
        return {}

    try:
        until(lambda: figures().get("link_receivers_connected"), "the program's connection")
        back = edges()
        back.replays(TOKEN, -60)
        until(lambda: figures().get("sightings_total"), "the sighting")
        assert figures()["receivers_frames_total"] >= 1
        assert back.end() == 0
        child.terminate()
        assert child.wait(WITHIN_S) == 0
    finally:
        child.kill()
        child.wait()


def test_a_removed_satellite_and_an_old_password_open_nothing(floor: Floor) -> None:
    """After the folder was changed and the broker reloaded; the others come in as before."""
    certificate, key = floor.satellite_files(STORE, FRONT)
    old = [floor.folder / "old.pem", floor.folder / "old.key"]
    for path, source in zip(old, (certificate, key), strict=True):
        path.write_bytes(source.read_bytes())
    floor.by_certificate(*old).close()
    password = floor.folder / f"receivers/{STORE}/{TILL}/password"
    before = password.read_text().strip()
    password.unlink()
    files = apply.Files(floor.folder)
    revoked = apply.revoked_with(
        files, floor.estate, FRONT, [f"satellites/{STORE}/{FRONT}/etc/consentry/certs/satellite.pem"]
    )
    store = floor.estate.stores[STORE]
    store = replace(store, receivers=tuple(one for one in store.receivers if one.name != FRONT))
    floor.estate = replace(floor.estate, stores={**floor.estate.stores, STORE: store}, revoked=revoked)
    apply.provision(floor.folder, floor.estate, datetime.now(UTC))
    assert not certificate.exists()
    floor.reload()
    with pytest.raises((OSError, ConnectionError)):
        floor.by_certificate(*old)
    with pytest.raises((OSError, ConnectionError)):
        floor.by_password(TILL, before)
    floor.by_password(TILL).close()
    floor.by_certificate(*floor.satellite_files(STORE, BACK)).close()
