"""How old a batch is, by two clocks that know nothing of each other."""

from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.skew import STALE_MS, Skew

HOUR_MS = 3_600_000
offsets = st.integers(-(2**40), 2**40)


@given(offsets, st.lists(st.integers(0, STALE_MS), min_size=1, max_size=50))
def test_what_is_on_its_way_for_less_than_the_limit_is_never_stale(offset_ms, delays_ms):
    """Whatever the clocks say, and in whatever order the delays come."""
    skew = Skew()
    for n, delay_ms in enumerate(delays_ms):
        sent_ms = n * 250
        assert skew.age_ms(sent_ms, sent_ms + offset_ms + delay_ms) <= STALE_MS


@given(offsets, st.integers(STALE_MS + 100, HOUR_MS))
def test_what_was_held_back_is_stale(offset_ms, held_ms):
    """After one quick batch, anything that took longer than the limit is known for it."""
    skew = Skew()
    skew.age_ms(1_000, 1_000 + offset_ms)
    age_ms = skew.age_ms(1_250, 1_250 + offset_ms + held_ms)
    assert age_ms > STALE_MS
    # The least difference may have risen a little meanwhile, by no more than clocks drift.
    assert held_ms * 0.998 - 1 <= age_ms <= held_ms


def test_clocks_that_drift_for_a_week_make_nothing_stale():
    """200 parts in a million apart, ten times what a crystal is, either way."""
    for drift in (0.0002, -0.0002):
        skew = Skew()
        for sent_ms in range(0, 7 * 24 * HOUR_MS, 60_000):
            assert skew.age_ms(sent_ms, sent_ms * (1 + drift)) < 100


def test_an_instant_is_told_by_our_clock():
    """As the quickest batch has it; what was before our start is at our start."""
    skew = Skew()
    skew.age_ms(10_000, 510_300)
    skew.age_ms(11_000, 511_010)
    assert skew.ours_ms(10_500) == 510_510
    behind = Skew()
    behind.age_ms(10_000, 500)
    assert behind.ours_ms(1_000) == 0
