"""Says how a shopper buys, from their dated purchases alone: behaviour, and nothing about who they are.

Each rule has a number that it rests on and is shown with; in doubt it says nothing. None says of a time that
nothing was bought in it: what is missing may be guarded, muted or kept to themselves.

Pure: no I/O, no clock.
"""

from collections import defaultdict
from typing import Final

from consent.suggest.journey import DAY_S, Act, Journey
from wire.concluded import MOST_NUMBER, Cohort, Concluded, Evidence

MOST: Final = 2  # that are told of one member
QUARTER_DAYS: Final = 91
YEAR_DAYS: Final = 365
OFTEN_DAYS: Final = 6  # days with purchases in a quarter: about every other week
FIRST_TIME_LEAST: Final = 6  # things bought for the first time in a quarter, …
FIRST_TIME_SHARE: Final = 0.5  # … which are at least half of all that was bought then …
KNOWN_DAYS: Final = 3  # … by somebody of whom purchases on so many days before are known
LOT: Final = 6  # of one thing at once
LOT_DAYS: Final = 3
LONG: Final = 112  # lines: of a longer history the oldest may be cut off, as a record holds 128
Days = dict[int, dict[str, int]]  # by days ago, the quantity of each item


def cohorts(journey: Journey) -> tuple[Concluded, ...]:
    """What can be told, what is most worth knowing first; at most `MOST`."""
    bought = [one for one in journey.events if one.act is Act.BOUGHT]
    now_s = journey.now_s
    today = now_s // DAY_S
    days: Days = defaultdict(lambda: defaultdict(int))
    for one in bought:
        item, at_s = one.item, one.at_s
        if at_s is not None and at_s <= now_s and item is not None:
            days[today - at_s // DAY_S][item] += max(1, one.quantity)
    whole = all(one.at_s is not None for one in bought)  # else it may have been bought before
    told = (
        _often(days),
        _lots(days),
        _first_time(days) if whole and len(bought) < LONG else None,
    )
    return tuple(one for one in told if one is not None)[:MOST]


def _often(days: Days) -> Concluded | None:
    number = sum(ago < QUARTER_DAYS for ago in days)
    return _told(Cohort.OFTEN, Evidence.PURCHASE_DAYS, number) if number >= OFTEN_DAYS else None


def _lots(days: Days) -> Concluded | None:
    number = sum(ago < YEAR_DAYS and max(items.values()) >= LOT for ago, items in days.items())
    return _told(Cohort.QUANTITY, Evidence.LARGE_LOTS, number) if number >= LOT_DAYS else None


def _first_time(days: Days) -> Concluded | None:
    before = [items for ago, items in days.items() if ago >= QUARTER_DAYS]
    lately = {item for ago, items in days.items() if ago < QUARTER_DAYS for item in items}
    number = len(lately.difference(*before))
    if len(before) < KNOWN_DAYS or number < FIRST_TIME_LEAST or number < FIRST_TIME_SHARE * len(lately):
        return None
    return _told(Cohort.NEW_THINGS, Evidence.FIRST_TIME, number)


def _told(cohort: Cohort, evidence: Evidence, number: int) -> Concluded:
    return Concluded(None, cohort, evidence, min(number, MOST_NUMBER))
