"""consentry-edge: hears phones by Bluetooth and forwards candidate tokens to the gateway.

I/O: the command line, the clock.
"""

import argparse
import asyncio
import time
from pathlib import Path

from edge import adapters
from edge.config import EdgeConfig
from edge.hearing import hear
from runtime import cli, config, logs
from runtime.errors import EXIT_OK

CONFIG = Path("/etc/consentry/edge.toml")
_EPILOG = """\
what is heard goes to the gateway's datagram socket; nothing is kept, and no address is looked at.

examples:
  consentry-edge adapters                         which radios there are
  consentry-edge --config edge.toml               hear, until ended
  consentry-edge --config edge.toml replay -      recorded adverts instead of a radio, a JSON object a line:
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
    parser.set_defaults(run=_hear, file=None)
    # Each command sets `run`, which takes what was chosen and returns the exit code; the work is in its own module.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    commands.add_parser("run", help="hear, until ended; what is done without a command")
    shown = commands.add_parser("adapters", help="show the radios, one a line, and end")
    shown.set_defaults(run=_adapters)
    replayed = commands.add_parser("replay", help="read recorded adverts instead of a radio")
    replayed.add_argument("file", metavar="FILE", help="the file, - for standard input")
    chosen = parser.parse_args()
    code: int = chosen.run(chosen)
    return code


def _hear(chosen: argparse.Namespace) -> int:
    settings = config.load(chosen.config, EdgeConfig)
    logs.setup("edge")
    return asyncio.run(hear(settings, boot_ms, chosen.file))


def _adapters(chosen: argparse.Namespace) -> int:
    print("\n".join(adapters.lines()))
    return EXIT_OK


if __name__ == "__main__":
    main()
