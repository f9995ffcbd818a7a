"""What became of the suggestions to one member, so that a no is heard: what was shown, taken, declined, passed over.

Days are days since 1970 UTC. A store keeps it sealed under the member's keys; it holds at most 256 items.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from consent.suggest.shelf import Shelf
from consent.suggest.signals import Tally
from wire.suggestions import MOST_REMEMBERED, Memory, Remembered, SuggestionPolicy

NOTHING = Memory(())
_MOST_TIMES = 100_000


class Came(StrEnum):
    """What became of a suggestion; by value `wire.items.Response`."""

    SHOWN = "shown"
    TAKEN = "taken"
    DECLINED = "declined"
    IGNORED = "ignored"  # the visit ended without a word on it; the showing itself was counted already
    NOT_FOR_ME = "not-for-me"  # and it is muted, for good


def after(memory: Memory, item: str, came: Came, day: int, policy: SuggestionPolicy) -> Memory:
    """The memory after one more thing came of `item` on `day`. `SHOWN` is said once for each visit.

    A silence longer than the rest begins the count anew. An `IGNORED` adds nothing to a showing that is known, of
    whichever day: a visit may end on the next one. Where none is known it counts as the showing that nobody told.
    """
    known = {one.item: one for one in memory.items}
    old = known.get(item, Remembered(item, 0, day, None, 0, 0, 0))
    last = max(day, old.last_day)
    match came:
        case Came.SHOWN:
            known[item] = _shown(old, last, policy)
        case Came.IGNORED:
            known[item] = old if old.shown else _shown(old, last, policy)
        case Came.TAKEN:
            known[item] = replace(old, unanswered=0, last_day=last, declined_day=None, taken=_more(old.taken))
        case Came.DECLINED | Came.NOT_FOR_ME:
            known[item] = replace(old, unanswered=0, last_day=last, declined_day=last, declined=_more(old.declined))
    return _bounded(known.values(), item, policy)


def is_declined(one: Remembered, day: int | None, policy: SuggestionPolicy) -> bool:
    """Whether it was declined not long enough ago. `day` None: not known, and so not long enough."""
    if one.declined_day is None:
        return False
    return day is None or day < one.declined_day + policy.declined_rest_days


def is_resting(one: Remembered, day: int | None, policy: SuggestionPolicy, *, showing: bool = False) -> bool:
    """Whether it was passed over too often, and not long enough ago.

    `showing`: it stands on the card of the visit that goes on, whose showing has no answer yet and does not count.
    """
    if one.unanswered - showing < policy.ignore_limit:
        return False
    return day is None or day < one.last_day + policy.ignore_rest_days


def by_category(memory: Memory, shelf: Shelf) -> tuple[tuple[str, Tally], ...]:
    """What became of suggestions by the narrowest category, for the ranker; nothing of what bears a guarding flag."""
    found: dict[str, tuple[int, int, int]] = {}
    for one in memory.items:
        sort = shelf.sort(one.item)
        if sort is not None and sort.category is not None and not sort.flags:
            shown, taken, declined = found.get(sort.category, (0, 0, 0))
            found[sort.category] = shown + one.shown, taken + one.taken, declined + one.declined
    return tuple((category, Tally(*found[category])) for category in sorted(found))


def forgotten(memory: Memory, day: int, policy: SuggestionPolicy) -> Memory:
    """The memory without what nothing follows from any more: older than both rests."""
    longest = max(policy.ignore_rest_days, policy.declined_rest_days)
    return Memory(tuple(one for one in memory.items if day < one.last_day + longest))


def _shown(old: Remembered, day: int, policy: SuggestionPolicy) -> Remembered:
    before = 0 if day >= old.last_day + policy.ignore_rest_days else old.unanswered
    return replace(old, unanswered=_more(before), last_day=day, shown=_more(old.shown))


def _more(times: int) -> int:
    return min(times + 1, _MOST_TIMES)


def _bounded(listed: Iterable[Remembered], newest: str, policy: SuggestionPolicy) -> Memory:
    """At most so many, by id; first goes what forbids nothing, then what was shown longest ago; never the newest."""
    ordered = sorted(listed, key=lambda one: (one.item == newest, _forbids(one, policy), one.last_day, one.item))
    return Memory(tuple(sorted(ordered[-MOST_REMEMBERED:], key=lambda one: one.item)))


def _forbids(one: Remembered, policy: SuggestionPolicy) -> bool:
    return one.declined_day is not None or one.unanswered >= policy.ignore_limit
