"""What is in the result of an order, which the store signs with its `done`.

`docs/protocol.md`, section 8. Times are Unix milliseconds UTC of trusted time.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.events import Event
from wire.limits import MAX_BODY_BYTES, Seq
from wire.schema import Count, Range, Size
from wire.suggestions import Memory

_MOST = 65_535


@dataclass(frozen=True, slots=True)
class KeyDay:
    """That day keys of a member are held, and of how many phones; never the keys."""

    ROW = True
    day: int
    phones: Annotated[int, Range(0, 255)]


class DenialKind(StrEnum):
    """What a member refused in this store and HQ has not confirmed yet."""

    EVERYTHING = "everything"
    SCOPE = "scope"
    ITEM = "item"
    CATEGORY = "category"
    THEME = "theme"


@dataclass(frozen=True, slots=True, repr=False)
class Denial:
    """One of them; `name` is empty for everything."""

    ROW = True
    kind: DenialKind
    name: Annotated[str, Size(0, 64)]


@dataclass(frozen=True, slots=True, repr=False)
class ExportResult:
    """Of `export`: everything that the store holds of one pseudonym.

    record: the body as HQ sent it, seq: of which record. events: what happened and HQ has not stored yet, disclosures
    among them; what HQ has stored the store has no more. memory: what became of suggestions here; None: nothing.
    """

    record: Annotated[bytes, Size(0, MAX_BODY_BYTES)] | None
    seq: Seq
    key_days: Annotated[tuple[KeyDay, ...], Count(8)]
    denials: Annotated[tuple[Denial, ...], Count(_MOST)]
    events: Annotated[tuple[Event, ...], Count(_MOST)]
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class EraseResult:
    """Of `erase`: what was still there, and how many buckets have a new key.

    records: live ones, of the member and of day keys, that HQ had not taken away before.
    """

    records: Annotated[int, Range(0, _MOST)]
    denials: Annotated[int, Range(0, _MOST)]
    events: int
    buckets: Annotated[int, Range(0, _MOST)]


@dataclass(frozen=True, slots=True)
class WipeResult:
    """Of `wipe`: how many events the cache still held that HQ had not said to have stored."""

    events_lost: int
