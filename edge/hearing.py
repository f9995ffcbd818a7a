"""The commands `run` and `replay`: puts an edge together, and hears until it is ended.

I/O: signals; waits by asyncio.
"""

import asyncio
import secrets
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from edge.coalesce import SATELLITE_WINDOW_MS, WINDOW_MS
from edge.config import EdgeConfig, RadioConfig
from edge.edge import Edge
from edge.node import Node
from edge.overflow import Memory
from edge.replay import play
from edge.sender import Sender, Sends
from runtime import logs
from runtime.errors import EXIT_INTERRUPTED, EXIT_OK
from runtime.notify import Notify
from wire.sighting import NO_ADAPTER, TOKEN_BYTES

END_S: Final = 8.0  # within the unit's TimeoutStopSec; what is not stopped then ends with the connection


async def hear(settings: EdgeConfig, boot_ms: Callable[[], int], replay: str | None = None) -> int:
    """Hears with every radio or, where `replay` names a file ("-" is standard input), what it holds, as the first one.

    Returns the exit code. Raises: ReplayError where the file cannot be read.
    """
    log = logs.Log("edge")
    notify = Notify.from_environment()
    sender = _sender(settings, boot_ms)
    window_ms = WINDOW_MS if settings.satellite is None else SATELLITE_WINDOW_MS
    chosen = settings.radios[:1] if replay is not None else settings.radios
    memory = Memory()
    nodes = [Node(radio.node, settings.company_id, boot_ms, memory) for radio in chosen]
    edge = Edge(nodes, sender, boot_ms, notify, log, window_ms)
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    def on_loose_end(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        # dbus-fast 5.2 leaves a failed future behind when it writes to a bus that was killed. The step of recovery that
        # met it went on; asyncio would log an error for which there is nothing to do.
        log.warning("loose_end", exception=type(context.get("exception")).__name__)

    asyncio.get_running_loop().set_exception_handler(on_loose_end)
    for number, code in ((signal.SIGTERM, EXIT_OK), (signal.SIGINT, EXIT_INTERRUPTED)):
        asyncio.get_running_loop().add_signal_handler(number, stop, code)

    source = "replay" if replay is not None else "radio"
    log.info("started", nodes=",".join(node.name for node in nodes), source=source)
    sending = asyncio.create_task(edge.keep_sending())
    hearing = asyncio.create_task(
        _replay(nodes[0], replay, boot_ms, notify) if replay is not None else _scan(nodes, chosen, boot_ms, notify)
    )
    try:
        await asyncio.wait((sending, hearing, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, hearing):
            if task.done():
                task.result()  # raises what ended it; a replay just ends
    finally:
        notify.stopping()
        for task in (sending, hearing):
            task.cancel()
        await asyncio.gather(sending, hearing, return_exceptions=True)
        edge.send_sightings()
        edge.send_health()
        edge.log_counters()
        sender.close()
    return stopped.result() if stopped.done() else EXIT_OK


def _sender(settings: EdgeConfig, boot_ms: Callable[[], int]) -> Sends:
    if settings.satellite is None:
        return Sender(settings.gateway_socket)
    # Here, not above: an edge on the gateway's own box has no MQTT to break into.
    from edge.satellite import SatelliteSender

    return SatelliteSender(settings.satellite, boot_ms, logs.Log("satellite"))


async def _replay(node: Node, source: str, boot_ms: Callable[[], int], notify: Notify) -> None:
    notify.ready("replaying recorded adverts")
    # Random: nobody's token, and another for each flag, so that the gateway has no less to do than it had.
    await play(source, lambda advert: node.replay(advert, secrets.token_bytes(TOKEN_BYTES)), boot_ms)


async def _scan(
    nodes: Sequence[Node], chosen: Sequence[RadioConfig], boot_ms: Callable[[], int], notify: Notify
) -> None:
    # Here, not above: a replay needs neither bleak nor D-Bus.
    from edge.radio import Radio
    from edge.reader import Reader
    from edge.scanner import Scanner, Shared

    shared = Shared()
    radios, readers = [], []
    for node, one in zip(nodes, chosen, strict=True):
        near = asyncio.Event()
        readers.append(Reader(node, near))

        def on_overflow(path: str, rssi_dbm: int, node: Node = node, near: asyncio.Event = near) -> None:
            node.overflow(path, rssi_dbm)
            near.set()

        scanner = Scanner(one.adapter, node.hear, on_overflow, node.front, shared=shared)
        radio = Radio(node.name, scanner, node.heard_mono_s, lambda: boot_ms() / 1000, logs.Log("radio"))
        node.radio = radio
        radios.append(radio)
    begun = 0

    async def keep(radio: Radio) -> None:
        nonlocal begun
        await radio.begin()
        begun += 1
        if begun == len(radios):
            # A box without a radio counts as started: it says so by its log and its health, and goes on trying.
            there = sum(radio.adapter != NO_ADAPTER for radio in radios)
            notify.ready(f"scanning with {there} of {len(radios)} radios" if there else "no radio yet")
        await radio.keep()

    # A task a radio: none waits for another's step. What ends one, which is no failure of a radio, ends all.
    keeping = [
        *(asyncio.create_task(keep(radio)) for radio in radios),
        *(asyncio.create_task(reader.keep()) for reader in readers),
    ]
    try:
        await asyncio.gather(*keeping)
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await asyncio.gather(*(radio.end() for radio in radios))
