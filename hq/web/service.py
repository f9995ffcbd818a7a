"""Runs HQ's web: the server, and beside it the mails that wait and what time has ended.

Nothing that matters for correctness lives here: any number of these programs may share one database.

I/O: threads, sockets, credentials.
"""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from hq import keys as keys_of
from hq import limits, mailing, sessions, signing_in
from hq.database import open_database, writing
from hq.errors import DatabaseUnavailable
from hq.keys import Keys
from hq.settings import Settings
from hq.web import app, errors
from hq.web.letters import Letters
from hq.web.providers import MEMBERS, STAFF, Providers
from hq.web_settings import Web
from runtime import cli, config, logs, web_server
from runtime.connections import MAX_CONNECTIONS, MAX_PER_ADDRESS
from runtime.errors import EXIT_OK, ConfigError
from runtime.logs import Log
from runtime.notify import Notify
from runtime.web_server import Server

KEY: Final = "web-key"
_LOG: Final = Log("web")
_REQUEST_S: Final = 120.0  # a system's batch of 10,000 lines
_MAILS_S: Final = 1.0
_FORGET_MS: Final = 60_000
_TOLD_MS: Final = 60_000
_JOIN_S: Final = 15.0
_SWITCH_S: Final = 0.001  # a short request does not wait long for a batch
_SECRETS: Final = {MEMBERS: "provider-secret", STAFF: "staff-secret"}


class Counts:
    """How often what happened, told once a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures: Counter[str] = Counter()

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Adds to a figure."""
        with self._lock:
            self._figures[f"{name}_{label}".replace("-", "_").rstrip("_")] += amount

    def figures(self) -> dict[str, int]:
        """All of them, by name."""
        with self._lock:
            return dict(sorted(self._figures.items()))


def told(status: int) -> tuple[str, Mapping[str, object]]:
    """What the server itself refuses, as problems are told here."""
    problem = errors.of_status(status)
    return problem.kind.value.slug, problem.document()


class Service:
    """One program of HQ's web. `clock_ms` gives Unix milliseconds UTC, `mono` boot-clock seconds."""

    def __init__(
        self,
        settings: Web,
        credentials: Path | None,
        engine: Engine,
        keys: Keys,
        clock_ms: Callable[[], int],
        mono: Callable[[], float],
        version: str,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._engine = engine
        self._clock_ms = clock_ms
        self._mono = mono
        self._counts = Counts()
        self._stop = threading.Event()
        shown = context(settings, credentials)  # first: what an operator most likely has to put right
        flask = app.create(
            engine, keys, clock_ms, settings, version=version, mono=mono, providers=_providers(settings, credentials)
        )
        self._letters = None
        if settings.mail is not None:
            line = mailing.mailing(settings.mail, credentials)
            self._letters = Letters(engine, keys.custody, flask, settings, line)
        self._server = Server(
            flask,
            (settings.listen, settings.port),
            shown,
            mono,
            self._counts,
            told,
            most_body_bytes=app.MOST_BODY_BYTES,
            # Behind a proxy all come from its address; it counts its own callers.
            most_per_address=MAX_CONNECTIONS if settings.proxy_hops else MAX_PER_ADDRESS,
            request_s=_REQUEST_S,
        )

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._server.port

    def stop(self) -> None:
        """Ends `run`; callable from any thread."""
        self._stop.set()
        self._server.stop()

    def renew(self) -> None:
        """Reads the certificate and its key again."""
        try:
            found = context(self._settings, self._credentials)
        except ConfigError as error:
            _LOG.error("certificate_kept", remedy=error.remedy, reason=error.text)
            return
        if found is not None:
            self._server.renew(found)
            _LOG.info("certificate_read")

    def run(self, notify: Notify) -> None:
        """Serves until `stop`."""
        beside = threading.Thread(target=self._beside, name="beside", daemon=True)
        beside.start()
        scheme = "http" if self._settings.certificate is None else "https"
        _LOG.info("ready", scheme=scheme, listen=self._settings.listen, port=self.port)
        notify.ready(f"listening on port {self.port}")
        alive_mono_s = self._mono()

        def tick() -> None:
            nonlocal alive_mono_s
            now_mono_s, interval_s = self._mono(), notify.watchdog_interval_s
            if interval_s is not None and now_mono_s - alive_mono_s >= interval_s / 2 and beside.is_alive():
                alive_mono_s = now_mono_s
                notify.alive()

        self._server.run(tick)
        notify.stopping()
        self._stop.set()
        beside.join(_JOIN_S)
        _LOG.info("stopped")

    def _beside(self) -> None:
        """Mails and what time has ended, in a thread of its own: a mail server that hangs holds up nobody."""
        forgot_ms = told_ms = self._clock_ms()
        while not self._stop.wait(_MAILS_S):
            now_ms = self._clock_ms()
            try:
                if self._letters is not None:
                    self._letters.tick(now_ms)
                if now_ms - forgot_ms >= _FORGET_MS:
                    forgot_ms = now_ms
                    with writing(self._engine) as connection:
                        limits.forget(connection, now_ms)
                        sessions.forget(connection, now_ms)
                        signing_in.forget(connection, now_ms)
            except DatabaseUnavailable as error:
                _LOG.error("database_failed", reason=error.text, remedy=error.remedy)
            if now_ms - told_ms >= _TOLD_MS:
                told_ms = now_ms
                _LOG.info("counters", **self._counts.figures())


def serve(settings: Settings, file: Path, clock_ms: Callable[[], int], mono: Callable[[], float]) -> int:
    """The program, until SIGTERM; SIGHUP reads the certificate again. `file` is the configuration, for what it lacks.

    Raises:
        ProgramError: it cannot run.
    """
    if settings.web is None:
        raise ConfigError(file, "web", "is missing: the table [web] is expected")
    sys.setswitchinterval(_SWITCH_S)
    logs.setup("hq-web")
    loaded = keys_of.load(settings.keys, settings.credentials_dir)
    engine = open_database(settings.database)
    try:
        service = Service(settings.web, settings.credentials_dir, engine, loaded, clock_ms, mono, cli.version())
        cli.stop_on_signals(service.stop, service.renew)
        service.run(Notify.from_environment())
    finally:
        engine.dispose()
    return EXIT_OK


def context(settings: Web, credentials: Path | None) -> web_server.Context | None:
    """TLS as configured; None: plain HTTP, on loopback.

    Raises:
        TlsError, ConfigError: certificate and key do not serve.
    """
    if settings.certificate is None:
        return None
    config.credential(KEY, credentials)  # names what is missing
    return web_server.tls(settings.certificate, (credentials or Path(os.environ[config.CREDENTIALS_VARIABLE])) / KEY)


def _providers(settings: Web, credentials: Path | None) -> Providers:
    """The identity providers with their secrets; one without is a public client."""
    found = {}
    for realm, named in ((MEMBERS, settings.members), (STAFF, settings.staff)):
        if named is not None and named.confidential:
            found[realm] = config.credential(_SECRETS[realm], credentials).decode("utf-8", "replace").strip()
    return Providers(settings.members, settings.staff, found)
