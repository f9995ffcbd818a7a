"""Chooses what stands on a card: first what may be suggested at all, then what is likely, then what policy leaves.

The one call of the gateway, of HQ's mirror and of the commands. It gets item ids, times and counts, and no name.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from consent.suggest.cohort import cohorts
from consent.suggest.guard import Guard, Terms, Verdict
from consent.suggest.journey import COHORT, STAGE
from consent.suggest.model import Model
from consent.suggest.rank import Place, Ranked, Reason, ReasonKind, rank
from consent.suggest.shelf import Shelf
from consent.suggest.signals import Behaviour
from consent.suggest.stage import FIRST, NOT_AGAIN, just_bought, stage
from wire.concluded import Concluded
from wire.suggestions import SuggestionPolicy

EVERYTHING = "suggestions"  # as a rule: off, nothing is suggested
_SPARE = 8  # asked for beyond what policy shows where some are left out, or others come first
_PLACES = frozenset({Place.DUE_AGAIN, Place.NEW})  # what was bought once is neither
_DUE = frozenset({Place.DUE_AGAIN})
Near = Callable[[str], bool]


@dataclass(frozen=True, slots=True, repr=False)
class Chosen:
    """What is suggested: what is due again and what would be new, each the likeliest first, or what the stage prefers.

    `stage` and `cohorts`: what was concluded from the member's journey, where that may be.
    """

    due: tuple[Ranked, ...] = ()
    new: tuple[Ranked, ...] = ()
    stage: Concluded | None = None
    cohorts: tuple[Concluded, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class _Standing:
    """What holds for one request. `off`: rules. `first`: kinds of reasons that lead, by the stage. `bare`: categories
    of which nothing is new now.
    """

    stage: Concluded | None
    off: frozenset[str]
    first: frozenset[ReasonKind] = frozenset()
    bare: frozenset[str | None] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """Why an item is suggested or not. `verdict`: the guard's as it may be told (`Guard.told`), before all else.

    `place` and `position` (from 1): where it stands among the likeliest of that place; None: it is not among them.
    `is_chosen`: whether it stands on the card. `off`: the rule that is switched off or rests and that kept it away.
    """

    verdict: Verdict
    place: Place | None = None
    position: int | None = None
    is_chosen: bool = False
    off: str | None = None


def choose(
    behaviour: Behaviour,
    terms: Terms,
    shelf: Shelf,
    model: Model | None,
    policy: SuggestionPolicy,
) -> Chosen:
    """What goes on the card now. Of what is as likely that comes first which stands in the zone of the visit."""
    guard = Guard(behaviour, terms, shelf, policy)
    standing = _standing(guard, behaviour, terms, shelf, policy)
    if EVERYTHING in standing.off:
        return Chosen()
    near = _near(shelf, terms.zone, standing.off)
    found = _ranked(guard, shelf, model, _most(policy, standing), near, standing, behaviour)
    left = [one for one in (_without(each, standing.off) for each in found) if one is not None]
    journey = behaviour.journey
    return Chosen(
        due=tuple(one for one in left if one.place is Place.DUE_AGAIN)[: policy.most_due],
        new=tuple(one for one in left if one.place is Place.NEW)[: policy.most_new],
        stage=standing.stage,
        cohorts=cohorts(journey.only(guard.is_signal)) if journey is not None and COHORT in journey.concludes else (),
    )


def explain(
    item: str,
    behaviour: Behaviour,
    terms: Terms,
    shelf: Shelf,
    model: Model | None,
    policy: SuggestionPolicy,
) -> Told:
    """Which rule decided about one item: what stands on the card as `choose` has it, all else by the same ranking."""
    guard = Guard(behaviour, terms, shelf, policy)
    verdict = guard.told(item)
    if not verdict.is_free:
        return Told(verdict)
    chosen = choose(behaviour, terms, shelf, model, policy)
    for listed in (chosen.due, chosen.new):
        for position, one in enumerate(listed, 1):
            if one.item == item:
                return Told(verdict, one.place, position, is_chosen=True)
    standing = _standing(guard, behaviour, terms, shelf, policy)
    off = standing.off
    found = _ranked(guard, shelf, model, _most(policy, standing), _near(shelf, terms.zone, off), standing, behaviour)
    mine = next((one for one in found if one.item == item), None)
    if mine is None:
        return Told(verdict, off=STAGE if _is_bare(item, shelf, standing, _known(behaviour)) else None)
    position = [one.item for one in found if one.place is mine.place].index(item) + 1
    if EVERYTHING in off or _without(mine, off) is None:
        return Told(verdict, mine.place, position, off=EVERYTHING if EVERYTHING in off else mine.reasons[0].kind)
    return Told(verdict, mine.place, position)


def switched_off(policy: SuggestionPolicy, zone: str | None, stage: str | None) -> frozenset[str]:
    """The rules that are off, or that rest in this zone and at this stage. Where neither is known all of them rest."""
    resting = (
        one.rule
        for one in policy.rules_resting
        if (one.zone is None or zone is None or one.zone == zone)
        and (one.stage is None or stage is None or one.stage == stage)
    )
    return frozenset((*policy.rules_off, *resting))


def inputs(policy: SuggestionPolicy, zone: str | None, stage: str | None, scopes: Iterable[str]) -> frozenset[str]:
    """Which of these scopes suggestions may be made from: those whose rule is neither off nor resting."""
    return frozenset(scopes) - switched_off(policy, zone, stage)


def _most(policy: SuggestionPolicy, standing: _Standing) -> int:
    """How many of each place are ranked. By it the trees judge the more, so that explaining has to ask for as many."""
    return max(policy.most_due, policy.most_new) + (_SPARE if standing.off or standing.first else 0)


def _standing(guard: Guard, behaviour: Behaviour, terms: Terms, shelf: Shelf, policy: SuggestionPolicy) -> _Standing:
    """What follows from the stage, which comes from the journey where it may be told, and else from `terms`."""
    journey = behaviour.journey
    if journey is None or STAGE not in journey.concludes:
        return _Standing(None, switched_off(policy, terms.zone, terms.stage))
    journey = journey.only(guard.is_signal)
    found = stage(journey)
    now = None if found is None else found.stage
    off = switched_off(policy, terms.zone, now)
    if now is None:
        return _Standing(found, off)
    bare = frozenset(map(shelf.category, just_bought(journey))) if now in NOT_AGAIN else frozenset()
    return _Standing(found, off, FIRST.get(now, frozenset()), bare - {None})


def _ranked(
    guard: Guard, shelf: Shelf, model: Model | None, most: int, near: Near | None, standing: _Standing, did: Behaviour
) -> list[Ranked]:
    """The likeliest of what the guard lets through, of both places: what the stage prefers, then the likeliest first.

    Items that a flag guards are suggested to who bought them alone: ranked apart, with their own purchases. All others
    are ranked without these, so that nothing else follows from them; and others' habits suggest nothing guarded.
    """
    own, bare = guard.own(), standing.bare
    known = _known(did) if bare else frozenset()

    def ranked(
        behaviour: Behaviour,
        allowed: Callable[[str], bool] | None,
        places: frozenset[Place],
        only: frozenset[str] | None = None,
    ) -> tuple[Ranked, ...]:
        return rank(
            behaviour, model, allowed, most,
            category=shelf.category, near=near, apart=True, places=places, only=only,
        )  # fmt: skip

    def is_not_bare(item: str) -> bool:
        return not _is_bare(item, shelf, standing, known) and guard.is_open(item)

    found = [*ranked(guard.clean(), is_not_bare if bare else guard.is_open, _PLACES)]
    if own:
        found += map(_quietly, ranked(guard.owning(own), None, _DUE, own))
    first = standing.first
    return sorted(found, key=lambda one: (_is_behind(one, first), -one.score, one.item))


def _known(did: Behaviour) -> frozenset[str]:
    return frozenset(one.item for one in did.bought)


def _is_bare(item: str, shelf: Shelf, standing: _Standing, known: frozenset[str]) -> bool:
    """Whether it would be new, of a category of which something was just bought."""
    return item not in known and shelf.category(item) in standing.bare


def _is_behind(one: Ranked, first: frozenset[ReasonKind]) -> bool:
    return bool(first) and not any(each.kind in first for each in one.reasons)


def _near(shelf: Shelf, zone: str | None, off: frozenset[str]) -> Near | None:
    """Whether an item stands in the zone of the visit; None: not known, or it is not to matter."""
    return None if ReasonKind.NEAR in off else shelf.stands_in(zone)


def _quietly(one: Ranked) -> Ranked:
    """An item that a flag guards says of itself that it was bought before, and not how often or when."""
    return replace(one, reasons=(Reason(ReasonKind.OFTEN),))


def _without(one: Ranked, off: frozenset[str]) -> Ranked | None:
    """The suggestion without the reasons that are off; None: what mattered most is."""
    if not off:
        return one
    if one.reasons and one.reasons[0].kind.value in off:
        return None
    return replace(one, reasons=tuple(each for each in one.reasons if each.kind.value not in off))
