"""A bare bleak callback, which counts and does nothing else: what any program that hears adverts costs at least.

    python -m benchmarks.bare_callback     scans as the edge does; answers each line with its count, to the end of input

I/O: D-Bus, standard input and output.
"""

import asyncio
import sys
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

_FILTERS: dict[str, Any] = {"DuplicateData": True, "RSSI": -127}  # the edge's (docs/radio.md)


async def _count() -> None:
    counted = 0

    def on_callback(phone: BLEDevice, advert: AdvertisementData) -> None:
        nonlocal counted
        counted += 1

    asked = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    async with BleakScanner(
        on_callback,
        scanning_mode="active",
        bluez={"adapter": "hci0", "filters": _FILTERS},  # type: ignore[typeddict-item]
    ):
        print("scanning", flush=True)
        while await asked.readline():
            print(counted, flush=True)


def main() -> int:
    """Counts; exit 0 at the end of standard input."""
    asyncio.run(_count())
    return 0


if __name__ == "__main__":
    sys.exit(main())
