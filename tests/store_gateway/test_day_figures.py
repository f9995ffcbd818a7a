"""A store's figures of its own work: days that are over, delays of no fewer than ten, and nothing of a member."""

from hypothesis import given, settings
from hypothesis import strategies as st

from store_gateway.day_figures import DayFigures
from tests.world import World
from wire import query
from wire.member import Mode
from wire.query import Light, Refused, RefusedReason
from wire.store_figures import LEAST, MOST_DAYS, STEP_MS, FigureDay, StoreFigures

DAY_MS = 86_400_000


def test_a_day_is_told_when_it_is_over() -> None:
    """How long it ran and was dark; time before the clock was known counts for the day that came to be known."""
    figures = DayFigures()
    figures.passed(Light.LOCKED, None, 10.0)
    figures.passed(Light.LOCKED, None, 70.0)
    figures.passed(Light.LIVE, DAY_MS, 100.0)
    figures.passed(Light.DARK, DAY_MS + 5000, 105.0)
    assert figures.told(2 * DAY_MS - 1) == StoreFigures(())
    assert figures.told(2 * DAY_MS) == StoreFigures((FigureDay(DAY_MS, 95, 65, 0, None, None, None),))


@settings(max_examples=30)
@given(delays=st.lists(st.integers(0, 100_000), max_size=60), more=st.integers(0, 100_000))
def test_a_days_delays_tell_of_ten_at_least_and_of_how_many_in_tens(delays: list[int], more: int) -> None:
    """Fewer are as none; of the others no delay is below what was measured, and a day that is over never moves."""
    figures = DayFigures()
    for delay in delays:
        figures.delayed(delay, DAY_MS)
    (day,) = figures.told(2 * DAY_MS).days or (FigureDay(DAY_MS, 0, 0, 0, None, None, None),)
    if len(delays) < LEAST:
        assert (day.withdrawals, day.median_ms, day.p95_ms, day.worst_ms) == (0, None, None, None)
    else:
        assert day.withdrawals == len(delays) // 10 * 10
        assert day.median_ms is not None and day.p95_ms is not None and day.worst_ms is not None
        assert day.median_ms <= day.p95_ms <= day.worst_ms
        assert 0 <= day.worst_ms - max(delays) < STEP_MS
        assert day.median_ms >= sorted(delays)[(len(delays) - 1) // 2]
        assert not day.median_ms % STEP_MS
    before = figures.told(2 * DAY_MS)
    figures.delayed(more, 2 * DAY_MS)
    assert figures.told(2 * DAY_MS) == before


def test_days_are_kept_for_a_month() -> None:
    """The newest first; older ones go."""
    figures = DayFigures()
    for day in range(50):
        figures.passed(Light.LIVE, day * DAY_MS, float(day))
    assert [one.from_ms // DAY_MS for one in figures.told(50 * DAY_MS).days] == [49 - n for n in range(MOST_DAYS)]


def test_figures_are_for_managers_and_no_shopper_moves_them() -> None:
    """An associate is refused; a day with visits and looks reads as one without."""
    told = []
    for crowded in (False, True):
        world = World()
        tablet = world.tablet("max", watches=True)
        if crowded:
            world.walks(world.joins(Mode.OPEN), 6)
            world.card(tablet, world.floor(tablet).visits[0].handle)
        else:
            world.passes(6)
        world.passes(20)
        assert world.ask(query.AskFigures(world.tablet("ada").session)) == Refused(RefusedReason.FORBIDDEN)
        assert world.ask(query.AskFigures(tablet.session)) == StoreFigures(())
        assert world.replica.epoch_ms is not None
        world.replica.epoch_ms += DAY_MS
        manager = world.tablet("max")
        told.append(world.ask(query.AskFigures(manager.session)))
    assert isinstance(told[0], StoreFigures)
    assert len(told[0].days) == 1
    assert told[0] == told[1]
