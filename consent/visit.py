"""What the decision and the card may know of a visit and of what was denied in the store.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass

from wire.events import HandOverReason, MuteKind


@dataclass(frozen=True, slots=True)
class Denied:
    """What the member withdrew in this store and HQ has not folded in yet; laid over every record."""

    everything: bool = False
    scopes: frozenset[str] = frozenset()
    mutes: frozenset[tuple[MuteKind, str]] = frozenset()  # items, categories and themes by id


NOTHING_DENIED = Denied()


@dataclass(frozen=True, slots=True, repr=False)
class HandedOver:
    """Whoever helps asked that somebody else does: one associate, by id, or a role; and nobody took it yet."""

    by: str  # the associate's id
    associate: str | None
    role: str | None
    reason: HandOverReason


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
    handed_over: HandedOver | None = None

    def handed_to(self, associate: str, role: str) -> HandOverReason | None:
        """Why this visit was handed over to that associate, or to all of that role but whoever did it; else None."""
        given = self.handed_over
        if given is None or associate == given.by:
            return None
        return given.reason if associate == given.associate or role == given.role else None
