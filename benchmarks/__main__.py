"""Runs benchmarks and prints their tables: `python -m benchmarks [NAME…] [--quick]`.

`suggestions` alone takes a file of baskets and options of its own: `python -m benchmarks suggestions --help`.

I/O: standard output.
"""

import argparse
import functools
import signal
import sys
import time

from benchmarks import (
    busy,
    directory,
    edge,
    epochs,
    hellos,
    hostile,
    hq,
    memory,
    presence,
    scale,
    suggestions,
    suggestions_box,
    sync,
    tablet_page,
    tablets,
    withdrawal,
)
from benchmarks.report import machine, table

ALL = {
    "directory": (directory.run, "Sightings and the directory"),
    "edge": (edge.run, "Adverts and the edge"),
    "tablets": (tablets.run, "Answers to a tablet, 50 members present"),
    "busy": (busy.run, "A hundred tablets on a busy floor"),
    "page": (tablet_page.run, "The associates' page in a browser, 200 members present"),
    "hellos": (hellos.run, "Hellos answered by HQ"),
    "hostile": (hostile.run, "What others wait for while the tablet API is attacked, 200 members present"),
    "hq": (hq.run, "Choices, folds, audiences and a member's page at HQ"),
    "epochs": (epochs.run, "A new epoch, and an erasure"),
    "memory": (memory.run, "Resident memory of each program"),
    "presence": (presence.run, "Presence on a simulated floor"),
    "scale": (scale.run, "What ten thousand stores need of HQ"),
    "suggestions": (suggestions.run, "Suggestions for Online Retail, strict, beside the published methods"),
    "suggestions-box": (suggestions_box.run, "What suggestions cost a store's box"),
    "sync": (sync.run, "Filling a store, and catching up"),
    "withdrawal": (withdrawal.run, "A withdrawal on its way to the tablets"),
}


def main() -> int:
    """Measures what is named, or all; exit 0."""
    if sys.argv[1:2] == ["suggestions"] and not {*sys.argv[2:]} <= {*ALL, "--quick"}:
        return suggestions.main(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures what Consentry costs, each figure beside a baseline (docs/benchmarks.md). "
        "`suggestions` alone takes a file of baskets and options of its own: python -m benchmarks suggestions --help",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(ALL)} (all unless named)")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter, to see that they run")
    parser.add_argument("--members", type=int, help="how many members HQ knows in `sync` and `hq`")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that programs and folders go with us
    unknown = [name for name in arguments.names if name not in ALL]
    if unknown:
        parser.error(f"there is {', '.join(ALL)}, and no {', '.join(unknown)}")
    print(f"{time.strftime('%Y-%m-%d', time.gmtime())}: {machine()}\n", flush=True)
    for name in arguments.names or ALL:
        run, title = ALL[name]
        if name == "sync":
            run = functools.partial(sync.run, members=arguments.members)
        if name == "hq":
            run = functools.partial(hq.run, members_count=arguments.members)
        print(table(title, run(arguments.quick)) + "\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
