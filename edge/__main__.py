"""consentry-edge: hears phones by Bluetooth and forwards candidate tokens to the gateway.

I/O: the command line, the clock.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from edge import adapters, record, recording, survey
from edge.config import EdgeConfig
from edge.coverage import Limits
from edge.hearing import hear
from runtime import cli, config, logs
from runtime.errors import EXIT_OK

CONFIG = Path("/etc/consentry/edge.toml")
_EPILOG = """\
what is heard goes to the gateway's datagram socket, from a satellite to the store's broker;
nothing is kept, and no address is looked at.

examples:
  consentry-edge adapters                         which radios there are
  consentry-edge --config edge.toml               hear, until ended
  consentry-edge --config edge.toml replay -      recorded adverts instead of a radio, a JSON object a line:
      {"address": "C0:FF:EE:00:00:01", "rssi": -60, "raw": "02011a1107…"}
  consentry-edge survey --seconds 120             is this receiver well placed? go round with the app's phone
  consentry-edge record quiet-hour.jsonl          a minute of times, signals and candidate flags, of nobody
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
    _add_record(commands.add_parser("record", help="keep times, signals and candidate flags in a file"))
    _add_survey(commands.add_parser("survey", help="draw what a receiver hears of a phone, to place it well"))
    chosen = parser.parse_args()
    code: int = chosen.run(chosen)
    return code


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file, which its owner alone may read")
    parser.add_argument("--node", help="the radio of this node (default: the first configured)")
    parser.add_argument(
        "--seconds", type=int, default=record.SECONDS, metavar="N", help=f"how long (default: {record.SECONDS})"
    )
    parser.add_argument("--site-survey", action="store_true", help="keep what strangers' phones say too: personal data")
    parser.set_defaults(run=_record, parser=parser)


def _add_survey(parser: argparse.ArgumentParser) -> None:
    limits = Limits()
    parser.add_argument("--node", help="the radio of this node (default: the first configured)")
    parser.add_argument(
        "--seconds", type=int, default=survey.SECONDS, metavar="N", help=f"how long (default: {survey.SECONDS})"
    )
    parser.add_argument("--from", dest="file", metavar="FILE", help="draw a recording instead, - for standard input")
    for name, dbm in (("enter", limits.enter_dbm), ("exit", limits.exit_dbm)):
        parser.add_argument(
            f"--{name}-dbm", type=int, default=dbm, metavar="DBM", help=f"the policy's {name}_dbm (default: {dbm})"
        )
    parser.set_defaults(run=_survey, parser=parser)


def _record(chosen: argparse.Namespace) -> int:
    longest_s = record.LONGEST_SITE_SURVEY_S if chosen.site_survey else recording.LONGEST_S
    _check(chosen, 1 <= chosen.seconds <= longest_s, f"--seconds: expected 1 to {longest_s}")
    settings = config.load(chosen.config, EdgeConfig)
    return asyncio.run(
        record.record(
            settings,
            chosen.node,
            chosen.file,
            seconds=chosen.seconds,
            site_survey=chosen.site_survey,
            boot_ms=boot_ms,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    )


def _survey(chosen: argparse.Namespace) -> int:
    _check(chosen, 1 <= chosen.seconds <= survey.LONGEST_S, f"--seconds: expected 1 to {survey.LONGEST_S}")
    limits = Limits(chosen.enter_dbm, chosen.exit_dbm)
    _check(
        chosen, -127 <= limits.exit_dbm <= limits.enter_dbm <= 0, "--exit-dbm: expected -127 to --enter-dbm, below 0"
    )
    settings = config.load(chosen.config, EdgeConfig)
    if chosen.file is not None:
        print(survey.survey_of(chosen.file, settings.company_id, limits))
        return EXIT_OK
    # On a terminal the picture is drawn anew each second; elsewhere the last one is enough.
    clear = "\x1b[H\x1b[J" if sys.stdout.isatty() else ""
    return asyncio.run(
        survey.survey(
            settings,
            chosen.node,
            limits,
            seconds=chosen.seconds,
            boot_ms=boot_ms,
            live=lambda picture: print(clear + picture, flush=True) if clear else None,
            final=lambda picture: print(clear + picture, flush=True),
        )
    )


def _check(chosen: argparse.Namespace, met: bool, expected: str) -> None:
    if not met:
        chosen.parser.error(expected)


def _hear(chosen: argparse.Namespace) -> int:
    settings = config.load(chosen.config, EdgeConfig)
    logs.setup("edge")
    return asyncio.run(hear(settings, boot_ms, chosen.file))


def _adapters(chosen: argparse.Namespace) -> int:
    print("\n".join(adapters.lines()))
    return EXIT_OK


if __name__ == "__main__":
    main()
