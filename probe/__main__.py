"""`consentry-probe`: plays the store's synthetic member until it is told to stop.

I/O: the process: clock, signals, notification.
"""

import time
from pathlib import Path
from typing import Final, NoReturn

from probe.gateway import Gateway
from probe.settings import DEFAULT_CONFIG, Settings
from probe.tablet import Tablet
from probe.watching import Probe
from runtime import cli, config, logs
from runtime.notify import Notify

_DESCRIPTION: Final = """\
Plays phone, receiver and tablet of the store's synthetic member, whom HQ grants and withdraws every hour, and
tells HQ through the gateway when the tablet showed it and when it did not any more. It sees nobody else.
"""


def boot_s() -> float:
    """CLOCK_BOOTTIME in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _run(file: Path) -> None:
    settings = config.load(file, Settings)
    logs.setup("probe")
    notify = Notify.from_environment()
    probe = Probe(Gateway(settings.gateway_dir), Tablet(settings), boot_s, notify.alive)
    cli.stop_on_signals(probe.stop)
    notify.ready("watching")
    probe.run()
    notify.stopping()


def main() -> NoReturn:
    """The program."""
    arguments = cli.parser("consentry-probe", _DESCRIPTION, DEFAULT_CONFIG).parse_args()
    cli.run(lambda: _run(arguments.config), "probe")


if __name__ == "__main__":
    main()
