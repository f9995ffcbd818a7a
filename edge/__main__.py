"""consentry-edge: hears phones by Bluetooth and forwards candidate tokens to the gateway.

I/O: the command line, the clock, signals.
"""

import asyncio
import signal
import time
from pathlib import Path

from edge.config import EdgeConfig
from edge.edge import Edge
from edge.errors import RadioError
from edge.replay import play
from edge.sender import Sender
from runtime import cli, config, logs
from runtime.errors import EXIT_INTERRUPTED, EXIT_OK
from runtime.notify import Notify
from wire.sighting import RadioReason

CONFIG = Path("/etc/consentry/edge.toml")
_EPILOG = """\
what is heard goes to the gateway's datagram socket; nothing is kept, and no address is looked at.

examples:
  consentry-edge --list-adapters                      which radios there are
  consentry-edge --config edge.toml                   hear, until ended
  consentry-edge --config edge.toml --replay -        recorded adverts instead of a radio, a JSON object a line:
      {"address": "C0:FF:EE:00:00:01", "rssi": -60, "raw": "02011a1107…"}
"""


def boot_ms() -> int:
    """Milliseconds of CLOCK_BOOTTIME, which goes on while the box sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def main() -> None:
    """Runs the command line; does not return."""
    cli.run(_run, "edge")


def _run() -> int:
    parser = cli.parser("consentry-edge", "Hear phones by Bluetooth; forward candidate tokens.", CONFIG, _EPILOG)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--list-adapters", action="store_true", help="show the radios, one a line, and end")
    choice.add_argument("--replay", metavar="FILE", help="read recorded adverts from FILE, - for standard input")
    chosen = parser.parse_args()
    if chosen.list_adapters:
        return asyncio.run(_list_adapters())
    settings = config.load(chosen.config, EdgeConfig)
    logs.setup("edge")
    return asyncio.run(_hear(settings, chosen.replay))


async def _list_adapters() -> int:
    # Here, not above: a replay needs neither bleak nor D-Bus.
    from edge import bluez

    found = await bluez.adapters()
    if not found:
        raise RadioError(RadioReason.NO_RADIO)
    for adapter in found:
        powered = "powered on" if adapter.powered else "powered off"
        print(
            f"{adapter.name:<5}  {adapter.address}  {powered:<11}  {'discovering' if adapter.discovering else 'idle'}"
        )
    return EXIT_OK


async def _hear(settings: EdgeConfig, replay: str | None) -> int:
    log = logs.Log("edge")
    notify = Notify.from_environment()
    sender = Sender(settings.gateway_socket)
    edge = Edge(settings.node, settings.company_id, sender, boot_ms, notify, log)
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

    log.info("started", node=settings.node, source="replay" if replay is not None else "radio")
    sending = asyncio.create_task(edge.keep_sending())
    hearing = asyncio.create_task(
        _replay(edge, replay, notify) if replay is not None else _scan(edge, settings, notify)
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


async def _replay(edge: Edge, source: str, notify: Notify) -> None:
    notify.ready("replaying recorded adverts")
    await play(source, edge.replay)


async def _scan(edge: Edge, settings: EdgeConfig, notify: Notify) -> None:
    from edge.radio import Radio
    from edge.scanner import Scanner

    scanner = Scanner(settings.adapter, edge.hear)
    radio = Radio(scanner, edge.heard_mono_s, lambda: boot_ms() / 1000, logs.Log("radio"))
    edge.radio = radio
    try:
        await radio.begin()
        # A box without a radio counts as started: it says so by its log and its health, and goes on trying.
        notify.ready("scanning" if radio.adapter != "none" else "no radio yet")
        await radio.keep()
    finally:
        await asyncio.shield(radio.end())


if __name__ == "__main__":
    main()
