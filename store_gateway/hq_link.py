"""Carries payloads between this store and the broker, and comes back by itself when the connection is lost.

Two connections: `down` and `up` on one, the fast lane `now` on its own, so that no backlog holds a withdrawal back.
Clean sessions, QoS 1: what is lost on the way is found by the replica, never here. Callbacks run on this module's
threads and only hand on; a message is acknowledged whatever is in it.

I/O: paho; its only importer.
"""

import os
import random
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from runtime import config
from runtime.errors import CredentialError
from runtime.logs import Log
from store_gateway.errors import LinkError, LinkReason
from store_gateway.settings import Settings
from wire import sync
from wire.sync import MAX_PAYLOAD_BYTES

KEEPALIVE_S: Final = 30
CONNECT_S: Final = 10.0
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
_STOP_S: Final = 5.0
_OUT_MESSAGES: Final = 256  # waiting for the broker's word; more are dropped, and said again when they are missed
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h): the box may have no clock yet, and trusted time comes from HQ alone.
# Every message is authenticated end to end; a broker with an ended certificate can only do what any broker can.
_NO_CHECK_TIME: Final = 0x200000

_log = Log("hq_link")


class Lane(Enum):
    """Which of the two connections."""

    MAIN = "main"
    NOW = "now"


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Trusts the broker's authority but no clock, and shows this store's certificate.

    Raises: LinkError(FILES).
    """
    broker = settings.broker
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    try:
        key = config.credential("broker-key", settings.credentials_dir)
    except CredentialError as error:
        raise LinkError(LinkReason.FILES) from error
    # ssl reads keys from files only; this one is memory of this process.
    secret = os.memfd_create("broker-key", os.MFD_CLOEXEC)
    try:
        os.write(secret, key)
        context.load_verify_locations(cafile=broker.ca)
        context.load_cert_chain(str(broker.certificate), f"/proc/self/fd/{secret}")
    except OSError as error:  # SSLError is one
        raise LinkError(LinkReason.FILES) from error
    finally:
        os.close(secret)
    return context


class _Connection:
    """One lane: connects, hands on, and tries again with a wait that doubles up to 30 s, spread by chance."""

    def __init__(
        self,
        lane: Lane,
        settings: Settings,
        topic: str,
        on_message: Callable[[bytes], None],
        on_up: Callable[[bool], None],
        chance: Callable[[], float],
    ) -> None:
        self.lane = lane
        self._settings = settings
        self._topic = topic
        self._on_message = on_message
        self._on_up = on_up
        self._chance = chance
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._reason: LinkReason | None = None
        self._paho: Client | None = None
        self._is_up = False
        self._said: LinkReason | None = None
        self.counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name=f"hq-link-{lane.value}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def publish(self, topic: str, payload: bytes) -> bool:
        paho = self._paho
        if paho is None or not self._is_up:
            return False
        try:
            return paho.publish(topic, payload, qos=1).rc == 0
        except (ValueError, OSError, MQTTException):
            return False

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            was_up = False
            try:
                was_up = self._once()
            except LinkError as error:
                self._say(error)
            if was_up:
                wait_s = FIRST_WAIT_S
            self._stopping.wait(wait_s * (0.5 + self._chance()))
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _once(self) -> bool:
        """One connection from its beginning to its end; whether it ever was up. Raises: LinkError."""
        self._reason = None
        self._changed.clear()
        paho = self._connect()
        paho.loop_start()
        try:
            if not self._changed.wait(CONNECT_S):
                raise LinkError(LinkReason.UNREACHABLE)
            while not self._stopping.is_set() and self._reason is None:
                self._changed.wait()
                self._changed.clear()
        finally:
            was_up, self._is_up, self._paho = self._is_up, False, None
            paho.disconnect()
            paho.loop_stop()
            if was_up:
                self._on_up(False)
        if not self._stopping.is_set():
            self._say(LinkError(self._ended_by()))
        return was_up

    def _ended_by(self) -> LinkReason:
        return LinkReason.LOST if self._reason is None else self._reason

    def _connect(self) -> Client:
        """A new connection under way. Raises: LinkError."""
        broker = self._settings.broker
        # A new one each time: what paho kept for the old connection would come late, and we say it anew.
        paho = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self._settings.store}-{self.lane.value}",
            clean_session=True,
            protocol=MQTTv311,
            reconnect_on_failure=False,
        )
        paho.connect_timeout = CONNECT_S
        paho.max_queued_messages_set(_OUT_MESSAGES)
        paho.on_connect = self._connected
        paho.on_subscribe = self._subscribed
        paho.on_disconnect = self._disconnected
        paho.on_message = self._arrived
        if broker.tls:
            paho.tls_set_context(tls_context(self._settings))
        self._paho = paho
        try:
            paho.connect(broker.host, broker.port, KEEPALIVE_S)
        except ssl.SSLError as error:
            raise LinkError(LinkReason.TLS) from error
        except (OSError, ValueError, MQTTException) as error:
            raise LinkError(LinkReason.UNREACHABLE) from error
        return paho

    # --- called by paho, on its thread -------------------------------------------------------------------------------

    def _connected(
        self, paho: Client, userdata: Any, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._end(LinkReason.REFUSED)
        else:
            paho.subscribe(self._topic, qos=1)

    def _subscribed(
        self, paho: Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        if any(code.is_failure for code in codes):
            self._end(LinkReason.REFUSED)
            return
        self._is_up = True
        self._said = None
        self.counts["connected"] += 1
        _log.info("connected", lane=self.lane.value)
        self._on_up(True)
        self._changed.set()

    def _disconnected(
        self, paho: Client, userdata: Any, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if paho is self._paho:
            self._end(LinkReason.LOST)

    def _arrived(self, paho: Client, userdata: Any, message: MQTTMessage) -> None:
        # What is too long is cut so that it is refused by its size without being kept.
        self._on_message(bytes(message.payload[: MAX_PAYLOAD_BYTES + 1]))

    def _end(self, reason: LinkReason) -> None:
        self._reason = self._reason or reason
        self._changed.set()

    def _say(self, error: LinkError) -> None:
        """Once per reason, until it is up again."""
        self.counts[f"failed_{error.reason.value}"] += 1
        if error.reason is not self._said:
            self._said = error.reason
            _log.warning("link_down", lane=self.lane.value, reason=error.reason.value, remedy=error.hint)


class HqLink:
    """Both connections. `on_message(payload, fast)` and `on_link(up)` are called on other threads: they only hand on.

    `on_link` tells of the main connection; the fast lane comes and goes unseen: all that is on it comes on `down` too.
    """

    def __init__(
        self,
        settings: Settings,
        on_message: Callable[[bytes, bool], None],
        on_link: Callable[[bool], None],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        store = settings.store
        self._up = sync.up(store)
        self._main = _Connection(
            Lane.MAIN, settings, sync.down(store), lambda payload: on_message(payload, False), on_link, chance
        )
        self._now = _Connection(
            Lane.NOW, settings, sync.now(store), lambda payload: on_message(payload, True), lambda up: None, chance
        )

    def start(self) -> None:
        """Connects, and stays connected until `stop`; never raises, whatever the broker does."""
        self._main.start()
        self._now.start()

    def publish(self, payload: bytes) -> None:
        """Sends one payload on `up`. What could not even be queued is counted, and the replica says it again."""
        if not self._main.publish(self._up, payload):
            self._main.counts["not_sent"] += 1

    def stop(self) -> None:
        """Ends both connections."""
        self._main.stop()
        self._now.stop()

    def counters(self) -> dict[str, int]:
        """Counts since the start, by lane and what happened."""
        return {
            f"link_{one.lane.value}_{name}": count
            for one in (self._main, self._now)
            for name, count in tuple(one.counts.items())
        }
