"""The command `adapters`: the radios, one a line.

I/O: D-Bus.
"""

import asyncio

from edge.errors import RadioError
from wire.sighting import RadioReason


def lines() -> list[str]:
    """Name, address, power and discovery of each radio.

    Raises: RadioError where there is none, or BlueZ cannot be asked.
    """
    # Here, not above: a replay needs no D-Bus.
    from edge import bluez

    found = asyncio.run(bluez.adapters())
    if not found:
        raise RadioError(RadioReason.NO_RADIO)
    return [
        f"{adapter.name:<5}  {adapter.address}  {'powered on' if adapter.powered else 'powered off':<11}"
        f"  {'discovering' if adapter.discovering else 'idle'}"
        for adapter in found
    ]
