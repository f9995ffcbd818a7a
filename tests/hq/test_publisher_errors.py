"""Every exception that paho raises is mapped: a warning and another try, or a message that is sent again later."""

import socket
import ssl
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from hq.errors import BrokerUnavailable
from hq.publisher import Link, tls_context
from hq.settings import Broker

BROKER = Broker("127.0.0.1", 1, tls=False)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(), ConnectionResetError(), TimeoutError(), OSError("no route"),
        socket.gaierror(), ssl.SSLError(), ssl.SSLCertVerificationError(), ValueError("Invalid host."),
    ],
)  # fmt: skip
def test_a_broker_that_cannot_be_reached_is_tried_again(mocker, error: Exception) -> None:
    """The loop goes on after each, until it is told to stop."""
    stop = threading.Event()
    tries = []

    def fail(*arguments: object, **named: object) -> None:
        tries.append(1)
        if len(tries) == 2:
            stop.set()
        raise error

    mocker.patch.object(mqtt.Client, "connect", fail)
    link = Link(BROKER, None, "t")
    link.run(stop)
    assert len(tries) == 2
    assert not link.is_up
    assert link.send([("a", b"b")]) == [False]


def up(mocker) -> Link:
    """A link that believes to be connected."""
    link = Link(BROKER, None, "t")
    link._client = link._make()
    link._is_up.set()
    return link


@pytest.mark.parametrize("error", [ValueError("Payload too large."), OSError("Bad file descriptor"), BrokenPipeError()])
def test_a_message_that_cannot_be_published_is_not_sent(mocker, error: Exception) -> None:
    """It stays in the outbox."""
    mocker.patch.object(mqtt.Client, "publish", side_effect=error)
    link = up(mocker)
    assert link.send([("a", b"b"), ("c", b"d")]) == [False, False]
    link.post([("a", b"b")])


@pytest.mark.parametrize("error", [ValueError("Message is not queued"), RuntimeError("Message publish failed")])
def test_a_message_that_is_not_acknowledged_is_not_sent(mocker, error: Exception) -> None:
    """Whether paho could not queue it or the connection went meanwhile."""
    mocker.patch.object(mqtt.MQTTMessageInfo, "wait_for_publish", side_effect=error)
    mocker.patch.object(mqtt.Client, "publish", return_value=mqtt.MQTTMessageInfo(1))
    assert up(mocker).send([("a", b"b")]) == [False]


def test_a_message_that_paho_refuses_is_not_sent(mocker) -> None:
    """A result code other than success counts as not sent."""
    refused = mqtt.MQTTMessageInfo(1)
    refused.rc = mqtt.MQTTErrorCode.MQTT_ERR_NO_CONN
    mocker.patch.object(mqtt.Client, "publish", return_value=refused)
    assert up(mocker).send([("a", b"b")]) == [False]


def test_a_refused_subscription_ends_the_connection(mocker) -> None:
    """HQ would be deaf to a store and not know it; the next node may take it."""
    link = up(mocker)
    link._subscribed(link._client, None, 1, [ReasonCode(PacketTypes.SUBACK, "Granted QoS 1")], None)
    assert not link._ended.is_set()
    link._subscribed(link._client, None, 1, [ReasonCode(PacketTypes.SUBACK, identifier=128)], None)
    assert link._ended.is_set()


@pytest.mark.parametrize("error", [ssl.SSLError("bad end line"), FileNotFoundError(), PermissionError(), ValueError()])
def test_certificates_that_cannot_be_used_end_the_program_with_the_remedy(mocker, error: Exception) -> None:
    """Before anything is started, with one line."""
    mocker.patch.object(ssl, "create_default_context", side_effect=error)
    broker = Broker("broker", 8883, ca=Path("ca.pem"), certificate=Path("hq.pem"))
    with pytest.raises(BrokerUnavailable) as found:
        tls_context(broker, Path("key.pem"))
    assert found.value.remedy
