"""Tells purchases of an item on one visit from purchases on several, which alone are a habit.

No list says what was bought on one visit, and a day that ends at midnight UTC ends in the middle of the afternoon in
Los Angeles. So what was bought less than `OCCASION_S` after the first of an occasion is of that occasion, whatever the
date. That is the least number of spans of this length that all purchases of an item fit into: never more occasions than
there were visits, as long as none is longer. Each item is looked at by itself, so that nothing follows from when
something else was bought, be it guarded, muted or of no catalog.

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from typing import Final

OCCASION_S: Final = 12 * 3_600  # longer than a store is open to one visit; shorter than from one evening to the next
_DAY_S: Final = 86_400


def days(items: Sequence[str], times_s: Sequence[int]) -> list[int]:
    """Of each purchase, an item at a Unix second, the UTC day on which its occasion began, in the order given.

    Occasions that began on one day count as one, as their day is all that is known of them later.
    """
    plain = [at_s // _DAY_S for at_s in times_s]
    known = {*plain}
    if known.isdisjoint([day - 1 for day in known]):  # as of who shops once a week: no occasion is over midnight
        return plain
    dated = {*zip(items, plain, strict=True)}
    near = {item for item, day in dated if (item, day - 1) in dated}  # of the others the day is its own
    if not near:
        return plain
    first_s: dict[tuple[str, int], int] = {}
    before, began_s = "", 0
    for item, at_s in sorted({one for one in zip(items, times_s, strict=True) if one[0] in near}):
        if item != before or at_s >= began_s + OCCASION_S:
            before, began_s = item, at_s
        first_s[item, at_s] = began_s
    return [first_s.get(one, one[1]) // _DAY_S for one in zip(items, times_s, strict=True)]
