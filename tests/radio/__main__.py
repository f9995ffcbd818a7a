"""Runs inside the virtual machine: lets everything fail that can, and writes down what the edge made of it.

    python -m tests.radio /out        writes /out/report.json

I/O: the command line; all else through the modules beside it.
"""

import asyncio
import sys
import traceback
from pathlib import Path

from tests.radio import box
from tests.radio.air import Air
from tests.radio.controller import Controller, Duplicates
from tests.radio.listener import Listener
from tests.radio.radios import DUPLICATES, TESTED, UNIT
from tests.radio.report import Report
from tests.radio.scenes import Scenes


async def main(out: Path) -> None:
    """Builds the box, and plays every scene."""
    report = Report(out / "report.json")
    sealed = await box.install()
    report.add("installed", sealed=sealed, at_s=round(box.boot_s(), 1))
    controllers = {
        radio.address: Controller(
            radio.address,
            duplicates=Duplicates.DROPPED if radio is DUPLICATES else Duplicates.REPORTED,
            boot_s=box.boot_s,
        )
        for radio in (*TESTED, UNIT)
    }
    await box.call("systemctl", "start", "--no-block", "consentry.target")
    socket = Path("/run/sightings.sock")
    listener = Listener(socket, box.boot_s)
    air = Air(controllers, box.boot_s)
    edge = await box.start_edge(socket, out / "edge.log")
    blowing = asyncio.create_task(air.blow())
    scenes = Scenes(report, controllers, air, listener)
    try:
        await scenes.play()
        edge.terminate()
        report.add("ended", status=await edge.wait(), at_s=round(box.boot_s(), 1))
    finally:
        blowing.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1])))
    except Exception:  # the top of the program: what was found until now is in the file
        traceback.print_exc()
        sys.exit(1)
