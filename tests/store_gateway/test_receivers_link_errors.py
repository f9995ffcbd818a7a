"""The gateway's link to the store's own broker where that is not there; with a real one see tests/contracts."""

import queue
import time
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from pytest_mock import MockerFixture

from store_gateway.__main__ import put_heard
from store_gateway.counts import Counts
from store_gateway.errors import LINK_REMEDIES, RECEIVERS_REMEDIES, LinkReason
from store_gateway.inbox import MOST_SIGHTINGS, Inbox
from store_gateway.loop import Datagram, Heard, Item
from store_gateway.receivers_link import ReceiversLink
from store_gateway.settings import Receivers
from wire.receivers import Receiver, ReceiverKind
from wire.sighting import Batch, Health, Sighting

BATCH = Batch("hats-1", (Sighting("hats-1", b"t" * 16, -60, 1, 1, 1),))
SOURCES = (Receiver(ReceiverKind.SATELLITE, "back", ("hats-1",)), Receiver(ReceiverKind.THEENGS, "till", ("till-1",)))


def a_link(folder: Path, heard: "queue.Queue[Batch | Health]") -> ReceiversLink:
    """A link whose certificates are not there."""
    settings = Receivers("localhost", folder / "ca.pem", folder / "own.pem", SOURCES, port=1)
    return ReceiversLink("berlin-1", settings, folder, heard.put, lambda: 1_000.0, chance=lambda: 0.0)


def counted(link: ReceiversLink, name: str, times: int) -> bool:
    """Whether something was counted so often within some seconds."""
    for _ in range(400):
        if link.counters().get(name, 0) >= times:
            return True
        time.sleep(0.01)
    return False


def test_missing_certificates_are_said_once_with_their_remedy_and_tried_again(
    mocker: MockerFixture, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The gateway goes on without its receivers, and nobody is told well or ill meanwhile."""
    mocker.patch("store_gateway.connection.FIRST_WAIT_S", 0.01)
    mocker.patch("store_gateway.connection.LONGEST_WAIT_S", 0.02)
    heard: queue.Queue[Batch | Health] = queue.Queue()
    link = a_link(tmp_path, heard)
    link.start()
    try:
        assert counted(link, "link_receivers_failed_files", 3)
    finally:
        link.stop()
    (line,) = [record.getMessage() for record in caplog.records if "link_down" in record.getMessage()]
    assert "lane=receivers" in line
    assert "receivers.ca" in line
    assert heard.empty()


def test_the_pauses_between_tries_grow_and_are_spread_by_chance(mocker: MockerFixture, tmp_path: Path) -> None:
    """Doubled up to half a minute, each half to one and a half of it."""
    mocker.patch.object(Client, "connect", side_effect=OSError)
    connection = a_link(tmp_path, queue.Queue())._connection
    chances, waited = iter([0.0, 1.0]), list[float]()
    mocker.patch.object(connection, "_chance", lambda: next(chances, 0.5))
    mocker.patch.object(connection._stopping, "is_set", side_effect=lambda: len(waited) >= 9)
    mocker.patch.object(connection._stopping, "wait", side_effect=waited.append)
    connection._run()
    assert waited == [0.25, 1.5, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_what_finds_the_inbox_full_is_dropped_and_counted() -> None:
    """Over the broker as over the socket; what is there already stays."""
    inbox: Inbox[Item] = Inbox()
    counts = Counts()
    for _ in range(MOST_SIGHTINGS):
        put_heard(Datagram(b"x"), inbox, counts)
    assert counts.dropped == 0
    put_heard(Heard(BATCH), inbox, counts)
    put_heard(Datagram(b"y"), inbox, counts)
    assert counts.dropped == 2
    assert inbox.take(0.0) == Datagram(b"x")


def test_what_was_heard_is_not_shown_in_a_log() -> None:
    """It holds tokens."""
    assert "hats" not in repr(Heard(BATCH))


def test_every_reason_has_its_remedy_for_this_broker_too() -> None:
    """And none of them speaks of HQ's."""
    assert set(RECEIVERS_REMEDIES) == set(LINK_REMEDIES) == set(LinkReason)
    assert not [remedy for remedy in RECEIVERS_REMEDIES.values() if "HQ" in remedy]
