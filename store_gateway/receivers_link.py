"""Hears satellites and cheap receivers over the store's own broker, and tells how they fare.

QoS 0 and no session: a sighting that is late is worth nothing. What a message says is found out on the connection's
thread, so that strangers' adverts never reach the thread that owns the state.

I/O: one connection through `store_gateway.connection`, and a thread that lets time pass.
"""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runtime.logs import Log
from store_gateway.connection import Connection, Plan, tls_context
from store_gateway.core.reception import Reception
from store_gateway.errors import RECEIVERS_REMEDIES
from store_gateway.settings import Receivers
from wire.raw_adverts import ADVERT_BYTES
from wire.satellite import FRAME_BYTES
from wire.sighting import Batch, Health

FIGURES_S: Final = 60.0
_LOOK_S: Final = 0.5
_QOS: Final = 0
_STOP_S: Final = 5.0

_log = Log("receivers_link")


class ReceiversLink:
    """See the module. `hand_on` is called on other threads; `clock()` gives CLOCK_BOOTTIME in seconds."""

    def __init__(
        self,
        store: str,
        settings: Receivers,
        credentials_dir: Path | None,
        hand_on: Callable[[Batch | Health], None],
        clock: Callable[[], float],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._hand_on = hand_on
        self._clock = clock
        now_mono_s = clock()
        self._reception = Reception(store, settings.sources, settings.company_id, now_mono_s)
        self._lock = threading.Lock()  # around the reception
        self._figures_mono_s = now_mono_s
        self._told: dict[str, dict[str, int]] = {}
        self._stopping = threading.Event()
        plan = Plan(
            name="receivers",
            identity=f"{store}-receivers",
            at=settings,
            context=lambda: tls_context(settings, credentials_dir),
            subscriptions=tuple((topic, _QOS) for topic in self._reception.topics),
            cut_bytes=max(FRAME_BYTES, ADVERT_BYTES) + 1,
            remedies=RECEIVERS_REMEDIES,
            log=_log,
        )
        self._connection = Connection(plan, self._arrived, self._linked, chance)
        self._thread = threading.Thread(target=self._pass_time, name="receivers", daemon=True)

    def start(self) -> None:
        """Connects, and stays connected until `stop`; never raises, whatever the broker does."""
        self._connection.start()
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        self._connection.stop()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def counters(self) -> dict[str, int]:
        """Counts since the start."""
        with self._lock:
            return {**self._connection.counters(), **self._reception.counters()}

    def _arrived(self, topic: str, payload: bytes, retained: bool) -> None:
        with self._lock:
            heard = self._reception.take(topic, payload, retained, self._clock())
        if heard is not None:
            self._hand_on(heard)

    def _linked(self, up: bool) -> None:
        with self._lock:
            self._reception.link(up, self._clock())

    def _pass_time(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            now_mono_s = self._clock()
            with self._lock:
                healths = self._reception.tick(now_mono_s)
                figures = self._reception.figures()
            for health in healths:
                self._hand_on(health)
            if now_mono_s - self._figures_mono_s >= FIGURES_S:
                self._figures_mono_s = now_mono_s
                for name, counts in figures.items():
                    since = self._told.get(name, {})
                    fresh = {what: count - since.get(what, 0) for what, count in counts.items()}
                    _log.info("receiver", name=name, **fresh, seconds=round(FIGURES_S))
                self._told = figures
