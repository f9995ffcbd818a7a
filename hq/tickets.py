"""Judges the ticket that a store's hello shows: whose cache it is, and whether this boot may have a lease.

A ticket is 16 bytes: u48be Unix milliseconds, in which it was made and which rise for a store, and 10 bytes of an HMAC
over store, cache and time. So HQ knows a ticket that it made even where a restored database has forgotten it, and which
of two is the newer. The table of all cases is docs/decisions/0042.

Pure: no I/O, no clock.
"""

import hmac
from dataclasses import dataclass
from enum import Enum

TICKET_BYTES = 16
_TIME_BYTES = 6
_CONTEXT = b"consentry/ticket/1"


class Verdict(Enum):
    """What a hello's ticket means."""

    NEW = "new"  # an empty cache that HQ does not know: it is made known, and unlocked
    UNLOCK = "unlock"  # a locked boot of the cache that holds the ticket, or of a new one
    CONFIRM = "confirm"  # the cache shows the ticket that it was given: it counts from now on, for this boot
    HOLDER = "holder"  # the boot that holds the ticket
    STALE = "stale"  # an old ticket, none where there is one, or another boot's: a restored image or a clone
    AHEAD = "ahead"  # newer than HQ knows: HQ was restored


@dataclass(frozen=True, slots=True)
class Known:
    """What HQ knows of the cache that says hello."""

    ticket: bytes | None  # the confirmed one
    pending: bytes | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Which boot of which cache holds the store's ticket, and the ticket; None where the database has lost it."""

    incarnation: bytes
    boot: bytes
    ticket: bytes | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a hello shows."""

    incarnation: bytes
    boot: bytes
    ticket: bytes  # may be empty
    locked: bool


def make(key: bytes, store: str, incarnation: bytes, now_ms: int, *others: bytes | None) -> bytes:
    """A new ticket, later than all `others`. `key`: 32 bytes that all processes of HQ have."""
    made_ms = max([now_ms, *(_time(one) + 1 for one in others if one)]).to_bytes(_TIME_BYTES, "big")
    return made_ms + _mac(key, store, incarnation, made_ms)


def is_ours(key: bytes, store: str, incarnation: bytes, ticket: bytes) -> bool:
    """Whether HQ made this ticket for this cache, at any time."""
    made_ms = ticket[:_TIME_BYTES]
    return len(ticket) == TICKET_BYTES and hmac.compare_digest(
        ticket[_TIME_BYTES:], _mac(key, store, incarnation, made_ms)
    )


def is_later(one: bytes, other: bytes | None) -> bool:
    """Whether one ticket was made later than another, of any cache of the same store."""
    return other is None or _time(one) > _time(other)


def judge(known: Known | None, holder: Holder | None, shown: Shown, *, ours: bool) -> Verdict:
    """The verdict. `known` None: HQ does not know the cache; `ours`: `is_ours` of what is shown."""
    newest = None if holder is None else holder.ticket
    if known is None:
        if not shown.ticket:
            return Verdict.NEW if shown.locked else Verdict.STALE
        return Verdict.AHEAD if ours and is_later(shown.ticket, newest) else Verdict.STALE
    if not shown.ticket:
        # A cache that was never confirmed goes on; one that was has lost its ticket, as only an old copy can.
        return Verdict.UNLOCK if shown.locked and known.ticket is None else Verdict.STALE
    if shown.ticket == known.pending and is_later(shown.ticket, newest):
        return Verdict.CONFIRM
    if shown.ticket == known.ticket and holder is not None and holder.incarnation == shown.incarnation:
        if shown.locked:
            return Verdict.UNLOCK
        return Verdict.HOLDER if shown.boot == holder.boot else Verdict.STALE
    if ours and is_later(shown.ticket, newest) and is_later(shown.ticket, known.ticket):
        return Verdict.AHEAD
    return Verdict.STALE


def _time(ticket: bytes) -> int:
    return int.from_bytes(ticket[:_TIME_BYTES], "big")


def _mac(key: bytes, store: str, incarnation: bytes, made_ms: bytes) -> bytes:
    stated = _CONTEXT + store.encode() + b"\x00" + incarnation + made_ms
    return hmac.digest(key, stated, "sha256")[: TICKET_BYTES - _TIME_BYTES]
