"""Reads from a member's record what they did and when, for what may be concluded of it: item ids, times and counts.

Of a service case nothing is read but that it is open, and since when.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from typing import Final

from consent.suggest.journey import COHORT, STAGE, Act, Event, Journey
from wire.member import Field, Item, Member

HISTORIES: Final = ("history.store", "history.online")
RETURNS, WISHLIST, BASKET, SERVICE = "returns", "wishlist", "basket.online", "service.open"
CONCLUSIONS: Final = frozenset((STAGE, COHORT))
_PUT: Final = ((BASKET, Act.BASKET), (WISHLIST, Act.WISHLIST))


def journey(member: Member, scopes: frozenset[str], now_s: int, *, calls: bool) -> Journey | None:
    """What was done by the fields of these scopes alone; None where `scopes` lets neither conclusion be told.

    `calls`: they ask for help on this visit, now.
    """
    told = scopes & CONCLUSIONS
    if not told:
        return None
    fields = {one.scope: one for one in member.fields if one.scope in scopes}
    events = [Event(act, one.item, one.at_s) for scope, act in _PUT for one in _items(fields, scope)]
    events += _purchases(fields, now_s)
    case = fields.get(SERVICE)
    if case is not None:
        events += _cases(case)
    return Journey(tuple(events), now_s, calls, told)


def _purchases(fields: dict[str, Field], now_s: int) -> list[Event]:
    """What was bought and kept, and what came back. A purchase that came back is none, whichever of the two says so."""
    lines = [one for scope in HISTORIES for one in _items(fields, scope)]
    back = list(_items(fields, RETURNS))
    kept = sorted(
        (one for one in lines if not one.returned and (one.quantity is None or one.quantity > 0)),
        key=lambda one: now_s if one.at_s is None else one.at_s,
    )
    said = [one.item for one in lines if one.returned]
    for one in back:
        if one.item in said:
            said.remove(one.item)
            continue
        until_s = now_s if one.at_s is None else one.at_s
        before = [line for line in kept if line.item == one.item and (line.at_s is None or line.at_s <= until_s)]
        if before:
            kept.remove(before[-1])
    bought = [Event(Act.BOUGHT, one.item, one.at_s, one.quantity or 1) for one in kept]
    return [*bought, *(Event(Act.RETURNED, one.item, one.at_s) for one in back)]


def _cases(field: Field) -> Iterable[Event]:
    if field.value.items is not None:
        return (Event(Act.SERVICE, one.item, one.at_s) for one in field.value.items)
    number = len(field.value.texts or ()) or bool(field.value.text)
    return (Event(Act.SERVICE, None, field.collected_s, number),) if number else ()


def _items(fields: dict[str, Field], scope: str) -> tuple[Item, ...]:
    found = fields.get(scope)
    return (found.value.items if found is not None else None) or ()
