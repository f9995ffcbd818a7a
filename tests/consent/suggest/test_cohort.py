"""How a shopper buys is told from dated purchases, each rule with its number; in doubt nothing is said."""

import pytest

from consent.suggest.cohort import cohorts
from consent.suggest.journey import DAY_S, Act, Event, Journey
from wire.concluded import Cohort, Evidence

NOW_S = 20_000 * DAY_S + 50_000


def bought(item: str, *days: int, quantity: int = 1) -> tuple[Event, ...]:
    """An item, on each of those days ago."""
    return tuple(Event(Act.BOUGHT, item, NOW_S - ago * DAY_S, quantity) for ago in days)


def told(*events: Event) -> list[tuple[Cohort | None, Evidence, int | None]]:
    """The cohorts, each with its reason."""
    return [(one.cohort, one.evidence, one.number) for one in cohorts(Journey(events, NOW_S))]


REGULAR = bought("tea", 0, 10, 20, 30, 40, 50)
NEW = tuple(one for number in range(6) for one in bought(f"new-{number}", 12))
BEFORE = bought("tea", 100, 140, 200)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (REGULAR, [(Cohort.OFTEN, Evidence.PURCHASE_DAYS, 6)]),
        (REGULAR[1:], []),
        (bought("tea", 2, 40, 300, quantity=6), [(Cohort.QUANTITY, Evidence.LARGE_LOTS, 3)]),
        (bought("tea", 2, 40, 300, quantity=5), []),
        ((*NEW, *BEFORE), [(Cohort.NEW_THINGS, Evidence.FIRST_TIME, 6)]),
        ((*NEW, *BEFORE[:2]), []),  # of whom little is known, all is new
        ((*NEW, *BEFORE, *REGULAR),
         [(Cohort.OFTEN, Evidence.PURCHASE_DAYS, 7), (Cohort.NEW_THINGS, Evidence.FIRST_TIME, 6)]),
        ((*NEW, *BEFORE, *bought("cup", *range(92, 195))), []),  # a record holds no more, so it may have been longer
        ((*NEW, *BEFORE, *bought("cup", *range(92, 194))), [(Cohort.NEW_THINGS, Evidence.FIRST_TIME, 6)]),
        (bought("tea", 130, 150, 170), []),  # what was bought since may not be known here
        ((), []),
    ],
)  # fmt: skip
def test_each_rule_has_its_number(events: tuple[Event, ...], expected: list[tuple[Cohort, Evidence, int]]) -> None:
    """From the day on which it holds, and not one day or thing before."""
    assert told(*events) == told(*reversed(events)) == expected


def test_a_purchase_of_which_nobody_knows_when_lets_a_rule_be_silent() -> None:
    """It may have been long ago: what is new cannot be told beside it."""
    undated = Event(Act.BOUGHT, "cup", None)
    assert told(undated, *NEW, *BEFORE) == []
    assert told(undated, *REGULAR) == told(*REGULAR)


def test_no_more_than_two_are_told_and_only_of_what_was_bought_and_kept() -> None:
    """Wishes, baskets and what came back are no purchases."""
    many = (*REGULAR, *bought("cup", 0, 10, 20, quantity=9), *NEW, *BEFORE)
    assert [one[0] for one in told(*many)] == [Cohort.OFTEN, Cohort.QUANTITY]
    for act in (Act.BASKET, Act.WISHLIST, Act.RETURNED, Act.SERVICE):
        assert told(*(Event(act, one.item, one.at_s, one.quantity) for one in many)) == []
