"""Keeps one radio hearing: starts the scan, watches for silence, takes the steps of recovery.

Pure but for what it is given: the scanner does the I/O, the clock is an argument.

I/O: logs; waits by asyncio.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from edge.errors import RadioError, RadioReason
from edge.recovery import Ladder, Step, look, taken
from runtime.logs import Log
from wire.sighting import NO_ADAPTER, RadioState

LOOK_S = 0.5


class Scans(Protocol):
    """A radio that can be made to scan; `scanner.Scanner` is the one."""

    @property
    def address(self) -> str | None:
        """The radio's address, None before one was found."""

    async def take(self, step: Step) -> None:
        """Scan, by this step. Raises: RadioError."""

    async def stop(self) -> None:
        """Scan no more."""


class Radio:
    """One radio and how it fares.

    `heard_mono_s` says when an advert of anybody was last heard, `boot_s` what time it is; both on the boot clock.
    `restarts` counts the steps of recovery.
    """

    def __init__(
        self, scanner: Scans, heard_mono_s: Callable[[], float], boot_s: Callable[[], float], log: Log
    ) -> None:
        self._scanner = scanner
        self._heard_mono_s = heard_mono_s
        self._boot_s = boot_s
        self._log = log
        self._ladder = Ladder(boot_s(), tried=1)  # not hearing before `begin` ended
        self._told = RadioState.HEARING
        self._fault: RadioReason | None = None
        self.restarts = 0

    @property
    def adapter(self) -> str:
        """The radio's address, or "none"."""
        return self._scanner.address or NO_ADAPTER

    @property
    def state(self) -> RadioState:
        """How it fares."""
        return self._ladder.state

    async def begin(self) -> None:
        """Begins to scan; a radio that cannot is logged, and then is recovered by `keep`."""
        await self._take(Step.REBUILD)
        self._ladder = Ladder(self._boot_s(), tried=0 if self._fault is None else 1)
        self._told = self._ladder.state
        if self._fault is None:
            self._log.info("scanning", adapter=self.adapter)

    async def keep(self) -> None:
        """Looks every half second, and recovers what is silent, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._ladder, step = look(self._ladder, self._heard_mono_s(), self._boot_s())
            self._tell(step)
            if step is not None:
                self.restarts += 1
                await self._take(step)
                self._ladder = taken(self._ladder, self._boot_s())

    async def end(self) -> None:
        """Stops the scan."""
        await self._scanner.stop()

    async def _take(self, step: Step) -> None:
        try:
            await self._scanner.take(step)
        except RadioError as error:
            if error.reason is not self._fault:  # once for each cause: while it lasts this comes every half minute
                self._log.error(
                    "cannot_scan", remedy=error.remedy, reason=error.text, error=error.name, adapter=self.adapter
                )
            self._fault = error.reason
        else:
            self._fault = None

    def _tell(self, step: Step | None) -> None:
        state = self._ladder.state
        if state is RadioState.HEARING and self._told is not RadioState.HEARING:
            self._log.info("hearing_again", adapter=self.adapter)
        elif state is RadioState.ILL and self._told is not RadioState.ILL and self._fault is None:
            silent = RadioError(RadioReason.SILENT)
            self._log.error("radio_ill", remedy=silent.remedy, reason=silent.text, adapter=self.adapter)
        elif step is not None and state is not RadioState.ILL:
            self._log.warning("radio_silent", step=step.value, adapter=self.adapter)
        self._told = state
