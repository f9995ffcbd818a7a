"""The card of a model: on what, when, how good it is and for whom it is worse, and what it is not for.

Counts of people are rounded down to tens, and no group of fewer than twenty is told: no two cards tell of one person.

Pure: no I/O, no clock.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median_low

from hq.learning.findings import EVERYBODY, Attack, Found, Group, Told
from wire import affinity

_ROUND = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NOT_FOR = (
    "For suggestions to members who grant `suggest`, and for nothing else: not for prices, credit or work.",
    "Nothing may be concluded from it about a person: not belief, health, family, orientation, or means.",
    "Items that the catalog flags are not in it.",
    "What it puts first is still judged by the guard in each store: it decides about relevance alone.",
)


@dataclass(frozen=True, slots=True)
class Card:
    """One version's card. `against`: the version it was compared with; None: each one's own history alone.

    `people`, `baskets`, `items`, `left_out`: rounded down to tens. `first`, `last`: months. `clusters`: how
    many, and people in the smallest, the middle and the largest.
    """

    number: int
    brand: str
    made: str
    digest: str
    against: int | None
    people: int = 0
    baskets: int = 0
    items: int = 0
    left_out: int = 0
    first: str = ""
    last: str = ""
    groups: tuple[Group, ...] = ()
    clusters: tuple[int, ...] = ()
    attack: Attack | None = None

    @property
    def worse(self) -> tuple[str, ...]:
        """The groups for whom it is worse than the one before, beyond what chance explains."""
        return tuple(one.name for one in self.groups if one.is_worse)


def empty(number: int, brand: str, now_ms: int, against: int | None) -> Card:
    """Of a training that had too few people."""
    return Card(number, brand, _time(now_ms), "", against)


def card_of(empty: Card, told: Sequence[Told], left_out: int, found: Found) -> Card:
    """The card of what was learned from these histories. `left_out`: items that were not learned from."""
    days = [day for one in told for day, _ in one]
    names = affinity.decode(found.parts.get)
    sizes = sorted(map(_rounded, found.sizes))
    return replace(
        empty,
        digest=affinity.version(found.parts.get) or "",
        people=_rounded(len(told)),
        baskets=_rounded(len(days)),
        items=0 if names is None else _rounded(len(names.names)),
        left_out=_rounded(left_out),
        first=_month(min(days, default=0)),
        last=_month(max(days, default=0)),
        groups=tuple(replace(one, people=_rounded(one.people)) for one in found.groups),
        clusters=(len(sizes), sizes[0], median_low(sizes), sizes[-1]) if sizes else (),
        attack=found.attack,
    )


def written(card: Card) -> str:
    """The card as it is kept."""
    return json.dumps(asdict(card), sort_keys=True)


def read(kept: str) -> Card:
    """The card that was kept."""
    found = json.loads(kept)
    found["groups"] = tuple(Group(**one) for one in found["groups"])
    found["clusters"] = tuple(found["clusters"])
    found["attack"] = None if found["attack"] is None else Attack(**found["attack"])
    return Card(**found)


def text(card: Card) -> Iterator[str]:
    """The card, line by line, for people."""
    yield f"model {card.number} of {card.brand}, made {card.made}, {card.digest or 'nothing learned'}"
    if not card.digest:
        yield "there were too few people to learn from"
        return
    yield (
        f"learned from about {card.people} people, {card.baskets} baskets and {card.items} items, "
        f"{card.first} to {card.last}; about {card.left_out} items were left out: flagged, or in no catalog"
    )
    against = "each one's own history alone" if card.against is None else f"model {card.against}"
    yield f"recall at 10 of the last basket, which neither knew; compared with {against}:"
    yield f"  {'group':<36} {'people':>7} {'new':>7} {'before':>7} {'difference':>20}"
    for one in card.groups:
        between = f"{one.low:+.4f} to {one.high:+.4f}"
        worse = "  worse" if one.is_worse else ""
        yield f"  {one.name:<36} {one.people:>7} {one.new:>7.4f} {one.old:>7.4f} {between:>20}{worse}"
    yield from _for_whom(card)
    if card.clusters:
        number, least, middle, most = card.clusters
        yield f"{number} clusters of similar habits, of {least} to {most} people, {middle} in the middle"
    if card.attack is None:
        yield "how much the tables tell of who is in them was not tried: too few people"
    else:
        yield (
            f"who is in it: with the tables and somebody's history an attacker is right {card.attack.auc:.3f} of the "
            f"time (0.5: guessing), advantage {card.attack.advantage:.3f}; tried with {_rounded(card.attack.members)} "
            f"people in it and {_rounded(card.attack.others)} who are not"
        )
    yield from NOT_FOR


def _for_whom(card: Card) -> Iterator[str]:
    every = next((one.new for one in card.groups if one.name == EVERYBODY), 0.0)
    below = [f"{one.name} ({one.new:.4f})" for one in card.groups if one.new < every]
    if below:
        yield f"it serves these less well than the whole: {', '.join(below)}"


def _rounded(number: int) -> int:
    return number // _ROUND * _ROUND


def _time(at_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%d %H:%MZ")


def _month(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m")
