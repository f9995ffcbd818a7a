"""The demo's store is provisioned, and its broker serves it over TLS, whichever broker it is."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from demo import broker
from demo.errors import DemoError
from demo.scene import POLICY
from demo.store import Plan, Store, free_port
from tests.waiting import until

BROKERS = [True, pytest.param(False, marks=pytest.mark.needs("mosquitto"))]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    made = Path(tempfile.mkdtemp(prefix="consentry-"))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("embedded", BROKERS)
def test_a_store_speaks_over_tls_with_what_provisioning_wrote(folder: Path, embedded: bool) -> None:
    """Both brokers serve a 60 KB message on the store's topic to a client with the store's certificate."""
    store = Store(folder, Plan(POLICY, others=("elsewhere",), embedded=embedded))
    heard: list[bytes] = []
    hq = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    own = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    etc = store.at / "etc/consentry/certs"
    own.tls_set(str(etc / "broker-ca.pem"), str(etc / "store.pem"), str(store.at / "credentials/gateway/broker-key"))
    etc = folder / "hq/etc/consentry/certs"
    hq.tls_set(str(etc / "broker-ca.pem"), str(etc / "hq.pem"), str(folder / "hq/credentials/hq/broker-key"))
    own.on_message = lambda _client, _own, message: heard.append(message.payload)
    own.on_connect = lambda connected, *_rest: connected.subscribe("consentry/1/demo/down", 1)
    own.on_subscribe = lambda *_rest: hq.publish("consentry/1/demo/down", b"x" * 60_000, 1)
    try:
        store.start_broker()
        for one in (hq, own):
            one.connect(broker.HOST, store.broker_port)
            one.loop_start()
        until(lambda: heard == [b"x" * 60_000])
    finally:
        for one in (hq, own):
            one.loop_stop()
            one.disconnect()
        store.close()


def test_hq_knows_the_members_stores_and_policy(folder: Path) -> None:
    """A store added again is refused, so it was added; a staff of its roles is taken."""
    store = Store(folder, Plan(POLICY, others=("elsewhere",)))
    store.office.add_staff("nina", "elsewhere", "Nina", "manager", "2580", 1_800_000_000_000)
    store.close()


def test_the_next_free_port_is_taken() -> None:
    """A port in use is passed over; where all are in use the error says so."""
    with socket.socket() as taken:
        taken.bind((broker.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=f"no port from {port} to {port} is free"):
            free_port(port, 1)
        assert free_port(port, 50) > port
