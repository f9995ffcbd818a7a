"""Reads from a member's record what they did and when, for what may be concluded of it: item ids, times and counts.

Of a service case nothing is read but that it is open, and since when.

Pure: no I/O, no clock.
"""

from collections import Counter
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
    kept = [one for one in lines if not one.returned and ((many := one.quantity) is None or many > 0)]
    back = _items(fields, RETURNS)
    if back:
        said = Counter(one.item for one in lines if one.returned)
        kept = _left(kept, back, said, now_s)
    make, bought = tuple.__new__, Act.BOUGHT  # as many as a history has lines
    found = [make(Event, (bought, one.item, one.at_s, one.quantity or 1)) for one in kept]
    return [*found, *(Event(Act.RETURNED, one.item, one.at_s) for one in back)]


def _left(kept: Iterable[Item], back: Iterable[Item], said: Counter[str], now_s: int) -> list[Item]:
    """Without the newest purchase before each return, but of returns that a purchase said itself."""
    left: dict[str, list[Item]] = {}
    for one in sorted(kept, key=lambda one: now_s if one.at_s is None else one.at_s):
        left.setdefault(one.item, []).append(one)
    for one in back:
        if said[one.item]:
            said[one.item] -= 1
            continue
        until_s = now_s if one.at_s is None else one.at_s
        mine = left.get(one.item, [])
        before = [line for line in mine if line.at_s is None or line.at_s <= until_s]
        if before:
            mine.remove(before[-1])
    return [one for mine in left.values() for one in mine]


def _cases(field: Field) -> Iterable[Event]:
    if field.value.items is not None:
        return (Event(Act.SERVICE, one.item, one.at_s) for one in field.value.items)
    number = len(field.value.texts or ()) or bool(field.value.text)
    return (Event(Act.SERVICE, None, field.collected_s, number),) if number else ()


def _items(fields: dict[str, Field], scope: str) -> tuple[Item, ...]:
    found = fields.get(scope)
    return (found.value.items if found is not None else None) or ()
