"""The loop of an edge: each half second it sends what was heard, now and then how its radio fares.

I/O: logs; waits by asyncio.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge.coalesce import WINDOW_MS, Coalescer
from edge.radio import Radio
from edge.replay import Recorded
from edge.sender import REMEDIES, Sender, SendFault
from runtime.logs import Log
from runtime.notify import Notify
from wire.air import candidates, candidates_of_properties
from wire.sighting import REPLAY, ROWS_MAX, Health, RadioState, encode_batch, encode_health

HEALTH_MS: Final = 5_000
COUNTERS_MS: Final = 60_000


class Edge:
    """What was heard on its way to the gateway, from a radio or, where `radio` is None, from recorded adverts.

    `boot_ms` gives milliseconds of CLOCK_BOOTTIME.
    """

    def __init__(
        self, node: str, company_id: int, sender: Sender, boot_ms: Callable[[], int], notify: Notify, log: Log
    ) -> None:
        self._node = node
        self._company_id = company_id
        self._sender = sender
        self._boot_ms = boot_ms
        self._notify = notify
        self._log = log
        self._heard = Coalescer(node)
        self._unsent = 0  # sightings that the gateway's socket did not take
        self._malformed = 0  # lines of a replay
        self._sent = 0
        self._fault: SendFault | None = None
        self.radio: Radio | None = None

    def hear(self, manufacturer: Mapping[int, bytes], service_uuids: Sequence[str], rssi_dbm: int) -> None:
        """One advert as BlueZ splits it."""
        tokens = candidates_of_properties(manufacturer, service_uuids, self._company_id)
        self._heard.hear(tokens, rssi_dbm, self._boot_ms())

    def replay(self, recorded: Recorded | None) -> None:
        """One recorded advert; None is a malformed line, counted as a drop."""
        if recorded is None:
            self._malformed += 1
        else:
            self._heard.hear(candidates(recorded.raw, self._company_id), recorded.rssi_dbm, self._boot_ms())

    def heard_mono_s(self) -> float:
        """When an advert of anybody was last heard, seconds of the boot clock; 0 before the first."""
        return self._heard.last_advert_ms / 1000

    async def keep_sending(self) -> None:
        """Sends at the end of each half second, until cancelled."""
        now_ms = self._boot_ms()
        due_ms, health_ms, counters_ms = now_ms + WINDOW_MS, now_ms, now_ms + COUNTERS_MS
        alive_ms = now_ms
        told: RadioState | None = None
        while True:
            await asyncio.sleep(max(due_ms - self._boot_ms(), 0) / 1000)
            now_ms = self._boot_ms()
            # A loop that was late (a suspended box) goes on from now; it does not run after lost windows.
            due_ms = max(due_ms + WINDOW_MS, now_ms)
            self.send_sightings()
            if now_ms >= health_ms or self._state() is not told:
                told, health_ms = self._state(), now_ms + HEALTH_MS
                self.send_health()
            if now_ms >= counters_ms:
                counters_ms = now_ms + COUNTERS_MS
                self.log_counters()
            if self._notify.watchdog_interval_s is not None and now_ms >= alive_ms:
                alive_ms = now_ms + int(self._notify.watchdog_interval_s * 1000)
                self._notify.alive()

    def send_sightings(self) -> None:
        """Sends the window that is open, and opens the next."""
        sightings = self._heard.take()
        for at in range(0, len(sightings), ROWS_MAX):
            rows = sightings[at : at + ROWS_MAX]
            for datagram in encode_batch(self._node, rows):
                if self._send(datagram):
                    self._sent += len(rows)
                else:
                    self._unsent += len(rows)

    def send_health(self) -> None:
        """Sends how the radio fares."""
        self._send(
            encode_health(
                Health(
                    self._node,
                    self.radio.adapter if self.radio else REPLAY,
                    self._state(),
                    self.radio.reason if self.radio else None,
                    self._heard.last_advert_ms,
                    self._heard.adverts,
                    self._heard.candidates,
                    self._drops(),
                    tuple(sorted(self.radio.restarts.items())) if self.radio else (),
                )
            )
        )

    def log_counters(self) -> None:
        """One line of what was counted since the start; nothing in it tells whom."""
        self._log.info(
            "counters",
            state=self._state().name.lower(),
            adverts=self._heard.adverts,
            candidates=self._heard.candidates,
            sightings=self._sent,
            no_room=self._heard.drops,
            unsent=self._unsent,
            malformed=self._malformed,
            restarts=self.radio.restarts.total() if self.radio else 0,
        )

    def _state(self) -> RadioState:
        return self.radio.state if self.radio else RadioState.HEARING

    def _drops(self) -> int:
        return self._heard.drops + self._unsent + self._malformed

    def _send(self, datagram: bytes) -> bool:
        fault = self._sender.send(datagram)
        if fault is not self._fault:
            if fault is None:
                self._log.info("gateway_back", unsent=self._unsent)
            else:
                self._log.warning("cannot_send", REMEDIES[fault], reason=fault.value)
            self._fault = fault
        return fault is None
