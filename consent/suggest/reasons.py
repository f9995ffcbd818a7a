"""Says which signals mattered for a suggestion, as kinds and numbers; others put them into words.

Pure: no I/O, no clock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from consent.suggest.features import Row, Situation
from consent.suggest.features import Seeds as Seeded
from consent.suggest.model import MOST_WEIGHT, Feature, Model

MOST_REASONS = 3
_EVERY_FROM = 3  # baskets, before a gap is called usual
_GOES_WITH_FROM = 0.01


class ReasonKind(StrEnum):
    """What a reason says; `number` and `item` of `Reason` as said here."""

    EVERY = "every"  # bought about every `number` days
    OFTEN = "often"  # bought in `number` baskets
    DUE = "due"  # the usual gap of `number` days is over
    LATELY = "lately"  # bought `number` days ago, without days 0
    SEASON = "season"  # bought more in month `number` than in others
    SIMILAR = "similar"  # shoppers with similar baskets buy it
    WITH_BOUGHT = "goes-with"  # goes with `item`, which was bought
    WITH_BASKET = "goes-with-basket"  # goes with `item` of the online basket
    WITH_WISHLIST = "goes-with-wishlist"  # goes with `item` of the wish list
    ON_WISHLIST = "on-wishlist"
    POPULAR = "popular"
    NEAR = "near"  # stands in the zone of the visit


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that mattered."""

    kind: ReasonKind
    number: int | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Seeds:
    """For what is to be explained, the item that speaks most for each: bought, in the online basket, or wished for.

    Where what goes with it is worth telling.
    """

    bought: Mapping[int, int]
    basket: Mapping[int, int]
    wishlist: Mapping[int, int]

    @classmethod
    def of(cls, found: Situation, model: Model, items: Collection[int]) -> "Seeds":
        """Found once for all the items: a walk through the tables for each would take milliseconds."""

        def go_with(table: Mapping[int, float]) -> frozenset[int]:
            return frozenset(item for item in items if table.get(item, 0.0) >= _GOES_WITH_FROM)

        return cls(
            _speaking(model, go_with(found.goes_with) - found.own.keys(), found.seeds),
            _speaking(model, go_with(found.goes_with_basket), [(one, 1.0) for one in found.basket]),
            _speaking(model, go_with(found.goes_with_wishlist), [(one, 1.0) for one in found.wishlist]),
        )


def reasons(found: Situation, model: Model, seeds: Seeds, item: int, row: Row, near: bool) -> tuple[Reason, ...]:
    """What mattered for an item, the strongest first; never empty."""
    told: list[Reason] = []
    if item in found.wishlist:
        told.append(Reason(ReasonKind.ON_WISHLIST))
    for speaking, kind in ((seeds.basket, ReasonKind.WITH_BASKET), (seeds.wishlist, ReasonKind.WITH_WISHLIST)):
        if item in speaking:
            told.append(Reason(kind, None, _name(found, model, speaking[item])))
    told += _own(found, model, item) if item in found.own else _others(found, model, seeds, item)
    if model.dated and row[Feature.SEASON] >= 1.0:
        told.append(Reason(ReasonKind.SEASON, _month(found)))
    if near:
        told.append(Reason(ReasonKind.NEAR))
    return tuple(told[:MOST_REASONS]) or (Reason(ReasonKind.POPULAR),)


def _own(found: Situation, model: Model, item: int) -> list[Reason]:
    own = found.own[item]
    told: list[Reason] = []
    if model.dated and own.times >= _EVERY_FROM and own.last_day > own.first_day:
        gap = max(1, round((own.last_day - own.first_day) / (own.times - 1)))
        due = found.now_day - own.last_day >= gap
        told.append(Reason(ReasonKind.DUE if due else ReasonKind.EVERY, gap))
    if own.times > 1:
        told.append(Reason(ReasonKind.OFTEN, own.times))
    if not told or own.last == len(found.past.baskets) - 1:
        told.append(Reason(ReasonKind.LATELY, found.now_day - own.last_day if model.dated else 0))
    return told


def _others(found: Situation, model: Model, seeds: Seeds, item: int) -> list[Reason]:
    told: list[tuple[float, Reason]] = []
    seed = seeds.bought.get(item)
    if seed is not None:
        told.append((found.goes_with[item], Reason(ReasonKind.WITH_BOUGHT, None, _name(found, model, seed))))
    similar = found.similar.get(item, 0.0)
    if similar > 0.0:
        told.append((similar, Reason(ReasonKind.SIMILAR)))
    told.sort(key=lambda one: -one[0])
    return [one for _, one in told]


def _speaking(model: Model, wanted: frozenset[int], seeds: Seeded) -> dict[int, int]:
    """For each wanted item the seed with which it goes most; of equal ones the lower number."""
    best: dict[int, tuple[float, int]] = {}
    known, table = model.items, model.goes_with
    starts, beside, scales = table.starts, table.items, table.scales
    least = 0.0  # that each of them has already
    for seed, weight in seeds if wanted else ():
        if seed >= known or MOST_WEIGHT * scales[seed] * weight < least:
            continue
        here = wanted.intersection(beside[starts[seed] : starts[seed + 1]])
        if not here:
            continue
        items, weights, scale = table.row(seed)
        for item in here:
            told = weights[items.index(item)] * scale * weight
            before, other = best.get(item, (0.0, 0))
            if item != seed and (told > before or (told == before > 0.0 and seed < other)):
                best[item] = (told, seed)
        if len(best) == len(wanted):
            least = min(best.values())[0]
    return {item: seed for item, (_, seed) in best.items()}


def _name(found: Situation, model: Model, item: int) -> str:
    return model.names[item] if item < model.items else found.names[item]


def _month(found: Situation) -> int:
    return int((found.now_day % 365.2425) / 30.436875) % 12 + 1
