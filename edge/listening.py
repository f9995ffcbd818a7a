"""Listens with one radio for so many seconds, for the commands that look instead of forwarding.

I/O: the radio; signals; waits by asyncio.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge.config import EdgeConfig, RadioConfig
from edge.errors import NodeError
from edge.recovery import Step
from runtime.errors import EXIT_INTERRUPTED, EXIT_OK

TICK_S: Final = 0.5
Hear = Callable[[Mapping[int, bytes], Sequence[str], int, int], None]
"""Takes what BlueZ told of one advert (see `edge.scanner.Hear`), and milliseconds since listening began."""


def radio_of(settings: EdgeConfig, node: str | None) -> RadioConfig:
    """The radio of this node, or for None the first one configured.

    Raises: NodeError where there is none of that name.
    """
    for radio in settings.radios:
        if node is None or radio.node == node:
            return radio
    raise NodeError(", ".join(radio.node for radio in settings.radios))


async def listen(
    adapter: str | None, seconds: int, hear: Hear, tick: Callable[[int], None], boot_ms: Callable[[], int]
) -> int:
    """Listens with the radio of this address (None: as `edge.scanner.Scanner` chooses), beside an edge that runs too.

    Calls `tick` twice a second and at the end with the milliseconds that have gone. Ends after so many seconds, or at
    SIGTERM or SIGINT; returns the exit code, 0 or 130. Nothing is recovered: a radio that hears nobody is a finding.
    Raises: RadioError where it cannot scan, and what `tick` raises; `hear` must raise nothing.
    """
    # Here, not above: a recording is looked at without bleak and D-Bus.
    from edge.scanner import Scanner

    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()
    began_ms: int | None = None

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    def take(manufacturer: Mapping[int, bytes], service_uuids: Sequence[str], rssi_dbm: int) -> None:
        if began_ms is not None and (at_ms := boot_ms() - began_ms) < seconds * 1000:
            hear(manufacturer, service_uuids, rssi_dbm, at_ms)

    for number, code in ((signal.SIGTERM, EXIT_OK), (signal.SIGINT, EXIT_INTERRUPTED)):
        loop.add_signal_handler(number, stop, code)
    scanner = Scanner(adapter, take)
    try:
        await scanner.take(Step.REBUILD)
        began_ms = boot_ms()
        while not stopped.done() and (gone_ms := boot_ms() - began_ms) < seconds * 1000:
            tick(gone_ms)
            await asyncio.wait((stopped,), timeout=min(TICK_S, seconds - gone_ms / 1000))
        tick(min(boot_ms() - began_ms, seconds * 1000))
    finally:
        await scanner.stop()
    return stopped.result() if stopped.done() else EXIT_OK
