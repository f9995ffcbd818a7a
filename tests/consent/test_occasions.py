"""Purchases of an item on one visit are one occasion, wherever midnight UTC lies; those of another day are others."""

import random

import pytest

from consent import occasions
from consent.occasions import OCCASION_S

DAY_S, HOUR_S = 86_400, 3_600
MIDNIGHT_S = 20_000 * DAY_S  # 16:00 in Los Angeles


def of(*purchases: tuple[str, float]) -> list[int]:
    """Each an item, and hours since that midnight; days since that of it."""
    days = occasions.days([item for item, _ in purchases], [int(MIDNIGHT_S + at * HOUR_S) for _, at in purchases])
    return [day - 20_000 for day in days]


def test_two_tills_of_one_visit_are_one_occasion_over_midnight_too() -> None:
    """Of the day on which it began, in whatever order they are listed; twelve hours later it is another."""
    assert of(("tea", -0.1), ("tea", 0.1)) == of(("tea", 0.1), ("tea", -0.1)) == [-1, -1]
    assert of(("tea", -1), ("tea", 10.9), ("tea", 11)) == [-1, -1, 0]
    assert of(("tea", 1), ("tea", 23)) == [0, 0], "and a day is one, as ever"


def test_regulars_of_every_day_have_an_occasion_each_day() -> None:
    """Who buys it morning, noon and evening starts no occasion that never ends."""
    days = of(*(("coffee", 24 * day + hour) for day in range(9) for hour in (7, 13, 18)))
    assert sorted({*days}) == [*range(9)]


def test_nothing_follows_from_when_another_item_was_bought() -> None:
    """Wine between two purchases of tea joins them no more than if it was never bought."""
    alone = of(("tea", -13), ("tea", 0.1))
    assert of(("tea", -13), ("wine", -6), ("tea", 0.1), ("wine", 1))[::2] == alone == [-1, 0]


@pytest.mark.parametrize("seed", range(8))
def test_there_are_never_more_occasions_than_visits_nor_than_days(seed: int) -> None:
    """Of visits shorter than an occasion at any hours; the day is always that of a purchase, less than that ago."""
    chance = random.Random(seed)
    for _ in range(100):
        begin = [MIDNIGHT_S + chance.randrange(6 * DAY_S) for _ in range(chance.choice((1, 2, 5, 20)))]
        bought = [(chance.choice("abc"), at + chance.randrange(OCCASION_S)) for at in begin for _ in range(3)]
        visits = [at for at in begin for _ in range(3)]
        days = occasions.days([item for item, _ in bought], [at_s for _, at_s in bought])
        for item in {one for one, _ in bought}:
            mine = [
                (at_s, day, visit) for (one, at_s), day, visit in zip(bought, days, visits, strict=True) if one == item
            ]
            assert len({day for _, day, _ in mine}) <= min(
                len({visit for *_, visit in mine}), len({at_s // DAY_S for at_s, *_ in mine})
            )
            times = [at_s for at_s, *_ in mine]
            assert all(
                any(first <= at_s < first + OCCASION_S and first // DAY_S == day for first in times)
                for at_s, day, _ in mine
            )


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_going_through_each_items_purchases_says(seed: int) -> None:
    """One after the other: each is of the occasion of the one before unless that began twelve hours ago."""
    chance = random.Random(seed)
    for _ in range(100):
        number = chance.choice((0, 1, 5, 40))
        spread = chance.choice((DAY_S, 9 * DAY_S, 90 * DAY_S))
        bought = [(chance.choice("abcde"), MIDNIGHT_S + chance.randrange(spread)) for _ in range(number)]
        began: dict[tuple[str, int], int] = {}
        for item in "abcde":
            first = None
            for at_s in sorted(at_s for one, at_s in bought if one == item):
                first = at_s if first is None or at_s - first >= OCCASION_S else first
                began[item, at_s] = first // DAY_S
        found = occasions.days([item for item, _ in bought], [at_s for _, at_s in bought])
        assert found == [began[one] for one in bought]
