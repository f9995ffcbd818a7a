"""What opens a store's cache: HQ's shares of its keys, the digest keys, the ticket.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.limits import Epoch, Id16, InstanceId
from wire.schema import Count, exactly


@dataclass(frozen=True, slots=True, repr=False)
class DigestKey:
    """The `K_d` of one instance."""

    ROW = True
    instance: InstanceId
    key: Annotated[bytes, exactly(32)]


@dataclass(frozen=True, slots=True, repr=False)
class EpochShare:
    """HQ's share of the key of one epoch of a cache."""

    ROW = True
    epoch: Epoch
    share: Annotated[bytes, exactly(32)]

    def __repr__(self) -> str:
        return f"EpochShare({self.epoch}, …)"


@dataclass(frozen=True, slots=True, repr=False)
class Unlock:
    """`unlock`: what this boot needs to open its cache; sent again whenever a hello lacks an instance."""

    incarnation: Id16
    shares: Annotated[tuple[EpochShare, ...], Count(2)]  # by epoch; two while an order to `roll` is open
    digest_keys: Annotated[tuple[DigestKey, ...], Count(64)]
    ticket: Id16

    def __repr__(self) -> str:
        return "Unlock(…)"
