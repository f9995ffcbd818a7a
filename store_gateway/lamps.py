"""Tells bells on an MQTT broker in the store: each as an event, and each zone's state as a word for a lamp.

Topics below the configured one: `events`, JSON as a webhook gets it; `state/ZONE`, `waiting`, `escalated` or `none`,
kept by the broker where `retain` says so. A zone's name is percent-encoded; `*` where the zone is not known.

I/O: one connection through `store_gateway.connection`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from runtime.config import credential
from runtime.logs import Log
from store_gateway import webhook
from store_gateway.connection import Connection, Plan, tls_context
from store_gateway.core.bells import Bell
from store_gateway.errors import HELP_BROKER_REMEDIES, HookError, HookReason
from store_gateway.hook_settings import HelpBroker

LOGIN_CREDENTIAL: Final = "help-broker-password"
NO_ZONE: Final = "*"
_NOTHING_COMES_BYTES: Final = 1  # nothing is subscribed to

_log = Log("lamps")


class LampChannel:
    """See the module. `on_up()` is called on another thread whenever the broker was reached anew."""

    name = "mqtt"

    def __init__(
        self,
        store: str,
        settings: HelpBroker,
        credentials_dir: Path | None,
        on_up: Callable[[], None],
        chance: Callable[[], float],
    ) -> None:
        """Raises: CredentialError, where there is a login without its password."""
        self._store = store
        self._topic = settings.topic
        self._retain = settings.retain
        login = None
        if settings.login is not None:
            password = credential(LOGIN_CREDENTIAL, credentials_dir).decode("utf-8", "replace").strip()
            login = settings.login, password
        plan = Plan(
            name="help",
            identity=f"{store}-help",
            at=settings,
            context=(lambda: tls_context(settings, credentials_dir)) if settings.tls else None,
            subscriptions=(),
            cut_bytes=_NOTHING_COMES_BYTES,
            remedies=HELP_BROKER_REMEDIES,
            log=_log,
            login=login,
        )
        self._connection = Connection(plan, lambda *_: None, lambda up: on_up() if up else None, chance)

    def start(self) -> None:
        """Connects, and stays connected until `stop`; never raises, whatever the broker does."""
        self._connection.start()

    def stop(self) -> None:
        """Ends it."""
        self._connection.stop()

    def send(self, bell: Bell, id: str) -> None:
        """One event and one state. Raises: HookError, where the broker is not there; the connection says why."""
        zone = NO_ZONE if bell.zone is None else quote(bell.zone, safe="")
        state = "escalated" if bell.escalated else "waiting" if bell.waiting else "none"
        told = self._connection.publish(f"{self._topic}/events", webhook.body(self._store, bell))
        kept = self._connection.publish(f"{self._topic}/state/{zone}", state.encode(), retain=self._retain)
        if not (told and kept):
            raise HookError(HookReason.UNREACHABLE)
