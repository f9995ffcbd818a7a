"""What the decision and the card may know of a visit and of what was denied in the store.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass

from wire.events import MuteKind


@dataclass(frozen=True, slots=True)
class Denied:
    """What the member withdrew in this store and HQ has not folded in yet; laid over every record."""

    everything: bool = False
    scopes: frozenset[str] = frozenset()
    mutes: frozenset[tuple[MuteKind, str]] = frozenset()  # items, categories and themes by id


NOTHING_DENIED = Denied()


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """One visit as the gateway keeps it in memory. Times are Unix milliseconds UTC of trusted time.

    handle: 16 random bytes, new each visit. help: a call for help waits or is attended now. invited: the member asked
    for help or was introduced in this visit. zone: None where no zone is known. sign: colour and two digits.
    """

    handle: bytes
    arrived_ms: int
    zone: str | None = None
    help: bool = False
    invited: bool = False
    waiting_since_ms: int | None = None
    escalated: bool = False
    sign: tuple[str, str] | None = None
    attended_by: str | None = None  # the associate's id
    attended_name: str | None = None  # the associate's display name
