"""Whether a member may be asked about a purpose: never asked, changed materially since, or run out; nothing else asks.

A refusal rests 90 days, whatever changes in them, and has then run out. A withdrawal was nobody's question: it rests as
long, and then only a material change asks.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hq.ledger_proof import Status
from hq.ledger_state import Stand, stands
from hq.state import REFUSAL_RESTS_S, Event, EventKind


class Why(StrEnum):
    """Why a member may be asked."""

    NEVER = "never"  # they never said anything of it
    CHANGED = "changed"  # what they were told changed materially
    EXPIRED = "expired"  # what they said ran out


@dataclass(frozen=True, slots=True)
class Told:
    """A version of what members are told of one purpose of one policy. `material`: what it changed matters."""

    notice: bytes
    material: bool
    at_s: int


def why_ask(
    events: Iterable[Event], purpose: str, brand: str, told: Sequence[Told], now_s: int, store: str | None = None
) -> Why | None:
    """Why this member may be asked about this purpose of a brand now; None: nobody asks.

    `told`: every version of its notice, oldest first; none: the purpose is not offered. `store`: about that store.
    `now_s`: Unix seconds UTC.
    """
    if not told:
        return None
    listed = list(events)
    found = [
        one
        for one in stands(listed, now_s)
        if one.purpose == purpose and one.brand in (None, brand) and (store is None or one.store in (store, None))
    ]
    given = [one for one in found if one.is_given]
    if given:
        newest = max(given, key=_since)
        return Why.CHANGED if _changed_since(newest, told) else None
    left_s = _left_s(listed, purpose, brand, store)
    # By HQ's own clock: one that was ahead of it, or a time that nobody knows, makes no rest longer or shorter.
    recorded_s = {one.id: one.recorded_s for one in listed}
    at_s = {one: min(recorded_s[one.event], one.since_s or recorded_s[one.event]) for one in found}
    ended = max(found, key=at_s.__getitem__, default=None)
    if ended is None or at_s[ended] < left_s:
        return Why.NEVER if left_s < 0 else _after_leaving(left_s, told, now_s)
    match ended.status:
        case Status.REFUSED:
            return Why.EXPIRED if now_s >= at_s[ended] + REFUSAL_RESTS_S else None
        case Status.EXPIRED:
            return Why.EXPIRED
        case _:
            return _after_leaving(max(left_s, at_s[ended]), told, now_s)


def _since(one: Stand) -> int:
    return -1 if one.since_s is None else one.since_s


def _changed_since(given: Stand, told: Sequence[Told]) -> bool:
    """Whether a version after the last with the member's notice changed it materially."""
    places = [place for place, one in enumerate(told) if one.notice == given.notice]
    if places:
        return any(one.material for one in told[places[-1] + 1 :])
    return any(one.material and one.at_s > _since(given) for one in told)  # another platform's text


def _after_leaving(left_s: int, told: Sequence[Told], now_s: int) -> Why | None:
    rested = now_s >= left_s + REFUSAL_RESTS_S
    return Why.CHANGED if rested and any(one.material and one.at_s > left_s for one in told) else None


def _left_s(events: list[Event], purpose: str, brand: str, store: str | None) -> int:
    """When the member last withdrew the whole purpose, or everything; -1: never."""
    return max(
        (
            min(one.recorded_s, one.recorded_s if one.chosen_s is None else one.chosen_s)
            for one in events
            if one.choice.kind is EventKind.WITHDRAWAL
            and one.choice.purpose in (None, purpose)
            and one.choice.brand in (None, brand)
            and not one.choice.scopes
            and (not one.choice.stores or (store is not None and store in one.choice.stores))
        ),
        default=-1,
    )
