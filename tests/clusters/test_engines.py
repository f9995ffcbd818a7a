"""One suite over mosquitto, RabbitMQ and NATS: an HQ of two processes, a store, and nodes that are killed.

mosquitto is one node over SQLite and runs with all tests; the clusters, over PostgreSQL, with the long ones.
"""

import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from tests import postgresql
from tests.clusters.engines import HOST, Mosquitto, Nats, Rabbit, until
from tests.clusters.estate import LEASE_S, OTHER, PATIENCE_S, SCOPE, STORE, Box, Estate
from tests.clusters.traffic import Traffic, agree, deny, held
from wire import sync

pytestmark = pytest.mark.system
MEMBERS = 40
TRAFFIC_S = 4.0  # before and after each blow


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short: paths of sockets end at 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="consentry-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(Mosquitto, id="mosquitto"),
        pytest.param(Rabbit, id="rabbitmq", marks=pytest.mark.long),
        pytest.param(Nats, id="nats", marks=pytest.mark.long),
    ],
)
def estate(request, needs, folder: Path) -> Iterator[Estate]:
    """Two HQ processes over one engine."""
    at = folder / request.param.__name__
    nodes, own = at / "nodes", at / "estate"
    for one in (nodes, own):
        one.mkdir(parents=True)
    engine = request.param(needs, nodes)
    with postgresql.server(needs) if len(engine.ports) > 1 else _sqlite(own) as url:
        database = postgresql.make_database(url, f"hq_{secrets.token_hex(4)}") if len(engine.ports) > 1 else url
        opened = None
        try:
            opened = Estate(own, engine, database)
            for name in ("hq-1", "hq-2"):
                opened.start_hq(name)
            yield opened
        finally:
            engine.close() if opened is None else opened.close()


def _sqlite(folder: Path):
    return nullcontext(f"sqlite:///{folder}/hq.db")


@pytest.fixture(scope="module")
def box(estate: Estate) -> Box:
    """The store's box, live and filled with forty members."""
    for _ in range(MEMBERS):
        estate.join()
    opened = estate.open_box()
    opened.wait_live()
    return opened


def test_a_store_is_filled_and_comes_under_a_lease(estate: Estate, box: Box) -> None:
    """It holds exactly what HQ holds, and goes on doing so over several leases."""
    agree(estate, box)
    assert estate.roots()[f"members/{STORE}"][1] == MEMBERS
    until(lambda: any(name.startswith("keyring/") for name in estate.roots()), PATIENCE_S, "the clock job's keys")
    agree(estate, box)
    end = time.monotonic() + (2 * LEASE_S if estate.is_cluster else LEASE_S + 1)
    while time.monotonic() < end:
        assert box.is_live()
        time.sleep(0.5)


def test_a_withdrawal_comes_on_the_fast_lane(estate: Estate, box: Box) -> None:
    """On the connection of its own; the store drops the field and both sides agree."""
    member = estate.join()
    pseudonym = estate.pseudonym(member)
    until(lambda: held(box, pseudonym), PATIENCE_S, "the member's arrival")
    before = box.fast
    estate.office.withdraw(member, time.time_ns() // 1_000_000, scopes=(SCOPE,))
    until(lambda: not held(box, pseudonym), PATIENCE_S, "the withdrawal")
    until(lambda: box.fast > before, PATIENCE_S, "the fast lane's message")
    agree(estate, box)


def test_what_happens_in_the_store_arrives_at_hq_once(estate: Estate, box: Box) -> None:
    """Numbers without gap or repeat, and HQ's record says that it acted."""
    before = len(estate.events())
    members = [estate.pseudonym(estate.join()) for _ in range(5)]
    for pseudonym in members:
        until(lambda one=pseudonym: held(box, one), PATIENCE_S, "the member's arrival")
        deny(box, pseudonym)
    until(lambda: len(estate.events()) == before + 5, PATIENCE_S, "the events at HQ")
    for pseudonym in members:
        until(lambda one=pseudonym: not held(box, one), PATIENCE_S, "HQ's own word on it")
    assert {row.pseudonym for row in estate.events()} >= set(members)
    agree(estate, box)


def test_a_store_uses_no_topic_of_another(estate: Estate, box: Box) -> None:
    """The other store's credential hears nothing of this one, and what it says in its name reaches nobody."""
    certificates = estate.folder / "broker/etc/mosquitto/consentry"
    at = estate.folder / f"stores/{OTHER}"
    heard: list[str] = []
    ears = []
    for topic in (sync.down(STORE), "#"):
        ear = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"{OTHER}-main", protocol=mqtt.MQTTv311)
        ear.tls_set(
            str(certificates / "ca.pem"), str(at / "etc/consentry/certs/store.pem"),
            str(at / "credentials/gateway/broker-key"),
        )  # fmt: skip
        ear.on_message = lambda _client, _own, message: heard.append(message.topic)
        ear.on_connect = lambda client, *rest, topic=topic: client.subscribe(topic, 1)
        ear.connect(HOST, estate.engine.ports[0])
        ear.loop_start()
        ears.append(ear)
        time.sleep(0.5)
    pseudonym = estate.pseudonym(estate.join())
    until(lambda: held(box, pseudonym), PATIENCE_S, "the member's arrival")
    for ear in ears:
        ear.disconnect()
        ear.loop_stop()
    assert heard == []
    agree(estate, box)


def test_nodes_and_processes_are_killed_in_the_middle(estate: Estate, box: Box) -> None:
    """Each node in turn, and the HQ process that answers for the store; in the end all is as if nothing had been."""
    before = len(estate.events())
    traffic_s = TRAFFIC_S if estate.is_cluster else TRAFFIC_S / 2
    with Traffic(estate, box, 1) as traffic:
        for node in range(len(estate.engine.ports)):
            time.sleep(traffic_s)
            estate.engine.kill(node)
            if estate.is_cluster:
                time.sleep(traffic_s)
                box.wait_live()  # by the others
                estate.engine.revive(node)
            else:
                time.sleep(1.0)
                estate.engine.revive(node)
            box.wait_live()
        name = estate.answering()
        # A killed process keeps its place for a lease of 30 s: longer than this store's; one that ends gives it away.
        estate.end_hq(name, signal.SIGKILL if estate.is_cluster else signal.SIGTERM)
        time.sleep(2 * traffic_s if estate.is_cluster else 0.0)
        box.wait_live()
        estate.start_hq("hq-3")
        time.sleep(traffic_s)
    traffic.check()
    box.wait_live()
    until(lambda: box.ask(lambda replica: replica.counters()["events_waiting"]) == 0, PATIENCE_S, "the last event")
    agree(estate, box)
    told = estate.events()[before:]
    assert {row.pseudonym for row in told} == traffic.denied
    assert len(told) == len(traffic.denied)
    assert estate.lost() == 0
    for pseudonym in {*traffic.denied, *traffic.withdrawn}:
        assert not held(box, pseudonym)
    end = time.monotonic() + traffic_s
    while time.monotonic() < end:
        assert box.is_live()
        time.sleep(0.5)
