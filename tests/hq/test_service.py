"""`consentry-hq serve` as a process, on a real broker, with a store on the other end."""

import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from hq import keys as hq_keys
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, WRAPPING, Headquarters, text
from tests.waiting import until
from wire import schema, sync
from wire.keys import KeySet, SealingKey, SigningKey, make_sealing_private, sealing_public_bytes, sign_key_set
from wire.member import Member
from wire.sync import Lease, Message

TOP = Path(__file__).parents[2]


class Broker:
    """mosquitto on a port of its own, without TLS, on loopback."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._program = program
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self) -> None:
        """Starts it and waits until it listens."""
        self._running = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._listens, what="mosquitto listening")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Ends it."""
        self._running.terminate()
        self._running.wait(10)


class Wire:
    """The store's end: a fake store on a real connection."""

    def __init__(self, store: FakeStore, port: int) -> None:
        self.store = store
        self._heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _userdata, message: self._heard.put((message.topic, message.payload))
        self._client.on_connect = self._connected
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _connected(self, *arguments: object) -> None:
        for topic in (sync.down(STORE), sync.now(STORE)):
            self._client.subscribe(topic, 1)

    def close(self) -> None:
        """Hangs up."""
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, message: Message) -> None:
        """One message up."""
        self._client.publish(sync.up(STORE), self.store.close(message), 1)

    def hear(self, within_s: float) -> tuple[str, Message | None] | None:
        """The next payload, applied; None: nothing came."""
        try:
            topic, payload = self._heard.get(timeout=within_s)
        except queue.Empty:
            return None
        return topic.rpartition("/")[2], self.store.take(payload)

    def lease(self, within_s: float = 30.0) -> None:
        """Says hello until a lease comes."""
        until = time.monotonic() + within_s
        self.store.lease = None
        while self.store.lease is None and time.monotonic() < until:
            self.say(self.store.hello())
            while self.hear(0.5) is not None:
                pass
        assert self.store.lease is not None, [type(one).__name__ for one in self.store.heard]


@pytest.fixture
def broker(needs, tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test's own."""
    made = Broker(needs("mosquitto"), tmp_path)
    yield made
    made.stop()


@pytest.fixture
def office(engine: Engine, tmp_path: Path, broker: Broker) -> Headquarters:
    """An HQ on today's clock, whose keys and configuration lie in the folder for the process."""
    headquarters = Headquarters(engine, now_ms=time.time_ns() // 1_000_000)
    seed, sealing = b"\x01" * 32, make_sealing_private()
    made = _key_set(seed, sealing, headquarters)
    for name, content in {
        "signing-key": seed, "sealing-key": sealing, "pairwise-key": headquarters.keys.pairwise,
        "challenge-key": headquarters.keys.challenge, "wrapping-key": WRAPPING, "keys": made,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    headquarters.keys = hq_keys.load(tmp_path / "keys", tmp_path)
    headquarters.office.keys = headquarters.keys
    (tmp_path / "hq.toml").write_text(
        f'database = "{engine.url.render_as_string(hide_password=False)}"\n'
        f'keys = "{tmp_path}/keys"\ncredentials_dir = "{tmp_path}"\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\ntls = false\n'
    )
    return headquarters


def _key_set(seed: bytes, sealing: bytes, headquarters: Headquarters) -> bytes:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    stated = KeySet(1, 2**39, (SigningKey(1, public),), (SealingKey(1, sealing_public_bytes(sealing)),))
    return sign_key_set(headquarters.root, stated)


@pytest.fixture
def process(office: Headquarters, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The serving process."""
    command = [sys.executable, "-m", "hq", "serve", "--config", str(tmp_path / "hq.toml")]
    running = subprocess.Popen(command, cwd=TOP, stderr=subprocess.PIPE, text=True)
    yield running
    if running.poll() is None:
        running.kill()
    running.communicate()


@pytest.fixture
def store(office: Headquarters, process, broker: Broker) -> Iterator[Wire]:
    """A store that is connected."""
    fake = FakeStore(
        STORE, office.identity, office.root.public_key(), office.keys.key_set, lambda: time.time_ns() // 1_000_000
    )
    wired = Wire(fake, broker.port)
    yield wired
    wired.close()


def held(store: Wire, pseudonym: bytes | None) -> Member | None:
    """The member as the store holds it."""
    record = store.store.rows.get(f"members/{STORE}", {}).get(pseudonym or b"")
    return schema.decode(Member, record.body) if record and record.body is not None else None


def test_a_store_is_served_over_a_real_broker(office: Headquarters, process, store: Wire, broker: Broker) -> None:
    """Lease; a grant arrives; a withdrawal overtakes on `now` within a second; the broker goes and comes, HQ too."""
    store.lease()
    office.now_ms = time.time_ns() // 1_000_000
    office.join("m-1", "size.shoe")
    office.office.set_profile("m-1", [text("size.shoe", "42", office.now_s)], office.now_ms)
    pseudonym = office.pseudonym("m-1")
    until = time.monotonic() + 10
    while ((found := held(store, pseudonym)) is None or not found.fields) and time.monotonic() < until:
        store.hear(0.2)
    assert found is not None
    assert found.fields

    time.sleep(1.1)  # a choice of the same second as the grant's would not be later
    while store.hear(0.3) is not None:
        pass
    office.office.withdraw("m-1", time.time_ns() // 1_000_000, scopes=("size.shoe",))
    began = time.monotonic()
    heard = {store.hear(5)[0] for _ in range(2)}  # type: ignore[index]
    assert heard == {"now", "down"}
    assert time.monotonic() - began < 5
    found = held(store, pseudonym)
    assert found is not None
    assert not found.fields

    broker.stop()
    time.sleep(1)
    broker.start()
    store.lease()
    assert isinstance(store.store.lease, Lease)

    office.office.withdraw("m-1", time.time_ns() // 1_000_000)  # overtakes only once both connections stand again
    until, ways = time.monotonic() + 30, set[str]()
    while ways < {"now", "down"} and time.monotonic() < until:
        if (one := store.hear(0.3)) is not None:
            ways.add(one[0])
    assert ways == {"now", "down"}

    process.send_signal(signal.SIGTERM)
    _, lines = process.communicate(timeout=20)
    assert process.returncode == 0, lines
    assert "m-1" not in lines
    assert "Traceback" not in lines
    events = [line.split("event=")[1].split()[0] for line in lines.splitlines() if "event=" in line]
    assert events.count("broker_connected") >= 4
    assert "serving" in events


def test_without_a_broker_hq_waits_and_says_so(office: Headquarters, tmp_path: Path, broker: Broker) -> None:
    """It does not end: the broker may come later. A signal ends it at once."""
    broker.stop()
    command = [sys.executable, "-m", "hq", "serve", "--config", str(tmp_path / "hq.toml")]
    running = subprocess.Popen(command, cwd=TOP, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    lines = ""
    while "broker_unreachable" not in lines:
        line = running.stderr.readline()
        assert line, lines
        lines += line
    assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    running.wait(20)
    running.stderr.close()
    assert running.returncode == 0
    assert "remedy=" in lines
    broker.start()
