"""A real mosquitto by the configuration that was written: who comes in, and who reads what."""

import dataclasses
from pathlib import Path

import pytest

from provisioning import apply, doctor
from provisioning.files import Files
from provisioning.settings import Estate
from tests.provisioning.conftest import NOW, Broker

pytestmark = [pytest.mark.system, pytest.mark.needs("mosquitto")]


def test_hq_and_a_store_speak_to_each_other(broker: Broker) -> None:
    """Down and now reach the store, up reaches HQ."""
    hq, store = broker.as_hq(), broker.as_store("berlin-1")
    store.subscribe("consentry/1/berlin-1/down")
    store.subscribe("consentry/1/berlin-1/now")
    hq.subscribe("consentry/1/+/up")
    hq.publish("consentry/1/berlin-1/down", b"d")
    hq.publish("consentry/1/berlin-1/now", b"n")
    store.publish("consentry/1/berlin-1/up", b"u")
    assert store.hears("consentry/1/berlin-1/down", b"d")
    assert store.hears("consentry/1/berlin-1/now", b"n")
    assert hq.hears("consentry/1/berlin-1/up", b"u")
    hq.close()
    store.close()


def test_a_store_reads_nothing_of_another_whatever_it_asks_for(broker: Broker) -> None:
    """Subscribed to everything by every name, a wrong store hears only its own topics."""
    hq, wrong, right = broker.as_hq(), broker.as_store("berlin-2"), broker.as_store("berlin-1")
    for topic in ("#", "consentry/#", "consentry/1/+/down", "consentry/1/berlin-1/down", "consentry/1/berlin-1/up"):
        wrong.subscribe(topic)
    right.subscribe("consentry/1/berlin-1/#")
    hq.publish("consentry/1/berlin-1/down", b"secret")
    hq.publish("consentry/1/berlin-1/now", b"secret")
    right.publish("consentry/1/berlin-1/up", b"secret")
    hq.publish("consentry/1/berlin-2/down", b"last")
    assert wrong.hears("consentry/1/berlin-2/down", b"last")
    assert right.hears("consentry/1/berlin-1/now", b"secret")
    assert {topic for topic, _ in wrong.heard} == {"consentry/1/berlin-2/down"}
    for line in (hq, wrong, right):
        line.close()


def test_a_store_writes_only_its_own_up(broker: Broker) -> None:
    """What a store publishes elsewhere reaches nobody: not HQ, not another store, not itself."""
    hq, wrong, right = broker.as_hq(), broker.as_store("berlin-2"), broker.as_store("berlin-1")
    hq.subscribe("consentry/1/+/up")
    right.subscribe("consentry/1/berlin-1/down")
    wrong.subscribe("consentry/1/berlin-2/now")
    for topic in ("berlin-1/up", "berlin-1/down", "berlin-2/now", "berlin-2/down"):
        wrong.publish(f"consentry/1/{topic}", b"forged")
    wrong.publish("consentry/1/berlin-2/up", b"mine")
    hq.publish("consentry/1/berlin-1/down", b"true")
    assert hq.hears("consentry/1/berlin-2/up", b"mine")
    assert right.hears("consentry/1/berlin-1/down", b"true")
    assert [payload for line in (hq, wrong, right) for _, payload in line.heard] == [b"mine", b"true"]
    for line in (hq, wrong, right):
        line.close()


def test_who_has_no_certificate_of_the_authority_does_not_come_in(broker: Broker, folder: Path) -> None:
    """A certificate of another authority, a store's own for tablets, is refused."""
    at = folder / "stores/berlin-1"
    with pytest.raises((OSError, ConnectionError)):
        broker.connect(at / "etc/consentry/certs/tablets.pem", at / "credentials/tablets/tls-key")


def test_a_rotated_certificate_is_let_in_and_the_old_one_refused(
    broker: Broker, folder: Path, estate: Estate, tmp_path: Path
) -> None:
    """After rotation and a reload the stolen copy of the old key opens nothing."""
    at = folder / "stores/berlin-1"
    old = [tmp_path / "old.pem", tmp_path / "old.key"]
    old[0].write_bytes((at / "etc/consentry/certs/store.pem").read_bytes())
    old[1].write_bytes((at / "credentials/gateway/broker-key").read_bytes())
    broker.connect(*old).close()
    revoked = apply.revoked_with(Files(folder), estate, "berlin-1", ["stores/berlin-1/etc/consentry/certs/store.pem"])
    apply.provision(folder, dataclasses.replace(estate, revoked=revoked), NOW)
    broker.reload()
    broker.as_store("berlin-1").close()
    broker.as_store("berlin-2").close()
    with pytest.raises((OSError, ConnectionError)):
        broker.connect(*old)


def test_a_removed_store_has_no_topic_and_does_not_come_in(
    broker: Broker, folder: Path, estate: Estate, tmp_path: Path
) -> None:
    """A store that is gone from the folder is gone from the broker."""
    at = folder / "stores/berlin-1"
    old = [tmp_path / "old.pem", tmp_path / "old.key"]
    old[0].write_bytes((at / "etc/consentry/certs/store.pem").read_bytes())
    old[1].write_bytes((at / "credentials/gateway/broker-key").read_bytes())
    revoked = apply.revoked_with(Files(folder), estate, "berlin-1", ["stores/berlin-1/etc/consentry/certs/store.pem"])
    apply.provision(folder, Estate(estate.hq, {"berlin-2": estate.stores["berlin-2"]}, revoked), NOW)
    broker.reload()
    with pytest.raises((OSError, ConnectionError)):
        broker.connect(*old)
    assert b"berlin-1" not in (folder / "broker/etc/mosquitto/consentry/topics.acl").read_bytes()


def test_a_message_over_the_limit_goes_no_further(broker: Broker) -> None:
    """64 KiB pass, more does not (docs/protocol.md, section 3)."""
    hq, store = broker.as_hq(), broker.as_store("berlin-1")
    hq.subscribe("consentry/1/+/up")
    store.publish("consentry/1/berlin-1/up", b"x" * 65536)
    assert hq.hears("consentry/1/berlin-1/up", b"x" * 65536)
    with pytest.raises(AssertionError):
        store.publish("consentry/1/berlin-1/up", b"x" * 65537 + b"x" * 1024)
    assert len(hq.heard) == 1
    hq.close()
    store.close()


def test_the_doctor_finds_a_healthy_broker_and_one_that_is_away(broker: Broker, folder: Path, estate: Estate) -> None:
    """It connects as HQ does, and says in a line what is wrong where it cannot."""
    assert all(finding.good for finding in doctor.examine(folder, estate, NOW))
    broker.stop()
    last = list(doctor.examine(folder, estate, NOW))[-1]
    assert not last.good
    assert "cannot be reached" in last.text
