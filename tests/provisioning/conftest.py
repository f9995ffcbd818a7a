"""A provisioning folder for two stores, and a real broker that runs by it."""

import os
import pwd
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from provisioning import apply
from provisioning.settings import Estate, HqSettings, StoreSettings

NOW = datetime.now(UTC)  # certificates are judged by the broker's own clock


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@pytest.fixture
def estate() -> Estate:
    """HQ and two stores, run from the folder by whoever runs the tests."""
    me = pwd.getpwuid(os.getuid()).pw_name
    hq = HqSettings("127.0.0.1", free_port(), "127.0.0.1", ("localhost",), in_place=True, unix_user=me)
    return Estate(hq, {"berlin-1": StoreSettings(), "berlin-2": StoreSettings()})


@pytest.fixture
def folder(tmp_path: Path, estate: Estate) -> Path:
    """The folder of that estate, complete."""
    apply.provision(tmp_path / "folder", estate, NOW)
    return tmp_path / "folder"


class Broker:
    """A mosquitto that runs by the folder's configuration."""

    def __init__(self, program: str, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        configuration = folder / "broker/etc/mosquitto/conf.d/consentry.conf"
        self._log = (folder / "broker.log").open("ab")
        self._child = subprocess.Popen([program, "-c", configuration], stdout=self._log, stderr=self._log)
        self._wait()

    def reload(self) -> None:
        """What the operator does after installing a changed bundle."""
        self._child.send_signal(signal.SIGHUP)
        time.sleep(0.3)

    def stop(self) -> None:
        """Ends it."""
        self._child.terminate()
        self._child.wait(10)
        self._log.close()

    def connect(self, certificate: Path, key: Path) -> "Line":
        """A connection by that certificate. Raises: OSError or ConnectionError where it is refused."""
        return Line(self.port, self._folder / "broker/etc/mosquitto/consentry/ca.pem", certificate, key)

    def as_hq(self) -> "Line":
        """HQ's connection."""
        return self.connect(
            self._folder / "hq/etc/consentry/certs/hq.pem", self._folder / "hq/credentials/hq/broker-key"
        )

    def as_store(self, store: str) -> "Line":
        """A store's connection."""
        at = self._folder / "stores" / store
        return self.connect(at / "etc/consentry/certs/store.pem", at / "credentials/gateway/broker-key")

    def _wait(self) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._child.poll() is not None:
                    raise AssertionError((self._folder / "broker.log").read_text()) from None
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the broker does not listen")


class Line:
    """One MQTT connection, and what came over it."""

    def __init__(self, port: int, ca: Path, certificate: Path, key: Path) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._known = threading.Condition()
        self._answer: bool | None = None
        self._subscribed = 0
        self._published = 0
        self._far = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._far.tls_set(
            ca_certs=str(ca), certfile=str(certificate), keyfile=str(key), tls_version=ssl.PROTOCOL_TLS_CLIENT
        )
        self._far.on_connect = lambda *found: self._note(answer=not found[3].is_failure)
        self._far.on_disconnect = lambda *found: self._note(answer=bool(self._answer))
        self._far.on_subscribe = lambda *found: self._note(subscribed=1)
        self._far.on_publish = lambda *found: self._note(published=1)
        self._far.on_message = lambda far, own, message: self._hear(message.topic, bytes(message.payload))
        self._far.connect("127.0.0.1", port, keepalive=30)
        self._far.loop_start()
        if not self._until(lambda: self._answer is not None) or not self._answer:
            self.close()
            raise ConnectionError("refused")

    def subscribe(self, topic: str) -> None:
        """Asks for a topic and waits for the broker's word; mosquitto grants all and delivers what is allowed."""
        wanted = self._subscribed + 1
        self._far.subscribe(topic, qos=1)
        assert self._until(lambda: self._subscribed >= wanted)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publishes with QoS 1 and waits for the broker's word (it also acknowledges what it drops)."""
        wanted = self._published + 1
        self._far.publish(topic, payload, qos=1)
        assert self._until(lambda: self._published >= wanted)

    def hears(self, topic: str, payload: bytes) -> bool:
        """Whether that came, waiting for it for at most 5 s."""
        return self._until(lambda: (topic, payload) in self.heard)

    def close(self) -> None:
        """Ends it."""
        self._far.disconnect()
        self._far.loop_stop()

    def _hear(self, topic: str, payload: bytes) -> None:
        with self._known:
            self.heard.append((topic, payload))
            self._known.notify_all()

    def _note(self, answer: bool | None = None, subscribed: int = 0, published: int = 0) -> None:
        with self._known:
            self._answer = self._answer if answer is None else answer
            self._subscribed += subscribed
            self._published += published
            self._known.notify_all()

    def _until(self, condition: Callable[[], bool]) -> bool:
        with self._known:
            return self._known.wait_for(condition, timeout=5)


@pytest.fixture
def broker(needs: Callable[[str], str], folder: Path, estate: Estate) -> Iterator[Broker]:
    """mosquitto, running by the folder."""
    running = Broker(needs("mosquitto"), folder, estate.hq.broker_port)
    yield running
    running.stop()
