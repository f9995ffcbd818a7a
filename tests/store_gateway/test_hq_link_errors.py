"""Whatever paho, ssl and the socket raise, the link says why and tries again."""

import queue
import socket
import ssl
import time
from pathlib import Path

import pytest
from paho.mqtt import MQTTException
from paho.mqtt.client import Client, WebsocketConnectionError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from pytest_mock import MockerFixture

from store_gateway.errors import LINK_REMEDIES, LinkError, LinkReason
from store_gateway.hq_link import HqLink
from store_gateway.settings import Broker, Settings

THERE = Path("/nonexistent")
SETTINGS = Settings("berlin-1", THERE, THERE, Broker("localhost", None, None, port=1, tls=False), None)

CONNECTING = [
    (ConnectionRefusedError(111, "refused"), LinkReason.UNREACHABLE),
    (ConnectionResetError(104, "reset"), LinkReason.UNREACHABLE),
    (TimeoutError("slow"), LinkReason.UNREACHABLE),
    (socket.gaierror(-2, "no such name"), LinkReason.UNREACHABLE),
    (socket.herror(1, "no such name"), LinkReason.UNREACHABLE),
    (OSError(101, "no network"), LinkReason.UNREACHABLE),
    (ValueError("no host"), LinkReason.UNREACHABLE),
    (MQTTException("malformed"), LinkReason.UNREACHABLE),
    (WebsocketConnectionError("no websocket"), LinkReason.UNREACHABLE),
    (UnicodeError("label too long"), LinkReason.UNREACHABLE),
    (ssl.SSLError(1, "handshake"), LinkReason.TLS),
    (ssl.SSLCertVerificationError(1, "not trusted"), LinkReason.TLS),
    (ssl.SSLEOFError(8, "gone in the handshake"), LinkReason.TLS),
    (ssl.SSLZeroReturnError(6, "closed"), LinkReason.TLS),
]


def counted(link: HqLink, name: str, times: int) -> bool:
    """Whether something was counted so often within some seconds."""
    for _ in range(200):
        if link.counters().get(name, 0) >= times:
            return True
        time.sleep(0.025)
    return False


@pytest.mark.parametrize(("error", "reason"), CONNECTING, ids=lambda one: type(one).__name__)
def test_what_connecting_raises_is_mapped_and_tried_again(
    mocker: MockerFixture, caplog: pytest.LogCaptureFixture, error: Exception, reason: LinkReason
) -> None:
    """Said once with the remedy, counted each time; the thread goes on."""
    mocker.patch("store_gateway.connection.FIRST_WAIT_S", 0.01)
    mocker.patch("store_gateway.connection.LONGEST_WAIT_S", 0.02)
    mocker.patch.object(Client, "connect", side_effect=error)
    links: queue.Queue[bool] = queue.Queue()
    link = HqLink(SETTINGS, lambda payload, fast: None, links.put, chance=lambda: 0.0)
    link.start()
    try:
        assert counted(link, f"link_main_failed_{reason.value}", 3)
        assert counted(link, f"link_now_failed_{reason.value}", 3)
    finally:
        link.stop()
    assert links.empty()
    lines = [record.getMessage() for record in caplog.records if "link_down" in record.getMessage()]
    assert len(lines) == 2, "one line a lane, however often"
    assert str(error) not in caplog.text


@pytest.mark.parametrize("error", [ValueError("too long"), OSError(32, "broken pipe"), MQTTException("queue")])
def test_what_publishing_raises_is_counted(mocker: MockerFixture, error: Exception) -> None:
    """The replica says it again; the state thread never sees it."""
    link = HqLink(SETTINGS, lambda payload, fast: None, lambda up: None)
    link.publish(b"nobody is there")
    paho = mocker.Mock(spec=Client)
    paho.publish.side_effect = error
    mocker.patch.object(link._main, "_paho", paho)
    mocker.patch.object(link._main, "_is_up", True)
    link.publish(b"x")
    assert link.counters()["link_main_not_sent"] == 2


def test_a_broker_that_does_not_take_this_store_is_said(mocker: MockerFixture) -> None:
    """By its answer to the connection or to the subscription."""
    refused = ReasonCode(PacketTypes.CONNACK, "Not authorized")
    no_subscription = ReasonCode(PacketTypes.SUBACK, "Not authorized")

    def start(client: Client) -> None:
        client.on_connect(client, None, None, refused, None)

    def start_then_refuse(client: Client) -> None:
        client.on_subscribe(client, None, 1, [no_subscription], None)

    for began in (start, start_then_refuse):
        mocker.patch("store_gateway.connection.FIRST_WAIT_S", 0.01)
        mocker.patch.object(Client, "connect")
        mocker.patch.object(Client, "loop_start", began)
        mocker.patch.object(Client, "loop_stop")
        link = HqLink(SETTINGS, lambda payload, fast: None, lambda up: None, chance=lambda: 0.0)
        link.start()
        try:
            assert counted(link, "link_main_failed_refused", 2)
        finally:
            link.stop()
        mocker.stopall()


def test_a_broker_that_accepts_and_then_says_nothing_is_given_up(mocker: MockerFixture) -> None:
    """After the connection's time; no thread waits for ever."""
    mocker.patch("store_gateway.connection.CONNECT_S", 0.05)
    mocker.patch("store_gateway.connection.FIRST_WAIT_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = Settings(
            "berlin-1", THERE, THERE, Broker("127.0.0.1", None, None, mute.getsockname()[1], tls=False), None
        )
        link = HqLink(settings, lambda payload, fast: None, lambda up: None, chance=lambda: 0.0)
        link.start()
        try:
            assert counted(link, "link_main_failed_unreachable", 2)
        finally:
            link.stop()


@pytest.mark.parametrize("reason", LinkReason)
def test_every_reason_has_its_remedy(reason: LinkReason) -> None:
    """An operator is never left alone with a word."""
    assert LinkError(reason).hint == LINK_REMEDIES[reason]
