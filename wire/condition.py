"""How a box fares beside its radios: room on its disk, what agrees with HQ, which release runs.

Part of a status. What is None is for the operator alone: members move it whom a tablet may not see.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.schema import Count, Size


class Room(StrEnum):
    """Whether the disk of the cache has room."""

    AMPLE = "ample"
    LOW = "low"  # under 1 GB: somebody should look this week
    FULL = "full"  # under 100 MB: the store is dark as soon as nothing can be recorded
    UNKNOWN = "unknown"  # the disk does not say


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of the cache. `free_bytes` is exact for operators, else rounded down to whole GB (10^9)."""

    room: Room
    free_bytes: int
    cache_bytes: int | None
    outbox_bytes: int | None  # events that HQ has not stored yet, or that are kept for a while
    events_waiting: int | None


class Agreement(StrEnum):
    """Whether the store holds what HQ holds."""

    AGREES = "agrees"
    UNCOMPARED = "uncompared"  # since the start
    FILLING = "filling"  # it differed when they were compared last, and what differs is on its way
    QUARANTINED = "quarantined"  # three rounds did not help; tried again by itself, later


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a collection, such as `policy/main`; `records`: how many are held."""

    ROW = True
    name: Annotated[str, Size(1, 96)]
    agreement: Agreement
    records: int | None


class Update(StrEnum):
    """What is to be done about the software."""

    CURRENT = "current"
    UNSAID = "unsaid"  # policy names no release
    BEHIND = "behind"  # policy wants a later one than is installed
    AHEAD = "ahead"  # a later one is installed than policy wants
    RESTART = "restart"  # another is installed than runs: restart the box's programs


@dataclass(frozen=True, slots=True)
class Versions:
    """The release that runs, the one that is installed on the disk, and the one that policy wants (None: not said)."""

    running: Annotated[str, Size(1, 64)]
    installed: Annotated[str, Size(1, 64)]
    wanted: Annotated[str, Size(1, 64)] | None
    update: Update


@dataclass(frozen=True, slots=True)
class Condition:
    """All of it."""

    disk: Disk
    instances: Annotated[tuple[Instance, ...], Count(64)]
    versions: Versions
