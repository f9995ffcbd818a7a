"""Whatever paho, ssl and the socket raise, a satellite's sender says why, tries again, and keeps nothing for later."""

import logging
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt import MQTTException
from paho.mqtt.client import Client, WebsocketConnectionError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge import satellite
from edge.config import SatelliteConfig
from edge.satellite import LINK_REMEDIES, WAITING_MOST, LinkFault, SatelliteSender, tls_context
from edge.sender import SendFault
from provisioning import identity
from runtime.errors import ConfigError, CredentialError
from runtime.logs import Log
from wire.satellite import decode

NOW = datetime.now(UTC)
CONNECTING = [
    (ConnectionRefusedError(111, "refused"), LinkFault.UNREACHABLE),
    (ConnectionResetError(104, "reset"), LinkFault.UNREACHABLE),
    (TimeoutError("slow"), LinkFault.UNREACHABLE),
    (socket.gaierror(-2, "no such name"), LinkFault.UNREACHABLE),
    (socket.herror(1, "no such name"), LinkFault.UNREACHABLE),
    (OSError(101, "no network"), LinkFault.UNREACHABLE),
    (ValueError("no host"), LinkFault.UNREACHABLE),
    (UnicodeError("label too long"), LinkFault.UNREACHABLE),
    (MQTTException("malformed"), LinkFault.UNREACHABLE),
    (WebsocketConnectionError("no websocket"), LinkFault.UNREACHABLE),
    (ssl.SSLError(1, "handshake"), LinkFault.TLS),
    (ssl.SSLCertVerificationError(1, "not trusted"), LinkFault.TLS),
    (ssl.SSLEOFError(8, "gone in the handshake"), LinkFault.TLS),
    (ssl.SSLZeroReturnError(6, "closed"), LinkFault.TLS),
]


@pytest.fixture
def chosen(tmp_path: Path) -> SatelliteConfig:
    """A satellite's settings, with an authority, a certificate and its key."""
    ca_key, key = identity.make_tls_key(), identity.make_tls_key()
    ca = identity.make_authority("receivers", ca_key, NOW)
    own = identity.make_certificate(identity.Subject("back", identity.Use.CLIENT), key, ca, ca_key, NOW)
    for name, content in (("ca.pem", ca), ("back.pem", own), ("satellite-key", key)):
        (tmp_path / name).write_bytes(content)
    return SatelliteConfig(
        "localhost", "berlin-1", "back", tmp_path / "ca.pem", tmp_path / "back.pem", tmp_path, port=1
    )


def lines(caplog, event):
    """The log lines of one event."""
    return [record.getMessage() for record in caplog.records if f"event={event}" in record.getMessage()]


def until(true):
    """Waits some seconds for something to become true."""
    for _ in range(400):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError


@pytest.mark.parametrize(("error", "fault"), CONNECTING, ids=lambda one: type(one).__name__)
def test_what_connecting_raises_is_said_once_and_tried_again(mocker, caplog, chosen, error, fault):
    """The reason with its remedy, once however often; each datagram meanwhile is dropped with a reason."""
    caplog.set_level(logging.INFO)
    mocker.patch("edge.satellite.FIRST_WAIT_S", 0.01)
    mocker.patch("edge.satellite.LONGEST_WAIT_S", 0.02)
    connect = mocker.patch.object(Client, "connect", side_effect=error)
    sender = SatelliteSender(chosen, lambda: 1, Log("satellite"), chance=lambda: 0.0)
    try:
        until(lambda: connect.call_count >= 4)
        assert sender.send(b"x") is SendFault.BROKER_AWAY
    finally:
        sender.close()
    (line,) = lines(caplog, "link_down")
    assert f"reason={fault.value}" in line
    assert str(error) not in caplog.text


def test_the_pauses_between_tries_grow_and_are_spread_by_chance(mocker, chosen):
    """Doubled up to the longest, each half to one and a half of it."""
    mocker.patch.object(Client, "connect", side_effect=OSError)
    chances = iter([0.0, 1.0, 0.5] + [0.5] * 20)
    waited = []
    sender = SatelliteSender(chosen, lambda: 1, Log("satellite"), chance=lambda: next(chances, 0.5))
    sender.close()
    mocker.patch.object(sender._stopping, "is_set", side_effect=lambda: len(waited) >= 9)
    mocker.patch.object(sender._stopping, "wait", side_effect=waited.append)
    chances = iter([0.0, 1.0, 0.5] + [0.5] * 20)
    sender._run()
    assert waited == [0.25, 1.5, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def begun(mocker, chosen, code="Success"):
    """A sender whose broker accepted it at once, and the paho that it writes to."""
    mocker.patch.object(Client, "connect")
    mocker.patch.object(Client, "loop_stop")
    mocker.patch("edge.satellite.FIRST_WAIT_S", 0.01)
    made = []

    def start(client):
        made.append(client)
        client.on_connect(client, None, None, ReasonCode(PacketTypes.CONNACK, code), None)

    mocker.patch.object(Client, "loop_start", start)
    sender = SatelliteSender(chosen, lambda: 1_234, Log("satellite"), chance=lambda: 0.0)
    until(lambda: made)
    return sender, made


@pytest.mark.parametrize("error", [ValueError("too long"), OSError(32, "broken pipe"), MQTTException("queue")])
def test_what_publishing_raises_is_a_drop(mocker, chosen, error):
    """The loop of the edge never sees it."""
    sender, _ = begun(mocker, chosen)
    mocker.patch.object(Client, "publish", side_effect=error)
    assert sender.send(b"x") is SendFault.BROKER_AWAY
    sender.close()


def test_every_datagram_has_a_number_sent_or_not(mocker, chosen):
    """So that the gateway counts what is missing; the session is one, the time the boot clock's."""
    sender, _ = begun(mocker, chosen)
    publish = mocker.patch.object(Client, "publish")
    publish.return_value.rc = 0
    assert sender.send(b"one") is None
    publish.return_value.rc = 4  # MQTT_ERR_NO_CONN
    assert sender.send(b"two") is SendFault.BROKER_AWAY
    publish.return_value.rc = 0
    assert sender.send(b"three") is None
    sender.close()
    frames = [decode(call.args[1]) for call in publish.call_args_list]
    assert [(one.number, one.datagram) for one in frames] == [(1, b"one"), (2, b"two"), (3, b"three")]
    assert {(len(one.session), one.sent_ms) for one in frames} == {(16, 1_234)}
    assert len({one.session for one in frames}) == 1
    assert {call.kwargs["qos"] for call in publish.call_args_list} == {0}


def test_a_network_that_takes_nothing_is_no_queue(mocker, chosen):
    """Beyond two windows' worth nothing waits; when it is written, the next is taken again."""
    sender, made = begun(mocker, chosen)
    publish = mocker.patch.object(Client, "publish")
    publish.return_value.rc = 0
    assert [sender.send(b"x") for _ in range(WAITING_MOST)] == [None] * WAITING_MOST
    assert sender.send(b"x") is SendFault.BROKER_SLOW
    made[0].on_publish(made[0], None, 1, None, None)
    assert sender.send(b"x") is None
    sender.close()


def test_a_broker_that_does_not_take_this_satellite_is_said(mocker, caplog, chosen):
    """By its answer."""
    caplog.set_level(logging.INFO)
    sender, made = begun(mocker, chosen, "Not authorized")
    until(lambda: len(made) >= 2)
    sender.close()
    (line,) = lines(caplog, "link_down")
    assert "reason=refused" in line


def test_a_broker_that_accepts_and_then_says_nothing_is_given_up(mocker, caplog, chosen):
    """After the connection's time; the thread ends when it is told to."""
    caplog.set_level(logging.INFO)
    mocker.patch.object(Client, "connect")
    mocker.patch("edge.satellite.CONNECT_S", 0.05)
    mocker.patch("edge.satellite.FIRST_WAIT_S", 0.01)
    sender = SatelliteSender(chosen, lambda: 1, Log("satellite"), chance=lambda: 0.0)
    until(lambda: lines(caplog, "link_down"))
    sender.close()
    assert "reason=unreachable" in lines(caplog, "link_down")[0]


@pytest.mark.parametrize("name", ["ca.pem", "back.pem", "satellite-key"])
@pytest.mark.parametrize("wrong", [None, b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_a_missing_or_broken_file_ends_it_with_its_name(chosen, name, wrong):
    """One line, exit code 78, before anything is dialled; nothing of the key is in it."""
    tls_context(chosen)
    key = (chosen.ca.parent / "satellite-key").read_text().splitlines()[1]
    path = chosen.ca.parent / name
    path.unlink()
    if wrong is not None:
        path.write_bytes(wrong)
    with pytest.raises(ConfigError) as caught:
        tls_context(chosen)
    assert caught.value.exit_code == 78
    assert name in str(caught.value) or (name == "satellite-key" and "back.pem" in str(caught.value))
    assert key not in str(caught.value)
    assert isinstance(caught.value, CredentialError) or name != "satellite-key" or wrong


def test_every_fault_has_its_remedy():
    """An operator is never left alone with a word."""
    assert set(LINK_REMEDIES) == set(satellite.LinkFault)
