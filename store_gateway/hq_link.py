"""Carries payloads between this store and HQ's broker.

Two connections: `down` and `up` on one, the fast lane `now` on its own, so that no backlog holds a withdrawal back.
What it says has QoS 1; it hears with QoS 0, for sessions are clean and a clustered broker would keep a replicated
consumer for each. What is lost on the way is found by the replica, never here.

I/O: two connections and their threads, through `store_gateway.connection`.
"""

import random
import ssl
from collections.abc import Callable
from enum import Enum
from typing import Final

from runtime.logs import Log
from store_gateway import connection
from store_gateway.connection import Connection, Plan
from store_gateway.errors import LINK_REMEDIES
from store_gateway.settings import Settings
from wire import sync
from wire.sync import MAX_PAYLOAD_BYTES

_QOS: Final = 0

_log = Log("hq_link")


class Lane(Enum):
    """Which of the two connections."""

    MAIN = "main"
    NOW = "now"


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Trusts the authority of HQ's broker, and shows this store's certificate.

    Raises: LinkError(FILES).
    """
    return connection.tls_context(settings.broker, settings.credentials_dir)


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

        def made(lane: Lane, topic: str, on_up: Callable[[bool], None]) -> Connection:
            plan = Plan(
                name=lane.value,
                identity=f"{store}-{lane.value}",
                at=settings.broker,
                context=(lambda: tls_context(settings)) if settings.broker.tls else None,
                subscriptions=((topic, _QOS),),
                cut_bytes=MAX_PAYLOAD_BYTES + 1,
                remedies=LINK_REMEDIES,
                log=_log,
            )
            fast = lane is Lane.NOW
            return Connection(plan, lambda _, payload, __: on_message(payload, fast), on_up, chance)

        self._main = made(Lane.MAIN, sync.down(store), on_link)
        self._now = made(Lane.NOW, sync.now(store), lambda up: None)

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
        return {**self._main.counters(), **self._now.counters()}
