"""Sends datagrams over the store's MQTT, for an edge on another box than the gateway; never waits, and counts nothing.

QoS 0 and no backlog: what cannot be sent now is dropped by its sender, which counts it, and never sent late. Every
datagram has a number, sent or not, so that the gateway counts what is missing. A thread of its own keeps the
connection, and tries again with a wait that doubles up to 30 s, spread by chance.

I/O: paho; its only importer. Of socket only the options that paho's connection is given.
"""

import os
import random
import secrets
import socket
import ssl
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import SatelliteConfig
from edge.sender import SendFault
from runtime import config
from runtime.errors import ConfigError
from runtime.logs import Log
from wire import satellite
from wire.receivers import satellite_topic
from wire.satellite import SESSION_BYTES, SatelliteFrame

KEEPALIVE_S: Final = 10
CONNECT_S: Final = 10.0
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
WAITING_MOST: Final = 64  # datagrams that paho has not written yet: two full windows, half a second
UNACKNOWLEDGED_MS: Final = 4_000  # then TCP gives the connection up; the gateway takes nothing older than 2 s
_BUFFER_BYTES: Final = 65_536  # of the socket: the rest of a backlog
_STOP_S: Final = 3.0
_KEY: Final = "satellite-key"
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h): a small box may have no clock yet. What is sent is candidate tokens,
# and a broker with an ended certificate of the store's own authority gets no more of them than another.
_NO_CHECK_TIME: Final = 0x200000


class LinkFault(StrEnum):
    """Why there is no connection to the store's broker."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TLS = "tls"
    LOST = "lost"


LINK_REMEDIES: Final = {
    LinkFault.UNREACHABLE: "check the store's network, and satellite.host and satellite.port; tried again by itself",
    LinkFault.REFUSED: "install the store's bundle on its box again and reload mosquitto there (SIGHUP)",
    LinkFault.TLS: "check satellite.host, satellite.ca and satellite.certificate; run consentry-provision again",
    LinkFault.LOST: "nothing, if it comes back within a minute",
}


def tls_context(chosen: SatelliteConfig) -> ssl.SSLContext:
    """Trusts the store's own authority, and shows this satellite's certificate.

    Raises: ConfigError, where a file or the credential is not there or not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    key = config.credential(_KEY, chosen.credentials_dir)
    # ssl reads keys from files only; this one is memory of this process.
    secret = os.memfd_create(_KEY, os.MFD_CLOEXEC)
    try:
        os.write(secret, key)
        _load(chosen.ca, lambda: context.load_verify_locations(cafile=chosen.ca))
        _load(chosen.certificate, lambda: context.load_cert_chain(str(chosen.certificate), f"/proc/self/fd/{secret}"))
    finally:
        os.close(secret)
    return context


def _load(file: Path, act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:  # SSLError is one
        expected = f"a certificate in PEM is expected; for the satellite's own, one for its credential {_KEY}"
        raise ConfigError(file, "", expected) from error


class SatelliteSender:
    """The way to the gateway of another box. `boot_ms` gives milliseconds of CLOCK_BOOTTIME, `chance` 0 to 1."""

    def __init__(
        self,
        chosen: SatelliteConfig,
        boot_ms: Callable[[], int],
        log: Log,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._chosen = chosen
        self._boot_ms = boot_ms
        self._log = log
        self._chance = chance
        self._context = tls_context(chosen)
        self._topic = satellite_topic(chosen.store, chosen.name)
        self._session = secrets.token_bytes(SESSION_BYTES)
        self._number = 0
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._reason: LinkFault | None = None
        self._said: LinkFault | None = None
        self._paho: Client | None = None
        self._is_up = False
        self._handed = 0  # to paho, on this connection
        self._written = 0  # of these, by paho to the socket
        self._thread = threading.Thread(target=self._run, name="satellite", daemon=True)
        self._thread.start()

    def send(self, datagram: bytes) -> SendFault | None:
        """Hands one datagram over; None where it is on its way, else why it was dropped."""
        self._number += 1
        paho = self._paho
        if paho is None or not self._is_up:
            return SendFault.BROKER_AWAY
        if self._handed - self._written >= WAITING_MOST:
            return SendFault.BROKER_SLOW
        frame = SatelliteFrame(self._session, self._number, self._boot_ms(), datagram)
        try:
            sent = paho.publish(self._topic, satellite.encode(frame), qos=0).rc == 0
        except (ValueError, OSError, MQTTException):
            return SendFault.BROKER_AWAY
        self._handed += sent
        return None if sent else SendFault.BROKER_AWAY

    def close(self) -> None:
        """Writes what is on its way, then ends the connection; `send` must not follow."""
        self._stopping.set()
        self._changed.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            fault, was_up = self._once()
            if fault is not None and not self._stopping.is_set() and fault is not self._said:
                self._said = fault
                self._log.warning("link_down", LINK_REMEDIES[fault], reason=fault.value)
            if was_up:
                wait_s = FIRST_WAIT_S
            self._stopping.wait(wait_s * (0.5 + self._chance()))
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _once(self) -> tuple[LinkFault | None, bool]:
        """One connection from its beginning to its end: why it ended, and whether it ever was up."""
        self._reason = None
        self._changed.clear()
        self._handed = self._written = 0
        # A new one each time, so that nothing that paho kept for the old connection comes late.
        paho = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self._chosen.store}-{self._chosen.name}",
            clean_session=True,
            protocol=MQTTv311,
            reconnect_on_failure=False,
        )
        paho.connect_timeout = CONNECT_S
        paho.on_socket_open = self._opened
        paho.on_connect = self._connected
        paho.on_disconnect = self._disconnected
        paho.on_publish = self._wrote
        paho.tls_set_context(self._context)
        self._paho = paho
        try:
            paho.connect(self._chosen.host, self._chosen.port, KEEPALIVE_S)
        except ssl.SSLError:
            return LinkFault.TLS, False
        except (OSError, ValueError, MQTTException):
            return LinkFault.UNREACHABLE, False
        paho.loop_start()
        try:
            if not self._changed.wait(CONNECT_S):
                return LinkFault.UNREACHABLE, False
            while not self._stopping.is_set() and self._reason is None:
                self._changed.wait()
                self._changed.clear()
        finally:
            was_up, self._is_up, self._paho = self._is_up, False, None
            # It stands behind what is on its way, so that is written first.
            paho.disconnect()
            paho.loop_stop()
        return self._reason, was_up

    # --- called by paho, on its thread -------------------------------------------------------------------------------

    def _opened(self, paho: Client, userdata: Any, opened: Any) -> None:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)

    def _connected(
        self, paho: Client, userdata: Any, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._end(LinkFault.REFUSED)
            return
        self._is_up = True
        self._said = None
        self._log.info("connected", broker=self._chosen.host)
        self._changed.set()

    def _disconnected(
        self, paho: Client, userdata: Any, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if paho is self._paho:
            # A certificate that the broker does not accept shows only after the handshake (TLS 1.3).
            self._end(LinkFault.LOST if self._is_up else LinkFault.REFUSED)

    def _wrote(self, paho: Client, userdata: Any, mid: int, code: ReasonCode, properties: Properties | None) -> None:
        self._written += 1

    def _end(self, fault: LinkFault) -> None:
        self._is_up = False
        self._reason = self._reason or fault
        self._changed.set()
