"""Keeps what this server shows to tablets up to date: asks the gateway, and gives the server new contexts.

A tablet is shown the certificate for the name that it calls. What OpenSSL does not take is counted and told, and the
one before stays. Keys reach OpenSSL through nameless memory: its interface in Python wants files, and none is to be on
a disk.

I/O: nameless files in memory (memfd); asks the gateway.
"""

import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime import names
from runtime.errors import TlsError
from runtime.logs import Log
from tablet_api import server
from tablet_api.errors import GatewayAwayError
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics
from wire.trust import AskCertificates, CertificateKit, Certificates, CertificateSource

LOOK_S: Final = 5.0

Renew = Callable[..., None]  # Server.renew: the context for any name, then the others


@dataclass(frozen=True, slots=True)
class _Shown:
    """One certificate in use."""

    id: bytes
    names: frozenset[str]
    context: ssl.SSLContext


class Shelf:
    """See the module. `start` is the context of the files, until the gateway has said its own.

    `look` on one thread. `authority` is the store's own, PEM, for tablets to install; empty: none is known.
    """

    def __init__(self, gateway: GatewayClient, start: ssl.SSLContext, renew: Renew, metrics: Metrics) -> None:
        self._gateway = gateway
        self._start = start
        self._renew = renew
        self._metrics = metrics
        self._log = Log("certificates")
        self._asked: tuple[bytes, ...] = ()
        self._shown: dict[CertificateSource, _Shown] = {}
        self._lock = threading.Lock()
        self.authority = b""

    def run(self, stopping: threading.Event) -> None:
        """Looks every 5 s until the program ends."""
        self.look()
        while not stopping.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Asks once, and changes what is shown where the gateway has something else."""
        try:
            reply = self._gateway.ask(AskCertificates(self._asked))
        except GatewayAwayError:  # which is told elsewhere; what is shown goes on
            return
        if isinstance(reply, Certificates):
            with self._lock:
                self._take(reply)

    def restart(self, start: ssl.SSLContext) -> None:
        """The files were read again."""
        with self._lock:
            self._start = start
            self._apply()

    def _take(self, found: Certificates) -> None:
        self._asked = tuple(one.id for one in found.kits)
        self.authority = found.authority
        there = {one.source for one in found.kits}
        shown = {source: one for source, one in self._shown.items() if source in there}
        for kit in found.kits:
            if kit.source in shown and shown[kit.source].id == kit.id:
                continue
            try:
                context = from_memory(kit)
            except TlsError as error:
                self._metrics.add("certificates_kept", kit.source.value)
                self._log.error("certificate_kept", remedy=error.remedy, source=kit.source, reason=error.text)
                continue
            shown[kit.source] = _Shown(kit.id, frozenset(kit.names), context)
            self._metrics.add("certificates_renewed", kit.source.value)
            self._log.info("certificate_renewed", source=kit.source)
        self._shown = shown
        self._apply()

    def _apply(self) -> None:
        """From now on a new connection is shown HQ's for its names, and the store's own for any other."""
        own, delivered = self._shown.get(CertificateSource.OWN), self._shown.get(CertificateSource.HQ)
        default = own.context if own is not None else self._start
        default.sni_callback = None if delivered is None else _choosing(delivered)
        self._renew(default, *([] if delivered is None else [delivered.context]))


def _choosing(delivered: _Shown) -> Callable[[ssl.SSLSocket | ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """What OpenSSL calls with the name that a tablet calls."""

    def choose(line: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if name is not None and names.fits(name.lower(), delivered.names):
            line.context = delivered.context

    return choose


def from_memory(kit: CertificateKit) -> ssl.SSLContext:
    """The context for a chain and key that are in no file.

    Raises:
        TlsError: OpenSSL does not take them.
    """
    with _nameless(kit.chain) as chain, _nameless(kit.key) as key:
        return server.tls(chain, key)


@contextmanager
def _nameless(content: bytes) -> Iterator[Path]:
    """A file in memory that nobody else can name, while it is needed."""
    number = os.memfd_create("consentry", os.MFD_CLOEXEC)
    try:
        os.write(number, content)
        yield Path(f"/proc/self/fd/{number}")
    finally:
        os.close(number)
