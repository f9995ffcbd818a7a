"""What harmlessness costs: the same suggestions with one item in twenty flagged, before and behind the guard.

The flags take turns over the items, which a seed draws: never, adult (to shoppers of no known age), a special category
that nobody granted, and only what was bought on two days. The guard takes flagged purchases out of what is ranked by,
too, so that nothing follows from them.

Pure: no I/O, no clock.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.suggestions_baskets import Baskets
from benchmarks.suggestions_measures import MOST, Measured, measured
from benchmarks.suggestions_ours import behaviour, model_of
from consent.suggest.guard import Guard, Terms
from consent.suggest.model import Model
from consent.suggest.rank import rank
from consent.suggest.shelf import Shelf, ShelfMaker
from consent.suggest.signals import Behaviour
from wire.flags import ADULT, NEVER, ONLY_IF_BOUGHT
from wire.suggestions import SuggestionPolicy

SHARE: Final = 20  # one in so many
FLAGS: Final = (NEVER, ADULT, "special:health", ONLY_IF_BOUGHT)
RECORD_LINES: Final = 128  # of a history that a store's record holds at most (`wire.member.Value`)
_LONG_DAYS: Final = 36_500  # so that the oldest purchases count as they do without the guard


@dataclass(frozen=True, slots=True)
class Shown:
    """Suggestions of one sort: measured against all true items, and against those that may be shown.

    `flagged`: how many suggested items bear a flag that forbids it.
    """

    of_all: Measured
    of_showable: Measured
    flagged: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Without the guard; behind the flags; behind the rule, too, that one purchase is no habit.

    `record`: without the guard, from the newest lines alone that a store's record holds.
    """

    flagged: int
    items: int
    lines: int
    plain: Shown
    flags: Shown
    habits: Shown
    record: Shown


def drawn(items: Sequence[str], seed: int) -> dict[str, str]:
    """A flag for one in twenty of the items."""
    some = random.Random(seed).sample(sorted(items), len(items) // SHARE)
    return {item: FLAGS[at % len(FLAGS)] for at, item in enumerate(some)}


def cost(shipped: Mapping[str, bytes], baskets: Baskets, seed: int, told: Callable[[str], None]) -> Cost:
    """Suggests to the `test` shoppers four times."""
    items = sorted({item for past in baskets.history.values() for basket in past for item in basket})
    flags = drawn(items, seed)
    shelf, model = _shelf(items, flags), model_of(shipped)
    tops: list[dict[str, list[str]]] = [{}, {}, {}, {}]
    forbidden = {}
    for at, shopper in enumerate(baskets.test):
        did = behaviour(baskets, shopper)
        forbidden[shopper] = _forbidden(did, flags)
        tops[0][shopper] = [one.item for one in rank(did, model, most=MOST)]
        guard = Guard(did, Terms(), shelf, SuggestionPolicy(habit_days=_LONG_DAYS))
        tops[1][shopper] = _listed(guard, model, lambda item, guard=guard: guard.harmless(item).is_free)
        tops[2][shopper] = _listed(guard, model, lambda item, guard=guard: guard.judge(item).is_free)
        tops[3][shopper] = [one.item for one in rank(_newest(did), model, most=MOST)]
        if at % 500 == 0:
            told(f"{at:,} of {len(baskets.test):,}")
    return Cost(len(flags), len(items), RECORD_LINES, *(_shown(top, forbidden, baskets) for top in tops))


def _newest(did: Behaviour) -> Behaviour:
    return replace(did, bought=did.bought[-RECORD_LINES:])


def _shelf(items: Sequence[str], flags: Mapping[str, str]) -> Shelf:
    maker = ShelfMaker()
    for item in items:
        maker.put(item, (), (), (flags[item],) if item in flags else ())
    return maker.made()


def _forbidden(did: Behaviour, flags: Mapping[str, str]) -> frozenset[str]:
    """Judged here and not by the guard: all that is flagged, but for `only_if_bought` what was bought on two days."""
    days: dict[str, set[int]] = {}
    for one in did.bought:
        days.setdefault(one.item, set()).add(one.day)
    return frozenset(item for item, flag in flags.items() if flag != ONLY_IF_BOUGHT or len(days.get(item, ())) < 2)


def _listed(guard: Guard, model: Model, allowed: Callable[[str], bool]) -> list[str]:
    """Flagged items that may be shown are ranked apart, as `consent.suggest.choose` does."""
    own = guard.own()
    found = list(rank(guard.clean(), model, lambda item: item not in own and allowed(item), MOST))
    if own:
        found += rank(guard.owning(own), model, lambda item: item in own, MOST)
    return [one.item for one in sorted(found, key=lambda one: (-one.score, one.item))[:MOST]]


def _shown(top: Mapping[str, list[str]], forbidden: Mapping[str, frozenset[str]], baskets: Baskets) -> Shown:
    showable = {
        shopper: [item for item in baskets.future[shopper] if item not in forbidden[shopper]]
        for shopper in baskets.test
    }
    may = [shopper for shopper in baskets.test if showable[shopper]]
    flagged = sum(item in forbidden[shopper] for shopper in baskets.test for item in top[shopper])
    return Shown(measured(top, baskets.future, baskets.test), measured(top, showable, may), flagged)
