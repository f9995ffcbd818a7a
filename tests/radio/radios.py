"""The radios of the box in the virtual machine, and what befalls each.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Radio:
    """A radio: its node, its address, how many strangers are about it."""

    node: str
    address: str
    strangers: int = 3


CROWD = Radio("crowd-1", "00:1A:7D:DA:71:01", strangers=200)
DUPLICATES = Radio("filter-1", "00:1A:7D:DA:71:02")
POWER = Radio("power-1", "00:1A:7D:DA:71:03")
UNPLUGGED = Radio("plug-1", "00:1A:7D:DA:71:04")
STUCK = Radio("stuck-1", "00:1A:7D:DA:71:05")
STUCK_HARD = Radio("stuck-2", "00:1A:7D:DA:71:06")
# Those of the edge under test; one more belongs to the edge that systemd runs, as an operator would name it.
TESTED = (CROWD, DUPLICATES, POWER, UNPLUGGED, STUCK, STUCK_HARD)
UNIT = Radio("edge-1", "00:1A:7D:DA:71:0E")
ANOTHER = "00:1A:7D:DA:71:0F"  # takes the place of the one that was unplugged
