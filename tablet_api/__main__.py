"""`consentry-tablets`: serves the associates' tablets until it is told to stop.

I/O: the process: clock, signals, notification.
"""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Final, NoReturn

from runtime import cli, config, logs
from runtime.errors import ConfigError
from runtime.notify import Notify
from tablet_api import app, first_contact, server
from tablet_api.certificates import Shelf
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics
from tablet_api.server import Server
from tablet_api.settings import Settings

_CONFIG: Final = Path("/etc/consentry/tablets.toml")
_KEY: Final = "tls-key"
_SWITCH_S: Final = 0.001  # a request does not wait 5 ms for each of the streams that are awake
_DESCRIPTION: Final = """\
Serves the associates' tablets over HTTPS: the web app and its API.

It holds no member, no key and no database: it asks the gateway over a Unix socket, and shows what the
gateway would show to that tablet and that associate. Without the gateway every page goes dark, and
comes back by itself.
"""
_EPILOG: Final = """\
The gateway says which certificates tablets are shown. Until it has, it is that of the configuration, whose
key is the systemd credential tls-key; SIGHUP reads these two again.
Exit codes: 0 stopped, 69 the address cannot be listened on, 78 the configuration is not right.
"""


def _context(settings: Settings) -> server.Context | None:
    """TLS as configured, or None in the demo."""
    if settings.certificate is None or settings.demo_http:
        return None
    config.credential(_KEY, settings.credentials_dir)  # names what is missing
    directory = settings.credentials_dir or Path(os.environ[config.CREDENTIALS_VARIABLE])
    return server.tls(settings.certificate, directory / _KEY)


def _serve(file: Path) -> None:
    sys.setswitchinterval(_SWITCH_S)
    settings = config.load(file, Settings)
    logs.setup("tablets")
    log = logs.Log("main")
    context = _context(settings)
    notify = Notify.from_environment()
    stopping = threading.Event()
    metrics = Metrics()
    gateway = GatewayClient(settings.gateway_socket)
    shelf: Shelf | None = None

    def authority() -> bytes:
        return b"" if shelf is None else shelf.authority

    flask = app.create(
        gateway,
        version=cli.version(),
        clock=time.monotonic,
        stopping=stopping,
        metrics=metrics,
        demo_http=settings.demo_http,
        authority=authority,
    )
    serving = Server(flask, (settings.listen, settings.port), context, time.monotonic, metrics)

    def stop() -> None:
        stopping.set()
        serving.stop()
        if plain is not None:
            plain.stop()

    if context is not None:
        shelf = Shelf(gateway, context, serving.renew, metrics)
    plain = None
    if settings.trust_port is not None:
        first = first_contact.create(authority, metrics)
        plain = Server(first, (settings.listen, settings.trust_port), None, time.monotonic, metrics)
        threading.Thread(target=plain.run, args=(lambda: None,), name="plain", daemon=True).start()

    def renew() -> None:
        try:
            renewed = _context(settings)
        except ConfigError as error:
            log.error("certificate_kept", remedy=error.remedy, reason=error.text)
            return
        if renewed is not None and shelf is not None:
            shelf.restart(renewed)
            log.info("certificate_read")

    if shelf is not None:
        threading.Thread(target=shelf.run, args=(stopping,), name="certificates", daemon=True).start()
    cli.stop_on_signals(stop, renew)
    scheme = "http" if context is None else "https"
    log.info("ready", scheme=scheme, listen=settings.listen, port=serving.port)
    notify.ready(f"listening on port {serving.port}")
    last_alive = time.monotonic()

    def tick() -> None:
        nonlocal last_alive
        now = time.monotonic()
        if notify.watchdog_interval_s is not None and now - last_alive >= notify.watchdog_interval_s / 2:
            last_alive = now
            notify.alive()

    serving.run(tick)
    notify.stopping()
    gateway.close()
    log.info("stopped")


def main() -> NoReturn:
    """The program."""
    parser = cli.parser("consentry-tablets", _DESCRIPTION, _CONFIG, _EPILOG)
    arguments = parser.parse_args()
    cli.run(lambda: _serve(arguments.config), "tablets")


if __name__ == "__main__":
    main()
