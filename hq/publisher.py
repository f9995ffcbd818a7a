"""HQ's connections to the broker, each with a reconnect loop of its own with jitter, over a cluster's nodes in turn.

One `Link` for `down` and `up`, another for `now`, so that a backlog never holds up a withdrawal. The broker's
acknowledgement only empties the outbox; what is lost is found by the next lease. Nothing here waits for the socket of a
broker that does not take what is sent: what cannot be queued is not sent.

Only the outbox is published with QoS 1. Answers, and all subscriptions, have QoS 0: sessions are clean, so more would
cost a clustered broker a replicated consumer for each topic and save nothing (docs/scale.md).

I/O: paho; its only importer.
"""

import random
import ssl
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from hq.errors import BrokerUnavailable
from hq.settings import Broker
from runtime.addresses import Turns
from runtime.logs import Log
from wire.sync import MAX_PAYLOAD_BYTES

_LOG = Log("publisher")
_KEEPALIVE_S = 20
_CONNECT_S = 5.0
_LEAST_PAUSE_S = 0.2
_MOST_PAUSE_S = 10.0
_ACKNOWLEDGED_S = 3.0
_ACCEPTED_S = 10.0  # from the dial to the broker's word
_LOOK_S = 0.2
_QUEUED = 1_000  # messages that wait for the broker's word, and answers that wait for the socket; 64 MiB each
_TOPICS_AT_ONCE = 200  # of one SUBSCRIBE: about 10 KiB
_ACCESS = "check the broker's address, certificates and access list"

OnPayload = Callable[[str, bytes], None]


def tls_context(broker: Broker, key: Path | None) -> ssl.SSLContext | None:
    """What proves us to the broker and the broker to us; None where `tls` is off.

    Raises:
        BrokerUnavailable: certificate, key or authority cannot be read.
    """
    if not broker.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=str(broker.ca))
        context.load_cert_chain(str(broker.certificate), str(key))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise BrokerUnavailable(f"the broker's certificates cannot be used ({type(error).__name__})", _ACCESS) from None
    return context


class Link:
    """One connection. `run` keeps it up until `stop` is set; `send` may be called from any other thread."""

    def __init__(
        self,
        broker: Broker,
        context: ssl.SSLContext | None,
        name: str,
        on_payload: OnPayload | None = None,
    ) -> None:
        """`name` is the MQTT client id; `on_payload(topic, payload)` is called in paho's thread and must not block."""
        self._turns = Turns(broker.addresses, random.random)  # jitter needs no secret
        self._context = context
        self._name = name
        self._on_payload = on_payload
        self._client: mqtt.Client | None = None
        self._topics: frozenset[str] = frozenset()
        self._followed: frozenset[str] = frozenset()  # of this connection
        self._following = threading.Lock()
        self._posted: deque[mqtt.MQTTMessageInfo] = deque()  # answers that may not have left yet
        self._posting = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._is_up = threading.Event()
        self._ended = threading.Event()

    @property
    def is_up(self) -> bool:
        """Whether the broker has accepted us and the subscriptions have been sent."""
        return self._is_up.is_set()

    def run(self, stop: threading.Event) -> None:
        """Connects, and again after growing pauses with jitter, until `stop` is set."""
        pause_s = _LEAST_PAUSE_S
        while not stop.is_set():
            pause_s = _LEAST_PAUSE_S if self._session(stop) else min(pause_s * 2, _MOST_PAUSE_S)
            stop.wait(pause_s * random.uniform(0.5, 1.5))  # jitter needs no secret

    def follow(self, topics: Iterable[str]) -> None:
        """From now on, and on every later connection, what comes on these topics is heard, and nothing else."""
        self._topics = frozenset(topics)
        client = self._client
        if client is not None and self.is_up:
            self._catch_up(client)

    def send(self, messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Publishes (topic, payload) at QoS 1; for each whether the broker acknowledged it within 3 s of the last."""
        client = self._client
        if client is None or not self.is_up:
            return [False] * len(messages)
        sent = [_publish(client, topic, payload) for topic, payload in messages]
        queued = [one for one in sent if one is not None]
        # A broker acknowledges in the order in which it was sent to: whoever waits for the last waits for all.
        if queued:
            _is_acknowledged(queued[-1], _ACKNOWLEDGED_S)
        return [one is not None and _is_acknowledged(one, 0.0) for one in sent]

    def post(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publishes (topic, payload) at QoS 0 without waiting: for answers, which are asked for again when lost."""
        client = self._client
        if client is None or not self.is_up:
            return
        with self._posting:
            for topic, payload in messages:
                while self._posted and self._posted[0].is_published():
                    self._posted.popleft()
                published = _publish(client, topic, payload, 0) if len(self._posted) < _QUEUED else None
                if published is None:
                    self.counts["not_posted"] += 1
                else:
                    self._posted.append(published)

    def _session(self, stop: threading.Event) -> bool:
        """One connection, from dial to its end; whether it ever was up."""
        self._ended.clear()
        client = self._make()
        at = self._turns.take()
        try:
            client.connect(at.host, at.port, keepalive=_KEEPALIVE_S)
        except (OSError, ValueError) as error:  # refused, unreachable, TLS, a host name that is none
            _LOG.warning(
                "broker_unreachable", link=self._name, at=f"{at.host}:{at.port}", reason=type(error).__name__,
                remedy=_ACCESS,
            )  # fmt: skip
            return False
        with self._posting:
            self._posted.clear()
        self._client = client
        client.loop_start()
        was_up, left_s = False, _ACCEPTED_S
        while not stop.is_set() and not self._ended.wait(_LOOK_S):
            was_up = was_up or self.is_up
            left_s -= _LOOK_S
            if not was_up and left_s <= 0:
                _LOG.warning(
                    "broker_unreachable", link=self._name, at=f"{at.host}:{at.port}", reason="no answer",
                    remedy=_ACCESS,
                )  # fmt: skip
                break
        was_up = was_up or self.is_up
        self._is_up.clear()
        self._client = None
        client.disconnect()
        client.loop_stop()
        return was_up

    def _catch_up(self, client: mqtt.Client, *, is_new: bool = False) -> None:
        """Subscribes and unsubscribes what changed on this connection, in packets of bounded size."""
        with self._following:
            if client is not self._client:
                return  # of a connection that has just ended
            if is_new:
                self._followed = frozenset()
            wanted = self._topics
            new, gone = sorted(wanted - self._followed), sorted(self._followed - wanted)
            self._followed = wanted
            for start in range(0, len(new), _TOPICS_AT_ONCE):
                client.subscribe([(topic, 0) for topic in new[start : start + _TOPICS_AT_ONCE]])
            for start in range(0, len(gone), _TOPICS_AT_ONCE):
                client.unsubscribe(gone[start : start + _TOPICS_AT_ONCE])

    def _make(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._name,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,  # our own loop does it, with jitter
        )
        client.connect_timeout = _CONNECT_S
        client.max_inflight_messages_set(100)
        client.max_queued_messages_set(_QUEUED)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        return client

    def _connected(self, client: mqtt.Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            _LOG.warning("broker_refused", link=self._name, reason=str(code), remedy=_ACCESS)
            self._ended.set()
            return
        self._is_up.set()
        self._catch_up(client, is_new=True)
        _LOG.info("broker_connected", link=self._name)

    def _subscribed(
        self, client: mqtt.Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            _LOG.warning("broker_refused", link=self._name, reason="subscription", remedy=_ACCESS)
            self._ended.set()

    def _disconnected(self, client: mqtt.Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self._is_up.clear()
        self._ended.set()
        _LOG.info("broker_disconnected", link=self._name, reason=str(code))

    def _received(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        if self._on_payload is not None and len(message.payload) <= MAX_PAYLOAD_BYTES:
            self._on_payload(message.topic, bytes(message.payload))


def _publish(client: mqtt.Client, topic: str, payload: bytes, qos: int = 1) -> mqtt.MQTTMessageInfo | None:
    try:
        published = client.publish(topic, payload, qos=qos)
    except (ValueError, OSError):
        return None
    return published if published.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None


def _is_acknowledged(published: mqtt.MQTTMessageInfo, within_s: float) -> bool:
    try:
        published.wait_for_publish(within_s)
        return published.is_published()
    except (ValueError, RuntimeError):  # the queue was full, or the connection went
        return False
