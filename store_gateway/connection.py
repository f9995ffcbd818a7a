"""Keeps one connection to a broker: connects, hands on what comes, and comes back by itself when it is lost.

Clean sessions: what is lost on the way is found by whoever misses it, never here. Callbacks run on this module's
threads and only hand on; a message is acknowledged whatever is in it. A lost connection is tried again with a wait that
doubles up to 30 s, spread by chance, and at the next node where the broker is a cluster.

I/O: paho; its only importer.
"""

import os
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from runtime import config
from runtime.addresses import Address, Turns
from runtime.errors import CredentialError
from runtime.logs import Log
from store_gateway.errors import LinkError, LinkReason

KEEPALIVE_S: Final = 30
CONNECT_S: Final = 10.0
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
KEY_CREDENTIAL: Final = "broker-key"
_STOP_S: Final = 5.0
_OUT_MESSAGES: Final = 256  # waiting for the broker's word; more are dropped, and said again when they are missed
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h): the box may have no clock yet, and trusted time comes from HQ alone.
# Every message is authenticated end to end; a broker with an ended certificate can only do what any broker can.
_NO_CHECK_TIME: Final = 0x200000


class At(Protocol):
    """Where a broker's nodes are and how they are known."""

    @property
    def addresses(self) -> tuple[Address, ...]: ...

    @property
    def ca(self) -> Path | None: ...

    @property
    def certificate(self) -> Path | None: ...


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """What a connection is for. `name` stands in logs and counts; `subscriptions` are topics with their QoS.

    `context` makes the TLS context for each attempt (None: plain TCP), `cut_bytes` is where a payload is cut, so that
    what is too long is refused by its size without being kept. `login`: name and password, where the broker wants them.
    """

    name: str
    identity: str
    at: At
    context: Callable[[], ssl.SSLContext] | None
    subscriptions: tuple[tuple[str, int], ...]
    cut_bytes: int
    remedies: Mapping[LinkReason, str]
    log: Log
    login: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"Plan(name={self.name!r}, …)"


def tls_context(at: At, credentials_dir: Path | None) -> ssl.SSLContext:
    """Trusts the broker's authority but no clock, and shows this store's certificate where it is to show one.

    Raises: LinkError(FILES).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    if at.certificate is None:
        try:
            context.load_verify_locations(cafile=at.ca)
        except OSError as error:  # SSLError is one
            raise LinkError(LinkReason.FILES) from error
        return context
    try:
        key = config.credential(KEY_CREDENTIAL, credentials_dir)
    except CredentialError as error:
        raise LinkError(LinkReason.FILES) from error
    # ssl reads keys from files only; this one is memory of this process.
    secret = os.memfd_create(KEY_CREDENTIAL, os.MFD_CLOEXEC)
    try:
        os.write(secret, key)
        context.load_verify_locations(cafile=at.ca)
        context.load_cert_chain(str(at.certificate), f"/proc/self/fd/{secret}")
    except OSError as error:  # SSLError is one
        raise LinkError(LinkReason.FILES) from error
    finally:
        os.close(secret)
    return context


class Connection:
    """See the module. `on_message(topic, payload, retained)` and `on_up(up)` are called on other threads.

    `chance()` gives a number from 0 to 1.
    """

    def __init__(
        self,
        plan: Plan,
        on_message: Callable[[str, bytes, bool], None],
        on_up: Callable[[bool], None],
        chance: Callable[[], float],
    ) -> None:
        self._plan = plan
        self._on_message = on_message
        self._on_up = on_up
        self._chance = chance
        self._turns = Turns(plan.at.addresses, chance)
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._reason: LinkReason | None = None
        self._paho: Client | None = None
        self._is_up = False
        self._said: LinkReason | None = None
        self.counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name=f"link-{plan.name}", daemon=True)

    def start(self) -> None:
        """Connects, and stays connected until `stop`; never raises, whatever the broker does."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Sends with QoS 1, perhaps to be kept by the broker; False where it could not even be queued."""
        paho = self._paho
        if paho is None or not self._is_up:
            return False
        try:
            return paho.publish(topic, payload, qos=1, retain=retain).rc == 0
        except (ValueError, OSError, MQTTException):
            return False

    def counters(self) -> dict[str, int]:
        """Counts since the start, by what happened."""
        return {f"link_{self._plan.name}_{what}": count for what, count in tuple(self.counts.items())}

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            was_up = False
            try:
                was_up = self._once()
            except LinkError as error:
                self._say(error.reason)
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
            self._say(self._ended_by())
        return was_up

    def _ended_by(self) -> LinkReason:
        return LinkReason.LOST if self._reason is None else self._reason

    def _connect(self) -> Client:
        """A new connection under way. Raises: LinkError."""
        plan = self._plan
        # A new one each time: what paho kept for the old connection would come late, and we say it anew.
        paho = Client(
            CallbackAPIVersion.VERSION2,
            client_id=plan.identity,
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
        if plan.context is not None:
            paho.tls_set_context(plan.context())
        if plan.login is not None:
            paho.username_pw_set(*plan.login)
        self._paho = paho
        try:
            at = self._turns.take()
            paho.connect(at.host, at.port, KEEPALIVE_S)
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
        elif self._plan.subscriptions:
            paho.subscribe(list(self._plan.subscriptions))
        else:
            self._up()

    def _subscribed(
        self, paho: Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        if any(code.is_failure for code in codes):
            self._end(LinkReason.REFUSED)
        else:
            self._up()

    def _up(self) -> None:
        self._is_up = True
        self._said = None
        self.counts["connected"] += 1
        self._plan.log.info("connected", lane=self._plan.name)
        self._on_up(True)
        self._changed.set()

    def _disconnected(
        self, paho: Client, userdata: Any, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if paho is self._paho:
            self._end(LinkReason.LOST)

    def _arrived(self, paho: Client, userdata: Any, message: MQTTMessage) -> None:
        self._on_message(message.topic, bytes(message.payload[: self._plan.cut_bytes]), message.retain)

    def _end(self, reason: LinkReason) -> None:
        self._reason = self._reason or reason
        self._changed.set()

    def _say(self, reason: LinkReason) -> None:
        """Once per reason, until it is up again."""
        self.counts[f"failed_{reason.value}"] += 1
        if reason is not self._said:
            self._said = reason
            self._plan.log.warning(
                "link_down", lane=self._plan.name, reason=reason.value, remedy=self._plan.remedies[reason]
            )
