"""What a store answers to RECALL: all that an HQ restored from a backup must know of what it lost.

`docs/protocol.md`, section 8. Records are named by their column, `BLAKE2b-128(K_d, 0x01 ‖ key)`, since a store keeps no
key of what is gone.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.events import EventNumber
from wire.limits import MAX_BODY_BYTES, Id16, InstanceId, Seq
from wire.member import Muted
from wire.schema import Count, Size, exactly
from wire.tree import DIGEST_BYTES

SINCE_BYTES = 8  # the order's subject: u64be of the seq from which on HQ asks
HELD_BYTES = DIGEST_BYTES + 8  # column ‖ u64be seq
_MOST = 2**22  # records of one store


@dataclass(frozen=True, slots=True)
class FloorBelow:
    """Nothing at or below `as_of` counts below this prefix."""

    ROW = True
    prefix: Annotated[bytes, Size(0, 2)]
    as_of: Seq


@dataclass(frozen=True, slots=True, repr=False)
class Newer:
    """A record with a seq above `since`. `member`: its body without the fields; empty: unreadable; None: it is gone."""

    ROW = True
    column: Annotated[bytes, exactly(DIGEST_BYTES)]
    seq: Seq
    member: Annotated[bytes, Size(0, MAX_BODY_BYTES)] | None


@dataclass(frozen=True, slots=True)
class Reached:
    """The highest seq that the store applied of another instance."""

    ROW = True
    instance: InstanceId
    seq: Seq


@dataclass(frozen=True, slots=True, repr=False)
class Denied:
    """What was withdrawn or muted in the store and no record of HQ has named yet; `number`: of its event.

    `mute` None: a withdrawal, of a scope or, where that is None, of everything there.
    """

    pseudonym: Annotated[bytes, exactly(16)]
    number: EventNumber
    scope: Annotated[str, Size(1, 64)] | None
    mute: Muted | None


@dataclass(frozen=True, slots=True, repr=False)
class Recalled:
    """The result of RECALL. `held`: of each live record at or below `since`, column ‖ u64be seq.

    incarnation: of the cache. erased: the columns of the members whom orders had the store erase, as far as it
    remembers these orders.
    """

    since: Seq
    floors: Annotated[tuple[FloorBelow, ...], Count(65_536 + 257)]
    held: Annotated[bytes, Size(0, HELD_BYTES * _MOST)]
    newer: Annotated[tuple[Newer, ...], Count(_MOST)]
    others: Annotated[tuple[Reached, ...], Count(64)]
    denied: Annotated[tuple[Denied, ...], Count(_MOST)]
    incarnation: Id16
    erased: Annotated[tuple[Annotated[bytes, exactly(DIGEST_BYTES)], ...], Count(_MOST)]
