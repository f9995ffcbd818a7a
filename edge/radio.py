"""Keeps one radio hearing: starts the scan, watches for silence, takes the steps of recovery.

The scanner does the radio's I/O, and the clock is an argument.

I/O: logs; waits by asyncio.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from edge.errors import RadioError
from edge.recovery import STEPS_BEFORE_ILL, Step, begun, ended, foot, look
from runtime.logs import Log
from wire.sighting import NO_ADAPTER, RadioReason, RadioState

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
    """The radio of `node` and how it fares.

    `heard_mono_s` says when an advert of anybody was last heard, `boot_s` what time it is; both on the boot clock.
    `restarts` counts the steps of recovery by what they were taken for.
    """

    def __init__(
        self, node: str, scanner: Scans, heard_mono_s: Callable[[], float], boot_s: Callable[[], float], log: Log
    ) -> None:
        self._node = node
        self._scanner = scanner
        self._heard_mono_s = heard_mono_s
        self._boot_s = boot_s
        self._log = log
        self._ladder = begun(foot(boot_s()))  # not hearing before `begin` ended
        self._told: RadioReason | None = None
        self._fault: RadioReason | None = RadioReason.SILENT  # why the last step did not end in a scan
        self.restarts: Counter[RadioReason] = Counter()

    @property
    def adapter(self) -> str:
        """The radio's address, or "none"."""
        return self._scanner.address or NO_ADAPTER

    @property
    def reason(self) -> RadioReason | None:
        """What keeps it from hearing; None while it hears."""
        return None if self.state is RadioState.HEARING else self._fault or RadioReason.SILENT

    @property
    def state(self) -> RadioState:
        """How it fares."""
        return self._ladder.state(self._boot_s())

    async def begin(self) -> None:
        """Begins to scan; a radio that cannot is logged, and then is recovered by `keep`."""
        error = await self._take(Step.REBUILD)
        if error is None:
            self._ladder = foot(self._boot_s())
            self._log.info("scanning", node=self._node, adapter=self.adapter)
        else:
            self._tell("cannot_scan", error)
            self._ladder = ended(self._ladder, self._boot_s())

    async def keep(self) -> None:
        """Looks every half second, and recovers what is silent, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            before = self._ladder
            self._ladder, step = look(before, self._heard_mono_s(), self._boot_s())
            if before.tried and not self._ladder.tried:
                self._log.info("hearing_again", node=self._node, adapter=self.adapter)
                self._told = None
            if step is not None:
                await self._recover(step)

    async def end(self) -> None:
        """Stops the scan."""
        await self._scanner.stop()

    async def _recover(self, step: Step) -> None:
        if self._fault is None and self._ladder.tried >= STEPS_BEFORE_ILL:
            self._tell("radio_ill", RadioError(RadioReason.SILENT))
        elif self.state is not RadioState.ILL:
            cause = (self._fault or RadioReason.SILENT).value
            self._log.warning("radio_silent", node=self._node, step=step.value, cause=cause, adapter=self.adapter)
        self.restarts[self._fault or RadioReason.SILENT] += 1
        self._ladder = begun(self._ladder)
        began_s = self._boot_s()
        error = await self._take(step)
        # One that hung has used the pause up: nothing scans that could be waited for.
        self._ladder = ended(self._ladder, self._boot_s() if error is None else began_s)
        # Not before the harshest step failed: that one ends a stuck discovery, which till then looks like a busy radio.
        if error is not None and (self._ladder.tried >= STEPS_BEFORE_ILL or self.state is RadioState.ILL):
            self._tell("cannot_scan", error)

    async def _take(self, step: Step) -> RadioError | None:
        try:
            await self._scanner.take(step)
        except RadioError as error:
            self._fault = error.reason
            return error
        self._fault = None
        return None

    def _tell(self, event: str, error: RadioError) -> None:
        """Once for each cause: while one lasts it comes every half minute."""
        if error.reason is not self._told:
            where = {"node": self._node, "adapter": self.adapter}
            self._log.error(event, remedy=error.remedy, reason=error.text, error=error.name, **where)
        self._told = error.reason
