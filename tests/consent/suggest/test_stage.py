"""How far a shopper is comes from the newest of what they did, with what it rests on; in doubt nothing is said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.suggest import stage as staging
from consent.suggest.journey import DAY_S, HOUR_S, Act, Event, Journey
from consent.suggest.stage import stage
from wire.concluded import Evidence
from wire.suggestions import Stage

NOW_S = 20_000 * DAY_S + 14 * HOUR_S


def did(act: Act, ago_s: int | None, item: str | None = "tea", quantity: int = 1) -> Event:
    """Something done so long ago; None: nobody knows when."""
    return Event(act, item, None if ago_s is None else NOW_S - ago_s, quantity)


def told(*events: Event, calls: bool = False) -> tuple[Stage | None, Evidence, int | None] | None:
    """The stage with its reason."""
    found = stage(Journey(events, NOW_S, calls))
    return None if found is None else (found.stage, found.evidence, found.number)


SINCE = 3 * DAY_S
BOTH = did(Act.BASKET, SINCE), did(Act.BASKET, SINCE + 9, "cup")
CASE = did(Act.SERVICE, 40 * DAY_S, None, 2)


@pytest.mark.parametrize(
    ("events", "calls", "expected"),
    [
        ((did(Act.BASKET, HOUR_S),), False, (Stage.BUYING, Evidence.BASKET_LATELY, 1)),
        (BOTH, False, (Stage.CHOOSING, Evidence.BASKET_WEEK, 2)),
        (BOTH, True, (Stage.BUYING, Evidence.HELP, None)),
        ((*BOTH, did(Act.WISHLIST, HOUR_S, "pot")), False, (Stage.CHOOSING, Evidence.BASKET_WEEK, 2)),
        ((did(Act.WISHLIST, SINCE), did(Act.WISHLIST, SINCE)), False, (Stage.CHOOSING, Evidence.WISHLIST_WEEK, 1)),
        ((), True, (Stage.CHOOSING, Evidence.HELP, None)),
        ((did(Act.BOUGHT, DAY_S), did(Act.BOUGHT, DAY_S, "cup")), False, (Stage.AFTER, Evidence.BOUGHT, 2)),
        ((did(Act.BOUGHT, DAY_S),), True, (Stage.AFTER, Evidence.BOUGHT, 1)),
        ((did(Act.BOUGHT, DAY_S), *BOTH), False, (Stage.AFTER, Evidence.BOUGHT, 1)),
        ((did(Act.BOUGHT, DAY_S), did(Act.BASKET, HOUR_S)), False, (Stage.BUYING, Evidence.BASKET_LATELY, 1)),
        ((did(Act.BOUGHT, SINCE),), False, None),
        ((did(Act.RETURNED, SINCE),), False, (Stage.AFTER, Evidence.RETURNED, 1)),
        ((CASE,), False, (Stage.AFTER, Evidence.SERVICE, 2)),
        ((CASE, *BOTH), False, (Stage.CHOOSING, Evidence.BASKET_WEEK, 2)),
        ((did(Act.WISHLIST, 30 * DAY_S),), False, (Stage.BROWSING, Evidence.LISTED, 1)),
        ((did(Act.WISHLIST, 30 * DAY_S),), True, (Stage.CHOOSING, Evidence.HELP, None)),
        ((did(Act.WISHLIST, 100 * DAY_S),), False, None),
        ((), False, None),
    ],
)
def test_the_newest_decides_and_says_from_what(
    events: tuple[Event, ...], calls: bool, expected: tuple[Stage, Evidence, int | None] | None
) -> None:
    """Each row of the table, with the number of things; the order in which events are told is of no matter."""
    assert told(*events, calls=calls) == told(*reversed(events), calls=calls) == expected


@pytest.mark.parametrize("ago_s", [None, -HOUR_S])
@pytest.mark.parametrize("act", list(Act))
def test_what_has_no_time_or_lies_in_the_future_says_nothing(act: Act, ago_s: int | None) -> None:
    """Alone it makes no stage, and beside another it changes none."""
    assert told(did(act, ago_s)) is None
    assert told(did(act, ago_s), *BOTH) == told(*BOTH)


def test_of_two_things_at_one_moment_nothing_is_concluded() -> None:
    """Bought, or put into the basket: where it is not known which came last, the stage is not known."""
    assert told(did(Act.BOUGHT, DAY_S), did(Act.BASKET, DAY_S, "cup")) is None
    assert told(did(Act.BOUGHT, DAY_S), did(Act.RETURNED, DAY_S, "cup")) is not None


EVENTS = st.lists(
    st.builds(
        did,
        st.sampled_from(list(Act)),
        st.none() | st.integers(-DAY_S, 120 * DAY_S),
        st.sampled_from(["tea", "cup", None]),
        st.integers(1, 3),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(EVENTS, st.booleans(), st.sampled_from(["tea", "cup"]))
def test_what_is_taken_out_might_as_well_never_have_been(events: list[Event], calls: bool, silent: str) -> None:
    """Of items of which nothing may follow nothing does, nor from any that is left is an item named."""
    whole = Journey(tuple(events), NOW_S, calls)
    left = Journey(tuple(one for one in events if one.item != silent), NOW_S, calls)
    cleaned = whole.only(lambda item: item != silent)
    assert stage(cleaned) == stage(left)
    assert staging.just_bought(cleaned) == staging.just_bought(left)
    assert "tea" not in repr((cleaned, cleaned.events, stage(cleaned)))
