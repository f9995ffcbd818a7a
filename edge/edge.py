"""The loop of an edge: each half second it sends what was heard, now and then how each radio fares.

I/O: logs; waits by asyncio.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from edge.coalesce import WINDOW_MS
from edge.node import Node
from edge.sender import REMEDIES, SendFault, Sends
from runtime.logs import Log
from runtime.notify import Notify
from wire.sighting import ROWS_MAX, RadioState, encode_batch, encode_health

HEALTH_MS: Final = 5_000
COUNTERS_MS: Final = 60_000


class Edge:
    """The nodes of one box, each with its own batches and its own health, on their way to one gateway.

    `boot_ms` gives milliseconds of CLOCK_BOOTTIME; `window_ms` is how often it sends.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        sender: Sends,
        boot_ms: Callable[[], int],
        notify: Notify,
        log: Log,
        window_ms: int = WINDOW_MS,
    ) -> None:
        self._nodes = tuple(nodes)
        self._sender = sender
        self._boot_ms = boot_ms
        self._notify = notify
        self._log = log
        self._window_ms = window_ms
        self._fault: SendFault | None = None

    async def keep_sending(self) -> None:
        """Sends at the end of each window, until cancelled.

        It also feeds the watchdog: the process is alive as long as this loop turns, however ill a radio is.
        """
        now_ms = self._boot_ms()
        due_ms, health_ms, counters_ms = now_ms + self._window_ms, now_ms, now_ms + COUNTERS_MS
        alive_ms = now_ms
        told: dict[str, RadioState] = {}
        while True:
            await asyncio.sleep(max(due_ms - self._boot_ms(), 0) / 1000)
            now_ms = self._boot_ms()
            # A loop that was late (a suspended box) goes on from now; it does not run after lost windows.
            due_ms = max(due_ms + self._window_ms, now_ms)
            self.send_sightings()
            all_of_them = now_ms >= health_ms
            if all_of_them:
                health_ms = now_ms + HEALTH_MS
            for node in self._nodes:
                if all_of_them or told.get(node.name) is not node.state:
                    told[node.name] = node.state
                    self._send(encode_health(node.health()))
            if now_ms >= counters_ms:
                counters_ms = now_ms + COUNTERS_MS
                self.log_counters()
            if self._notify.watchdog_interval_s is not None and now_ms >= alive_ms:
                alive_ms = now_ms + int(self._notify.watchdog_interval_s * 1000)
                self._notify.alive()

    def send_sightings(self) -> None:
        """Sends the windows that are open, and opens the next."""
        for node in self._nodes:
            sightings = node.take()
            for at in range(0, len(sightings), ROWS_MAX):
                rows = sightings[at : at + ROWS_MAX]
                for datagram in encode_batch(node.name, rows):
                    if self._send(datagram):
                        node.sent += len(rows)
                    else:
                        node.unsent += len(rows)

    def send_health(self) -> None:
        """Sends how every radio fares."""
        for node in self._nodes:
            self._send(encode_health(node.health()))

    def log_counters(self) -> None:
        """One line a radio of what was counted since the start."""
        for node in self._nodes:
            self._log.info("counters", **node.counters())

    def _send(self, datagram: bytes) -> bool:
        fault = self._sender.send(datagram)
        if fault is not self._fault:
            if fault is None:
                self._log.info("gateway_back", unsent=sum(node.unsent for node in self._nodes))
            else:
                self._log.warning("cannot_send", REMEDIES[fault], reason=fault.value)
            self._fault = fault
        return fault is None
